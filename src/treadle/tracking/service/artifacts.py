"""The verbs of a run's artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from treadle.kernel.errors import NotFound
from treadle.tracking import rules, store
from treadle.tracking.facts import ArtifactLogged
from treadle.tracking.service.runs import known, must_be_live

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.tracking.entities import Artifact
    from treadle.tracking.service.doors import Doors


def log_artifact(self: Doors, run_id: str, path: str, data: bytes | Path) -> Artifact:
    """Store bytes or a file as an artifact of a run; the same path again takes its place."""
    rules.check_path(path)
    with self.metadata.read() as tx:
        must_be_live(tx, run_id)
    artifact = self.stored(path, data)
    with self.metadata.write() as tx:
        store.put_artifacts(tx, run_id, [artifact])
        tx.emit(
            ArtifactLogged(
                run_id=run_id,
                path=path,
                digest=artifact.digest,
                size_bytes=artifact.size_bytes,
            )
        )
    return artifact


def artifacts(self: Doors, run_id: str) -> tuple[Artifact, ...]:
    """Return the artifacts of a run by path."""
    with self.metadata.read() as tx:
        known(tx, run_id)
        return store.list_artifacts(tx, run_id)


def open_artifact(self: Doors, run_id: str, path: str) -> BinaryIO:
    """Open an artifact of a run to read. Raises NotFound with the near miss."""
    rules.check_path(path)
    with self.metadata.read() as tx:
        known(tx, run_id)
        found = store.list_artifacts(tx, run_id, path=path)
        others = () if found else store.list_artifacts(tx, run_id)
    if not found:
        raise NotFound("artifact", path, known=[artifact.path for artifact in others])
    return self.objects.open(found[0].digest)
