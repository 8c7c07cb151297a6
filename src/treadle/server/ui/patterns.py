"""The example values of the pattern portfolio at /ui/patterns: each widget in each of its states.

Nothing here is measured; every name says "example" so that no reader takes it for a result.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from treadle.server.ui import states
from treadle.server.ui.contexts import (
    CheckRow,
    ComparedGroup,
    ComparedRun,
    Facet,
    FacetValue,
    PatternsContext,
    Preview,
    RunRow,
    TreeNode,
    VariantRow,
)
from treadle.server.ui.side_by_side import group
from treadle.server.ui.widgets import (
    LOOP,
    Chart,
    Column,
    Histogram,
    Level,
    Link,
    LoopNode,
    LoopPicture,
    Marker,
    Moment,
    Notice,
    Page,
    Pager,
    Pair,
    Series,
    Snippet,
    Stage,
    Stat,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.server.ui.run_columns import Cell

_MINUTE_US = 60_000_000
_DAY_US = 24 * 60 * _MINUTE_US
_WEEKS = 24
_DIGEST = "0197a0c7e4b07f119d2a6c81f0e4d350"


def portfolio(now_us: int) -> PatternsContext:
    """Every widget in every state, with instants counted from ``now_us``."""
    return PatternsContext(
        page=Page(
            title="Patterns",
            nav="",
            snippets=(
                Snippet("Shell", "treadle runs --json"),
                Snippet("Python", 'import treadle\n\nproject = treadle.connect(".")'),
            ),
        ),
        badges=(*states.known(), "a new state"),
        stats=_stats(),
        pairs=(
            Pair("max_depth", 6),
            Pair("learning_rate", 0.0785),
            Pair("objective", "log-loss"),
            Pair("run", "example", "/runs/example"),
            Pair("early_stopping", None),
        ),
        columns=_columns(),
        rows=_rows(now_us),
        pager=Pager(first=101, last=200, total=100_000, previous="?page=1", next="?page=3"),
        notices=_notices(),
        charts=_charts(),
        histograms=(
            Histogram((1, 4, 11, 22, 34, 41, 37, 25, 14, 6, 2, 1), "-3.1", "3.2"),
            Histogram((90, 30, 12, 6, 3, 2, 1, 1), "0", "871"),
            Histogram((5,), "constant", "constant"),
        ),
        pictures=tuple(_picture(step) for step in (-1, 5, 12)),
        moments=_moments(now_us),
        checks=_checks(),
        variants=_variants(),
        facets=_facets(),
        tags=(Pair("team", "example"), Pair("stage", "draft")),
        tree=_tree(),
        previews=_previews(),
        compared=_compared(now_us),
        groups=_groups(),
        now_us=now_us,
        code='import treadle\n\nproject = treadle.connect(".")\nprint(project.runs())',
    )


def _stats() -> tuple[Stat, ...]:
    return (
        Stat("Requests", 1_204_331),
        Stat("Log-loss", 0.48917, note="95 % [0.4841, 0.4943]"),
        Stat("p95", 4.2, "ms"),
        Stat("Champion", "example@4"),
        Stat("Labels", None, note="not there yet"),
        Stat("Tiny", 0.0000123),
    )


def _columns() -> tuple[Column, ...]:
    return (
        Column("Run", "?order=name"),
        Column("Status"),
        Column("Started", "?order=start_time", "descending"),
        Column("Duration", is_numeric=True),
        Column("learning_rate", "?order=params.learning_rate", is_numeric=True),
        Column("objective"),
        Column("log_loss", "?order=metrics.log_loss", is_numeric=True),
    )


def _rows(now_us: int) -> tuple[RunRow, ...]:
    return tuple(
        RunRow(
            id=f"0197a{index}c7e4b07f119d2a6c81f0e4d35{index}",
            name=f"example-{index}",
            href="#",
            status=status,
            started_us=None if status == "scheduled" else now_us - index * _MINUTE_US,
            duration_us=duration,
            values=values,
        )
        for index, (status, duration, values) in enumerate(
            (
                ("finished", 12_345_678, (0.0785, "log-loss", 0.48917)),
                ("running", None, (0.1, "log-loss", None)),
                ("failed", 871_000, (2.0, "log-loss", math.nan)),
                ("killed", 3_700_000_000, (None, None, 1.5)),
                ("scheduled", None, (0.02, "brier", None)),
            )
        )
    )


def _notices() -> tuple[Notice, ...]:
    return (
        Notice(
            "empty",
            "No run yet",
            "A pipeline that runs leaves its runs here.",
            "treadle run",
        ),
        Notice(
            "error",
            "The filter cannot be read",
            "At character 9 stands “metric”; did you mean “metrics”?",
            "metrics.log_loss < 0.5",
        ),
        Notice(
            "too_many",
            "100,000 runs match; the first 10,000 are sorted",
            "Add a condition to the filter to sort all of them.",
        ),
        Notice("loading", "Loading the runs", "The newest come first."),
    )


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    """Return made-up numbers with few digits: they travel in the page."""
    return tuple(round(value, 4) for value in values)


def _charts() -> tuple[Chart, ...]:
    weeks = tuple(float(1_356_998_400_000_000 + 7 * _DAY_US * week) for week in range(_WEEKS))
    wave = _rounded(0.49 + 0.03 * math.sin(week / 3) for week in range(_WEEKS))
    gap = tuple(
        None if week in {9, 10} else round(value - 0.012, 4) for week, value in enumerate(wave)
    )
    steps = tuple(float(step) for step in range(1, 41))
    return (
        Chart(
            "example-band",
            "Example with interval, level, gap and markers",
            "Week",
            weeks,
            (
                Series(
                    "example@3",
                    wave,
                    low=_rounded(value - 0.014 for value in wave),
                    high=_rounded(value + 0.014 for value in wave),
                ),
                Series("example@4", gap),
            ),
            x_kind="day",
            y_label="Log-loss",
            levels=(Level("limit 0.51", 0.51),),
            markers=(
                Marker(weeks[5], "example alert", "bad"),
                Marker(weeks[14], "example release", "ok"),
            ),
            note="A gap is a week without labels, not a zero.",
        ),
        Chart(
            "example-bars",
            "Example with bars and a muted series",
            "Week",
            weeks,
            (
                Series("requests", tuple(900.0 + 40 * week for week in range(_WEEKS)), "bars"),
                Series("capacity", (1_700.0,) * _WEEKS, "muted"),
            ),
            x_kind="day",
            y_label="Requests",
        ),
        Chart(
            "example-curve",
            "Example over steps",
            "Step",
            steps,
            (
                Series("train", _rounded(0.69 * math.exp(-step / 40) + 0.4 for step in steps)),
                Series(
                    "validation", _rounded(0.66 * math.exp(-step / 30) + 0.45 for step in steps)
                ),
            ),
            y_label="Loss",
        ),
    )


def _picture(step: int) -> LoopPicture:
    """The loop before anything (-1), with one station active, and once round."""
    values: tuple[int | str, ...] = (
        5,
        214,
        9,
        "passed",
        "@4",
        "canary",
        1_204,
        336_776,
        327_346,
        44,
        1,
        3,
    )
    units = (
        "dataset versions",
        "expectations hold",
        "runs",
        "2 of 2 gates",
        "example",
        "10 % of traffic",
        "requests a minute",
        "predictions",
        "labels joined",
        "windows judged",
        "alert open",
        "retrainings",
    )
    return LoopPicture(
        nodes=tuple(
            LoopNode(key, label, _station(index, step), value if index <= step else None, unit, "#")
            for index, ((key, label), value, unit) in enumerate(
                zip(LOOP.items(), values, units, strict=True)
            )
        ),
        stages=tuple(
            Stage(name, _station(index + 4, step))
            for index, name in enumerate(("shadow", "canary", "live"))
        ),
        stats=(
            Stat("Example week", "23" if step > 0 else None, "of 52"),
            Stat("Log-loss", 0.4892 if step > 0 else None, note="example"),
            Stat("Observed / predicted", 1.04 if step > 0 else None),
            Stat("Champion", "example@4" if step > 0 else None),
        ),
    )


def _station(index: int, step: int) -> str:
    if index == step:
        return "active"
    # One station of the full loop shows what a failure looks like.
    if step == len(LOOP) and index == list(LOOP).index("alert"):
        return "failed"
    return "done" if index < step else "idle"


def _moments(now_us: int) -> tuple[Moment, ...]:
    return (
        Moment(now_us, "An example is under way", "running", "#", "step 9", "2013-06-03"),
        Moment(now_us - _MINUTE_US, "An example alert opened", "alert", "#", "step 8"),
        Moment(now_us - 3 * _MINUTE_US, "An example gate passed", "passed", "", "step 6"),
        Moment(now_us - 4 * _MINUTE_US, "An example fault was injected", "injected"),
        Moment(now_us - 5 * _MINUTE_US, "Something without a state happened"),
    )


def _checks() -> tuple[CheckRow, ...]:
    return (
        CheckRow(
            "Example loss",
            "high < 0",
            0.5126,
            0.4892,
            -0.0234,
            -0.0301,
            -0.0167,
            "passed",
            "paired, clustered by day",
        ),
        CheckRow(
            "Example doubt", "high < 0", 0.4712, 0.4709, -0.0003, -0.0011, 0.0005, "refused", ""
        ),
        CheckRow("Example errors", "= 0", None, 0.0, None, None, None, "passed", ""),
        CheckRow("Example wait", "n ≥ 130", None, None, None, None, None, "undecided", "41 of 130"),
    )


def _variants() -> tuple[VariantRow, ...]:
    return tuple(
        VariantRow(role, Link("example", "#"), role, share, 0, 0, None, None)
        for role, share in (("live", 0.9), ("canary", 0.1), ("shadow", 0.0), ("champion", 1.0))
    )


def _facets() -> tuple[Facet, ...]:
    values = (FacetValue("example", "#", 1_204, is_selected=True), FacetValue("another", "#", 9))
    return (Facet("Counted", values), Facet("Not counted yet", (FacetValue("example", "#"),)))


def _tree() -> tuple[TreeNode, ...]:
    inside = (TreeNode("roc.png", "#", 4_096), TreeNode("notes.txt", "#", 12, is_current=True))
    return (
        TreeNode("open", "", 4_108, inside, is_open=True),
        TreeNode("closed", "", 4_108, inside),
        TreeNode("config.json", "#", 56),
    )


def _previews() -> tuple[Preview, ...]:
    table = Preview(
        "table",
        "example.csv",
        803,
        _DIGEST,
        "#",
        columns=(Column("flight"), Column("late", is_numeric=True)),
        rows=(("UA 12", 0.25), ("UA 13", None)),
        note="The first 2 rows of 500.",
    )
    text = Preview("text", "example.txt", 18, _DIGEST, "#", text="line one\nline two")
    nothing = Preview("none", "example.bin", 4_096, _DIGEST, "#", note="It cannot be shown.")
    return (table, text, nothing)


def _compared(now_us: int) -> tuple[ComparedRun, ...]:
    return tuple(
        ComparedRun(
            number, _DIGEST, f"example-{number}", "#", "example", "finished", now_us, _DAY_US, "#"
        )
        for number in (1, 2, 9, 17)
    )


def _groups() -> tuple[ComparedGroup, ...]:
    runs: tuple[dict[str, Cell], ...] = (
        {"log_loss": 0.4892, "kind": "trees", "seed": 7},
        {"log_loss": 0.5126, "kind": "linear", "seed": 7},
        {"log_loss": math.nan, "kind": "trees", "seed": 7},
        {"log_loss": None, "kind": "trees", "seed": 7},
    )
    return (group("Example", runs),)
