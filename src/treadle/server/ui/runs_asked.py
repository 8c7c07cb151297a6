"""What the address of the runs page asks for, and the addresses that ask for a little else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from treadle.server.ui.paging import offset_of
from treadle.server.ui.places import asking

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request

NEWEST_FIRST = "started_at desc"
COLUMNS_MOST = 60
TAGS_MOST = 20
# More than a page of comparison takes, so that it can say so.
SELECTED_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsAsked:
    """The query of the runs page; `tag` holds `key=value`, `column` holds `metric.log_loss`."""

    experiment: str = ""
    status: str = ""
    user: str = ""
    parent: str = ""
    view: str = ""
    tag: tuple[str, ...] = ()
    filter: str = ""
    order: str = ""
    column: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    offset: int = 0

    @property
    def where(self) -> str:
        """The whole filter: what was typed and what was clicked, in one language."""
        typed = self.filter.strip()
        clicked = [c for c in (condition("user_id", self.user), *map(tag_condition, self.tag)) if c]
        if typed and clicked and " or " in typed.lower():
            typed = f"({typed})"
        return " and ".join(part for part in (typed, *clicked) if part)

    @property
    def stages(self) -> Literal["active", "deleted", "all"]:
        """Which runs are looked at: those that were not deleted unless asked otherwise."""
        return "deleted" if self.view == "deleted" else "all" if self.view == "all" else "active"

    @property
    def sorting(self) -> str:
        """The order of the rows: newest first unless asked otherwise."""
        return self.order or NEWEST_FIRST

    @property
    def is_narrowed(self) -> bool:
        """Whether not all runs are asked for."""
        return bool(self.experiment or self.status or self.parent or self.view or self.where)

    @property
    def counts_later(self) -> bool:
        """Whether the runs are counted after the page is on screen: a filter reads many of them."""
        return bool(self.where)

    @property
    def total_id(self) -> str:
        """The id of the place where the total stands; another list has another."""
        return f"total-{self.key}"

    @property
    def key(self) -> str:
        """A short name of this list: the same for the same address."""
        return hashlib.sha256(self.address("").encode()).hexdigest()[:8]

    def address(self, path: str = "/runs", **changes: object) -> str:
        """Return the address with some things asked for otherwise; its first page of rows."""
        changed = replace(self, **{"offset": 0, **changes})  # type: ignore[arg-type]
        return asking(path, changed.given())

    def given(self) -> dict[str, object]:
        """Return what is asked for, as an address says it."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**found, "runs": ",".join(self.runs)}


def asked_of(request: Request) -> RunsAsked:
    """Read the address of the runs page."""
    given = request.query_params
    view = given.get("view", "")
    order = given.get("order", "").strip()
    return RunsAsked(
        experiment=given.get("experiment", ""),
        status=given.get("status", ""),
        user=given.get("user", ""),
        parent=given.get("parent", ""),
        view=view if view in {"deleted", "all"} else "",
        tag=tuple(dict.fromkeys(t for t in given.getlist("tag") if "=" in t))[:TAGS_MOST],
        filter=given.get("filter", ""),
        order="" if order == NEWEST_FIRST else order,
        column=tuple(dict.fromkeys(filter(None, given.getlist("column"))))[:COLUMNS_MOST],
        runs=run_ids(given)[:SELECTED_MOST],
        offset=offset_of(request),
    )


def run_ids(given: QueryParams) -> tuple[str, ...]:
    """Return the runs an address names, by commas or one by one, each once."""
    found = (each.strip() for text in given.getlist("runs") for each in text.split(","))
    return tuple(dict.fromkeys(each for each in found if each))


def tag_condition(tag: str) -> str:
    """Return `key=value` as a condition of the filter language; empty when it cannot be said."""
    key, _, value = tag.partition("=")
    return "" if "`" in key or not key else condition(f"tags.`{key}`", value)


def condition(field: str, value: str) -> str:
    """Return a condition that a field equals a text; empty when no quotes can hold it."""
    if not value or ("'" in value and '"' in value):
        return ""
    quote = '"' if "'" in value else "'"
    return f"{field} = {quote}{value}{quote}"
