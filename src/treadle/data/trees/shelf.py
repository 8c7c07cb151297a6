"""Whole files of versions, kept in the home so that checkouts need only link them.

Everything here can be removed at any time. A file's name says its content and its mtime bears a
mark of that name in the nanoseconds: who writes through one of its links sets another time, and
the file is not linked again.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from blake3 import blake3

from treadle.data.trees.places import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from treadle.data.trees.entities import TreeEntry

_MODES = {"file": 0o444, "executable": 0o555}


class Shelf:
    """Read-only files by their content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def link(self, entry: TreeEntry, target: str) -> bool:
        """Link a file to where nothing is yet; say whether it was there and could be linked."""
        name, mark = _name(entry)
        kept = f"{self.folder}/{name[:2]}/{name}"
        try:
            status = os.stat(kept, follow_symlinks=False)
            is_sound = status.st_size == entry.size_bytes and status.st_mtime_ns % SECOND_NS == mark
            if is_sound:
                os.link(kept, target)
        except OSError:  # not there, too many links: it is written instead
            return False
        return is_sound

    @staticmethod
    def bears_mark(entry: TreeEntry, status: os.stat_result) -> bool:
        """Say whether a file is one of these, as it was kept."""
        return status.st_mtime_ns % SECOND_NS == _name(entry)[1]

    def keep(self, entry: TreeEntry, blocks: Iterable[bytes]) -> None:
        """Keep a file in place of one that may be there."""
        name, mark = _name(entry)
        draft = self.folder / f"draft-{os.getpid()}-{threading.get_ident()}-{name}"
        draft.unlink(missing_ok=True)
        with draft.open("xb") as file:
            file.writelines(blocks)
            file.flush()  # a write after it would set the time anew
            os.fchmod(file.fileno(), _MODES[entry.kind])
            at = time.time_ns() // SECOND_NS * SECOND_NS + mark
            os.utime(file.fileno(), ns=(at, at))
        (self.folder / name[:2]).mkdir(exist_ok=True)
        draft.replace(self.folder / name[:2] / name)


def _name(entry: TreeEntry) -> tuple[str, int]:
    name = blake3(entry.kind.encode() + entry.content).hexdigest()
    return name, int(name[:12], 16) % SECOND_NS
