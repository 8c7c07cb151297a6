"""The page of a version's profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.clock import as_datetime
from treadle.kernel.errors import NotFound, counted
from treadle.kernel.paging import page_of
from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.contexts import (
    DatasetProfileContext,
    HeatCell,
    HeatRow,
    HintRow,
    ProfiledColumn,
    TieRow,
)
from treadle.server.ui.formats import number
from treadle.server.ui.places import dataset_version_place
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Chart, Histogram, Link, Notice, Page, Pair, Series, Stat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from treadle.analysis.profiles import ColumnDrift, ColumnProfile, TableProfile, TimeChart
    from treadle.app import App
    from treadle.data.entities import DatasetVersion

# A profile not made yet is made for the page only while that is quick; others are made by
# `treadle data profile` or `client.data.profile`.
PROFILED_CELLS = 400_000
COLUMNS_A_PAGE = 50
HEATED = 16
TIES, HINTS, CHARTED_NULLS, TOP = 20, 50, 5, 8
LONGEST_CELL = 24
_HEAT_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
_MEASURES = {"pearson": "r", "cramers_v": "V", "correlation_ratio": "η"}


def known_or_quick(app: App, version: DatasetVersion) -> TableProfile | None:
    """Return the profile of a version if it was made before, or can be made while one waits."""
    if not version.is_table:
        return None
    known = app.data.known_profile(version.ref)
    if known is None and version.rows * len(version.columns) <= PROFILED_CELLS:
        return app.data.profile(version.ref)
    return known


def dataset_profile_context(request: Request, ref: str) -> DatasetProfileContext:
    """Return what is known of the columns of a version."""
    app = app_of(request)
    version = app.data.version(ref)
    if not version.is_table:
        raise NotFound("profile of", version.ref, hint="It holds files; only tables have one.")
    profile = known_or_quick(app, version)
    before = _before(app, profile)
    columns, offset = (profile.columns if profile else ()), paging.offset_of(request)
    shown = columns[offset : offset + COLUMNS_A_PAGE]
    drift = profile.drift if profile else None
    moved = {c.name: c for c in drift.columns} if drift else {}
    return DatasetProfileContext(
        page=_page(app, version),
        name=version.ref,
        stats=_stats(version, profile),
        notice=None if profile else _unmade(version),
        against=Link(drift.against, dataset_version_place(drift.against)) if drift else None,
        added=drift.added if drift else (),
        removed=drift.removed if drift else (),
        columns=tuple(_column(c, before.get(c.name), moved.get(c.name)) for c in shown),
        pager=paging.pager_of(
            request,
            page_of(shown, total=len(columns), offset=offset),
            offset=offset,
            rows=COLUMNS_A_PAGE,
        ),
        hints=tuple(_hints(columns))[:HINTS],
        charts=tuple(_charts(profile.chart)) if profile and profile.chart else (),
        target=profile.target if profile else "",
        ties=_ties(profile),
        heat_names=_heated(profile),
        heat=tuple(_heat(profile)),
        sampled=_sampled(profile),
    )


def column_value(found: ColumnProfile, value: float | str | None) -> str:
    """Say a value of a column in the width of a cell."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value if len(value) <= LONGEST_CELL else value[: LONGEST_CELL - 1] + "…"
    if found.kind == "time" and found.type.startswith(("date", "timestamp")):
        form = "%Y-%m-%d" if found.type.startswith("date") else "%Y-%m-%d %H:%M"
        return as_datetime(int(value)).strftime(form)
    return number(int(value) if value == int(value) else value)


def column_histogram(found: ColumnProfile) -> Histogram | None:
    """Return the picture of a column: equal bins, or its most frequent values."""
    if found.histogram is not None and found.histogram.edges:
        edges = found.histogram.edges
        counts = tuple(int(count) for count in found.histogram.counts)
        return Histogram(counts, column_value(found, edges[0]), column_value(found, edges[-1]))
    if not found.top_values or found.kind == "text":
        return None
    names, counts = zip(*found.top_values, strict=True)
    return Histogram(tuple(int(count) for count in counts), str(names[0]), str(names[-1]))


def _page(app: App, version: DatasetVersion) -> Page:
    name = version.dataset
    return Page(
        title=f"Profile of {version.ref}",
        nav="data",
        crumbs=(
            Link("Data", "/data"),
            Link(name, f"/data/{name}"),
            Link(version.ref, dataset_version_place(version.ref)),
        ),
        snippets=snippets(
            app.home,
            command=f"data profile {version.ref} --json",
            python=f"profile = client.data.profile({version.ref!r})",
        ),
        live="dataset. contract.",
    )


def _unmade(version: DatasetVersion) -> Notice:
    return Notice(
        "empty",
        "Not profiled yet",
        "This version is too large to be looked at while a page loads; once made, it is kept.",
        f"treadle data profile {version.ref}",
    )


def _before(app: App, profile: TableProfile | None) -> dict[str, ColumnProfile]:
    if profile is None or profile.drift is None:
        return {}
    try:
        known = app.data.known_profile(profile.drift.against)
    except NotFound:  # that version was removed since
        return {}
    return {c.name: c for c in known.columns} if known else {}


def _stats(version: DatasetVersion, profile: TableProfile | None) -> tuple[Stat, ...]:
    hinted = sum(1 for c in profile.columns if c.hints) if profile else None
    return (
        Stat("Rows", version.rows),
        Stat("Columns", len(version.columns)),
        Stat("Rows that repeat another", profile.repeated if profile else None),
        Stat("Hints of personal data", hinted, note="columns" if hinted else ""),
    )


def _column(
    found: ColumnProfile, before: ColumnProfile | None, moved: ColumnDrift | None
) -> ProfiledColumn:
    middle = found.quantile(0.5) if found.quantiles else None
    commonest = found.top_values[0][0] if found.top_values else None
    return ProfiledColumn(
        name=found.name,
        type=found.type,
        kind=found.kind,
        remarks=found.remarks,
        now=column_histogram(found),
        before=column_histogram(before) if before else None,
        missing=found.nulls / found.rows if found.rows else 0.0,
        missing_before=moved.nulls_before if moved else None,
        distinct=found.distinct,
        low=column_value(found, found.min),
        middle=column_value(found, commonest if middle is None else middle),
        high=column_value(found, found.max),
        psi=moved.psi if moved else None,
        js=moved.js if moved else None,
        not_compared=moved.why if moved else "",
        figures=tuple(_figures(found)),
        top=tuple(Pair(column_value(found, v), n) for v, n in found.top_values[:TOP])
        if found.kind != "time"
        else (),
    )


def _figures(found: ColumnProfile) -> Iterable[Pair]:
    if found.kind == "number":
        yield from (Pair("mean", found.mean), Pair("standard deviation", found.std))
    if found.quantiles:
        for level in (0.01, 0.05, 0.25, 0.75, 0.95, 0.99):
            yield Pair(f"{level:.0%} quantile", column_value(found, found.quantile(level)))
    counted = {
        "zeros": found.zeros,
        "below zero": found.negatives,
        "infinite": found.infinite or None,
        "values that occur once": found.once,
    }
    yield from (Pair(name, n) for name, n in counted.items() if n is not None)
    if found.lengths is not None:
        lengths = found.lengths
        yield Pair(
            "characters", f"{lengths.min:,} to {lengths.max:,}, on average {lengths.mean:.1f}"
        )
        yield Pair("blank texts", lengths.blank)


def _hints(columns: Iterable[ColumnProfile]) -> Iterable[HintRow]:
    for column in columns:
        for hint in column.hints:
            share = hint.share if hint.by == "value" else None
            yield HintRow(column.name, hint.kind, hint.by, share, hint.looked, hint.examples)


def _charts(chart: TimeChart) -> Iterable[Chart]:
    kind = "time" if chart.unit == "hour" else "day"
    undated = f"{counted(chart.undated, 'row')} without a time. " if chart.undated else ""
    yield Chart(
        id="rows",
        title=f"Rows by {chart.unit}",
        x_label=f"{chart.column}, {chart.unit} from",
        x=tuple(float(start) for start in chart.starts),
        series=(Series("rows", tuple(float(n) for n in chart.rows), "bars"),),
        x_kind=kind,
        y_label="Rows",
        note=undated,
    )
    most = sorted(chart.nulls, key=lambda name: -sum(chart.nulls[name]))[:CHARTED_NULLS]
    if most:
        more = len(chart.nulls) - len(most)
        yield Chart(
            id="nulls",
            title=f"Nulls by {chart.unit}",
            x_label=f"{chart.column}, {chart.unit} from",
            x=tuple(float(start) for start in chart.starts),
            series=tuple(
                Series(
                    name,
                    tuple(
                        round(n / rows, 4) if rows else None
                        for n, rows in zip(chart.nulls[name], chart.rows, strict=True)
                    ),
                )
                for name in most
            ),
            x_kind=kind,
            y_label="Share of the rows without a value",
            note=f"{more} more columns have nulls." if more else "",
        )


def _ties(profile: TableProfile | None) -> tuple[TieRow, ...]:
    if profile is None:
        return ()
    return tuple(
        TieRow(t.name, t.information, t.share, t.auc, t.status if t.status == "suspect" else "")
        for t in profile.target_ties[:TIES]
    )


def _heated(profile: TableProfile | None) -> tuple[str, ...]:
    """Return the columns of the heat table, in the table's order: those with the strongest ties."""
    if profile is None:
        return ()
    strength: dict[str, float] = {}
    for pair in profile.pairs:
        for name in (pair.first, pair.second):
            strength[name] = max(strength.get(name, 0.0), abs(pair.value))
    kept = set(sorted(strength, key=lambda name: -strength[name])[:HEATED])
    return tuple(c.name for c in profile.columns if c.name in kept)


def _heat(profile: TableProfile | None) -> Iterable[HeatRow]:
    names = _heated(profile)
    pairs = {frozenset((p.first, p.second)): p for p in profile.pairs} if profile else {}
    for row in names:
        cells = []
        for column in names:
            pair = pairs.get(frozenset((row, column)))
            if row == column or pair is None:
                cells.append(HeatCell("", 0, ""))
                continue
            measure = _MEASURES[pair.measure]
            level = sum(abs(pair.value) >= least for least in _HEAT_LEVELS)
            text = f"{pair.value:.2f}".replace("-", "−")
            cells.append(HeatCell(text, level, f"{measure} of {row} and {column}: {text}"))
        yield HeatRow(row, tuple(cells))


def _sampled(profile: TableProfile | None) -> str:
    if profile is None or not profile.sampled:
        return ""
    if profile.sampled == profile.rows:
        return f"of all {counted(profile.rows, 'row')}"
    return f"of {profile.sampled:,} random rows"
