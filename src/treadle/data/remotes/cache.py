"""What was read from remotes before: immutable and named by its digest, so one place for all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from treadle.kernel.digests import digest_bytes

FOLDER = "remotes"


class Cache:
    """Small blobs by their digest in a folder that can be removed at any time.

    Without a folder it remembers nothing.
    """

    def __init__(self, home: Path | None) -> None:
        self._folder = home / FOLDER if home else None

    def load(self, digest: str) -> bytes | None:
        """Return bytes that were kept; None when they were not, or are damaged."""
        if self._folder is None:
            return None
        try:
            data = self._path(self._folder, digest).read_bytes()
        except OSError:
            return None
        return data if digest_bytes(data) == digest else None

    def keep(self, digest: str, data: bytes) -> None:
        """Keep bytes; that they cannot be kept costs only time."""
        if self._folder is not None:
            self._write(self._path(self._folder, digest), data)

    def last(self, url: str, dataset: str) -> int:
        """Return the step that a dataset was last seen at, 0 when it never was."""
        if self._folder is None:
            return 0
        try:
            return int(self._seen(self._folder, url, dataset).read_text())
        except (OSError, ValueError):
            return 0

    def set_last(self, url: str, dataset: str, number: int) -> None:
        """Remember the step that a dataset was seen at."""
        if self._folder is not None:
            self._write(self._seen(self._folder, url, dataset), b"%d" % number)

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(draft).replace(path)

    @staticmethod
    def _path(folder: Path, digest: str) -> Path:
        return folder / digest[:2] / digest

    @staticmethod
    def _seen(folder: Path, url: str, dataset: str) -> Path:
        return folder / "seen" / f"{digest_bytes(url.encode())[:16]}-{dataset}"
