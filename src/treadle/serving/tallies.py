"""Who answered how much: counts and latencies of the request log, part by part.

Parts never change, so each is counted once in a process and remembered. What is still in a segment
is not counted yet: the numbers are as of the last compaction.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow.compute as pc

from treadle.kernel.clock import DAY_US
from treadle.serving import parts, store
from treadle.serving.segments import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from treadle.serving.entities import PredictionPart
    from treadle.storage.ports import MetadataStore, ObjectStore

COLUMNS = ("version", "variant", "role", "status", "at", "latency_us")
REMEMBERED = 4096
# Latencies are counted in bins of equal ratio (about 6 %), so that parts can be added up.
EDGES_US = np.geomspace(1.0, 1e8, 321)


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of one version in one role about one UTC day; `day` is its first µs."""

    version: str
    variant: str
    role: str
    day: int
    rows: int
    errors: int


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Median and 95th percentile of answered requests in ms, within 6 %."""

    p50_ms: float
    p95_ms: float


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How much an endpoint answered. Latencies are of requests, not of rows scored in batch."""

    counts: tuple[Count, ...]
    latencies: dict[str, Latency]
    latency: Latency | None
    last_at: int | None
    parts: int

    @property
    def answered(self) -> int:
        """Predictions somebody was shown."""
        return sum(c.rows for c in self.counts if c.role != "shadow")

    @property
    def errors(self) -> int:
        """Answers that failed."""
        return sum(c.errors for c in self.counts if c.role != "shadow")


class Tallies:
    """Counts parts and remembers them. May be shared by threads."""

    def __init__(self, *, store: MetadataStore, objects: ObjectStore) -> None:
        self._store = store
        self._objects = objects
        self._known: OrderedDict[str, _PartTally] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, endpoint: str) -> Tally:
        """Count all compacted predictions of an endpoint."""
        with self._store.read() as tx:
            found = store.parts_between(tx, endpoint, start=None, end=None)
        return _added([self._part(part) for part in found], last_at=_last_at(found))

    def _part(self, part: PredictionPart) -> _PartTally:
        with self._lock:
            known = self._known.get(part.digest)
        if known is None:
            table = parts.read_part(self._objects, part.digest, columns=COLUMNS)
            known = count_part(table, are_requests=part.source.endswith(SUFFIX))
            with self._lock:
                self._known[part.digest] = known
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
        return known


class _PartTally(msgspec.Struct, frozen=True):
    """One part: rows and errors by (version, variant, role, day), and latency bins by version."""

    rows: Counter[tuple[str, str, str, int]]
    errors: Counter[tuple[str, str, str, int]]
    latencies: dict[str, tuple[int, ...]]


def count_part(table: pa.Table, *, are_requests: bool) -> _PartTally:
    """Count the predictions of a part."""
    day = pc.multiply(pc.divide(table["at"], DAY_US), DAY_US)
    keyed = table.select(["version", "variant", "role"]).append_column("day", day)
    keyed = keyed.append_column("failed", pc.not_equal(table["status"], "ok"))
    grouped = keyed.group_by(["version", "variant", "role", "day"], use_threads=False)
    rows: Counter[tuple[str, str, str, int]] = Counter()
    errors: Counter[tuple[str, str, str, int]] = Counter()
    for found in grouped.aggregate([("failed", "sum"), ("failed", "count")]).to_pylist():
        key = (found["version"], found["variant"], found["role"], found["day"])
        rows[key], errors[key] = found["failed_count"], found["failed_sum"]
    return _PartTally(rows, errors, _latencies(table) if are_requests else {})


def _latencies(table: pa.Table) -> dict[str, tuple[int, ...]]:
    found = {}
    for version in pc.unique(table["version"]).to_pylist():
        answered = pc.and_(pc.equal(table["version"], version), pc.equal(table["status"], "ok"))
        took = table["latency_us"].filter(answered).to_numpy()
        counts, _ = np.histogram(np.clip(took, EDGES_US[0], EDGES_US[-1]), EDGES_US)
        found[version] = tuple(counts.tolist())
    return found


def _added(tallies: list[_PartTally], *, last_at: int | None) -> Tally:
    rows: Counter[tuple[str, str, str, int]] = Counter()
    errors: Counter[tuple[str, str, str, int]] = Counter()
    bins: dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
    for tally in tallies:
        rows.update(tally.rows)
        errors.update(tally.errors)
        for version, counts in tally.latencies.items():
            bins[version] = bins.get(version, 0) + np.asarray(counts, np.int64)
    found = {version: _quantiles(counts) for version, counts in bins.items()}
    return Tally(
        counts=tuple(
            Count(version=v, variant=n, role=r, day=d, rows=rows[key], errors=errors[key])
            for key in sorted(rows)
            for v, n, r, d in [key]
        ),
        latencies={version: latency for version, latency in found.items() if latency},
        latency=_quantiles(np.sum(list(bins.values()), axis=0)) if bins else None,
        last_at=last_at,
        parts=len(tallies),
    )


def _quantiles(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Latency | None:
    reached = np.cumsum(counts)
    if not reached[-1]:
        return None
    # The geometric middle of the bin in which the share is reached.
    middles = np.sqrt(EDGES_US[:-1] * EDGES_US[1:]) / 1000
    places = [int(np.searchsorted(reached, share * reached[-1])) for share in (0.5, 0.95)]
    return Latency(p50_ms=float(middles[places[0]]), p95_ms=float(middles[places[1]]))


def _last_at(found: Iterable[PredictionPart]) -> int | None:
    return max((part.last_at for part in found), default=None)
