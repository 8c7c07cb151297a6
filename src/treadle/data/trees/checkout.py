"""From a version to files in a folder: what is there stays, the rest is linked or written."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple, Self

from treadle.data.trees.contents import blocks_of_file, contents_of
from treadle.data.trees.entities import folders_above, folders_of
from treadle.data.trees.places import Seen, now_ns, seen
from treadle.data.trees.shelf import Shelf, new_file, write_all
from treadle.data.trees.walking import DRAFTS, describe
from treadle.kernel.errors import Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from treadle.data.trees.entities import TreeEntry
    from treadle.data.trees.shelf import Kept
    from treadle.data.trees.walking import Found
    from treadle.storage.chunks.reading import ChunkReader

NAMED_AT_MOST = 5
DRAFT = f"{DRAFTS}/next"
_MODES = {"file": 0o644, "executable": 0o755}


class Plan(NamedTuple):
    """What has to be done to a folder."""

    write: list[TreeEntry]
    keep: list[TreeEntry]
    remove: list[str]


class Here(NamedTuple):
    """What lies in the folder, what is known of it, and a way to know the rest.

    `still` is what of it looks as it did: that need not be read.
    """

    found: Mapping[str, Found]
    known: Mapping[str, Seen]
    still: Mapping[str, Seen]
    read: Callable[[Found], bytes]

    def is_own(self, path: str) -> bool:
        """Say whether something is as the version before has left it: it can be made again."""
        found, known = self.found[path], self.known.get(path)
        if known is None or (known.kind, known.size_bytes) != (found.kind, found.size_bytes):
            return False
        return path in self.still or self.read(found) == known.content

    def holds(self, entry: TreeEntry) -> bool:
        """Say whether an entry is there already."""
        found = self.found.get(entry.path)
        if found is None or found.kind != entry.kind:
            return False
        known = self.still.get(entry.path)
        if known is not None:
            return known.content == entry.content
        if entry.is_file and found.size_bytes != entry.size_bytes:
            return False
        return self.read(found) == entry.content


def here_in(
    found: Sequence[Found], *, known: Mapping[str, Seen], read: Callable[[Found], bytes]
) -> Here:
    """Say what lies in a folder of which something is known."""
    still: dict[str, Seen] = {}
    for each in found:
        was = known.get(each.path)
        if was is not None and was.is_still(each):
            still[each.path] = was
    return Here({each.path: each for each in found}, known, still, read)


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
    if not here.found:
        return Plan(list(wanted), [], [])
    plan = Plan([], [], [])
    missing: list[TreeEntry] = []
    for entry in wanted:
        (plan.keep if here.holds(entry) else missing).append(entry)
    paths = {entry.path for entry in wanted}
    # What stands where a folder is to be.
    lost = (folders_of(paths) & here.found.keys()) - paths
    inside = _by_folder(here.found) if missing else {}
    for entry in missing:
        if entry.kind == "folder" and entry.path in inside:
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


def _by_folder(paths: Iterable[str]) -> dict[str, list[str]]:
    inside: dict[str, list[str]] = {}
    for path in paths:
        for folder in folders_above(path):
            inside.setdefault(folder, []).append(path)
    return inside


class Hands:
    """Writes into a folder, each file at once whole."""

    def __init__(self, root: Path, *, reader: ChunkReader, shelf: Path | None) -> None:
        self._root = root
        self._drafts = root / DRAFTS
        self._draft = f"{root}/{DRAFT}"
        self._top = str(root)
        self._linked: dict[str, Seen] = {}
        self._kept: set[tuple[str, bytes]] = set()
        self._reader = reader
        self._shelf_at = shelf
        self._shelf: Shelf | None = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            shelf = opened.enter_context(Shelf(self._shelf_at)) if self._shelf_at else None
            self._folder = self._ready()
            opened.callback(os.close, self._folder)
            # No link goes from one file system to another.
            if shelf is not None and shelf.device == os.fstat(self._folder).st_dev:
                self._shelf = shelf
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
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
            self._make_folder(f"{self._top}/{folder}")
        unlinked = [e for e in entries if e.is_file and not self._take(e)]
        for entry, blocks in contents_of(unlinked, reader=self._reader):
            self._write(entry, blocks)
        for entry in entries:
            if entry.kind == "link":
                os.symlink(entry.target, self._draft)
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
                status = os.stat(entry.path, dir_fd=self._folder, follow_symlinks=False)
                yield seen(describe(entry.path, status), entry.content, read_at_ns=now)

    def _ready(self) -> int:
        """Return the folder, open, with a place in it for what is not whole yet."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._drafts, ignore_errors=True)  # of one that was killed
            self._drafts.mkdir()
            return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise Unavailable(
                f"Cannot write into {self._root}: {error.strerror or error}.",
                hint="Name a folder that can be made, or written into.",
            ) from error

    def _write(self, entry: TreeEntry, blocks: Iterable[bytes]) -> None:
        try:
            shelf = self._shelf
            if shelf is not None and entry.content:
                name = (entry.kind, entry.content)
                if name in self._kept and self._take(entry):
                    return  # the same file was just kept under another path
                kept = shelf.keep(entry, blocks)
                self._kept.add(name)
                if self._place_kept(kept, entry, shelf):
                    return
                # It cannot be linked; what is used up is read once more.
                blocks = blocks_of_file(entry.chunks, reader=self._reader)
            with new_file(self._draft) as file:
                for block in blocks:
                    write_all(file, block)
                os.fchmod(file.fileno(), _MODES[entry.kind])
            self._place(entry.path)
        except OSError as error:
            raise Unavailable(
                f"Cannot write {entry.path}: {error.strerror or error}.",
                hint="What is written so far is whole; do it again.",
            ) from error

    def _take(self, entry: TreeEntry) -> bool:
        """Place a file that is kept to be linked; say whether there is one."""
        shelf = self._shelf
        if shelf is None or not entry.content:
            return False
        kept = shelf.find(entry)
        return kept is not None and self._place_kept(kept, entry, shelf)

    def _place_kept(self, kept: Kept, entry: TreeEntry, shelf: Shelf) -> bool:
        path = entry.path
        if shelf.clones and shelf.clone(kept, self._draft, entry=entry):
            self._place(path)
            return True
        try:
            is_linked = shelf.link(kept, path, folder=self._folder)
        except FileExistsError:
            is_linked = shelf.link(kept, DRAFT, folder=self._folder)
            if is_linked:
                self._place(path)
                with suppress(FileNotFoundError):
                    os.unlink(self._draft)  # two names of one file: `rename` leaves both
        if is_linked:
            # The next link to the same file moves its ctime; its mtime bears the mark.
            looks = kept[1]
            self._linked[path] = Seen(
                path, entry.kind, looks.st_size, looks.st_mtime_ns, 0, looks.st_ino, entry.content
            )
        return is_linked

    def _place(self, path: str) -> None:
        try:
            os.rename(DRAFT, path, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except IsADirectoryError:  # an empty one, for what was in it is removed
            os.rmdir(path, dir_fd=self._folder)
            os.rename(DRAFT, path, src_dir_fd=self._folder, dst_dir_fd=self._folder)

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
