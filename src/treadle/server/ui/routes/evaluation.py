"""GET /evaluation, an evaluation dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.paging import Page as Found
from treadle.kernel.paging import page_of
from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page
from treadle.server.ui.contexts import EvaluationRow, EvaluationsContext
from treadle.server.ui.evaluation_page import (
    evaluation_context,
    experiment_names,
    experiments_of,
    tags_of,
)
from treadle.server.ui.places import evaluation_place
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.widgets import Link, Notice, Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.app import App
    from treadle.evaluation.entities import EvaluationDataset

TAGS = 4
NAME_LENGTH = 120


def evaluations(request: Request) -> Response:
    """List evaluation datasets."""
    app, offset = app_of(request), paging.offset_of(request)
    asked = request.query_params.get("filter", "")
    found, problem = _found(app, where=asked, offset=offset)
    names = experiment_names(app, found.items)
    context = EvaluationsContext(
        page=_page(app, request, where=asked),
        filter=asked,
        rows=tuple(_row(each, names) for each in found.items),
        pager=paging.pager_of(request, found, offset=offset, keep={"filter": asked}),
        notice=problem or (None if found.items else _nothing(is_narrowed=bool(asked))),
    )
    return page(request, "evaluations.html", context)


def evaluation(request: Request) -> Response:
    """Show an evaluation dataset with its records."""
    app, offset = app_of(request), paging.offset_of(request)
    found = app.evaluation.dataset(request.path_params["ref"])
    records = app.evaluation.records(found.id, limit=paging.ROWS, offset=offset).records
    listed = page_of(records, total=found.records or 0, offset=offset)
    pager = paging.pager_of(request, listed, offset=offset)
    context = evaluation_context(app, request, found, records=records, pager=pager)
    return page(request, "evaluation.html", context)


def _found(app: App, *, where: str, offset: int) -> tuple[Found[EvaluationDataset], Notice | None]:
    try:
        found = app.evaluation.search(where=where, limit=paging.ROWS, offset=offset)
    except InvalidInput as error:
        return Found(items=(), total=0), Notice("error", error.message, error.hint)
    return found, None


def _page(app: App, request: Request, *, where: str) -> Page:
    asked = f"where={where!r}" if where else ""
    own = snippets(
        app.home,
        command="evaluation --json",
        python=f"datasets = client.evaluation.search({asked})",
    )
    theirs = mlflow_snippet(
        request,
        "datasets = mlflow.genai.datasets.search_datasets("
        + (f"filter_string={where!r})" if where else ")"),
    )
    return Page(
        title="Evaluation datasets",
        nav="data",
        crumbs=(Link("Data", "/data"),),
        snippets=(*own, theirs),
        live="evaluation.",
    )


def _row(found: EvaluationDataset, names: Mapping[str, str]) -> EvaluationRow:
    return EvaluationRow(
        id=found.id,
        name=found.name[:NAME_LENGTH],
        href=evaluation_place(found.id),
        records=found.records,
        experiments=experiments_of(found, names, most=TAGS),
        tags=tags_of(found, most=TAGS),
        digest=found.digest,
        updated_us=found.updated_at,
    )


def _nothing(*, is_narrowed: bool) -> Notice:
    if is_narrowed:
        return Notice("empty", "Nothing matches", "No evaluation dataset is as the filter asks.")
    return Notice(
        "empty",
        "No evaluation dataset yet",
        "Examples that answers are judged by: what is asked, and what is expected.",
        'client.evaluation.create("NAME")',
    )


ROUTES = (("/evaluation", evaluations), ("/evaluation/{ref:path}", evaluation))
