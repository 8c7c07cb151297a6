"""Which columns a merged table has: what each side did to them, and where both did something."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from treadle.data.diffs.entities import Conflict
from treadle.data.diffs.schemas import common_type, same_type
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treadle.data.diffs.entities import Side
    from treadle.data.diffs.schemas import Columns, Pairing

REMOVED = "removed"


class MergedColumn(NamedTuple):
    """A column of the merged table and its places in the three, -1 where it is not.

    `typed_by` is the side whose type it has, `sql_type` as what its values are compared.
    """

    field: pa.Field
    base: int
    ours: int
    theirs: int
    typed_by: Side
    sql_type: str

    @property
    def name(self) -> str:
        """Return its name."""
        return str(self.field.name)


class Schemas(NamedTuple):
    """The columns of three tables, and how those of either side are paired with the base's."""

    base: pa.Schema
    ours: pa.Schema
    theirs: pa.Schema
    to_ours: Columns
    to_theirs: Columns


class ColumnPlan(NamedTuple):
    """The columns of the merged table, and what could not be decided about them."""

    columns: tuple[MergedColumn, ...]
    conflicts: tuple[Conflict, ...]


def plan_columns(
    schemas: Schemas,
    *,
    prefer: Callable[[str], Side | None],
    has_changed: Callable[[Side, str], bool],
) -> ColumnPlan:
    """Merge columns: ours in their order, then those that only theirs has.

    `prefer` says whose a column is where both did something to it, None where nobody decided;
    `has_changed` says whether a side has new cells in a column, which may not be removed then.
    """
    planner = _Planner(schemas, prefer, has_changed)
    found = [*planner.of_base(), *planner.added()]
    places = len(schemas.ours) + 1
    found.sort(key=lambda c: (c.ours if c.ours >= 0 else places, c.theirs))
    names = [column.name for column in found]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(
                f"Two columns of the merged table would be called {name!r}.",
                hint="Rename one of them on its side, then merge.",
            )
        if pa.types.is_decimal256(found[names.index(name)].field.type):
            raise InvalidInput(
                f"Column {name!r} has more digits than can be merged.",
                hint="Cast it to a decimal of at most 38 digits.",
            )
    return ColumnPlan(tuple(found), tuple(planner.conflicts))


class _Planner:
    def __init__(
        self,
        schemas: Schemas,
        prefer: Callable[[str], Side | None],
        has_changed: Callable[[Side, str], bool],
    ) -> None:
        self._schemas, self._prefer, self._has_changed = schemas, prefer, has_changed
        self.conflicts: list[Conflict] = []

    def of_base(self) -> Iterator[MergedColumn]:
        """Yield what is left of the base's columns."""
        for place in range(len(self._schemas.base)):
            ours = _after(self._schemas.to_ours, place)
            theirs = _after(self._schemas.to_theirs, place)
            if ours and theirs:
                yield self._of_both(place, ours, theirs)
            elif ours or theirs:
                kept = self._of_one(place, ours, theirs)
                if kept:
                    yield kept

    def added(self) -> Iterator[MergedColumn]:
        """Yield the columns that came on either side, or on both."""
        mine, yours = self._schemas.ours, self._schemas.theirs
        for name in self._schemas.to_ours.added:
            ours = mine.get_field_index(name)
            if name not in self._schemas.to_theirs.added:
                yield MergedColumn(mine.field(ours), -1, ours, -1, "ours", "")
                continue
            theirs = yours.get_field_index(name)
            typed_by = self._typed(name, None, mine.field(ours).type, yours.field(theirs).type)
            yield self._merged(name, -1, ours, theirs, typed_by)
        for name in self._schemas.to_theirs.added:
            if name not in self._schemas.to_ours.added:
                theirs = yours.get_field_index(name)
                yield MergedColumn(yours.field(theirs), -1, -1, theirs, "theirs", "")

    def _of_both(self, place: int, ours: Pairing, theirs: Pairing) -> MergedColumn:
        old = self._schemas.base.field(place)
        name = ours.name if ours.name != old.name else theirs.name
        if old.name not in {ours.name, theirs.name} and ours.name != theirs.name:
            side = self._decided(old.name, old.name, ours.name, theirs.name)
            name = theirs.name if side == "theirs" else ours.name
        mine = self._schemas.ours.field(ours.after).type
        yours = self._schemas.theirs.field(theirs.after).type
        typed_by = self._typed(name, old.type, mine, yours)
        return self._merged(name, place, ours.after, theirs.after, typed_by)

    def _of_one(
        self, place: int, ours: Pairing | None, theirs: Pairing | None
    ) -> MergedColumn | None:
        """Return a column that one side removed, if the other must not lose it."""
        old = self._schemas.base.field(place)
        side: Side = "ours" if ours else "theirs"
        held = ours or theirs
        if held is None or not self._is_changed(side, old.name, held):
            return None
        told = "renamed or changed"
        kept_by = self._decided(
            old.name, str(old.type), told if ours else REMOVED, told if theirs else REMOVED
        )
        if kept_by != side:
            return None
        schema = self._schemas.ours if ours else self._schemas.theirs
        field, at = schema.field(held.after), held.after
        return MergedColumn(field, place, at if ours else -1, at if theirs else -1, side, "")

    def _is_changed(self, side: Side, name: str, held: Pairing) -> bool:
        return bool(held.name != name or held.sql_type or self._has_changed(side, held.name))

    def _typed(
        self, name: str, old: pa.DataType | None, mine: pa.DataType, yours: pa.DataType
    ) -> Side:
        """Return whose type a column has: of the side that changed it."""
        if same_type(mine, yours) or (old is not None and same_type(old, yours)):
            return "ours"
        if old is not None and same_type(old, mine):
            return "theirs"
        return self._decided(name, str(old or ""), str(mine), str(yours))

    def _merged(self, name: str, base: int, ours: int, theirs: int, typed_by: Side) -> MergedColumn:
        mine, yours = self._schemas.ours.field(ours), self._schemas.theirs.field(theirs)
        types = [mine.type, yours.type]
        if base >= 0:
            types.append(self._schemas.base.field(base).type)
        type_ = mine.type if typed_by == "ours" else yours.type
        return MergedColumn(
            pa.field(name, type_), base, ours, theirs, typed_by, common_type(*types)[0]
        )

    def _decided(self, column: str, base: str, ours: str, theirs: str) -> Side:
        taken = self._prefer(column)
        self.conflicts.append(
            Conflict(
                kind="schema",
                key={},
                column=column,
                base=base,
                ours=ours,
                theirs=theirs,
                taken=taken,
            )
        )
        return taken or "ours"


def _after(columns: Columns, place: int) -> Pairing | None:
    return next((pairing for pairing in columns.both if pairing.before == place), None)
