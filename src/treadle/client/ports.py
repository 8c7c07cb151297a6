"""The seams of logging: a place that runs are kept in, and what can be asked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from treadle.registry.entities import ModelVersion
    from treadle.tracking.entities import Artifact, EndStatus, MetricPoint, Run

Point: TypeAlias = tuple[str, float, int, int]
"""A metric's key, value, step and instant (µs UTC)."""

NOTHING: Mapping[str, str] = {}


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is about to start; with an id, one that is taken up again."""

    id: str = ""
    experiment: str
    name: str = ""
    parent_id: str | None = None
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A run that can be logged to: the last step of each of its metrics, and its page if any."""

    id: str
    experiment: str
    steps: dict[str, int] = {}
    url: str = ""


class UsedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """Data a run was made from. `ref` names a committed version, else it is a frame in memory.

    `schema` and `profile` are JSON as MLflow's clients write them.
    """

    name: str
    digest: str
    ref: str = ""
    context: str = ""
    schema: str = ""
    profile: str = ""


class Place(Protocol):
    """Keeps runs: a home in this process, or a server.

    **Threads**: every verb may be called from any thread, and in a forked child. **Idempotent** are
    `send`, `keep` and `end`: who is unsure whether they arrived repeats them. **Errors**:
    Unavailable when it may work later, any other TreadleError when it never will.
    """

    batch_limit: int
    """Points that `send` takes at once."""

    name: str
    """What the place is called in messages and in spool files: a folder or a URL."""

    spool: Path
    """The folder for points that could not be sent."""

    def start(self, draft: Draft) -> Started:
        """Start a run, or take up one that is there."""
        ...

    def send(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        *,
        params: Mapping[str, str] = NOTHING,
        tags: Mapping[str, str] = NOTHING,
    ) -> None:
        """Store points, params and tags durably before returning."""
        ...

    def keep(self, run_id: str, path: str, *, data: bytes | Path) -> Artifact:
        """Store bytes or a file as an artifact."""
        ...

    def use(self, run_id: str, used: str | UsedDataset, *, context: str) -> UsedDataset:
        """Tie data to a run: a committed version by its ref, or a frame that was described."""
        ...

    def register(
        self, run_id: str, name: str, *, model: object, example: pa.Table, description: str
    ) -> ModelVersion:
        """Register a model that the run made; its files become artifacts under `models/NAME`."""
        ...

    def end(self, run_id: str, *, status: EndStatus, error: str) -> None:
        """Say how a run ended."""
        ...


class Shelf(Protocol):
    """What can be asked about kept runs."""

    def search(
        self, *, where: str, order_by: str, experiment: str | None, limit: int
    ) -> tuple[Run, ...]:
        """Return runs that match, in order."""
        ...

    def run(self, run_id: str) -> Run:
        """Return a run with all it logged."""
        ...

    def history(self, run_id: str, key: str) -> tuple[MetricPoint, ...]:
        """Return the points of a metric by step and instant."""
        ...

    def now(self) -> int:
        """Return the present instant by the place's clock (µs UTC)."""
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...


class Runs(Place, Shelf, Protocol):
    """Both: what a client needs of where its runs are."""
