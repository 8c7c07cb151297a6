"""The verbs of ingestion: set how a dataset grows, and have it grow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from treadle.data import store as data_sql
from treadle.data.branches import store as pointers
from treadle.data.branches.entities import MAIN
from treadle.data.ingestion import store as sql
from treadle.data.ingestion.columns import joined
from treadle.data.ingestion.delta import Spool, Window, find_delta, next_rows
from treadle.data.ingestion.entities import (
    Counts,
    Ingested,
    Ingestion,
    IngestionBody,
    KnownRanges,
    Mark,
)
from treadle.data.ingestion.facts import DatasetIngested, IngestionRemoved, IngestionSet
from treadle.data.ingestion.held import Held
from treadle.data.ingestion.watermarks import (
    below,
    check_lateness,
    not_after,
    read,
    require_rising,
    shown,
    written,
)
from treadle.data.sources.ports import Above
from treadle.data.sources.secrets import require_placeholders
from treadle.data.versions import require_name
from treadle.kernel.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from treadle.data.entities import DatasetVersion, Provenance
    from treadle.data.ingestion.entities import Mode, SchemaChange, StoredSource
    from treadle.data.sources.ports import DataSource, Reading
    from treadle.data.tables.parts import TableParts
    from treadle.data.tables.writing import Behind
    from treadle.storage.ports import MetadataStore
    from treadle.storage.transaction import Transaction

ATTEMPTS = 4
"""How often a run begins anew because somebody else has committed meanwhile."""


class Versions(Protocol):
    """What reads the rows of versions and commits the next."""

    def parts(self, ref: str) -> TableParts:
        """Return the rows of a version."""

    def commit_table(
        self,
        name: str,
        source: Any,
        *,
        message: str,
        read_from: Provenance,
        expect: str,
        also: Callable[[Transaction, DatasetVersion], None],
        behind: Behind | None,
    ) -> DatasetVersion:
        """Commit rows, and do something else in the same transaction."""


class Ingestions:
    """How datasets grow from sources.

    A run reads what is above the last watermark, less the lateness; drops what is held; and commits
    the next version together with the new watermark, in one transaction: both or none. So a run
    that was killed is run again, and every row is there once.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        data: Versions,
        newest: Callable[[str], DatasetVersion | None],
    ) -> None:
        self._store = store
        self._data = data
        self._newest = newest

    def set(
        self,
        name: str,
        source: StoredSource,
        *,
        watermark: str,
        key: Sequence[str] | str = (),
        lateness: str = "",
        mode: Mode = "append",
        schema_change: SchemaChange = "refuse",
    ) -> Ingestion:
        """Say how a dataset grows; an equal setting keeps its number.

        Another source, query or watermark column begins from the start: what is held already is
        recognised and not taken again.
        """
        require_name(name)
        key = (key,) if isinstance(key, str) else tuple(key)
        body = IngestionBody(
            source=source,
            watermark=watermark,
            key=key,
            lateness=lateness,
            mode=mode,
            schema_change=schema_change,
        )
        _check(body)
        with self._store.write() as tx:
            data_sql.lock_dataset(tx, name)
            before = sql.latest_ingestion(tx, name)
            if before is not None and before.body.digest == body.digest:
                return before
            number = sql.next_number(tx, name)
            made = Ingestion(dataset=name, number=number, body=body, created_at=tx.at)
            sql.insert_ingestion(tx, made)
            if before is None or not before.body.is_same_stream(body):
                sql.forget_mark(tx, name)
            tx.emit(IngestionSet(dataset=name, number=number, body=body))
        return made

    def all(self) -> tuple[Ingestion, ...]:
        """Return every dataset's ingestion, by name."""
        with self._store.read() as tx:
            return sql.current_ingestions(tx)

    def of(self, name: str) -> Ingestion:
        """Return how a dataset grows. Raises NotFound when nothing was set."""
        with self._store.read() as tx:
            return _require(tx, name)

    def mark(self, name: str) -> Mark | None:
        """Return how far a dataset's ingestion has come, None before its first run."""
        with self._store.read() as tx:
            return sql.mark_of(tx, name)

    def remove(self, name: str) -> Ingestion:
        """Have a dataset grow no longer. Its versions stay; set again, it begins from the start."""
        with self._store.write() as tx:
            data_sql.lock_dataset(tx, _require(tx, name).dataset)
            held = _require(tx, name)
            sql.mark_removed(tx, held)
            sql.forget_mark(tx, name)
            tx.emit(IngestionRemoved(dataset=name, number=held.number))
        return held

    def run(
        self,
        name: str,
        *,
        source: DataSource | None = None,
        again: bool = False,
        schema_change: SchemaChange | None = None,
    ) -> Ingested:
        """Take what is new; no new version when there is nothing.

        `source` stands in for the one that was set (a function that has no name); `again` reads
        from the start, so that rows beyond the lateness are taken, too.
        """
        for _ in range(ATTEMPTS):
            try:
                return self._run(name, source, again=again, schema_change=schema_change)
            except _Overtaken:
                continue
            except Conflict as refused:
                if "head" not in refused.data:
                    raise
        raise Conflict(
            f"Four times somebody else changed {name} while it was read.",
            hint="Run it again when nobody else commits to it.",
        )

    def _run(
        self,
        name: str,
        source: DataSource | None,
        *,
        again: bool,
        schema_change: SchemaChange | None,
    ) -> Ingested:
        with self._store.read() as tx:
            ingestion, mark, now = _require(tx, name), sql.mark_of(tx, name), tx.at
            known = sql.known_ranges(tx, name)
            if mark is not None:
                _require_there(tx, name)
        body = ingestion.body
        if schema_change:
            body = msgspec.structs.replace(body, schema_change=schema_change)
        step = _Step(ingestion, body, mark, self._newest(name), now=now, again=again)
        step.ranges = known
        with (source or body.source).read(since=step.since, above=step.above) as reading:
            if reading is None:
                return step.nothing()
            with tempfile.TemporaryDirectory(prefix="treadle-") as folder:
                return self._take(step, reading, Path(folder))

    def _take(self, step: _Step, reading: Reading, folder: Path) -> Ingested:
        body, base = step.body, step.base
        coming = reading.batches.schema
        _require_columns(coming, body)
        parts = self._data.parts(base.ref) if base is not None else None
        before = parts.schema() if parts is not None else coming
        schema = joined(before, coming, change=body.schema_change)
        held = Held(parts, schema, body=body, known=step.ranges)
        spool = Spool(folder / "came.arrow", reading.batches)
        delta = find_delta(
            held,
            spool,
            schema,
            body,
            window=Window(bound=step.bound, passed=step.passed),
            older=reading.older,
        )
        step.ranges = held.ranges
        step = step.reached(delta.highest, reading.origin, delta.counts)
        if not delta.counts.taken:
            self._save(step)
            return step.done(None)
        behind, rows = held.last() if not delta.counts.replaced else (None, held.batches())
        version = self._data.commit_table(
            step.name,
            next_rows(rows, spool, schema, delta),
            message=step.message,
            read_from=msgspec.structs.replace(reading.origin, watermark=shown(step.watermark)),
            expect=base.ref if base is not None else "",
            also=step.settle,
            behind=behind,
        )
        return step.done(version)

    def _save(self, step: _Step) -> None:
        """Remember how far it came where no row was new."""
        with self._store.write() as tx:
            data_sql.lock_dataset(tx, step.name)
            step.settle(tx, None)


class _Overtaken(Exception):
    """Somebody else has committed, or run the same, since this run began."""


class _Step:
    """One run: from where it starts, and how far it came."""

    def __init__(
        self,
        ingestion: Ingestion,
        body: IngestionBody,
        mark: Mark | None,
        base: DatasetVersion | None,
        *,
        now: int,
        again: bool,
    ) -> None:
        self.ingestion, self.body, self.mark, self.base, self.now = ingestion, body, mark, base, now
        self.name = ingestion.dataset
        self.passed = read(mark.watermark) if mark else None
        self.bound = None if again else below(self.passed, body.lateness)
        is_known = mark is not None and mark.source_mark and not again
        origin = body.source.origin()
        self.since = (
            msgspec.structs.replace(origin, mark=mark.source_mark) if is_known and mark else None
        )
        self.above = (
            Above(column=body.watermark, value=self.bound, key=body.key)
            if self.bound is not None
            else None
        )
        self.watermark = mark.watermark if mark else ""
        self.source_mark = ""
        self.counts = Counts()
        self.ranges: KnownRanges | None = None

    @property
    def message(self) -> str:
        """Return what the new version says of itself."""
        counts = self.counts
        told = [f"{counts.new:,} new"]
        told += [f"{counts.replaced:,} replaced"] if counts.replaced else []
        return f"ingested {', '.join(told)}"

    def reached(self, highest: Any, origin: Provenance, counts: Counts) -> _Step:
        """Note the highest watermark that was read; it never falls."""
        if highest is not None:
            highest = not_after(highest, self.now)
            if self.passed is None or highest > self.passed:
                self.watermark = written(highest)
        self.source_mark, self.counts = origin.mark, counts
        return self

    def settle(self, tx: Transaction, version: DatasetVersion | None) -> None:
        """Store the watermark in the transaction that makes the version visible."""
        mark = sql.mark_of(tx, self.name)
        now = sql.latest_ingestion(tx, self.name)
        number = self.base.number if self.base is not None else 0
        pointer = pointers.pointer(tx, self.name, MAIN)
        is_there = data_sql.latest_number(tx, self.name) > 0
        head = pointer.number if pointer and is_there else 0
        made_here = version is not None and version.created_at == tx.at
        began = bool(number) or not made_here or not (version and version.parents)
        if (
            (mark.revision if mark else 0) != (self.mark.revision if self.mark else 0)
            or now != self.ingestion
            or head not in {number, version.number if version is not None else number}
            or not began
        ):
            raise _Overtaken
        if version is None and mark is not None and self._is_as_before(mark):
            return
        revision = 1 + (mark.revision if mark else 0)
        sql.save_mark(tx, self._next_mark(revision, at=tx.at), ranges=self.ranges)
        tx.emit(
            DatasetIngested(
                dataset=self.name,
                ingestion_number=self.ingestion.number,
                version=version.number if version is not None else None,
                watermark=shown(self.watermark),
                counts=self.counts,
            )
        )

    def nothing(self) -> Ingested:
        """Say that the source is as it was."""
        return Ingested(
            dataset=self.name,
            version=None,
            watermark=shown(self.watermark),
            counts=Counts(),
            is_unchanged=True,
        )

    def done(self, version: DatasetVersion | None) -> Ingested:
        """Say what was done."""
        return Ingested(
            dataset=self.name,
            version=version.ref if version is not None else None,
            watermark=shown(self.watermark),
            counts=self.counts,
        )

    def _is_as_before(self, mark: Mark) -> bool:
        same = (mark.watermark, mark.source_mark) == (self.watermark, self.source_mark)
        return same and mark.counts.beyond == self.counts.beyond

    def _next_mark(self, revision: int, *, at: int) -> Mark:
        return Mark(
            dataset=self.name,
            revision=revision,
            watermark=self.watermark,
            source_mark=self.source_mark,
            counts=self.counts,
            at=at,
        )


def _check(body: IngestionBody) -> None:
    check_lateness(body.lateness)
    if body.mode == "upsert" and not body.key:
        raise InvalidInput("Mode upsert needs a key.", hint="Name what tells rows apart: --key id.")
    if not body.watermark:
        raise InvalidInput("No watermark column is named.", hint="Name one that only rises.")
    source = body.source
    require_placeholders(getattr(source, "url", getattr(source, "address", "")))
    for name, value in getattr(source, "headers", {}).items():
        if name.lower() in {"authorization", "cookie", "x-api-key"} and "${" not in value:
            raise InvalidInput(
                f"The header {name} would be stored with its secret.",
                hint=f"Write {name}: Bearer ${{NAME}}; the environment is asked for NAME.",
            )
    if getattr(source, "call", None) is not None:
        raise InvalidInput(
            "A function that is given itself cannot be stored.",
            hint="Name it: sources.function('package.module:name'), or give it to each run.",
        )


def _require(tx: Transaction, name: str) -> Ingestion:
    found = sql.latest_ingestion(tx, name)
    if found is None:
        known = [each.dataset for each in sql.current_ingestions(tx)]
        hint = "" if known else f"Set one: treadle data ingestions set {name} --from URL …"
        raise NotFound("ingestion", name, known=known, hint=hint)
    return found


def _require_there(tx: Transaction, name: str) -> None:
    """Raise Conflict where rows were taken and then the dataset was removed: somebody meant it."""
    if data_sql.is_known(tx, name) and not data_sql.latest_number(tx, name):
        raise Conflict(
            f"{name} was removed, with the rows that it had taken.",
            hint=f"Bring it back: treadle data restore {name}. To begin anew: "
            f"treadle data ingestions remove {name}, then set it again.",
        )


def _require_columns(schema: pa.Schema, body: IngestionBody) -> None:
    for column in (body.watermark, *body.key):
        if column not in schema.names:
            raise NotFound("column", column, known=schema.names)
    require_rising(schema.field(body.watermark).type, column=body.watermark)
