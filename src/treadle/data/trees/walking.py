"""What lies in a folder, without following a link out of it."""

from __future__ import annotations

import os
import stat
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.data.trees.entities import EntryKind
from treadle.kernel.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DRAFTS = ".treadle-checkout"
"""Where a checkout writes before it renames; never part of a version."""

_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Found(msgspec.Struct, frozen=True, order=True, gc=False):
    """Something that lies in a folder, as the file system describes it."""

    path: str
    kind: EntryKind
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def walk(root: Path, *, only: Sequence[str] = (), without: Path | None = None) -> list[Found]:
    """Return every file, link and empty folder below a root, ordered by path.

    `only` names what of the root is meant, `without` a folder that is passed by. Raises
    InvalidInput for what is neither file, link nor folder, and for names that are not UTF-8.
    """
    passed_by = os.path.split(without) if without else ("", "")
    found: list[Found] = []
    folders = [(str(root), "", frozenset(only))]
    while folders:
        folder, prefix, names = folders.pop()
        unseen = {DRAFTS, passed_by[1]} if folder == passed_by[0] else {DRAFTS}
        empty = True
        for entry in _entries(folder, is_root=not prefix):
            name = entry.name
            if name in unseen or (names and name not in names):
                continue
            empty = False
            path = prefix + (name if name.isascii() else _told(name, folder))
            if entry.is_dir(follow_symlinks=False):
                folders.append((os.path.join(folder, name), path + "/", frozenset()))
            else:
                found.append(describe(path, entry.stat(follow_symlinks=False)))
        if empty and prefix:
            found.append(Found(prefix[:-1], "folder", 0, 0, 0, 0))
    found.sort(key=attrgetter("path"))
    return found


def describe(path: str, status: os.stat_result) -> Found:
    """Return what is at a path. Raises InvalidInput when no version can hold it."""
    kind = kind_of(status)
    if kind is None:
        what = _SPECIAL.get(stat.S_IFMT(status.st_mode), "no file")
        raise InvalidInput(
            f"{path} is {what}, which no version can hold.",
            hint="Move it out of the folder; files, links and folders are kept.",
        )
    return Found(path, kind, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def kind_of(status: os.stat_result) -> EntryKind | None:
    """Return what it is, None for a folder and what no version can hold."""
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return "executable" if mode & stat.S_IXUSR else "file"
    return "link" if stat.S_ISLNK(mode) else None


def root_of(sources: Sequence[Path]) -> tuple[Path, tuple[str, ...]]:
    """Return the folder that is committed, and the names in it that are meant (all when none).

    One folder is its own root; several paths, or a file, are names in the folder they lie in.
    """
    whole = [Path(os.path.abspath(source)) for source in sources]
    for source in whole:
        if not source.exists() and not source.is_symlink():
            raise InvalidInput(f"{source} is not there.", hint="Name files and folders to commit.")
    if len(whole) == 1 and whole[0].is_dir():
        return whole[0].resolve(), ()
    parents = {source.parent.resolve() for source in whole}
    if len(parents) != 1:
        raise InvalidInput(
            "The paths lie in different folders, so nothing says what each is called in a version.",
            hint="Commit their common folder, or paths of one folder.",
        )
    return parents.pop(), tuple(sorted({source.name for source in whole}))


def _entries(folder: str, *, is_root: bool) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder, to be looked at before the next is asked for."""
    # Names below an open folder are found sooner than whole paths; what became a link meanwhile
    # is not followed.
    flags = os.O_RDONLY | os.O_DIRECTORY | (0 if is_root else os.O_NOFOLLOW)
    try:
        handle = os.open(folder, flags)
        try:
            with os.scandir(handle) as entries:
                yield from entries
        finally:
            os.close(handle)
    except OSError as error:
        raise Unavailable(f"Cannot read {folder}: {error.strerror or error}.") from error


def _told(name: str, folder: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            f"The name {os.fsencode(os.path.join(folder, name))!r} is not UTF-8.",
            hint="Rename it: other machines could not write it.",
        ) from error
    return name
