"""The page of runs: the rows with their columns, what narrows them, what is saved and selected."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.paging import Page as Found
from treadle.server.ui import paging
from treadle.server.ui.contexts import (
    ColumnChoice,
    Facet,
    FacetValue,
    RunRow,
    RunsContext,
    ViewRow,
)
from treadle.server.ui.formats import elapsed
from treadle.server.ui.places import run_place
from treadle.server.ui.run_columns import Shown, cells, headings, offered, shown
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.widgets import Link, Notice, Page, Pair
from treadle.tracking.rules import STATUSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from treadle.app import App
    from treadle.server.ui.runs_asked import RunsAsked
    from treadle.server.ui.widgets import Pager
    from treadle.tracking.entities import Run

EXPERIMENTS_SHOWN = 40
KINDS = ("Metrics", "Params", "Tags")


def runs_context(app: App, asked: RunsAsked, *, request: Request) -> RunsContext:
    """Return the runs that match, with their metrics and params on screen."""
    found, problem = found_runs(app, asked)
    columns = shown(found.items, chosen=asked.column)
    query = asked.address(path="").removeprefix("?")
    keep = {k: v for k, v in asked.given().items() if k != "offset"}
    return RunsContext(
        page=_page(app, asked, request=request),
        filter=asked.filter,
        kept=tuple(_kept(asked)),
        chips=tuple(chips(asked)),
        facets=_facets(app, asked),
        facets_id=asked.key,
        facets_href=asked.address("/runs/facets"),
        choices=_choices(found.items, columns),
        views=_views(app, query),
        query=query,
        columns=headings(columns, found.items, asked=asked),
        rows=tuple(_row(run, columns, asked=asked) for run in found.items),
        elsewhere=_elsewhere(asked, found.items),
        pager=_pager(asked, paging.pager_of(request, found, offset=asked.offset, keep=keep)),
        notice=problem or (None if found.items else _nothing(asked)),
    )


def found_runs(app: App, asked: RunsAsked) -> tuple[Found[Run], Notice | None]:
    """Return the runs an address asks for; when it cannot be asked, none, and why."""
    later = asked.counts_later
    try:
        found = app.tracking.search_runs(
            experiment=asked.experiment or None,
            status=asked.status or None,
            parent_id=asked.parent or None,
            where=asked.where,
            order_by=asked.sorting,
            view=asked.stages,
            # One more than is shown says whether there are more.
            limit=paging.ROWS + later,
            offset=asked.offset,
            count=not later,
        )
    except InvalidInput as error:
        # Told in place of the list: who types a filter keeps it, with what is wrong about it.
        return Found(items=(), total=0), Notice("error", error.message, error.hint)
    return Found(items=found.items[: paging.ROWS], total=found.total), None


def chips(asked: RunsAsked) -> list[Link]:
    """Return what narrows the list now, each leading to the list without it."""
    found = [
        Link(f"{label}: {said}", asked.address(**{field: ""}))
        for field, label, said in (
            ("experiment", "Experiment", asked.experiment),
            ("status", "Status", asked.status),
            ("user", "User", asked.user),
            ("parent", "Part of", asked.parent[:12]),
            ("view", "Runs", asked.view),
        )
        if said
    ]
    for tag in asked.tag:
        rest = tuple(other for other in asked.tag if other != tag)
        found.append(Link(tag.replace("=", ": ", 1), asked.address(tag=rest)))
    return found


def _pager(asked: RunsAsked, pager: Pager) -> Pager:
    if not asked.counts_later or pager.last >= pager.total:
        return pager
    return dataclasses.replace(pager, total=pager.last, open_id=asked.total_id)


def _page(app: App, asked: RunsAsked, *, request: Request) -> Page:
    return Page(
        title="Runs",
        nav="runs",
        snippets=(
            *snippets(
                app.home,
                command=f"runs{_options(asked)} --json",
                python=f"runs = client.tracking.search_runs({_arguments(asked)})",
            ),
            mlflow_snippet(request, f"runs = mlflow.search_runs({_for_mlflow(asked)})"),
        ),
        live="run.",
    )


def _options(asked: RunsAsked) -> str:
    given = (
        ("--experiment", asked.experiment),
        ("--status", asked.status),
        ("--where", asked.where),
        ("--sort", asked.order),
    )
    return "".join(f" {option} {_quoted(said)}" for option, said in given if said)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _arguments(asked: RunsAsked) -> str:
    given = (
        ("experiment", asked.experiment),
        ("status", asked.status),
        ("parent_id", asked.parent),
        ("where", asked.where),
        ("order_by", asked.order),
        ("view", asked.view),
    )
    return ", ".join(f"{name}={said!r}" for name, said in given if said)


def _for_mlflow(asked: RunsAsked) -> str:
    conditions = [asked.where] if asked.where else []
    if asked.status:
        conditions.append(f"attributes.status = '{asked.status.upper()}'")
    parts = [
        f"experiment_names=[{asked.experiment!r}]"
        if asked.experiment
        else "search_all_experiments=True"
    ]
    if conditions:
        parts.append(f"filter_string={' and '.join(conditions)!r}")
    return ", ".join(parts)


def _kept(asked: RunsAsked) -> list[Pair]:
    # What the form of the filter has no field for; columns have boxes of their own in it.
    names = ("experiment", "status", "user", "parent", "view", "order")
    kept = [Pair(name, getattr(asked, name)) for name in names if getattr(asked, name)]
    kept += [Pair("tag", tag) for tag in asked.tag]
    return kept + ([Pair("runs", ",".join(asked.runs))] if asked.runs else [])


def _facets(app: App, asked: RunsAsked) -> tuple[Facet, ...]:
    names = [each.name for each in app.tracking.experiments()][:EXPERIMENTS_SHOWN]
    return (
        Facet("Experiment", tuple(facet_value(asked, "experiment", name) for name in names)),
        Facet("Status", tuple(facet_value(asked, "status", status) for status in STATUSES)),
    )


def facet_value(
    asked: RunsAsked, field: str, value: str, *, count: int | None = None
) -> FacetValue:
    """Return a value to narrow by; the one that narrows already leads to the list without it."""
    is_selected = getattr(asked, field) == value
    href = asked.address(**{field: "" if is_selected else value})
    return FacetValue(value, href, count, is_selected)


def _choices(runs: Sequence[Run], columns: Sequence[Shown]) -> tuple[ColumnChoice, ...]:
    found = offered(runs, columns=columns)
    groups = ((kind, tuple(option for each, option in found if each == kind)) for kind in KINDS)
    return tuple(ColumnChoice(kind, options) for kind, options in groups if options)


def _views(app: App, query: str) -> tuple[ViewRow, ...]:
    return tuple(
        ViewRow(view.name, f"/runs?{view.query}" if view.query else "/runs", view.query == query)
        for view in app.views.views("runs")
    )


def _row(run: Run, columns: Sequence[Shown], *, asked: RunsAsked) -> RunRow:
    return RunRow(
        id=run.id,
        name=run.name or run.id[:12],
        href=run_place(run.id),
        status=run.status,
        started_us=run.started_at,
        duration_us=elapsed(run.started_at, run.ended_at),
        values=cells(run, columns),
        experiment="" if asked.experiment else run.experiment,
        is_selected=run.id in asked.runs,
    )


def _elsewhere(asked: RunsAsked, runs: Sequence[Run]) -> tuple[str, ...]:
    here = {run.id for run in runs}
    return tuple(each for each in asked.runs if each not in here)


def _nothing(asked: RunsAsked) -> Notice:
    if asked.is_narrowed:
        return Notice("empty", "No run matches", "Take a condition away to see more.")
    return Notice(
        "empty", "No run yet", "A pipeline that runs leaves its runs here.", "treadle run"
    )
