"""The verbs that find runs, experiments and logged models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.list_fields import check_filter, check_orders
from treadle.kernel.paging import Page, page_of
from treadle.tracking import rules, store
from treadle.tracking.filtering import EXPERIMENTS, LOGGED_MODELS, RUNS
from treadle.tracking.store import experiment_search, model_search, search

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from treadle.tracking.entities import Experiment, LoggedModel, Run
    from treadle.tracking.service.doors import Doors

PAGE_LIMIT = 50_001
VIEWS = {"active": ("active",), "deleted": ("deleted",), "all": ("active", "deleted")}


def search_runs(
    self: Doors,
    *,
    experiment: str | None = None,
    experiment_ids: Sequence[str] | None = None,
    status: str | None = None,
    parent_id: str | None = None,
    where: str = "",
    order_by: str | Sequence[str] = "started_at desc",
    view: Literal["active", "deleted", "all"] = "active",
    limit: int = 100,
    offset: int = 0,
    count: bool = True,
) -> Page[Run]:
    """Return a page of runs with all they logged, and how many match in all.

    `where` is a filter such as `metrics.log_loss < 0.5 and params.depth = '6'`: conditions on
    `metrics.NAME`, `params.NAME`, `tags.NAME` and what every run has (`status`, `name`, …).
    `order_by` is one field or several, each with `desc` behind it to turn it round; runs without
    the value come last. `count=False` saves the count: `total` then ends with the page, or one
    behind it when more runs follow.
    """
    _check_page(limit, offset=offset, what="runs")
    if status is not None:
        rules.check_status(status)
    scope = search.Scope(
        experiment=experiment,
        experiment_ids=None if experiment_ids is None else tuple(experiment_ids),
        status=status,
        parent_id=parent_id,
        stages=VIEWS[view],
    )
    node = check_filter(where, RUNS)
    orders = check_orders(order_by, RUNS, default="started_at desc")
    with self.metadata.read() as tx:
        ids = search.find_ids(
            tx, scope=scope, where=node, orders=orders, limit=limit + 1, offset=offset
        )
        total = offset + len(ids)
        # The last page says by its end how many there are.
        if count and (len(ids) > limit or not ids):
            total = search.count(tx, scope=scope, where=node)
        return page_of(store.runs_of(tx, ids[:limit]), total=total, offset=offset)


def search_experiments(
    self: Doors,
    *,
    where: str = "",
    order_by: str | Sequence[str] = (),
    view: Literal["active", "deleted", "all"] = "active",
    limit: int = 100,
    offset: int = 0,
) -> Page[Experiment]:
    """Return a page of experiments, and how many match in all; the newest first by default.

    `where` may ask for `name`, `id`, `tags.NAME`, `created_at` and `updated_at`.
    """
    _check_page(limit, offset=offset, what="experiments")
    node = check_filter(where, EXPERIMENTS)
    orders = check_orders(order_by, EXPERIMENTS, default="created_at desc")
    stages = VIEWS[view]
    with self.metadata.read() as tx:
        ids = experiment_search.find_ids(
            tx, stages=stages, where=node, orders=orders, limit=limit, offset=offset
        )
        total = experiment_search.count(tx, stages=stages, where=node)
        return page_of(store.experiments_of(tx, ids), total=total, offset=offset)


def search_logged_models(
    self: Doors,
    *,
    experiment_ids: Sequence[str] | None = None,
    where: str = "",
    datasets: Sequence[tuple[str, str]] = (),
    order_by: str | Sequence[str] = (),
    limit: int = 100,
    offset: int = 0,
) -> Page[LoggedModel]:
    """Return a page of logged models, and how many match in all; the newest first by default.

    `where` may ask for `name`, `status`, `params.NAME`, `tags.NAME`, `metrics.NAME`, …. With
    `datasets`, names with a digest or with an empty one, only metrics measured on them count.
    """
    _check_page(limit, offset=offset, what="logged models")
    scope = model_search.Scope(
        experiment_ids=None if experiment_ids is None else tuple(experiment_ids),
        datasets=tuple(datasets),
    )
    node = check_filter(where, LOGGED_MODELS)
    orders = check_orders(order_by, LOGGED_MODELS, default="created_at desc")
    with self.metadata.read() as tx:
        ids = model_search.find_ids(
            tx, scope=scope, where=node, orders=orders, limit=limit, offset=offset
        )
        total = model_search.count(tx, scope=scope, where=node)
        return page_of(store.logged_models_of(tx, ids), total=total, offset=offset)


def _check_page(limit: int, *, offset: int, what: str) -> None:
    if not 1 <= limit <= PAGE_LIMIT or offset < 0:
        raise InvalidInput(
            f"A page of {limit} {what} at offset {offset} cannot be.",
            hint=f"Use a limit of 1 to {PAGE_LIMIT} and an offset of at least 0.",
        )
