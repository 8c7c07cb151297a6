"""Two changes of one table become one: a three-way merge by key.

What theirs changed since the base is brought into ours, cell by cell; where both changed one thing
differently there is a conflict. Only rows that theirs touched are looked at, unless theirs has
columns that ours lacks. The merged table has ours' rows in ours' order, then what theirs added, in
theirs' order.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from treadle.data.column_types import as_shown
from treadle.data.diffs.comparison import Comparison, same
from treadle.data.diffs.entities import Conflict, MergeCounts, name_of_key
from treadle.data.diffs.holding import Holding
from treadle.data.diffs.merged_columns import Schemas, plan_columns
from treadle.data.diffs.schemas import common_type
from treadle.data.diffs.tables import BATCH_ROWS, as_written, compared
from treadle.data.engine import engine
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator, Sequence

    from treadle.data.contracts import ContractBody
    from treadle.data.diffs.entities import ConflictKind, Key, Side
    from treadle.data.diffs.merged_columns import MergedColumn
    from treadle.data.diffs.tables import Table

EXAMPLES = 5
_SIDES = ("base", "ours", "theirs")


class TableMerge(Holding):
    """The merged table and the conflicts, until it is closed: use it as a context manager.

    `prefer` decides every conflict for one side; without it the table has ours, and the conflicts
    say that nobody decided. Not for two threads.
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
        holding: contextlib.ExitStack | None = None,
    ) -> None:
        super().__init__(holding)
        self._tables = {"base": base, "ours": ours, "theirs": theirs}
        self._prefer = prefer
        try:
            self._connection = self._stack.enter_context(engine(keeps_order=False))
            self._compare(key, contract)
            self._plan()
            self._meet()
            self._decide()
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

    def conflicts(self, *, limit: int | None = None) -> Iterator[Conflict]:
        """Yield conflicts: of columns first, then of whole rows, then of cells by column."""
        left = self.counts.conflicts if limit is None else limit
        for conflict in self._all_conflicts(limit):
            if not left:
                return
            left -= 1
            yield conflict

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

    def _plan(self) -> None:
        plan = plan_columns(
            Schemas(
                base=self._tables["base"].schema,
                ours=self._tables["ours"].schema,
                theirs=self._tables["theirs"].schema,
                to_ours=self._to_ours.columns,
                to_theirs=self._to_theirs.columns,
            ),
            prefer=self._prefer,
            has_changed=self._has_changed,
        )
        self._columns, self._schema_conflicts = plan

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
        prefers_theirs = self._prefer == "theirs"
        edited = [(f"t{i}", f"v{i}", c) for i, c in enumerate(self._columns) if c.theirs >= 0]
        takes = [f"coalesce({self._takes(c)}, false) AS {take}" for take, _, c in edited]
        values = [f"theirs.c{c.theirs} AS {value}" for _, value, c in edited]
        drops = f"theirs.row IS NULL AND ({prefers_theirs} OR NOT ({self._changed('ours')}))"
        taken = " OR ".join(take for take, _, _ in edited) or "false"
        self._connection.execute(
            "CREATE TEMP TABLE edits AS SELECT * FROM "
            f"(SELECT {', '.join(['ours.row AS row', f'{drops} AS dropped', *takes, *values])} "
            f"FROM {self._met} WHERE ours.row IS NOT NULL "
            "AND (theirs.row IS NOT NULL OR base.row IS NOT NULL)) "
            f"WHERE dropped OR {taken}"
        )
        returns = f"{prefers_theirs} AND ({self._changed('theirs')})"
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
        conflicting = "true" if self._prefer == "theirs" else "false"
        base, ours, theirs = (_cell(column, side) for side in _SIDES)
        return (
            "CASE WHEN theirs.row IS NULL THEN false "
            f"WHEN base.row IS NULL THEN {conflicting} AND {theirs} IS DISTINCT FROM {ours} "
            f"ELSE {theirs} IS DISTINCT FROM {base} "
            f"AND ({conflicting} OR {ours} IS NOT DISTINCT FROM {base}) END"
        )

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
        import duckdb  # noqa: PLC0415 - as in `engine`

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
        return f"CASE WHEN e.t{place} THEN {theirs} ELSE {ours} END"

    def _added(self, column: MergedColumn) -> str:
        if column.theirs >= 0:
            return self._typed(column, f"theirs.c{column.theirs}", "theirs")
        return f"CAST(NULL AS {self._sql_types['ours'][column.ours]})"

    def _typed(self, column: MergedColumn, cell: str, side: str) -> str:
        place = column.ours if column.typed_by == "ours" else column.theirs
        wanted = self._sql_types[column.typed_by][place]
        at = column.ours if side == "ours" else column.theirs
        return cell if self._sql_types[side][at] == wanted else f"CAST({cell} AS {wanted})"

    @cached_property
    def _sql_types(self) -> dict[str, list[str]]:
        return {
            side: [row[1] for row in self._connection.sql(f"DESCRIBE met_{side}").fetchall()]
            for side in _SIDES
        }

    def _all_conflicts(self, limit: int | None) -> Iterator[Conflict]:
        yield from self._schema_conflicts
        bound = "" if limit is None else f" LIMIT {int(limit)}"
        for kind, column, condition in self._clashes:
            cells = self._shown(column)
            sql = (
                f"SELECT {', '.join(cells)} FROM {self._met} WHERE {condition} "
                f"ORDER BY ours.row, theirs.row{bound}"
            )
            for batch in self._connection.sql(sql).to_arrow_reader(BATCH_ROWS):
                for row in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                    yield self._conflict(kind, column, row)

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
            taken=self._prefer,
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
