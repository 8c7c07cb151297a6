"""SQL of looking for models and versions: filter, order, page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, not_, select, true

from treadle.kernel.filters import Condition, Node, conditions_of
from treadle.kernel.list_fields import Order
from treadle.kernel.paging import Page, page_of
from treadle.registry.entities import PROMPT, Model, ModelVersion
from treadle.registry.store import (
    model_tags,
    model_version_tags,
    model_versions,
    models,
    models_named,
    versions_with_ids,
)
from treadle.storage.matching import bytewise, column_holds, matching, value_holds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.sql import ColumnElement

    from treadle.storage.transaction import Transaction

_TEXTS = ("name", "model", "source", "flavor", "stage", "status", "run_id", "tag")
# What decides between equals.
_LAST = (Order(field="name"), Order(field="version", descending=True))


def search_models(
    tx: Transaction, where: Node, *, order: Sequence[Order], limit: int, offset: int
) -> Page[Model]:
    """Return a page of models."""
    dialect = tx.connection.dialect.name
    columns = models.c
    tags = _Tags(model_tags, {"model": columns.name}, dialect=dialect)
    holds = _holder(columns, {}, tags, dialect=dialect)
    wanted = and_(matching(where, holds), tags.unless_asked(where))
    by = _ordered(order, columns, {}, tags, dialect=dialect)
    names, total = _page(tx, columns.name, wanted, by=by, limit=limit, offset=offset)
    return page_of(models_named(tx, names), total=total, offset=offset)


def search_versions(
    tx: Transaction, where: Node, *, order: Sequence[Order], limit: int, offset: int
) -> Page[ModelVersion]:
    """Return a page of versions."""
    dialect = tx.connection.dialect.name
    columns = model_versions.c
    named = {"name": "model", "version": "number"}
    mine = {"model": columns.model, "number": columns.number}
    tags = _Tags(model_version_tags, mine, dialect=dialect)
    holds = _holder(columns, named, tags, dialect=dialect)
    wanted = and_(matching(where, holds), tags.unless_asked(where))
    by = _ordered(order, columns, named, tags, dialect=dialect)
    ids, total = _page(tx, columns.id, wanted, by=by, limit=limit, offset=offset)
    return page_of(versions_with_ids(tx, ids), total=total, offset=offset)


class _Tags:
    """The tags of models, or of versions, in conditions and orders."""

    def __init__(self, table: Any, mine: dict[str, Any], *, dialect: str) -> None:
        self._table = table
        self._mine = [table.c[name] == column for name, column in mine.items()]
        self._model = mine["model"]
        self._dialect = dialect

    def hold(self, condition: Condition) -> ColumnElement[bool]:
        c = self._table.c
        if condition.key == PROMPT and condition.value is not None:
            return self._prompts() if _asks_for_prompts(condition) else not_(self._prompts())
        there = select(c.key).where(*self._mine, c.key == condition.key)
        if condition.value is None:
            found: ColumnElement[bool] = there.exists()
            return found if condition.operator == "IS NOT NULL" else not_(found)
        return there.where(value_holds(c.value, condition, dialect=self._dialect)).exists()

    def value(self, key: str) -> Any:
        c = self._table.c
        return select(c.value).where(*self._mine, c.key == key).scalar_subquery()

    def unless_asked(self, where: Node) -> ColumnElement[bool]:
        """Leave prompts out, unless the filter asks for them."""
        asked = any(
            condition.key == PROMPT and _asks_for_prompts(condition)
            for condition in conditions_of(where)
        )
        found = self._prompts()
        return true() if asked else not_(found)

    def _prompts(self) -> ColumnElement[bool]:
        c = self._table.c
        marked = select(c.model).where(c.key == PROMPT, func.lower(c.value) == "true")
        found: ColumnElement[bool] = self._model.in_(marked)
        return found


def _asks_for_prompts(condition: Condition) -> bool:
    wanted = {"=": "true", "!=": "false"}.get(condition.operator)
    return wanted is not None and str(condition.value).lower() == wanted


def _holder(
    columns: Any, named: dict[str, str], tags: _Tags, *, dialect: str
) -> Callable[[Condition], ColumnElement[bool]]:
    def holds(condition: Condition) -> ColumnElement[bool]:
        if condition.field == "tag":
            return tags.hold(condition)
        column = columns[named.get(condition.field, condition.field)]
        return column_holds(column, condition, dialect=dialect)

    return holds


def _ordered(
    order: Sequence[Order], columns: Any, named: dict[str, str], tags: _Tags, *, dialect: str
) -> list[Any]:
    given = {asked.field for asked in order}
    by = []
    for asked in (*order, *(last for last in _LAST if last.field not in given)):
        name = named.get(asked.field, asked.field)
        if name != "tag" and name not in columns:  # models have no number
            continue
        column = tags.value(asked.key) if name == "tag" else columns[name]
        if name in _TEXTS:
            column = bytewise(column, dialect=dialect)
        by.append((column.desc() if asked.descending else column.asc()).nulls_last())
    return by


def _page(
    tx: Transaction,
    key: Any,
    wanted: ColumnElement[bool],
    *,
    by: Sequence[Any],
    limit: int,
    offset: int,
) -> tuple[list[str], int]:
    found = select(key).where(wanted).order_by(*by).limit(limit).offset(offset)
    keys = list(tx.execute(found).scalars())
    if len(keys) < limit and (keys or not offset):
        return keys, offset + len(keys)
    count = select(func.count()).select_from(key.table).where(wanted)
    return keys, int(tx.execute(count).scalar_one())
