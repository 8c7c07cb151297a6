"""From a version to files in a folder: what is there stays, the rest is linked or written."""

from __future__ import annotations

import os
import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from treadle.data.trees.contents import blocks_of_file, contents_of
from treadle.data.trees.entities import folders_above, folders_of
from treadle.data.trees.places import Seen, now_ns, seen
from treadle.data.trees.walking import DRAFTS, describe
from treadle.kernel.errors import Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from treadle.data.trees.entities import TreeEntry
    from treadle.data.trees.shelf import Shelf
    from treadle.data.trees.walking import Found
    from treadle.storage.chunks.reading import ChunkReader

NAMED_AT_MOST = 5
_MODES = {"file": 0o644, "executable": 0o755}


class Plan(NamedTuple):
    """What has to be done to a folder."""

    write: list[TreeEntry]
    keep: list[TreeEntry]
    remove: list[str]


class Here(NamedTuple):
    """What lies in the folder, what is known of it, and a way to know the rest."""

    found: Mapping[str, Found]
    known: Mapping[str, Seen]
    content: Callable[[Found], bytes]

    def is_own(self, path: str) -> bool:
        """Say whether something is as the version before has left it: it can be made again."""
        found, known = self.found[path], self.known.get(path)
        if known is None or (known.kind, known.size_bytes) != (found.kind, found.size_bytes):
            return False
        return self.content(found) == known.content

    def holds(self, entry: TreeEntry) -> bool:
        """Say whether an entry is there already."""
        found = self.found.get(entry.path)
        if found is None or found.kind != entry.kind:
            return False
        if entry.is_file and found.size_bytes != entry.size_bytes:
            return False
        return self.content(found) == entry.content


def chosen(entries: Sequence[TreeEntry], only: str) -> list[TreeEntry]:
    """Return the entries that are meant: by a path, a folder, or a glob over whole paths."""
    if not only:
        return list(entries)
    within = only.rstrip("/") + "/"
    picked = [e for e in entries if fnmatchcase(e.path, only) or e.path.startswith(within)]
    if not picked:
        raise NotFound("file", only, known=[e.path for e in entries])
    return picked


def plan_checkout(wanted: Sequence[TreeEntry], here: Here, *, force: bool, exact: bool) -> Plan:
    """Say what has to be done. Raises Conflict naming what was changed locally, unless forced."""
    paths = {entry.path for entry in wanted}
    inside: dict[str, list[str]] = {}
    for path in here.found:
        for folder in folders_above(path):
            inside.setdefault(folder, []).append(path)
    plan = Plan([], [], [])
    # What stands where a folder is to be.
    lost = (folders_of(paths) & here.found.keys()) - paths
    for entry in wanted:
        if here.holds(entry) or (entry.kind == "folder" and entry.path in inside):
            plan.keep.append(entry)
            continue
        plan.write.append(entry)
        lost.update(inside.get(entry.path, ()))
    replaced = [e.path for e in plan.write if e.path in here.found]
    if exact:
        lost.update(here.found.keys() - paths)
    plan.remove.extend(sorted(lost))
    changed = [path for path in [*replaced, *plan.remove] if not here.is_own(path)]
    if changed and not force:
        raise _refused(sorted(changed))
    return plan


class Hands:
    """Writes into a folder, each file at once whole."""

    def __init__(self, root: Path, *, reader: ChunkReader, shelf: Shelf | None) -> None:
        self._root = root
        self._drafts = root / DRAFTS
        self._draft = str(self._drafts / "next")
        self._top = str(root)
        self._linked: dict[str, Seen] = {}
        self._reader = reader
        self._shelf = shelf

    def __enter__(self) -> Self:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._drafts, ignore_errors=True)  # of one that was killed
            self._drafts.mkdir()
        except OSError as error:
            raise Unavailable(
                f"Cannot write into {self._root}: {error.strerror or error}.",
                hint="Name a folder that can be made, or written into.",
            ) from error
        if self._shelf and self._shelf.folder.stat().st_dev != self._root.stat().st_dev:
            self._shelf = None  # no link goes from one file system to another
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._drafts)

    def remove(self, paths: Sequence[str]) -> None:
        """Remove what stands there, and the folders that are empty without it."""
        for path in paths:
            target = self._root / path
            if target.is_dir() and not target.is_symlink():
                target.rmdir()
            else:
                target.unlink(missing_ok=True)
        for folder in sorted({f for path in paths for f in folders_above(path)}, reverse=True):
            if not any((self._root / folder).iterdir()):
                (self._root / folder).rmdir()

    def write(self, entries: Sequence[TreeEntry]) -> None:
        """Write entries in place of what is there.

        Links come last: nothing is written through one.
        """
        folders = folders_of(entry.path for entry in entries)
        for folder in sorted(folders | {e.path for e in entries if e.kind == "folder"}):
            self._make_folder(f"{self._root}/{folder}")
        files = [e for e in entries if e.is_file]
        unlinked = [entry for entry in files if not self._link(entry)]
        for entry, blocks in contents_of(unlinked, reader=self._reader):
            self._write(entry, blocks)
        for entry in entries:
            if entry.kind == "link":
                Path(self._draft).symlink_to(entry.target)
                self._place(entry.path)

    def seen(self, entries: Iterable[TreeEntry]) -> Iterator[Seen]:
        """Describe what is there now, to be known again."""
        now = now_ns()
        for entry in entries:
            if entry.path in self._linked:
                yield self._linked[entry.path]
            elif not entry.is_file:
                yield Seen(entry.path, entry.kind, entry.size_bytes, 0, 0, 0, entry.content)
            else:
                status = os.lstat(f"{self._top}/{entry.path}")
                yield seen(describe(entry.path, status), entry.content, read_at_ns=now)

    def _write(self, entry: TreeEntry, blocks: Iterable[bytes]) -> None:
        try:
            if self._shelf is not None and entry.content:
                if self._link(entry):  # the same file was just kept under another path
                    return
                self._shelf.keep(entry, blocks)
                if self._link(entry):
                    return
                blocks = blocks_of_file(
                    entry.chunks, reader=self._reader
                )  # it cannot be linked: used up, so once more
            with open(self._draft, "xb") as file:
                file.writelines(blocks)
                os.fchmod(file.fileno(), _MODES[entry.kind])
            self._place(entry.path)
        except OSError as error:
            raise Unavailable(
                f"Cannot write {entry.path}: {error.strerror or error}.",
                hint="What is written so far is whole; do it again.",
            ) from error

    def _link(self, entry: TreeEntry) -> bool:
        if self._shelf is None or not entry.content:
            return False
        if self._shelf.clone(entry, self._draft):
            self._place(entry.path)
            return True
        try:
            status = self._shelf.link(entry, f"{self._top}/{entry.path}")
        except FileExistsError:
            status = self._shelf.link(entry, self._draft)
            if status is not None:
                self._place(entry.path)
        if status is None:
            return False
        # The next link to the same file moves its ctime; its mtime bears the mark.
        looks = (status.st_size, status.st_mtime_ns, 0, status.st_ino)
        self._linked[entry.path] = Seen(entry.path, entry.kind, *looks, entry.content)
        return True

    def _place(self, path: str) -> None:
        target = f"{self._root}/{path}"
        if os.path.isdir(target) and not os.path.islink(target):
            os.rmdir(target)
        os.replace(self._draft, target)
        if os.path.lexists(self._draft):
            os.unlink(self._draft)  # two names of one file: `rename` leaves both

    @staticmethod
    def _make_folder(folder: str) -> None:
        if os.path.islink(folder) or os.path.isfile(folder):
            os.unlink(folder)
        os.makedirs(folder, exist_ok=True)


def _refused(changed: Sequence[str]) -> Conflict:
    named = ", ".join(changed[:NAMED_AT_MOST])
    more = f" and {len(changed) - NAMED_AT_MOST} more" if len(changed) > NAMED_AT_MOST else ""
    return Conflict(
        f"Changed here and in no version: {named}{more}.",
        hint="Commit first, or overwrite them with --force.",
        paths=tuple(changed),
    )
