"""Facets: what the runs that match a filter have in common, counted, so that one can go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.list_fields import check_filter, check_orders
from treadle.tracking import rules
from treadle.tracking.filtering import RUNS
from treadle.tracking.service.searches import VIEWS
from treadle.tracking.store import facets as sql
from treadle.tracking.store import search

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from treadle.storage.ports import MetadataStore

COUNTED = 5_000
KEYS = 8
# A tag with more values than this is a text about each run, nothing to narrow by.
VALUES = 60


class RunFacets(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs have each value; `runs` is how many were counted, the newest that match."""

    runs: int
    is_all: bool
    experiments: dict[str, int]
    statuses: dict[str, int]
    users: dict[str, int]
    tags: dict[str, dict[str, int]]


class ExperimentCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs an experiment has, how many of them are running, and when the newest began."""

    runs: int = 0
    running: int = 0
    newest_at: int | None = None


class Facets:
    """Counts runs by experiment, status, user and tags."""

    def __init__(self, *, store: MetadataStore) -> None:
        self._store = store

    def experiments(self, ids: Sequence[str]) -> dict[str, ExperimentCount]:
        """Count the runs of some experiments: of a deleted one, those deleted with it."""
        with self._store.read() as tx:
            found = sql.count_experiments(tx, ids) if ids else {}
        return {each: ExperimentCount(**found.get(each, {})) for each in ids}

    def count(
        self,
        *,
        experiment: str | None = None,
        status: str | None = None,
        parent_id: str | None = None,
        where: str = "",
        view: Literal["active", "deleted", "all"] = "active",
    ) -> RunFacets:
        """Count the newest runs that match, COUNTED at most, so that it takes no longer ever."""
        if status is not None:
            rules.check_status(status)
        scope = search.Scope(
            experiment=experiment, status=status, parent_id=parent_id, stages=VIEWS[view]
        )
        node = check_filter(where, RUNS)
        orders = check_orders("started_at desc", RUNS, default="started_at desc")
        with self._store.read() as tx:
            ids = search.find_ids(
                tx, scope=scope, where=node, orders=orders, limit=COUNTED, offset=0
            )
            fields = sql.count_fields(tx, ids)
            tags = sql.count_tags(tx, ids, keys_most=KEYS, values_most=VALUES)
        return RunFacets(
            runs=len(ids),
            is_all=len(ids) < COUNTED,
            experiments=fields["experiment"],
            statuses=fields["status"],
            users=fields["user"],
            tags=tags,
        )
