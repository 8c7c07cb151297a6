"""Two changes of one table become one: a three-way merge by key.

What theirs changed since the base is brought into ours, cell by cell; where both changed one thing
differently there is a conflict. Only rows that theirs touched are looked at, unless theirs has
columns that ours lacks. The merged table has ours' rows in ours' order, then what theirs added, in
theirs' order.
"""

from __future__ import annotations

from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.column_types import as_shown
from treadle.data.diffs.comparison import Comparison, same
from treadle.data.diffs.decisions import Decisions, Met, as_type
from treadle.data.diffs.entities import Conflict, MergeCounts, name_of_key
from treadle.data.diffs.holding import Holding
from treadle.data.diffs.merged_columns import Schemas, plan_columns
from treadle.data.diffs.schemas import common_type
from treadle.data.diffs.tables import BATCH_ROWS, as_written, compared
from treadle.data.engine import engine
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.late import duckdb, pa

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from treadle.data.contracts import ContractBody
    from treadle.data.diffs.entities import ConflictKind, Key, Side
    from treadle.data.diffs.merged_columns import MergedColumn
    from treadle.data.diffs.tables import Table

EXAMPLES = 5
_SIDES = ("base", "ours", "theirs")


class TableMerge(Holding):
    """The merged table and the conflicts, until it is closed: use it as a context manager.

    `prefer` decides every conflict for one side, `prefer_in` those in a column, `decided` single
    ones; where nobody decided the table has ours, and the conflicts say so. Not for two threads.
    """

    def __init__(
        self,
        base: Table,
        ours: Table,
        theirs: Table,
        *,
        key: Sequence[str] | None = None,
        contract: ContractBody | None = None,
        prefer: Side | None = None,
        prefer_in: Mapping[str, Side] | None = None,
        decided: Iterable[Conflict] | None = None,
        holding: contextlib.ExitStack | None = None,
    ) -> None:
        super().__init__(holding)
        self._tables = {"base": base, "ours": ours, "theirs": theirs}
        self._prefer, self._prefer_in = prefer, dict(prefer_in or {})
        self._decided: tuple[int, ...] | None = None
        try:
            self._connection = self._stack.enter_context(engine(keeps_order=False))
            decisions = None
            if decided is not None:
                decisions = Decisions(decided, connection=self._connection)
            self._compare(key, contract)
            self._plan(decisions.schema_sides() if decisions else {})
            self._meet()
            if decisions:
                self._decided = decisions.match(self._met_conflicts())
                self._met += (
                    " LEFT JOIN decided AS d ON d.ours_row IS NOT DISTINCT FROM ours.row "
                    "AND d.theirs_row IS NOT DISTINCT FROM theirs.row"
                )
            self._decide()
        except duckdb.ConversionException as error:
            self._stack.close()
            raise InvalidInput(
                f"A value that was decided does not fit its column: {error}",
                hint="Write it as the column has it.",
            ) from error
        except BaseException:
            self._stack.close()
            raise

    @property
    def key(self) -> Key:
        """Return by which columns rows are the same row."""
        return self._to_ours.key

    @property
    def schema(self) -> pa.Schema:
        """Return the columns of the merged table: ours, then those that only theirs has."""
        fields = []
        for column in self._columns:
            place = column.ours if column.typed_by == "ours" else column.theirs
            type_ = self._tables[column.typed_by].written.field(place).type
            fields.append(pa.field(column.name, type_))
        return pa.schema(fields)

    @property
    def is_ours(self) -> bool:
        """Say whether the merged table is ours as it is: theirs has nothing new."""
        counts, ours = self.counts, self._tables["ours"].written
        has_rows = counts.added or counts.removed or counts.changed
        return not has_rows and self.schema.types == ours.types and self.schema.names == ours.names

    def arrow(self) -> pa.RecordBatchReader:
        """Return the merged table as a stream, to be committed or written."""
        return pa.RecordBatchReader.from_batches(self.schema, self._batches())

    @property
    def undecided(self) -> int:
        """Return how many conflicts nobody decided."""
        columns = sum(conflict.taken is None for conflict in self._schema_conflicts)
        found = [
            f"{condition} AND {self._taken(column)} IS NULL"
            for _, column, condition in self._clashes
        ]
        return columns + sum(self._to_ours.count(f"{self._met} WHERE {c}") for c in found)

    def conflicts(self, *, limit: int | None = None, undecided: bool = False) -> Iterator[Conflict]:
        """Yield conflicts: of columns first, then of whole rows, then of cells by column.

        All of them, or those alone that nobody decided.
        """
        found = (met.conflict for met in self._met_conflicts(limit, undecided=undecided))
        yield from islice(found, limit)

    # --- what each side did ---

    def _compare(self, key: Sequence[str] | None, contract: ContractBody | None) -> None:
        base = self._tables["base"]
        self._to_ours = Comparison(
            base,
            self._tables["ours"],
            connection=self._connection,
            key=key,
            contract=contract,
            tag="ours_since",
        )
        if not self._to_ours.key.columns:
            raise InvalidInput(
                "No columns name a row, and without a key rows cannot be merged.",
                hint="Name one: key=['id'], or --key id.",
            )
        self._to_theirs = Comparison(
            base,
            self._tables["theirs"],
            connection=self._connection,
            key=self.key.columns,
            tag="theirs_since",
        )
        for found in (self._to_ours, self._to_theirs):
            self._require_one_row_a_key(found.repeated_keys(EXAMPLES))

    def _require_one_row_a_key(self, repeated: Sequence[tuple[Any, ...]]) -> None:
        if not repeated:
            return
        told = "; ".join(", ".join(map(str, each)) for each in repeated)
        raise InvalidInput(
            f"The key {name_of_key(self.key.columns)} names several rows, such as {told}.",
            hint="Name columns that together repeat in no row.",
        )

    def _plan(self, decided: Mapping[str, Side]) -> None:
        plan = plan_columns(
            Schemas(
                base=self._tables["base"].schema,
                ours=self._tables["ours"].schema,
                theirs=self._tables["theirs"].schema,
                to_ours=self._to_ours.columns,
                to_theirs=self._to_theirs.columns,
            ),
            prefer=lambda column: decided.get(column) or self._preferred(column),
            has_changed=self._has_changed,
        )
        self._columns, self._schema_conflicts = plan
        known = {c.name for c in self._columns} | {c.column for c in self._schema_conflicts}
        for name in self._prefer_in:
            if name not in known:
                raise NotFound("column", name, known=known)

    def _preferred(self, column: str) -> Side | None:
        return self._prefer_in.get(column, self._prefer)

    def _has_changed(self, side: Side, column: str) -> bool:
        found = self._to_ours if side == "ours" else self._to_theirs
        pairing = found.columns.pairing(column)
        return pairing is not None and found.count_changed([pairing])[1][0] > 0

    # --- the rows that matter ---

    def _meet(self) -> None:
        """Keep the rows of all three whose keys theirs touched; all, where it has more columns."""
        is_wide = any(c.theirs >= 0 and -1 in {c.base, c.ours} for c in self._columns)
        touched = self._to_theirs.touched
        self._connection.execute(
            "CREATE TEMP TABLE met_keys AS "
            f"SELECT {self._keys_of('base')} FROM {self._to_theirs.rows_before} "
            f"WHERE row IN (SELECT row_before FROM {touched}) UNION "
            f"SELECT {self._keys_of('theirs')} FROM {self._to_theirs.rows_after} "
            f"WHERE row IN (SELECT row_after FROM {touched})"
        )
        only = "" if is_wide else f"SEMI JOIN met_keys AS m ON {self._same_key('s', 'm')}"
        for side in _SIDES:
            self._connection.execute(
                f"CREATE TEMP TABLE met_{side} AS SELECT s.* FROM (SELECT *, {self._keys_of(side)} "
                f"FROM ({self._tables[side].select()})) AS s {only}"
            )
            keys = ", ".join(f"k{place}" for place in self._key_places)
            repeated = self._connection.sql(
                f"SELECT {keys} FROM met_{side} GROUP BY ALL HAVING count(*) > 1 LIMIT {EXAMPLES}"
            )
            self._require_one_row_a_key(repeated.fetchall())
        self._met = (
            "met_ours AS ours "
            f"FULL JOIN met_theirs AS theirs ON {self._same_key('ours', 'theirs')} "
            f"FULL JOIN met_base AS base ON {self._same_key('base', 'ours', 'theirs')}"
        )

    @property
    def _key_places(self) -> range:
        return range(len(self.key.columns))

    def _keys_of(self, side: str) -> str:
        """Return the key's columns of a side as `k0`, `k1`, …, of one type on all sides."""
        cells = []
        for place, name in enumerate(self.key.columns):
            fields = {s: self._tables[s].schema.field(name).type for s in _SIDES}
            sql_type = common_type(*fields.values())[0]
            cell = f"c{self._tables[side].schema.get_field_index(name)}"
            cells.append(f"{_cast(cell, sql_type)} AS k{place}")
        return ", ".join(cells)

    def _same_key(self, one: str, *others: str) -> str:
        """Return SQL that says whether keys are equal; of several others the one that is there."""
        theirs = [[f"{other}.k{place}" for other in others] for place in self._key_places]
        cells = [c[0] if len(c) == 1 else f"coalesce({', '.join(c)})" for c in theirs]
        return " AND ".join(same(f"{one}.k{place}", cells[place]) for place in self._key_places)

    # --- what becomes of them ---

    def _decide(self) -> None:
        """Write down what changes in ours' rows (`edits`), and what comes after (`additions`)."""
        dropped = self._is_theirs(None)
        edited = [(f"t{i}", f"v{i}", c) for i, c in enumerate(self._columns) if c.theirs >= 0]
        takes = [f"coalesce({self._takes(c)}, false) AS {take}" for take, _, c in edited]
        values = [f"theirs.c{c.theirs} AS {value}" for _, value, c in edited]
        drops = f"theirs.row IS NULL AND ({dropped} OR NOT ({self._changed('ours')}))"
        taken = " OR ".join(take for take, _, _ in edited) or "false"
        cells = ["ours.row AS row", f"{drops} AS dropped", *takes, *values, *self._own_values()]
        self._connection.execute(
            f"CREATE TEMP TABLE edits AS SELECT * FROM (SELECT {', '.join(cells)} "
            f"FROM {self._met} WHERE ours.row IS NOT NULL "
            "AND (theirs.row IS NOT NULL OR base.row IS NOT NULL)) "
            f"WHERE dropped OR {taken}"
        )
        returns = f"{dropped} AND ({self._changed('theirs')})"
        self._connection.execute(
            f"CREATE TEMP TABLE additions AS SELECT theirs.* FROM {self._met} "
            "WHERE ours.row IS NULL AND theirs.row IS NOT NULL "
            f"AND (base.row IS NULL OR ({returns}))"
        )
        self.counts = self._counted()

    def _counted(self) -> MergeCounts:
        removed = self._to_ours.count("edits WHERE dropped")
        added = self._to_ours.count("additions")
        conflicts = sum(self._to_ours.count(f"{self._met} WHERE {c}") for _, _, c in self._clashes)
        return MergeCounts(
            rows=self._tables["ours"].rows - removed + added,
            added=added,
            removed=removed,
            changed=self._to_ours.count("edits WHERE NOT dropped"),
            conflicts=conflicts + len(self._schema_conflicts),
        )

    def _takes(self, column: MergedColumn) -> str:
        """Return SQL that says whether a cell of ours becomes that of theirs."""
        if column.ours < 0:
            return "theirs.row IS NOT NULL"
        conflicting = self._is_theirs(column)
        base, ours, theirs = (_cell(column, side) for side in _SIDES)
        return (
            "CASE WHEN theirs.row IS NULL THEN false "
            f"WHEN base.row IS NULL THEN {conflicting} AND {theirs} IS DISTINCT FROM {ours} "
            f"ELSE {theirs} IS DISTINCT FROM {base} "
            f"AND ({conflicting} OR {ours} IS NOT DISTINCT FROM {base}) END"
        )

    def _taken(self, column: MergedColumn | None) -> str:
        """Return SQL of what is taken in a conflict of a column, or of whole rows."""
        preferred = self._prefer if column is None else self._preferred(column.name)
        word = f"'{preferred}'" if preferred else "NULL"
        if self._decided is None:
            return word
        if column is None:
            return f"coalesce(d.row_taken, {word})"
        place = self._columns.index(column)
        return f"coalesce(d.t{place}, {word})" if place in self._decided else word

    def _is_theirs(self, column: MergedColumn | None) -> str:
        """Return SQL that says whether something else than ours is taken in a conflict."""
        return f"coalesce({self._taken(column)} <> 'ours', false)"

    def _own_values(self) -> list[str]:
        """Return SQL of values that are neither ours nor theirs: whether there is one, and it."""
        cells = []
        for place in self._decided or ():
            column, own = self._columns[place], f"d.t{place} IN ('base', 'value')"
            type_ = self._sql_types[column.typed_by][self._place_typed(column)]
            base = f"base.c{column.base}" if column.base >= 0 else "NULL"
            value = f"CASE d.t{place} WHEN 'value' THEN {as_type(f'd.x{place}', type_)} "
            value += f"WHEN 'base' THEN CAST({base} AS {type_}) END"
            cells += [f"coalesce({own}, false) AS u{place}", f"{value} AS w{place}"]
        return cells

    def _changed(self, side: str) -> str:
        """Return SQL that says whether a side has other cells than the base."""
        found = self._to_ours if side == "ours" else self._to_theirs
        cells = [
            f"{compared(p, 'before', called='base')} IS DISTINCT FROM "
            f"{compared(p, 'after', called=side)}"
            for p in found.columns.both
        ]
        return " OR ".join(cells)

    @cached_property
    def _clashes(self) -> tuple[tuple[ConflictKind, MergedColumn | None, str], ...]:
        """Return what cannot be decided: its kind, the column, and SQL that finds it."""
        here = "base.row IS NOT NULL AND {} IS NULL AND {} IS NOT NULL AND ({})"
        found: list[tuple[ConflictKind, MergedColumn | None, str]] = [
            (
                "changed_removed",
                None,
                here.format("theirs.row", "ours.row", self._changed("ours")),
            ),
            (
                "removed_changed",
                None,
                here.format("ours.row", "theirs.row", self._changed("theirs")),
            ),
        ]
        for column in self._columns:
            if column.ours < 0 or column.theirs < 0:
                continue
            base, ours, theirs = (_cell(column, side) for side in _SIDES)
            both = (
                "ours.row IS NOT NULL AND theirs.row IS NOT NULL "
                f"AND {ours} IS DISTINCT FROM {theirs}"
            )
            new = f"{ours} IS DISTINCT FROM {base} AND {theirs} IS DISTINCT FROM {base}"
            found.append(("both_changed", column, f"base.row IS NOT NULL AND {both} AND {new}"))
            found.append(("both_added", column, f"base.row IS NULL AND {both}"))
        return tuple(found)

    # --- what comes out ---

    def _batches(self) -> Iterator[pa.RecordBatch]:
        ours = self._tables["ours"]
        cells = ", ".join(f"{self._merged(c, i)} AS m{i}" for i, c in enumerate(self._columns))
        for place in range(len(ours.parts)):
            yield from self._stream(
                f"SELECT {cells} FROM ({ours.select([place])}) AS ours "
                "LEFT JOIN edits AS e ON ours.row = e.row "
                "WHERE e.dropped IS NOT TRUE ORDER BY ours.row"
            )
        added = ", ".join(f"{self._added(c)} AS m{i}" for i, c in enumerate(self._columns))
        yield from self._stream(f"SELECT {added} FROM additions AS theirs ORDER BY theirs.row")

    def _stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        schema = self.schema
        try:
            for batch in self._connection.sql(sql).to_arrow_reader(BATCH_ROWS):
                yield as_written(batch.columns, schema)
        except duckdb.ConversionException as error:
            raise InvalidInput(
                f"A value of one side does not fit the column's type on the other: {error}",
                hint="Give the column one type on both sides, then merge.",
            ) from error

    def _merged(self, column: MergedColumn, place: int) -> str:
        if column.ours < 0:
            return self._typed(column, f"e.v{place}", "theirs")
        ours = self._typed(column, f"ours.c{column.ours}", "ours")
        if column.theirs < 0:
            return ours
        theirs = self._typed(column, f"e.v{place}", "theirs")
        own = f"WHEN e.u{place} THEN e.w{place} " if place in (self._decided or ()) else ""
        return f"CASE {own}WHEN e.t{place} THEN {theirs} ELSE {ours} END"

    def _added(self, column: MergedColumn) -> str:
        if column.theirs >= 0:
            return self._typed(column, f"theirs.c{column.theirs}", "theirs")
        return f"CAST(NULL AS {self._sql_types['ours'][column.ours]})"

    def _typed(self, column: MergedColumn, cell: str, side: str) -> str:
        wanted = self._sql_types[column.typed_by][self._place_typed(column)]
        at = column.ours if side == "ours" else column.theirs
        return cell if self._sql_types[side][at] == wanted else f"CAST({cell} AS {wanted})"

    def _place_typed(self, column: MergedColumn) -> int:
        return column.ours if column.typed_by == "ours" else column.theirs

    @cached_property
    def _sql_types(self) -> dict[str, list[str]]:
        return {
            side: [row[1] for row in self._connection.sql(f"DESCRIBE met_{side}").fetchall()]
            for side in _SIDES
        }

    def _met_conflicts(self, limit: int | None = None, *, undecided: bool = False) -> Iterator[Met]:
        yield from (
            Met(conflict)
            for conflict in self._schema_conflicts
            if not (undecided and conflict.taken)
        )
        bound = "" if limit is None else f" LIMIT {int(limit)}"
        for kind, column, condition in self._clashes:
            taken, place = self._taken(column), self._columns.index(column) if column else -1
            has_own = place in (self._decided or ())
            value = f"CASE d.t{place} WHEN 'value' THEN d.x{place} END" if has_own else "NULL"
            cells = ["ours.row", "theirs.row", taken, value, *self._shown(column)]
            left = f" AND {taken} IS NULL" if undecided else ""
            sql = (
                f"SELECT {', '.join(f'{c} AS s{i}' for i, c in enumerate(cells))} "
                f"FROM {self._met} WHERE {condition}{left} ORDER BY ours.row, theirs.row{bound}"
            )
            for batch in self._connection.sql(sql).to_arrow_reader(BATCH_ROWS):
                for row in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                    found = self._conflict(kind, column, row[4:])
                    found = msgspec.structs.replace(found, taken=row[2], value=row[3])
                    yield Met(found, row[0], row[1], place)

    def _shown(self, column: MergedColumn | None) -> list[str]:
        keys = [f"coalesce(ours.k{i}, theirs.k{i})" for i in self._key_places]
        if column is not None:
            places = (column.base, column.ours, column.theirs)
            named = zip(_SIDES, places, strict=True)
            return [*keys, *(f"{s}.c{p}" if p >= 0 else "NULL" for s, p in named)]
        rows = []
        for side in _SIDES:
            fields = range(len(self._tables[side].schema))
            packed = ", ".join(f"c{i} := {side}.c{i}" for i in fields)
            rows.append(f"CASE WHEN {side}.row IS NOT NULL THEN struct_pack({packed}) END")
        return [*keys, *rows]

    def _conflict(
        self, kind: ConflictKind, column: MergedColumn | None, row: Sequence[Any]
    ) -> Conflict:
        keys = len(self.key.columns)
        shown = [self._cells(side, value) for side, value in zip(_SIDES, row[keys:], strict=True)]
        return Conflict(
            kind=kind,
            key={n: as_shown(v) for n, v in zip(self.key.columns, row[:keys], strict=True)},
            column=column.name if column else "",
            base=shown[0],
            ours=shown[1],
            theirs=shown[2],
        )

    def _cells(self, side: str, value: Any) -> Any:
        if not isinstance(value, dict) or "c0" not in value:
            return as_shown(value)
        names = self._tables[side].schema.names
        return {name: as_shown(value[f"c{i}"]) for i, name in enumerate(names)}


def _cast(cell: str, sql_type: str) -> str:
    return f"TRY_CAST({cell} AS {sql_type})" if sql_type else cell


def _cell(column: MergedColumn, side: str) -> str:
    """Return a cell of a side as it is compared; nothing where the side lacks the column."""
    place = {"base": column.base, "ours": column.ours, "theirs": column.theirs}[side]
    return _cast(f"{side}.c{place}", column.sql_type) if place >= 0 else "NULL"
