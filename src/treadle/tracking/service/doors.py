"""What the verbs of tracking work on."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from treadle.kernel.clock import Clock, SystemClock
from treadle.kernel.errors import InvalidInput
from treadle.kernel.settings import GONE_AFTER_S
from treadle.tracking.capture import Capture, capture_process
from treadle.tracking.entities import Artifact, Cleaned
from treadle.tracking.service.together import Together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.storage.transaction import Transaction

NOTHING: Mapping[str, object] = {}
# An object that no row names may be swept away an hour after it was put: before that, put it again.
STORED_FOR_S = 900


def _nothing_more(tx: Transaction, cleaned: Cleaned) -> None:
    del tx, cleaned


class Doors:
    """The stores behind tracking; the verbs are plain functions that take them as `self`.

    `also_clean` removes what nouns above tie to what is removed for good, in the same transaction.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        capture: Callable[[], Capture] = capture_process,
        also_clean: Callable[[Transaction, Cleaned], None] = _nothing_more,
        machine_clock: Clock | None = None,
        gone_after_s: int = GONE_AFTER_S,
    ) -> None:
        self.metadata = store
        self.objects = objects
        self.together = Together(store)
        self.also_clean = also_clean
        # Not the project's clock: processes live and die in the machine's time.
        self.machine_clock = machine_clock or SystemClock()
        self.gone_after_s = gone_after_s
        self._capture = capture
        self._stored_at = 0.0
        self._captured: tuple[Capture, tuple[Artifact, ...]] | None = None

    def how_made(self) -> tuple[Capture, tuple[Artifact, ...]]:
        """Return what this process runs with, and its files, stored on the first call."""
        now = time.monotonic()
        if self._captured is None or now > self._stored_at + STORED_FOR_S:
            captured = self._captured[0] if self._captured else self._capture()
            files = tuple(self.stored(path, data) for path, data in captured.files.items())
            self._captured, self._stored_at = (captured, files), now
        return self._captured

    def stored(self, path: str, data: bytes | Path) -> Artifact:
        """Store bytes or a file as an object, and return it as an artifact of a path."""
        if isinstance(data, Path):
            with _opened(data) as stream:
                info = self.objects.put(stream)
        else:
            info = self.objects.put(io.BytesIO(data))
        return Artifact(path=path, digest=info.digest, size_bytes=info.size_bytes)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInput(
            f"Cannot read {path}: {error.strerror or error}.",
            hint="Log a folder file by file." if path.is_dir() else "",
        ) from error
