"""What a tree is: every file, link and empty folder of a version, and how two of them differ."""

from __future__ import annotations

from operator import lt
from typing import TYPE_CHECKING, Literal

import msgspec
from blake3 import blake3

from treadle.kernel.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Iterable

EntryKind = Literal["file", "executable", "link", "folder"]

DIGEST_BYTES = 32


class TreeEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing in a tree: a file (perhaps executable), a link that stays one, an empty folder.

    `content` is the digests of a file's chunks in order, or where a link points; `path` is relative
    to the root and written with `/`.
    """

    path: str
    kind: EntryKind
    size_bytes: int
    content: bytes = b""

    @property
    def is_file(self) -> bool:
        """Say whether it has bytes."""
        return self.kind in {"file", "executable"}

    @property
    def chunks(self) -> list[bytes]:
        """Return the digests of a file's chunks."""
        content = self.content
        if not self.is_file:
            return []
        if len(content) == DIGEST_BYTES:  # as nearly all are: a home may have a million
            return [content]
        return [content[i : i + DIGEST_BYTES] for i in range(0, len(content), DIGEST_BYTES)]

    @property
    def target(self) -> str:
        """Return where a link points; empty for anything else."""
        return self.content.decode() if self.kind == "link" else ""

    @property
    def digest(self) -> str:
        """Return what names a file's bytes: equal for equal files; empty for anything else."""
        return blake3(self.content).hexdigest() if self.is_file else ""


class Renamed(msgspec.Struct, frozen=True):
    """The same file under another path."""

    before: str
    after: str


class TreeDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What is different from one version, or folder, to the next."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    renamed: tuple[Renamed, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is different."""
        return not (self.added or self.removed or self.changed or self.renamed)


class TreeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a folder differs from the version that was committed or checked out there."""

    root: str
    ref: str
    files: int
    diff: TreeDiff


class CommitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit would do; `rows` are a table's."""

    dataset: str
    file_count: int
    size_bytes: int
    new_bytes: int
    rows: int | None = None


class CheckedOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkout did, or would do: files written, left as they were, removed."""

    ref: str
    root: str
    written: tuple[str, ...]
    kept: int
    removed: tuple[str, ...]


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """An object that is damaged or gone, or a chunk in none, and who suffers.

    `versions` are those of datasets; `needed_by` runs, models and whatever else needs it.
    """

    object: str
    what: str
    versions: tuple[str, ...]
    needed_by: tuple[str, ...] = ()
    repaired: bool = False

    @property
    def suffering(self) -> tuple[str, ...]:
        """Return all that needs it."""
        return (*self.versions, *self.needed_by)


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was read and compared, and all that is wrong."""

    objects: int
    size_bytes: int
    damage: tuple[Damage, ...]

    @property
    def is_sound(self) -> bool:
        """Say whether no damage remains."""
        return all(each.repaired for each in self.damage)


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What packs hold by their own word and no row knew: made known again, or would be."""

    packs: int
    chunks: int
    unreadable: tuple[str, ...] = ()


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed, or would be: nothing reaches it.

    `packs` of chunks and whole `objects` by their digests; `rewritten` are packs of which the
    greater part was dead: what is needed of them lies in new ones. `size_bytes` is what all of it
    has freed.
    """

    packs: tuple[str, ...]
    objects: tuple[str, ...] = ()
    rewritten: tuple[str, ...] = ()
    pack_bytes: int = 0
    object_bytes: int = 0
    rewritten_bytes: int = 0
    size_bytes: int

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to remove."""
        return not (self.packs or self.objects or self.rewritten)


def diff_trees(before: tuple[TreeEntry, ...], after: tuple[TreeEntry, ...]) -> TreeDiff:
    """Compare two trees; a removed file whose bytes came back under another path was renamed."""
    old, new = {e.path: e for e in before}, {e.path: e for e in after}
    removed = {path: e for path, e in old.items() if path not in new}
    added = {path: e for path, e in new.items() if path not in old}
    gone = {(e.kind, e.content): path for path, e in reversed(removed.items()) if e.content}
    renamed: list[Renamed] = []
    for path, entry in added.items():
        was = gone.pop((entry.kind, entry.content), None)
        if was is not None:
            renamed.append(Renamed(was, path))
    moved = {r.before for r in renamed} | {r.after for r in renamed}
    return TreeDiff(
        added=tuple(path for path in added if path not in moved),
        removed=tuple(path for path in removed if path not in moved),
        changed=tuple(path for path, e in new.items() if path in old and old[path] != e),
        renamed=tuple(renamed),
    )


def check_tree(entries: tuple[TreeEntry, ...]) -> tuple[TreeEntry, ...]:
    """Return a tree that was read. Raises Corrupt unless every path is in order and inside."""
    paths = [entry.path for entry in entries]
    if not (all(map(lt, paths, paths[1:])) and _are_inside(paths)):
        last = ""
        for path in paths:
            if path <= last or not is_inside(path):
                raise _impossible(path)
            last = path
    for folder in folders_of(paths).intersection(paths):
        raise _impossible(folder)
    return entries


def _are_inside(paths: list[str]) -> bool:
    """Say of all paths at once whether `is_inside` is true of each."""
    whole = "/\0/".join(paths)
    if whole.count("\0") != max(len(paths) - 1, 0):
        return False
    whole = f"/{whole}/"
    return not (paths and any(odd in whole for odd in ("//", "/./", "/../")))


def _impossible(path: str) -> Corrupt:
    return Corrupt(f"A list of files holds the path {path!r}, which none can have.")


def folders_above(path: str) -> list[str]:
    """Return the folders that a path lies in, the innermost last."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def folders_of(paths: Iterable[str]) -> set[str]:
    """Return every folder that some of the paths lie in."""
    innermost = {path.rpartition("/")[0] for path in paths} - {""}
    return innermost.union(*map(folders_above, innermost))


def is_inside(path: str) -> bool:
    """Say whether a relative path names something below its root."""
    return "\0" not in path and not ({"", ".", ".."} & set(path.split("/")))
