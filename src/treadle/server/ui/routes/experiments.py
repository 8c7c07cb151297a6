"""GET /experiments: every group of runs; POST to delete or restore one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.paging import Page as Found
from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page, sent_on
from treadle.server.ui.contexts import ExperimentRow, ExperimentsContext
from treadle.server.ui.places import asking, experiment_place
from treadle.server.ui.posted import posted
from treadle.server.ui.run_columns import HIDDEN_TAGS
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.widgets import Link, Notice, Option, Page, Pair

if TYPE_CHECKING:
    from typing import Literal

    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.app import App
    from treadle.tracking.entities import Experiment
    from treadle.tracking.facets import ExperimentCount

NOTE = "mlflow.note.content"
NOTE_LENGTH = 300
TAGS = 6


def experiments(request: Request) -> Response:
    """List experiments with how many runs they have."""
    app, offset = app_of(request), paging.offset_of(request)
    asked = request.query_params.get("filter", "")
    view: Literal["active", "deleted"] = (
        "deleted" if request.query_params.get("view") == "deleted" else "active"
    )
    found, problem = _found(app, where=asked, view=view, offset=offset)
    counts = app.facets.experiments([each.id for each in found.items])
    keep = {"filter": asked, "view": "" if view == "active" else view}
    context = ExperimentsContext(
        page=_page(app, request, where=asked, view=view),
        filter=asked,
        views=tuple(
            Option(value, label, None, value == view)
            for value, label in (("active", "Active"), ("deleted", "Deleted"))
        ),
        rows=tuple(_row(each, counts[each.id]) for each in found.items),
        pager=paging.pager_of(request, found, offset=offset, keep=keep),
        notice=problem or (None if found.items else _nothing(is_narrowed=any(keep.values()))),
    )
    return page(request, "experiments.html", context)


def delete(request: Request, _fields: dict[str, str]) -> Response:
    """Put an experiment and its runs away."""
    app_of(request).tracking.delete_experiment(request.path_params["id"])
    return sent_on(request, "/experiments?view=deleted")


def restore(request: Request, _fields: dict[str, str]) -> Response:
    """Bring an experiment back."""
    app_of(request).tracking.restore_experiment(request.path_params["id"])
    return sent_on(request, "/experiments")


def _found(
    app: App, *, where: str, view: Literal["active", "deleted"], offset: int
) -> tuple[Found[Experiment], Notice | None]:
    try:
        found = app.tracking.search_experiments(
            where=where, view=view, limit=paging.ROWS, offset=offset
        )
    except InvalidInput as error:
        return Found(items=(), total=0), Notice("error", error.message, error.hint)
    return found, None


def _row(experiment: Experiment, count: ExperimentCount) -> ExperimentRow:
    is_deleted = experiment.lifecycle_stage == "deleted"
    own = ((k, v) for k, v in sorted(experiment.tags.items()) if not k.startswith(HIDDEN_TAGS))
    asked = {"experiment": experiment.name, "view": "deleted" if is_deleted else ""}
    return ExperimentRow(
        id=experiment.id,
        name=experiment.name,
        href=asking("/runs", asked),
        place=experiment_place(experiment.id),
        description=experiment.tags.get(NOTE, "")[:NOTE_LENGTH],
        tags=tuple(Pair(key, value[:60]) for key, value in own)[:TAGS],
        runs=count.runs,
        running=count.running,
        newest_us=count.newest_at,
        created_us=experiment.created_at,
        is_deleted=is_deleted,
    )


def _page(app: App, request: Request, *, where: str, view: str) -> Page:
    given = ", ".join(
        f"{name}={said!r}"
        for name, said in (("where", where), ("view", view))
        if said != "active" and said
    )
    kind = "ViewType.DELETED_ONLY" if view == "deleted" else "ViewType.ACTIVE_ONLY"
    return Page(
        title="Experiments",
        nav="runs",
        crumbs=(Link("Runs", "/runs"),),
        snippets=(
            *snippets(
                app.home, python=f"experiments = client.tracking.search_experiments({given})"
            ),
            mlflow_snippet(
                request,
                "from mlflow.entities import ViewType\n"
                f"experiments = mlflow.search_experiments(view_type={kind})",
            ),
        ),
        live="experiment.",
    )


def _nothing(*, is_narrowed: bool) -> Notice:
    if is_narrowed:
        return Notice("empty", "No experiment matches", "Take a condition away to see more.")
    return Notice(
        "empty",
        "No experiment yet",
        "An experiment is made by the first run that names it.",
        "treadle run",
    )


ROUTES = (("/experiments", experiments),)
POSTS = (
    ("/experiments/{id}/delete", posted(delete)),
    ("/experiments/{id}/restore", posted(restore)),
)
