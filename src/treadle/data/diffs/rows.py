"""A diff of two tables: counts first, then rows, as many as one asks for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.column_types import as_shown
from treadle.data.diffs.comparison import Comparison, distinct
from treadle.data.diffs.entities import (
    ROW_KINDS,
    Counts,
    DiffSummary,
    RowChange,
    SchemaChange,
)
from treadle.data.diffs.holding import Holding
from treadle.data.diffs.tables import BATCH_ROWS, as_written
from treadle.data.engine import engine
from treadle.kernel.late import np, pa

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterator, Sequence

    from treadle.data.contracts import ContractBody
    from treadle.data.diffs.entities import Key, RowKind
    from treadle.data.diffs.schemas import Columns, Pairing
    from treadle.data.diffs.tables import Table

METADATA = b"treadle.diff"
WRITTEN = b"treadle.diff.after"
"""After's columns as they are written: in a diff dictionaries are plain, for Parquet cannot be
read where they lie in a struct."""


class TableDiff(Holding):
    """What differs from one table to another.

    It holds files and memory until it is closed: use it as a context manager. Not for two threads.
    """

    def __init__(
        self,
        before: Table,
        after: Table,
        *,
        names: tuple[str, str] = ("before", "after"),
        key: Sequence[str] | None = None,
        contract: ContractBody | None = None,
        holding: contextlib.ExitStack | None = None,
    ) -> None:
        super().__init__(holding)
        self._before, self._after = before, after
        try:
            self._connection = self._stack.enter_context(engine(keeps_order=False))
            self._found = Comparison(
                before, after, connection=self._connection, key=key, contract=contract
            )
            self.summary = self._summary(names)
        except BaseException:
            self._stack.close()
            raise
        self.schema = _schema(before, after, self.summary)

    @property
    def counts(self) -> Counts:
        """Return how many rows differ, and how."""
        return self.summary.counts

    @property
    def key(self) -> Key:
        """Return by which columns rows are the same row."""
        return self.summary.key

    def batches(
        self,
        *,
        kinds: Sequence[RowKind] = ROW_KINDS,
        limit: int | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows that differ as Arrow, at most `limit` of each kind.

        Changed rows come first, in the order of the second table, then those added and removed, in
        the order of theirs; at last those that only have values of columns that were added.
        """
        for kind in kinds:
            sql = self._rows_sql(kind)
            if not sql:
                continue
            if limit is not None:
                sql += f" LIMIT {int(limit)}"
            for batch in self._connection.sql(sql).to_arrow_reader(batch_rows):
                yield self._encoded(kind, batch)

    def arrow(self, **asked: Any) -> pa.RecordBatchReader:
        """Return the rows that differ as a stream of Arrow; see `batches`."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches(**asked))

    def changes(self, **asked: Any) -> Iterator[RowChange]:
        """Yield the rows that differ as values that JSON can hold; see `batches`."""
        for batch in self.batches(**asked):
            for row in batch.to_pylist():
                yield self._change(row)

    def _summary(self, names: tuple[str, str]) -> DiffSummary:
        schema = _schema_changes(
            self._before, self._after, self._columns, values=self._values_of_added()
        )
        return DiffSummary(
            before=names[0],
            after=names[1],
            key=self._found.key,
            schema=tuple(schema),
            counts=self._counted(),
        )

    def _counted(self) -> Counts:
        checked = [pairing for pairing in self._columns.both if pairing not in self._only_key]
        pairs, counts = self._found.count_changed(checked)
        named = {p.name: count for p, count in zip(checked, counts, strict=True) if count}
        return Counts(
            rows_before=self._before.rows,
            rows_after=self._after.rows,
            added=self._found.count(f"{self._found.touched} WHERE row_before IS NULL"),
            removed=self._found.count(f"{self._found.touched} WHERE row_after IS NULL"),
            changed=pairs,
            filled=self._found.count(f"({filled})") if (filled := self._filled_sql()) else 0,
            changed_cells=named,
            repeated_keys=self._found.repeated,
        )

    @property
    def _only_key(self) -> tuple[Pairing, ...]:
        return self._found.key_pairs if self._found.key.columns else ()

    def _values_of_added(self) -> dict[str, int]:
        places = [self._after.schema.get_field_index(name) for name in self._columns.added]
        if not places:
            return {}
        asked = ", ".join(f"count(c{place})" for place in places)
        (row,) = self._connection.sql(f"SELECT {asked} FROM ({self._after.select()})").fetchall()
        return dict(zip(self._columns.added, row, strict=True))

    def _filled_sql(self) -> str:
        """Return SQL of rows with nothing new but values of columns that were added."""
        places = [self._after.schema.get_field_index(name) for name in self._columns.added]
        if not places or not self._found.key.columns:
            return ""
        has_value = " OR ".join(f"after.c{place} IS NOT NULL" for place in places)
        return (
            f"SELECT after.* FROM ({self._after.select()}) AS after "
            f"ANTI JOIN {self._found.touched} AS t ON after.row = t.row_after WHERE {has_value}"
        )

    def _rows_sql(self, kind: RowKind) -> str:
        """Return SQL of rows: their numbers, cells before and after, and which of them differ."""
        before = [f"before.c{i} AS b{i}" for i in range(len(self._before.schema))]
        after = [f"after.c{i} AS a{i}" for i in range(len(self._after.schema))]
        found = self._found
        joined = {
            "changed": found.both_sides,
            "added": f"JOIN {found.rows_after} AS after ON after.row = row_after "
            "WHERE row_before IS NULL",
            "removed": f"JOIN {found.rows_before} AS before ON before.row = row_before "
            "WHERE row_after IS NULL",
        }
        if kind == "filled":
            filled = self._filled_sql()
            return filled and (
                f"SELECT NULL::BIGINT, after.row AS at_row, {', '.join(after)} "
                f"FROM ({filled}) AS after ORDER BY at_row"
            )
        cells = [*(before if kind != "added" else ()), *(after if kind != "removed" else ())]
        if kind == "changed":
            cells += [f"({distinct([p])}) AS d{i}" for i, p in enumerate(self._columns.both)]
        order = "row_before" if kind == "removed" else "row_after"
        return (
            f"SELECT row_before, row_after, {', '.join(cells)} FROM {found.touched} {joined[kind]} "
            f"ORDER BY {order}"
        )

    def _encoded(self, kind: RowKind, batch: pa.RecordBatch) -> pa.RecordBatch:
        schema, rows = self.schema, batch.num_rows
        columns = {name: batch.column(i) for i, name in enumerate(batch.schema.names)}
        parts: list[pa.Array] = [pa.array([kind] * rows, pa.string())]
        parts.append(self._cells(kind, columns, rows))
        for place, table in enumerate((self._before, self._after)):
            numbers = batch.column(place).to_pylist()
            numbered = [None if n is None else table.row_number(n) for n in numbers]
            parts.append(pa.array(numbered, pa.int64()))
        for letter, table in (("b", self._before), ("a", self._after)):
            wanted = [columns.get(f"{letter}{i}") for i in range(len(table.schema))]
            type_ = pa.struct(list(table.schema))
            if None in wanted:
                parts.append(pa.nulls(rows, type_))
                continue
            bare = as_written(
                pa.RecordBatch.from_arrays(wanted, names=table.schema.names), table.schema
            )
            parts.append(pa.StructArray.from_arrays(bare.columns, fields=list(table.schema)))
        return pa.RecordBatch.from_arrays(parts, schema=schema)

    def _cells(self, kind: RowKind, columns: dict[str, pa.Array], rows: int) -> pa.Array:
        names = [pairing.name for pairing in self._columns.both]
        if kind == "filled":
            names = list(self._columns.added)
            places = [self._after.schema.get_field_index(name) for name in names]
            told = [columns[f"a{place}"].is_valid() for place in places]
        elif kind == "changed":
            told = [columns[f"d{place}"] for place in range(len(names))]
        else:
            told = []
        if not told:
            return pa.array([[]] * rows, pa.list_(pa.string()))
        flags = np.column_stack([np.asarray(flag.to_numpy(zero_copy_only=False)) for flag in told])
        offsets = np.concatenate([[0], np.cumsum(flags.sum(axis=1))]).astype(np.int32)
        values = pa.array(names, pa.string()).take(pa.array(np.nonzero(flags)[1]))
        return pa.ListArray.from_arrays(pa.array(offsets), values)

    def _change(self, row: dict[str, Any]) -> RowChange:
        called = self._new_names
        before, after = row["before"], row["after"]
        old = before and {called[name]: as_shown(cell) for name, cell in before.items()}
        new = after and {name: as_shown(cell) for name, cell in after.items()}
        return RowChange(
            kind=row["change"],
            key={name: (new or old)[name] for name in self._found.key.columns},
            cells=tuple(row["cells"]),
            before=old,
            after=new,
            row_before=row["row_before"],
            row_after=row["row_after"],
        )

    @cached_property
    def _new_names(self) -> dict[str, str]:
        """Return what columns of before are called in after; those that are gone, as they were."""
        names = {name: name for name in self._before.schema.names}
        return names | {self._before.schema.names[p.before]: p.name for p in self._columns.both}

    @property
    def _columns(self) -> Columns:
        return self._found.columns


def _schema(before: Table, after: Table, summary: DiffSummary) -> pa.Schema:
    fields = [
        pa.field("change", pa.string()),
        pa.field("cells", pa.list_(pa.string())),
        pa.field("row_before", pa.int64()),
        pa.field("row_after", pa.int64()),
        pa.field("before", pa.struct(list(before.schema))),
        pa.field("after", pa.struct(list(after.schema))),
    ]
    told = {METADATA: msgspec.json.encode(summary)}
    return pa.schema(fields, metadata={**told, WRITTEN: after.written.serialize().to_pybytes()})


def _schema_changes(
    before: Table, after: Table, columns: Columns, *, values: dict[str, int]
) -> Iterator[SchemaChange]:
    for pairing in columns.both:
        old = before.schema.field(pairing.before)
        if old.name != pairing.name:
            yield SchemaChange(
                kind="renamed", column=pairing.name, before=old.name, after=pairing.name
            )
        if pairing.sql_type:
            yield SchemaChange(
                kind="retyped",
                column=pairing.name,
                before=str(old.type),
                after=str(after.schema.field(pairing.after).type),
                compared_as=pairing.compared_as,
            )
    for name in columns.removed:
        yield SchemaChange(kind="removed", column=name, before=str(before.schema.field(name).type))
    for name in columns.added:
        type_ = str(after.schema.field(name).type)
        yield SchemaChange(kind="added", column=name, after=type_, values=values[name])
