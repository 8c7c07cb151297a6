"""Noticing that imported code was edited since, so that a worker never runs what is gone."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


class ImportedFiles:
    """The project's files that this process has imported, and when each was last written."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}
        self._installed = tuple(
            sysconfig.get_path(kind) + "/"
            for kind in ("stdlib", "platstdlib", "purelib", "platlib")
        )

    def remember(self, *, since_ns: int) -> None:
        """Take note of files imported since an instant.

        A file written after that instant may be newer than its import, and counts as edited.
        """
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if file and file not in self._written and not file.startswith(self._installed):
                written = _written_ns(file)
                self._written[file] = written if written <= since_ns else -1

    def have_changed(self) -> bool:
        """Say whether a file was edited or removed since its code was imported."""
        return any(_written_ns(file) != written for file, written in self._written.items())


def _written_ns(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0
