"""Bring the outputs of a DVC repository in: each a dataset, each state of it a version."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.branches.entities import MAIN
from treadle.data.trees.entities import TreeEntry, check_tree
from treadle.data.versions import require_name
from treadle.exchange.dvc.entities import Listed, dataset_name
from treadle.exchange.mlflow.entities import LeftOut, Report
from treadle.kernel.errors import Corrupt, NotFound, TreadleError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treadle.data.entities import DatasetVersion
    from treadle.data.service import Data
    from treadle.exchange.dvc.caches import Caches
    from treadle.exchange.dvc.entities import Commit, Out
    from treadle.exchange.dvc.history import Repository
    from treadle.storage.chunks.writing import ChunkWriter

READ_BYTES = 1 << 20
ATTEMPTS = 4


class Missing(TreadleError):
    """An output cannot come because of an object."""


class State(msgspec.Struct, frozen=True):
    """An output at a commit: its MD5, and the versions that it is, or that came before it."""

    md5: str
    versions: tuple[int, ...]


class Arrival:
    """One pass over a repository. What came before is known by its MD5 and not read again.

    `memory` is where that is kept; without it everything is read again, and is the same versions.
    """

    def __init__(
        self,
        *,
        repository: Repository,
        caches: Caches,
        data: Data,
        memory: Path | None,
        prefix: str,
        tell: Callable[[str, str], None],
    ) -> None:
        self._repository = repository
        self._caches = caches
        self._data = data
        self._memory = memory
        self._prefix = prefix
        self._tell = tell
        self._known: dict[str, str] = _remembered(memory)
        """The digest of the tree that an MD5 stands for."""
        self._read: dict[str, tuple[bytes, int]] = {}
        self._states: dict[str, dict[str, State]] = {}
        self._names: dict[str, str] = {}
        self._own: dict[str, bool] = {}
        self._authors: dict[str, str] = {}
        self._came: Counter[str] = Counter()
        self._was: Counter[str] = Counter()
        self._left: dict[str, str] = {}

    def leave_out(self, what: str, why: str) -> None:
        """Report something that does not come, once."""
        self._left.setdefault(what, why)

    def bring(self, *, dry_run: bool = False) -> Report:
        """Bring every version, oldest first; what cannot come is named and stops nothing else."""
        require_name(f"{self._prefix}x")
        last: Commit | None = None
        commits = self._repository.commits()
        self._authors = {commit.id: commit.author for commit in commits}
        for last in commits:
            before = [self._states.get(parent, {}) for parent in last.parents]
            states = self._states[last.id] = {}
            for out in self._repository.outs(last):
                if self._is_ours(out):
                    states[out.path] = self._state(out, last, before, dry_run=dry_run)
        if last is not None and not dry_run:
            self._end_at(self._states[last.id])
        return Report(
            came=dict(self._came),
            known=dict(self._was),
            left_out=tuple(LeftOut(what=what, why=why) for what, why in self._left.items()),
        )

    def _is_ours(self, out: Out) -> bool:
        """Say whether an output's dataset holds nothing but what comes from here."""
        name = dataset_name(out.path, prefix=self._prefix)
        path = self._names.setdefault(name, out.path)
        if path != out.path:
            self.leave_out(out.path, f"{path} is dataset {name} already")
            return False
        if name not in self._own:
            head = self._head(name)
            self._own[name] = head is None or self._came_from_here(head)
            if head is not None and not self._own[name]:
                why = f"{head.ref} is not from here: import under other names with --prefix"
                self.leave_out(f"dataset {name}", why)
        return self._own[name]

    def _came_from_here(self, version: DatasetVersion) -> bool:
        by = self._authors.get(version.code_commit or "")
        return version.actor == by or version.digest in self._known.values()

    def _head(self, name: str) -> DatasetVersion | None:
        try:
            return self._data.version(name)
        except NotFound:
            return None

    def _state(
        self, out: Out, commit: Commit, before: list[dict[str, State]], *, dry_run: bool
    ) -> State:
        """Return what an output is at a commit; a version is made where it is new."""
        were = [states[out.path] for states in before if out.path in states]
        same = next((state for state in were if state.md5 == out.md5), None)
        if same is not None:
            return same
        parents = tuple(dict.fromkeys(number for state in were for number in state.versions))
        name = dataset_name(out.path, prefix=self._prefix)
        known = self._version_of(name, out, parents)
        if known is not None:
            self._was["dataset versions"] += 1
            return State(out.md5, (known.number,))
        try:
            if dry_run:
                self._require(out)
                self._came["dataset versions"] += 1
                return State(out.md5, parents)
            made = self._bring(name, out, commit, parents)
        except (Missing, Corrupt, Unavailable) as error:
            self.leave_out(f"{out.path} at {commit.id[:12]}", error.message)
            return State(out.md5, parents)
        self._came["dataset versions"] += 1
        self._tell("dataset versions", made.ref)
        return State(out.md5, (made.number,))

    def _version_of(self, name: str, out: Out, parents: tuple[int, ...]) -> DatasetVersion | None:
        """Return the version that an output is; an older state that came again is another."""
        digest = self._known.get(_key(out))
        if digest is None:
            return None
        try:
            equal = self._data.equal_versions(f"{name}@{digest}")
        except NotFound:  # forgotten since, or of another dataset
            return None
        made_so = next((each for each in equal if each.parents == parents), None)
        if made_so is not None:
            return made_so
        before = (self._data.history(f"{name}@{number}") for number in parents)
        older = {each.number for history in before for each in history}
        return next((each for each in equal if each.number not in older), None)

    def _bring(
        self, name: str, out: Out, commit: Commit, parents: tuple[int, ...]
    ) -> DatasetVersion:
        for _ in range(ATTEMPTS):
            writer = self._data.writer()
            entries = self._entries(out, writer)
            draft = msgspec.structs.replace(
                self._data.draft(name, message=commit.message),
                actor=commit.author,
                code_commit=commit.id,
                created_at=commit.at,
                parents=parents,
            )
            version = self._data.land(draft, entries, writer=writer)
            if version is not None:
                self._known[_key(out)] = version.digest
                self._remember()
                return version
            self._read.clear()  # of what was read some was swept away again
        raise Unavailable(f"{out.path} was swept away {ATTEMPTS} times while it came.")

    def _entries(self, out: Out, writer: ChunkWriter) -> list[TreeEntry]:
        """Return an output as a tree, what of it is new given to the writer."""
        files = self._require(out)
        read: dict[str, tuple[bytes, int]] = {}
        entries = []
        for file in files:
            found = self._read.get(file.md5) or read.get(file.md5)
            if found is None:
                found = read[file.md5] = self._content(file, writer, is_text=out.is_text_md5)
            kind: Any = "executable" if out.is_executable else "file"
            entries.append(TreeEntry(file.relpath, kind, found[1], found[0]))
        writer.close()
        self._read |= read
        return list(check_tree(tuple(sorted(entries, key=lambda entry: entry.path))))

    def _require(self, out: Out) -> list[Listed]:
        """Return the files of an output. Raises Missing naming what is nowhere."""
        if not self._caches.has(out.md5):
            raise Missing(f"the object {out.md5} is in no cache and no remote")
        if not out.is_folder:
            return [Listed(out.md5, out.path.rpartition("/")[2])]
        with self._caches.open(out.md5) as stream:
            text = stream.read()
        if hashlib.md5(text, usedforsecurity=False).hexdigest() != out.md5.partition(".")[0]:
            raise Missing(f"the list of files {out.md5} is damaged")
        try:
            files = msgspec.json.decode(text, type=list[Listed])
        except msgspec.DecodeError:
            raise Missing(f"the list of files {out.md5} cannot be read") from None
        gone = [file for file in files if not self._caches.has(file.md5)]
        if gone:
            more = f" and {len(gone) - 1:,} more" if len(gone) > 1 else ""
            raise Missing(f"{gone[0].relpath} ({gone[0].md5}){more}: in no cache and no remote")
        return files

    def _content(self, file: Listed, writer: ChunkWriter, *, is_text: bool) -> tuple[bytes, int]:
        """Return the digests of a file's chunks and its size; its MD5 is checked."""
        hasher = hashlib.md5(usedforsecurity=False)
        with self._caches.open(file.md5) as stream:

            def read_into(buffer: memoryview) -> int:
                piece = stream.read(min(len(buffer), READ_BYTES))
                hasher.update(piece)
                buffer[: len(piece)] = piece
                return len(piece)

            chunks, size = writer.add_stream(read_into)
        if hasher.hexdigest() != file.md5 and not (is_text and self._is_text(file)):
            raise Missing(f"{file.relpath} ({file.md5}) is damaged")
        return b"".join(chunks), size

    def _is_text(self, file: Listed) -> bool:
        """Say whether a file has its MD5 when each end of a line is one byte."""
        with self._caches.open(file.md5) as stream:
            text = stream.read().replace(b"\r\n", b"\n")
        return hashlib.md5(text, usedforsecurity=False).hexdigest() == file.md5

    def _end_at(self, states: dict[str, State]) -> None:
        """Have the main branch of each dataset be what the newest commit has."""
        for path, state in states.items():
            name = dataset_name(path, prefix=self._prefix)
            head = self._head(name)
            if head is not None and state.versions and head.number != state.versions[0]:
                self._data.branch(name, MAIN, at=str(state.versions[0]), force=True)

    def _remember(self) -> None:
        if self._memory is not None:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            draft = self._memory.with_suffix(".draft")
            draft.write_bytes(msgspec.msgpack.encode(self._known))
            draft.replace(self._memory)


def _key(out: Out) -> str:
    """Return what stands for the tree of an output: a file's name is part of that."""
    name = "" if out.is_folder else out.path.rpartition("/")[2]
    return f"{out.md5} {'x' if out.is_executable else ''} {name}"


def _remembered(memory: Path | None) -> dict[str, str]:
    try:
        return msgspec.msgpack.decode(memory.read_bytes(), type=dict[str, str]) if memory else {}
    except (OSError, msgspec.DecodeError):  # it saves work, nothing depends on it
        return {}
