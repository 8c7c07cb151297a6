"""Durable segments: files of framed payloads that survive `kill -9`.

A segment is `TRDLSEG1`, then frames: length and CRC-32 of the payload (little-endian, four bytes
each), then the payload. Whoever writes a segment holds its lock (`flock`) until it is finished; the
kernel lets go of the lock when the writer dies, so a segment that can be locked is finished.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import time
import zlib
from concurrent.futures import Future
from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import Unavailable
from treadle.kernel.ids import new_id
from treadle.storage.objects import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"TRDLSEG1"
SUFFIX = ".segment"
MAX_BYTES = 8 << 20
MAX_AGE_S = 30.0

_HEAD = struct.Struct("<II")


class Frames(msgspec.Struct, frozen=True):
    """What could be read of a segment.

    `valid_bytes` is where the last whole frame ends. `damaged` says that bytes were changed after
    they were written: a torn tail, which a crash leaves and nobody was promised, is no damage.
    """

    payloads: tuple[bytes, ...]
    valid_bytes: int
    damaged: bool


def framed(payload: bytes) -> bytes:
    """Return a payload with its length and checksum before it."""
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def read_frames(data: bytes) -> Frames:
    """Read every whole frame up to the first that is torn or damaged."""
    if not data.startswith(MAGIC):
        return Frames((), 0, damaged=not MAGIC.startswith(data))
    payloads: list[bytes] = []
    at = len(MAGIC)
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        payload = data[at + _HEAD.size : end]
        if end > len(data):
            break
        if zlib.crc32(payload) != checksum:
            # A power cut may leave a last frame of the right length with wrong bytes.
            return Frames(tuple(payloads), at, damaged=end < len(data))
        payloads.append(payload)
        at = end
    return Frames(tuple(payloads), at, damaged=False)


class SegmentWriter:
    """Appends payloads durably; may be shared by threads.

    One thread writes: it takes everything that waits, writes it, syncs once, then acknowledges all
    (group commit). A segment is finished when it is large or old; the next payload begins another.
    """

    def __init__(
        self, folder: Path, *, max_bytes: int = MAX_BYTES, max_age_s: float = MAX_AGE_S
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._waiting: list[tuple[bytes, Future[None]]] = []
        self._changed = threading.Condition()
        self._closing = False
        self._open: _OpenSegment | None = None
        self._thread = threading.Thread(target=self._work, name="request-log", daemon=True)
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def append(self, payload: bytes) -> Future[None]:
        """Return a promise that is kept once the payload is on disk.

        It fails with Unavailable when the payload could not be written; then it is not in the log.
        """
        promise: Future[None] = Future()
        with self._changed:
            if self._closing:
                raise Unavailable(f"The request log in {self._folder} is closed.")
            self._waiting.append((payload, promise))
            self._changed.notify()
        return promise

    def close(self) -> None:
        """Write what waits, then finish the segment."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing, self._patience_s())
                taken, self._waiting = self._waiting, []
                closing = self._closing
            if taken:
                self._commit(taken)
            if closing or self._is_due():
                self._finish()
            if closing and not taken:
                return

    def _commit(self, taken: list[tuple[bytes, Future[None]]]) -> None:
        try:
            with _explained(self._folder):
                if self._open is None:
                    self._open = _OpenSegment(self._folder)
                self._open.write(b"".join(framed(payload) for payload, _ in taken))
        except Exception as error:  # noqa: BLE001 - every waiter is told, whatever it was
            # After a failed sync nobody knows what the file holds: never append to it again.
            self._finish()
            for _, promise in taken:
                promise.set_exception(error)
            return
        for _, promise in taken:
            promise.set_result(None)

    def _patience_s(self) -> float | None:
        if self._open is None:
            return None
        return max(0.0, self._open.begun_s + self._max_age_s - time.monotonic())

    def _is_due(self) -> bool:
        if self._open is None:
            return False
        return self._open.size >= self._max_bytes or self._patience_s() == 0

    def _finish(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _OpenSegment:
    """The segment being written. It gets its name only when it is locked and begun."""

    def __init__(self, folder: Path) -> None:
        self.begun_s = time.monotonic()
        self.size = len(MAGIC)
        name = new_id()
        draft = folder / f"{name}.draft"
        self._file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write_all(self._file, MAGIC)
            os.fsync(self._file)
            draft.rename(folder / f"{name}{SUFFIX}")
            sync_folder(folder)
        except OSError:
            os.close(self._file)
            draft.unlink(missing_ok=True)
            raise

    def write(self, data: bytes) -> None:
        try:
            _write_all(self._file, data)
            os.fdatasync(self._file)
        except OSError:
            # What was refused must not come back as logged after the disk has room again.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        os.close(self._file)


def segments(folder: Path) -> list[Path]:
    """Return the segments of a folder, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read_segment(path: Path) -> Frames | None:
    """Read a segment, also while it is being written. None when somebody has removed it."""
    try:
        return read_frames(path.read_bytes())
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def finished(path: Path) -> Iterator[bool]:
    """Hold a segment's lock for the block; False while it is being written or already gone."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _locked(file)
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Somebody may have removed it between our open and our lock.
    return os.fstat(file).st_nlink > 0


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"Cannot write the request log in {folder}: {error.strerror or error}.",
            hint="Free some space or mend the folder; predictions are refused until then.",
        ) from error
