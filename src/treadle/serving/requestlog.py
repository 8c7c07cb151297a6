"""The request log: segments while they are warm, parts once they are compacted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from treadle.kernel.errors import Conflict, NotFound
from treadle.kernel.ids import new_id
from treadle.serving import parts, records, segments, store
from treadle.serving.entities import BatchResult, PredictionPart
from treadle.serving.facts import PredictionsLogged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from treadle.serving.entities import Prediction, Role
    from treadle.serving.records import Record
    from treadle.storage.ports import MetadataStore, ObjectStore

BASE_COLUMNS = frozenset({"id", "at", "version", "role"})
"""What reading needs to narrow and order, asked for or not."""


LOOK_BACK = 64
"""How many parts are searched for what arriving labels are about."""


class RequestLog:
    """Every prediction of a project: parts in the object store, and this home's segments.

    **Once**: a segment or a scored table becomes parts exactly once, however often and from however
    many processes it is tried, and whenever they are killed: objects are put first, then all parts
    of a source are catalogued in one transaction, then the segment is removed.
    """

    def __init__(self, *, store: MetadataStore, objects: ObjectStore, folder: Path) -> None:
        self._store = store
        self._objects = objects
        self.folder = folder
        # By segment: how many of its payloads were decoded, and what they held.
        self._decoded: dict[str, tuple[int, list[Record]]] = {}

    def compact(self) -> tuple[PredictionPart, ...]:
        """Turn every finished segment into parts and return those; segments being written stay.

        Raises Conflict inside a write transaction: segments are removed once their parts are
        committed, and an outer transaction could still be rolled back.
        """
        with self._store.read() as tx:
            if tx.writes:
                raise Conflict("Compaction cannot be part of a transaction.")
        made: list[PredictionPart] = []
        for path in segments.segments(self.folder):
            with segments.finished(path) as ours:
                if ours:
                    made += self._compact(path)
        return tuple(made)

    def log_table(self, table: pa.Table, *, endpoint: str, source: str) -> BatchResult:
        """Write predictions straight into parts."""
        made = self._catalogue({endpoint: table.sort_by("id")}, source=source)
        return _result(endpoint, source=source, made=made)

    def logged(self, endpoint: str, *, source: str) -> BatchResult | None:
        """Return what was logged from a source before, if it was."""
        with self._store.read() as tx:
            made = store.parts_of_source(tx, source)
        return _result(endpoint, source=source, made=made) if made else None

    def prediction(self, identifier: str) -> Prediction:
        """Find one prediction, compacted or not. Raises NotFound."""
        return (
            self._in_parts(identifier) or self._in_segments(identifier) or self._moved(identifier)
        )

    def read(
        self,
        endpoint: str,
        *,
        start: int | None = None,
        end: int | None = None,
        version: str | None = None,
        role: Role | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Return predictions with `start <= at < end`, ordered by id, warm ones too."""
        # Segments are read before the catalogue: one that is compacted in between is found in both
        # and its catalogued rows win; in the other order it would be found in neither.
        warm = self._warm()
        with self._store.read() as tx:
            found = store.parts_between(tx, endpoint, start=start, end=end)
            done = store.catalogued(tx, warm)
        wanted = None if columns is None else BASE_COLUMNS.union(columns)
        tables = [parts.read_part(self._objects, p.digest, columns=wanted) for p in found]
        fresh = [r for name, kept in warm.items() if name not in done for r in kept]
        near = (r for r in fresh if r.endpoint == endpoint and _touches(r, start=start, end=end))
        late = records.tables_of(near).get(endpoint)
        if late is not None:
            tables.append(late)
        narrow = [
            records.narrowed(t, start=start, end=end, version=version, role=role) for t in tables
        ]
        return _selected(records.stacked(narrow).sort_by("id"), columns=columns)

    def first_at(self, endpoint: str) -> int | None:
        """Return the earliest instant a prediction is about; None before the first."""
        warm = [r for found in self._warm().values() for r in found if r.endpoint == endpoint]
        with self._store.read() as tx:
            compacted = store.first_prediction_at(tx, endpoint)
        known = [at for r in warm for at in r.at]
        return min([*known, *([] if compacted is None else [compacted])], default=None)

    def reach(self, endpoint: str, labels: pa.Table, *, until: int) -> tuple[int, int, int]:
        """Return how many labels have a prediction, and from when to when those are.

        Looks at predictions about what had happened by `until`, the latest first and no further
        back than `LOOK_BACK` parts.
        """
        waiting, joined, ends = labels, 0, []
        for rows in self._newest(endpoint, until=until):
            about = rows.filter(pc.less_equal(rows["at"], until))
            where = pc.coalesce(
                pc.index_in(waiting["prediction_id"], value_set=about["id"].combine_chunks()),
                pc.index_in(waiting["key"], value_set=about["key"].combine_chunks()),
            )
            found = pc.drop_null(where)
            if len(found):
                joined += len(found)
                limits = pc.min_max(about["at"].take(found)).as_py()
                ends += [limits["min"], limits["max"]]
                waiting = waiting.filter(pc.is_null(where))
            if not waiting.num_rows:
                break
        return joined, min(ends, default=until), max(ends, default=until)

    def _newest(self, endpoint: str, *, until: int) -> Iterator[pa.Table]:
        fresh = [r for found in self._warm().values() for r in found]
        late = records.tables_of(r for r in fresh if r.endpoint == endpoint)
        yield from late.values()
        with self._store.read() as tx:
            found = store.newest_parts(tx, endpoint, until=until, limit=LOOK_BACK)
        for part in found:
            yield parts.read_part(self._objects, part.digest, columns=("id", "key", "at"))

    def _compact(self, path: Path) -> list[PredictionPart]:
        made: list[PredictionPart] = []
        with self._store.read() as tx:
            done = store.catalogued(tx, [path.name])
        content = segments.read_segment(path)
        if content is None:
            return made
        kept = records.decode(content.payloads)
        if not done and kept:
            lost = path.stat().st_size - content.valid_bytes if content.damaged else 0
            made = self._catalogue(
                records.tables_of(kept),
                source=path.name,
                dropped=_dropped(kept),
                damaged_bytes=lost,
            )
        if content.damaged:
            path.rename(path.with_suffix(".damaged"))
        else:
            path.unlink()
        return made

    def _catalogue(
        self,
        tables: dict[str, pa.Table],
        *,
        source: str,
        dropped: dict[str, int] | None = None,
        damaged_bytes: int = 0,
    ) -> list[PredictionPart]:
        drafts = [
            (endpoint, piece, rows, parts.write_part(self._objects, rows))
            for endpoint, whole in tables.items()
            for piece, rows in enumerate(parts.pieces(whole))
        ]
        with self._store.write() as tx:
            known = store.parts_of_source(tx, source)
            if known:  # another process was first
                return known
            made: list[PredictionPart] = []
            for endpoint, piece, rows, info in drafts:
                missed = (dropped or {}).get(endpoint, 0) if piece == 0 else 0
                part = PredictionPart(
                    id=new_id(),
                    endpoint=endpoint,
                    source=source,
                    piece=piece,
                    **_extent(rows),
                    shadows_dropped=missed,
                    digest=info.digest,
                    size_bytes=info.size_bytes,
                    created_at=tx.at,
                )
                store.insert_part(tx, part)
                tx.emit(_fact(part, damaged_bytes=damaged_bytes))
                made.append(part)
        return made

    def _warm(self) -> dict[str, list[Record]]:
        """Return the records of every segment; of one that grew only what is new is decoded."""
        decoded: dict[str, tuple[int, list[Record]]] = {}
        for path in segments.segments(self.folder):
            content = segments.read_segment(path)
            if content is None:
                continue
            count, kept = self._decoded.get(path.name, (0, []))
            if count > len(content.payloads):  # cut back to what was whole
                count, kept = 0, []
            fresh = records.decode(content.payloads[count:])
            decoded[path.name] = len(content.payloads), [*kept, *fresh]
        self._decoded = decoded
        return {name: found for name, (_, found) in decoded.items()}

    def _in_parts(self, identifier: str) -> Prediction | None:
        with self._store.read() as tx:
            around = store.parts_around_id(tx, identifier)
        for part in around:
            found = parts.find_row(self._objects, part.digest, identifier=identifier)
            if found.num_rows:
                return records.prediction_of(found, row=0)
        return None

    def _in_segments(self, identifier: str) -> Prediction | None:
        needle = identifier.encode()
        for path in reversed(segments.segments(self.folder)):
            content = segments.read_segment(path)
            # Ids are plain text in a payload: looking for one is much cheaper than decoding all.
            holds = [p for p in content.payloads if needle in p] if content else []
            for table in records.tables_of(records.decode(holds)).values():
                row = pc.index(table["id"], identifier).as_py()
                if row >= 0:
                    return records.prediction_of(table, row=row)
        return None

    def _moved(self, identifier: str) -> Prediction:
        # Its segment may have become a part between our two looks.
        found = self._in_parts(identifier)
        if found is None:
            raise NotFound(
                "prediction", identifier, hint="Ids are printed by infer; they have 32 hex digits."
            )
        return found


def _extent(rows: pa.Table) -> dict[str, Any]:
    at = pc.min_max(rows["at"]).as_py()
    return {
        "first_id": rows["id"][0].as_py(),
        "last_id": rows["id"][-1].as_py(),
        "first_at": at["min"],
        "last_at": at["max"],
        "rows": rows.num_rows,
    }


def _fact(part: PredictionPart, *, damaged_bytes: int) -> PredictionsLogged:
    return PredictionsLogged(
        endpoint=part.endpoint,
        part=part.id,
        source=part.source,
        piece=part.piece,
        rows=part.rows,
        shadows_dropped=part.shadows_dropped,
        first_id=part.first_id,
        last_id=part.last_id,
        first_at=part.first_at,
        last_at=part.last_at,
        digest=part.digest,
        size_bytes=part.size_bytes,
        damaged_bytes=damaged_bytes,
    )


def _result(endpoint: str, *, source: str, made: list[PredictionPart]) -> BatchResult:
    return BatchResult(
        endpoint=endpoint,
        source=source,
        rows=sum(p.rows for p in made),
        parts=tuple(p.id for p in made),
    )


def _dropped(kept: list[Record]) -> dict[str, int]:
    missed: Counter[str] = Counter()
    for record in kept:
        missed[record.endpoint] += record.dropped
    return missed


def _touches(record: Record, *, start: int | None, end: int | None) -> bool:
    return any((start is None or start <= at) and (end is None or at < end) for at in record.at)


def _selected(table: pa.Table, *, columns: Sequence[str] | None) -> pa.Table:
    if columns is None:
        return table
    unknown = [name for name in columns if name not in table.column_names]
    if unknown and table.num_rows:
        known = table.column_names
        raise NotFound("column of the request log", unknown[0], known=known)
    for name in unknown:  # an empty window does not know which inputs there would have been
        table = table.append_column(name, pa.nulls(0, pa.float64()))
    return table.select(list(columns))
