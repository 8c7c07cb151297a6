"""The page that compares runs: what differs, then their curves, then all of them at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treadle.kernel.errors import TreadleError
from treadle.server.ui.contexts import CompareContext, ComparedGroup, ComparedRun
from treadle.server.ui.curves import curve_look, curve_sets
from treadle.server.ui.formats import elapsed
from treadle.server.ui.places import asking, dataset_version_place, run_place
from treadle.server.ui.run_columns import HIDDEN_TAGS, SYSTEM, param_cell
from treadle.server.ui.runs_asked import run_ids
from treadle.server.ui.runs_plot import runs_plot
from treadle.server.ui.side_by_side import filled, group
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.widgets import Link, Notice, Page, Pair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from treadle.app import App
    from treadle.server.ui.run_columns import Cell
    from treadle.tracking.entities import Run

MOST = 50
WHOLE_ID = re.compile(r"[0-9a-f]{32}")
KEPT = ("x", "log", "smooth", "px", "py")
ORIGINS = (
    ("Commit", ("treadle.code.commit", "mlflow.source.git.commit")),
    ("Uncommitted changes", ("treadle.code.diff",)),
    ("Source", ("mlflow.source.name",)),
    ("Python", ("treadle.python",)),
    ("System", ("treadle.os",)),
    ("Packages", ("treadle.packages",)),
)


def compare_context(app: App, request: Request) -> CompareContext:
    """Return runs side by side."""
    given = request.query_params
    without = set(given.getlist("without"))
    asked = tuple(each for each in run_ids(given) if each not in without)
    runs, missing = _found(app, asked[:MOST])
    return CompareContext(
        page=_page(app, runs, request=request),
        runs=tuple(_column(run, number) for number, run in enumerate(runs, 1)),
        kept=(
            Pair("runs", ",".join(run.id for run in runs)),
            *(Pair(name, given[name]) for name in KEPT if given.get(name)),
        ),
        groups=_groups(runs) if len(runs) > 1 else (),
        drawn=curve_look(given),
        curves=curve_sets(app, runs) if len(runs) > 1 else (),
        plot=runs_plot(runs, given=given) if len(runs) > 1 else None,
        back=asking("/runs", {"runs": ",".join(run.id for run in runs)}),
        notice=_notice(asked, runs, missing=missing),
    )


def _found(app: App, asked: Sequence[str]) -> tuple[tuple[Run, ...], list[str]]:
    found: dict[str, Run] = {}
    missing: list[str] = []
    known = _known(app, [each for each in asked if WHOLE_ID.fullmatch(each)])
    for each in asked:
        try:
            run = known.get(each) or app.tracking.run(each)
        except TreadleError as error:  # not there, or the beginning of several
            missing.append(error.message)
        else:
            found[run.id] = run
    return tuple(found.values()), missing


def _known(app: App, ids: Sequence[str]) -> dict[str, Run]:
    """Return the runs of whole ids, all by one search."""
    if not ids:
        return {}
    where = "run_id IN ({})".format(", ".join(f"'{each}'" for each in ids))
    page = app.tracking.search_runs(where=where, view="all", limit=len(ids), count=False)
    return {run.id: run for run in page.items}


def _page(app: App, runs: Sequence[Run], *, request: Request) -> Page:
    short = [run.id[:12] for run in runs]
    listed = "\n".join(f"treadle --home {app.home} runs show {each} --json" for each in short[1:])
    shell, python = snippets(
        app.home,
        command=f"runs show {short[0] if short else 'ID'} --json"
        + (f"\n{listed}" if listed else ""),
        python=f"runs = [client.tracking.run(run) for run in {short!r}]\n"
        "for run in runs:\n    print(run.name, run.params, run.metrics)",
    )
    ids = [run.id for run in runs]
    return Page(
        title=f"Compare {len(runs)} runs" if runs else "Compare",
        nav="runs",
        crumbs=(Link("Runs", "/runs"),),
        snippets=(
            shell,
            python,
            mlflow_snippet(request, f"runs = [mlflow.get_run(run) for run in {ids!r}]"),
        ),
    )


def _column(run: Run, number: int) -> ComparedRun:
    return ComparedRun(
        number=number,
        id=run.id,
        name=run.name or run.id[:12],
        href=run_place(run.id),
        experiment=run.experiment,
        status=run.status,
        started_us=run.started_at,
        duration_us=elapsed(run.started_at, run.ended_at),
    )


def _groups(runs: Sequence[Run]) -> tuple[ComparedGroup, ...]:
    metrics = [_own(run.metrics) for run in runs]
    params = [{key: param_cell(text) for key, text in run.params.items()} for run in runs]
    tags = [
        {key: text for key, text in run.tags.items() if not key.startswith(HIDDEN_TAGS)}
        for run in runs
    ]
    return filled(
        (
            group("Metrics", metrics),
            group("Params", params),
            group("Made from", [origins(run) for run in runs], place=origin_place),
            group("Tags", tags),
        )
    )


def _own(metrics: Mapping[str, float]) -> dict[str, Cell]:
    return {key: value for key, value in metrics.items() if not key.startswith(SYSTEM)}


def origins(run: Run) -> dict[str, Cell]:
    """Return code, environment and inputs of a run."""
    found: dict[str, Cell] = {}
    for label, tags in ORIGINS:
        said = next((run.tags[tag] for tag in tags if tag in run.tags), None)
        if said is not None:
            found[label] = said[:12] if label in {"Commit", "Packages"} else said
    for each in run.inputs:
        name, _, version = each.ref.partition("@")
        found[f"{each.kind} {name}"] = version or each.digest[:12]
    return found


def origin_place(label: str, value: Cell) -> str:
    """Return the page of a dataset version among the origins; nothing else has one."""
    kind, _, name = label.partition(" ")
    return dataset_version_place(f"{name}@{value}") if kind == "dataset" and name else ""


def _notice(asked: Sequence[str], runs: Sequence[Run], *, missing: Sequence[str]) -> Notice | None:
    if len(asked) > MOST:
        return Notice(
            "too_many",
            f"{len(asked)} runs are selected; the first {MOST} are compared",
            "Take some away, or narrow the list before you select.",
        )
    if missing:
        return Notice("error", "Not every run can be compared", " ".join(missing[:3]))
    if len(runs) < 2:  # noqa: PLR2004 - one is nothing to compare with
        return Notice(
            "empty",
            "Select two runs or more",
            "Tick them in the list of runs; their addresses are /compare?runs=ID,ID.",
        )
    return None
