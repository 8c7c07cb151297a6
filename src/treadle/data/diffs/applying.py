"""A diff carried over to a table: before with its diff applied is after.

Rows that the diff changes or removes must be there as the diff has them; the table may have others
beside. Rows keep their order, those that are added come last.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.data.diffs.comparison import same
from treadle.data.diffs.entities import DiffSummary
from treadle.data.diffs.rows import METADATA, WRITTEN
from treadle.data.diffs.tables import BATCH_ROWS, as_written, quoted
from treadle.data.engine import engine
from treadle.kernel.errors import Conflict, InvalidInput, NotFound, counted
from treadle.kernel.late import duckdb, pa, pq

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from treadle.data.diffs.tables import Table

MAKE_ONE = "Make one: treadle data diff A B --out changes.parquet."


@contextmanager
def applied(table: Table, diff: pa.RecordBatchReader | Path) -> Iterator[pa.RecordBatchReader]:
    """Yield a table with a diff applied, as a stream that is good inside the block.

    `diff` is what `TableDiff.arrow` gives, or a Parquet file of it. Raises Conflict when the table
    has not what the diff changes or removes.
    """
    with (
        tempfile.TemporaryDirectory(prefix="treadle-diff-") as folder,
        engine(keeps_order=False) as connection,
    ):
        yield _Application(table, diff, connection=connection, folder=Path(folder)).arrow()


def summary_of(diff: Path) -> DiffSummary:
    """Return what a file of a diff says of itself. Raises InvalidInput for what is none."""
    with _opened(diff) as file:
        return _told(file.schema_arrow)


class _Application:
    def __init__(
        self,
        table: Table,
        diff: pa.RecordBatchReader | Path,
        *,
        connection: DuckDBPyConnection,
        folder: Path,
    ) -> None:
        self._table, self._connection = table, connection
        self._summary, self._before, self._after = _read(diff, folder / "diff.parquet", connection)
        if self._before.names != table.schema.names:
            raise InvalidInput(
                f"The diff is of a table with the columns {', '.join(self._before.names)}; "
                f"this one has {', '.join(table.schema.names)}.",
                hint="Apply it to the version it starts from, or to one with the same columns.",
            )
        if any(c.kind == "added" and c.values for c in self._summary.schema):
            self._require_key()
        try:
            self._match()
        except duckdb.ConversionException as error:
            raise InvalidInput(
                f"The table's values are of other types than the diff's: {error}",
                hint=f"It starts from {self._summary.before}.",
            ) from error

    def arrow(self) -> pa.RecordBatchReader:
        """Return the rows as a stream."""
        return pa.RecordBatchReader.from_batches(self._after, self._batches())

    def _require_key(self) -> None:
        if not self._summary.key.columns or self._summary.counts.repeated_keys:
            raise InvalidInput(
                "The diff adds a column, and no key says which row each of its values belongs to.",
                hint="Make it with a key that repeats in no row.",
            )

    def _match(self) -> None:
        """Find the rows that the diff has seen; equal rows count as often as they are there."""
        cells = range(len(self._before))
        mine, old = (", ".join(f"{letter}{i}" for i in cells) for letter in ("c", "b"))
        numbered = "row_number() OVER (PARTITION BY {} ORDER BY {}) AS nth"
        self._connection.execute(
            "CREATE TEMP TABLE hits AS SELECT t.row AS row, p.place AS place "
            f"FROM (SELECT *, {numbered.format(mine, 'row')} FROM ({self._table.select()}) "
            f"WHERE hash({mine}) IN (SELECT hash({old}) FROM patch WHERE has_before)) AS t "
            f"JOIN (SELECT *, {numbered.format(old, 'place')} FROM patch WHERE has_before) AS p "
            f"ON t.nth = p.nth AND {' AND '.join(same(f't.c{i}', f'p.b{i}') for i in cells)}"
        )
        missing = self._count("patch WHERE has_before") - self._count("hits")
        if missing:
            raise Conflict(
                f"The diff changes or removes {counted(missing, 'row')} not there as it has them.",
                hint=f"It starts from {self._summary.before}; merge instead where both changed.",
            )
        if not self._summary.key.columns or self._summary.counts.repeated_keys:
            return
        same_key = " AND ".join(same(f"t.c{i}", f"p.a{j}") for i, j in self._key_places())
        self._connection.execute(
            f"INSERT INTO hits SELECT t.row, p.place FROM ({self._table.select()}) AS t "
            f"JOIN patch AS p ON p.change = 'filled' AND {same_key}"
        )
        twice = self._count(
            f"patch AS p SEMI JOIN (SELECT * FROM ({self._table.select()}) AS s "
            f"ANTI JOIN hits AS h ON s.row = h.row) AS t ON {same_key} WHERE p.change = 'added'"
        )
        if twice:
            raise Conflict(
                f"The diff adds {counted(twice, 'row')} with keys that are there already.",
                hint=f"It starts from {self._summary.before}; merge instead where both changed.",
            )

    def _key_places(self) -> list[tuple[int, int]]:
        old = self._old_names()
        return [
            (self._before.get_field_index(old[name]), self._after.get_field_index(name))
            for name in self._summary.key.columns
        ]

    def _old_names(self) -> dict[str, str]:
        """Return what columns of after were called before."""
        renamed = {c.after: c.before for c in self._summary.schema if c.kind == "renamed"}
        return {name: renamed.get(name, name) for name in self._after.names}

    def _batches(self) -> Iterator[pa.RecordBatch]:
        old = self._old_names()
        kinds = [
            row[1]
            for row in self._connection.sql(
                f"DESCRIBE SELECT {', '.join(f'a{i}' for i in range(len(self._after)))} FROM patch"
            ).fetchall()
        ]
        cells = []
        for place, name in enumerate(self._after.names):
            at = self._before.get_field_index(old[name])
            kept = f"CAST(t.c{at} AS {kinds[place]})" if at >= 0 else "NULL"
            cells.append(f"CASE WHEN h.place IS NULL THEN {kept} ELSE p.a{place} END AS m{place}")
        for part in range(len(self._table.parts)):
            yield from self._stream(
                f"SELECT {', '.join(cells)} FROM ({self._table.select([part])}) AS t "
                "LEFT JOIN hits AS h ON t.row = h.row LEFT JOIN patch AS p ON p.place = h.place "
                "WHERE p.change IS DISTINCT FROM 'removed' ORDER BY t.row"
            )
        added = ", ".join(f"a{place}" for place in range(len(self._after)))
        yield from self._stream(f"SELECT {added} FROM patch WHERE change = 'added' ORDER BY place")

    def _stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        for batch in self._connection.sql(sql).to_arrow_reader(BATCH_ROWS):
            yield as_written(batch.columns, self._after)

    def _count(self, rows: str) -> int:
        return int(self._connection.sql(f"SELECT count(*) FROM {rows}").fetchall()[0][0])


def _read(
    diff: pa.RecordBatchReader | Path, path: Path, connection: DuckDBPyConnection
) -> tuple[DiffSummary, pa.Schema, pa.Schema]:
    """Keep a diff as the table `patch`: `place`, `change`, cells before (`b0`) and after (`a0`)."""
    with ExitStack() as stack:
        if isinstance(diff, pa.RecordBatchReader):
            schema, batches = diff.schema, iter(diff)
        else:
            file = stack.enter_context(_opened(diff))
            schema, batches = file.schema_arrow, file.iter_batches(BATCH_ROWS)
        summary = _told(schema)
        before, after = (pa.schema(list(schema.field(side).type)) for side in ("before", "after"))
        flat = pa.schema(
            [
                pa.field("change", pa.string()),
                pa.field("has_before", pa.bool_()),
                *(pa.field(f"b{i}", field.type) for i, field in enumerate(before)),
                *(pa.field(f"a{i}", field.type) for i, field in enumerate(after)),
            ]
        )
        rows = 0
        with pq.ParquetWriter(path, flat) as writer:
            for batch in batches:
                sides = [batch.column("before"), batch.column("after")]
                columns = [batch.column("change"), sides[0].is_valid()]
                columns += [cell for side in sides for cell in side.flatten()]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=flat))
                rows += batch.num_rows
    _require_whole(summary, rows)
    connection.execute(
        "CREATE TEMP TABLE patch AS SELECT *, file_row_number AS place "
        f"FROM read_parquet({quoted(str(path))}, file_row_number = true)"
    )
    written = schema.metadata.get(WRITTEN)
    return summary, before, pa.ipc.read_schema(pa.BufferReader(written)) if written else after


@contextmanager
def _opened(diff: Path) -> Iterator[pq.ParquetFile]:
    if not diff.is_file():
        raise NotFound("file", str(diff))
    try:
        with pq.ParquetFile(diff) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{diff} cannot be read as a diff: {error}", hint=MAKE_ONE) from error


def _told(schema: pa.Schema) -> DiffSummary:
    told = (schema.metadata or {}).get(METADATA)
    if told is None or not {"change", "before", "after"}.issubset(schema.names):
        raise InvalidInput("That is no diff of tables.", hint=MAKE_ONE)
    return msgspec.json.decode(told, type=DiffSummary)


def _require_whole(summary: DiffSummary, rows: int) -> None:
    """Raise InvalidInput for a diff that was kept in part: what it applies to would be neither."""
    counts = summary.counts
    whole = counts.added + counts.removed + counts.changed + counts.filled
    if rows != whole:
        raise InvalidInput(
            f"The diff holds {rows:,} of the {counted(whole, 'row')} that differ.",
            hint="Write it without --limit, and leave its rows as they are.",
        )
