"""What of the rows that came is new, by key or by count of equal rows, out of core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.engine import engine as open_engine
from treadle.data.ingestion.columns import reshaped
from treadle.data.ingestion.entities import Counts
from treadle.data.ingestion.held import Numbers, range_of
from treadle.kernel.late import duckdb, np, pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from treadle.data.ingestion.entities import IngestionBody
    from treadle.data.ingestion.held import Held
    from treadle.data.tables.ranges import Range

MEMORY = "512MB"


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows count: those above `bound`; `passed` is the watermark that was reached before."""

    bound: Any
    passed: Any


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """Rows to add (numbers among those that came), rows to put in place of held ones, and counts.

    `places` are the numbers of held rows that are replaced, `replacing` what comes in their place.
    """

    adding: Numbers
    places: Numbers
    replacing: Numbers
    counts: Counts
    highest: Any


class Spool:
    """Rows that came, on disk: read once from the source, gone through as often as needed."""

    def __init__(self, path: Path, batches: pa.RecordBatchReader) -> None:
        self.schema = batches.schema
        self._path = path
        self.rows = 0
        spooled = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_file(str(path), self.schema, options=spooled) as sink:
            for batch in batches:
                sink.write_batch(batch)
                self.rows += batch.num_rows

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield all of it, in a schema."""
        with pa.memory_map(str(self._path)) as stream:
            file = pa.ipc.open_file(stream)
            for number in range(file.num_record_batches):
                yield reshaped(file.get_batch(number), schema)

    def some(self, schema: pa.Schema, numbers: Numbers) -> Iterator[pa.RecordBatch]:
        """Yield the rows with some numbers, which are in order."""
        first = 0
        for batch in self.batches(schema):
            low, high = np.searchsorted(numbers, [first, first + batch.num_rows])
            if low < high:
                yield batch.take(pa.array(numbers[low:high] - first))
            first += batch.num_rows


def find_delta(
    held: Held,
    spool: Spool,
    schema: pa.Schema,
    body: IngestionBody,
    *,
    window: Window,
    older: int | None,
) -> Delta:
    """Say what of the rows that came is new, and what was held already.

    `older` is what the source counted and left out.
    """
    with open_engine(memory=MEMORY) as engine:
        _load(engine, "came", spool.batches(schema), schema, body)
        engine.execute("CREATE TABLE bound AS SELECT w AS low, w AS passed FROM came LIMIT 0")
        engine.execute("INSERT INTO bound VALUES (?, ?)", [window.bound, window.passed])
        chosen = held.choose(_ranges(engine, schema, body), window.bound)
        _load(engine, "held", held.batches(chosen.numbers), schema, body)
        counts = _counted(engine, body, older, unread=chosen.older)
        if body.key:
            found = _by_key(engine, body, counts)
            return msgspec.structs.replace(found, places=chosen.places(found.places))
        return _by_rows(engine, counts, width=len(schema))


def next_rows(
    held: Iterator[pa.RecordBatch], spool: Spool, schema: pa.Schema, delta: Delta
) -> pa.RecordBatchReader:
    """Return the next version: what is held, some of it replaced where it is, then the new."""

    def rows() -> Iterator[pa.RecordBatch]:
        order = np.argsort(delta.replacing, kind="stable")
        found = list(spool.some(schema, delta.replacing[order]))
        fresh = pa.Table.from_batches(found, schema) if found else None
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        first = 0
        for batch in held:
            low, high = np.searchsorted(delta.places, [first, first + batch.num_rows])
            if low < high and fresh is not None:
                batch = _replaced(batch, delta.places[low:high] - first, fresh, back[low:high])  # noqa: PLW2901 - the same rows, some newer
            first += batch.num_rows
            yield batch
        yield from spool.some(schema, delta.adding)

    return pa.RecordBatchReader.from_batches(schema, rows())


def _replaced(
    batch: pa.RecordBatch,
    places: Numbers,
    fresh: pa.Table,
    numbers: Numbers,
) -> pa.RecordBatch:
    both = pa.concat_tables([pa.Table.from_batches([batch]), fresh.take(pa.array(numbers))])
    order = np.arange(batch.num_rows)
    order[places] = batch.num_rows + np.arange(len(places))
    (made,) = both.take(pa.array(order)).combine_chunks().to_batches()
    return made


def _load(
    engine: duckdb.DuckDBPyConnection,
    name: str,
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    body: IngestionBody,
) -> None:
    """Make a table of row numbers `n`, watermarks `w`, keys `k0`… and a hash `h` of all columns."""
    columns = [f"c{place}" for place in range(len(schema))]
    seen = pa.schema(
        [pa.field("n", pa.int64())]
        + [pa.field(c, _comparable(t)) for c, t in zip(columns, schema.types, strict=True)]
    )
    rows = pa.RecordBatchReader.from_batches(seen, _numbered(batches, seen))
    mark = columns[schema.get_field_index(body.watermark)]
    keys = [columns[schema.get_field_index(column)] for column in body.key] or columns
    named = ", ".join(f"{column} AS k{place}" for place, column in enumerate(keys))
    hashed = f", hash({', '.join(columns)}) AS h" if body.mode == "upsert" else ""
    engine.register("rows", rows)
    engine.execute(f"CREATE TABLE {name} AS SELECT n, {mark} AS w, {named}{hashed} FROM rows")  # noqa: S608 - the names are ours
    engine.unregister("rows")


def _numbered(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    first = 0
    for batch in batches:
        numbers = pa.array(np.arange(first, first + batch.num_rows))
        columns = [c.cast(t) for c, t in zip(batch.columns, schema.types[1:], strict=True)]
        yield pa.RecordBatch.from_arrays([numbers, *columns], schema=schema)
        first += batch.num_rows


def _comparable(kind: pa.DataType) -> pa.DataType:
    """Return a type that the engine knows, with the same order and equality."""
    if pa.types.is_decimal256(kind):
        return pa.string()
    return pa.float32() if kind == pa.float16() else kind


def _ranges(
    engine: duckdb.DuckDBPyConnection, schema: pa.Schema, body: IngestionBody
) -> dict[str, Range]:
    """Return between which values the rows lie that came and are young enough."""
    named = {body.watermark: "w"} | {key: f"k{place}" for place, key in enumerate(body.key)}
    found: dict[str, Range] = {}
    for column, name in named.items():
        low, high, nulls = (
            engine.sql(
                f"SELECT min({name}), max({name}), count(*) - count({name}) FROM came, bound "  # noqa: S608 - the names are ours
                "WHERE w IS NOT NULL AND (low IS NULL OR w > low)"
            )
            .to_arrow_table()
            .columns
        )
        known = range_of(low[0], high[0], nulls[0].as_py(), schema.field(column).type)
        if known is not None:
            found[column] = known
    return found


def _counted(
    engine: duckdb.DuckDBPyConnection, body: IngestionBody, older: int | None, *, unread: int
) -> Counts:
    keys = ", ".join(f"k{place}" for place in range(len(body.key)))
    each = f"count(DISTINCT ({keys}))" if keys else "count(*)"
    read, nulls, read_older = _one(
        engine,
        "SELECT count(*), count(*) FILTER (w IS NULL), count(*) FILTER (w <= low) FROM came, bound",
    )
    came_older = _one(engine, f"SELECT {each} FROM came, bound WHERE w <= low")[0]  # noqa: S608 - the names are ours
    held_older = _one(engine, f"SELECT {each} FROM held, bound WHERE w <= low")[0]  # noqa: S608 - as above
    return Counts(
        read=read,
        without_watermark=nulls,
        older=read_older,
        beyond=(older or 0) + came_older - held_older - unread,
    )


def _by_key(engine: duckdb.DuckDBPyConnection, body: IngestionBody, counts: Counts) -> Delta:
    keys = [f"k{place}" for place in range(len(body.key))]
    is_upsert = body.mode == "upsert"
    order = "w DESC, n DESC" if is_upsert else "w, n"
    same = " AND ".join(f"c.{key} IS NOT DISTINCT FROM h.{key}" for key in keys)
    fate = _fate(is_upsert=is_upsert)
    # Of several held rows with one key (committed by hand, before), the last is the one.
    engine.execute(
        f"CREATE TABLE found AS SELECT c.n, c.w, h.n AS place, h.w AS was, {fate} AS fate "  # noqa: S608 - the names are ours
        f"FROM (SELECT came.* FROM came, bound WHERE w IS NOT NULL AND (low IS NULL OR w > low) "
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY {order}) = 1) c "
        f"LEFT JOIN (SELECT * FROM held QUALIFY row_number() OVER "
        f"(PARTITION BY {', '.join(keys)} ORDER BY n DESC) = 1) h ON {same}"
    )
    adding = _numbers(engine, "SELECT n FROM found WHERE fate = 'new' ORDER BY n")
    pairs = engine.execute("SELECT place, n FROM found WHERE fate = 'replaced' ORDER BY place")
    replaced = pairs.fetchnumpy()
    changed = _one(engine, "SELECT count(*) FROM found WHERE fate = 'changed'")[0]
    return _delta(
        engine,
        counts,
        adding=adding,
        places=np.asarray(replaced["place"], dtype=np.int64),
        replacing=np.asarray(replaced["n"], dtype=np.int64),
        changed=changed,
    )


def _fate(*, is_upsert: bool) -> str:
    if not is_upsert:
        return (
            "CASE WHEN h.n IS NULL THEN 'new' WHEN c.w IS DISTINCT FROM h.w THEN 'changed' "
            "ELSE 'duplicate' END"
        )
    return (
        "CASE WHEN h.n IS NULL THEN 'new' WHEN h.w IS NULL OR c.w > h.w THEN 'replaced' "
        "WHEN c.w = h.w AND c.h <> h.h THEN 'replaced' ELSE 'duplicate' END"
    )


def _by_rows(engine: duckdb.DuckDBPyConnection, counts: Counts, *, width: int) -> Delta:
    keys = ", ".join(f"k{place}" for place in range(width))
    same = " AND ".join(f"c.k{place} IS NOT DISTINCT FROM h.k{place}" for place in range(width))
    engine.execute(
        f"CREATE TABLE found AS SELECT c.n, c.w, c.w AS was, 'new' AS fate FROM "  # noqa: S608 - the names are ours
        f"(SELECT came.*, row_number() OVER (PARTITION BY {keys} ORDER BY n) AS nth "
        f"FROM came, bound WHERE w IS NOT NULL AND (low IS NULL OR w > low)) c "
        f"LEFT JOIN (SELECT {keys}, count(*) AS there FROM held, bound "
        f"WHERE w IS NOT NULL AND (low IS NULL OR w > low) GROUP BY ALL) h ON {same} "
        f"WHERE nth > coalesce(there, 0)"
    )
    adding = _numbers(engine, "SELECT n FROM found ORDER BY n")
    none = np.empty(0, dtype=np.int64)
    return _delta(engine, counts, adding=adding, places=none, replacing=none, changed=0)


def _delta(
    engine: duckdb.DuckDBPyConnection,
    counts: Counts,
    *,
    adding: Numbers,
    places: Numbers,
    replacing: Numbers,
    changed: int,
) -> Delta:
    late = _one(
        engine,
        "SELECT count(*) FROM found, bound WHERE fate IN ('new', 'replaced') AND w <= passed",
    )[0]
    # Through Arrow: the engine's own way to a time with a zone needs one more package.
    highest = engine.sql("SELECT max(w) AS w FROM came").to_arrow_table()["w"][0].as_py()
    # At the source these rows are young now: they are no longer among the old ones there.
    moved = _one(
        engine,
        "SELECT count(*) FROM found, bound WHERE fate IN ('replaced', 'changed') AND was <= low",
    )[0]
    left = counts.read - counts.without_watermark - counts.older
    counts = msgspec.structs.replace(
        counts,
        new=len(adding),
        replaced=len(places),
        late=late,
        changed=changed,
        beyond=max(0, counts.beyond + moved),
        duplicate=left - len(adding) - len(places) - changed,
    )
    return Delta(adding=adding, places=places, replacing=replacing, counts=counts, highest=highest)


def _one(engine: duckdb.DuckDBPyConnection, query: str) -> Sequence[Any]:
    (row,) = engine.execute(query).fetchall()
    return tuple(row)


def _numbers(engine: duckdb.DuckDBPyConnection, query: str) -> Numbers:
    return np.asarray(engine.execute(query).fetchnumpy()["n"], dtype=np.int64)
