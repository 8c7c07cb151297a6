"""The verbs of versions that are files."""

from __future__ import annotations

import io
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.data import store as sql
from treadle.data.branches.entities import MAIN
from treadle.data.entities import DatasetVersion
from treadle.data.refs import find_version
from treadle.data.trees.checkout import Hands, Here, chosen, here_in, plan_checkout
from treadle.data.trees.contents import contents_of
from treadle.data.trees.encoding import read_tree, write_tree
from treadle.data.trees.entities import CheckedOut, CommitPlan, TreeEntry, diff_trees
from treadle.data.trees.healing import KnownFiles, PacksOf
from treadle.data.trees.intake import Readers
from treadle.data.trees.opening import content_of, link_target
from treadle.data.trees.places import Place, Places, Seen
from treadle.data.trees.status import PLACES, folder_status
from treadle.data.trees.stream import ChunkStream
from treadle.data.trees.upkeep import Check, Repair, rebuild
from treadle.data.trees.walking import root_of, walk
from treadle.data.versions import add_version, require_name
from treadle.kernel.actors import current_actor
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.storage.chunks import store as chunks_sql
from treadle.storage.chunks.reading import ChunkReader
from treadle.storage.chunks.writing import ChunkWriter, Intake
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from treadle.data.branches.entities import Need
    from treadle.data.entities import Provenance
    from treadle.data.trees.entities import Checked, Rebuilt, TreeDiff, TreeStatus
    from treadle.data.trees.healing import ChunkSource
    from treadle.data.trees.walking import Found
    from treadle.storage.owners import Owners
    from treadle.storage.ports import MetadataStore, ObjectStore

SHELF = "files"
# Chunks that a commit leans on can be swept away before it is done; then it reads those files anew.
ATTEMPTS = 4


class Trees:
    """Commits files and folders, knows what they hold, and writes them out again.

    `home` is where it remembers folders it has seen and keeps files to link; without one it reads
    every file each time and checkouts are copies. `needed_by` says what of the nouns above needs
    versions that are to be removed; `open_objects` opens a copy of the objects; `owners` knows who
    else keeps objects there.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        home: Path | None = None,
        code_commit: Callable[[], str | None] = lambda: None,
        needed_by: Callable[[Sequence[str]], list[Need]] = lambda _: [],
        open_objects: Callable[[str], ObjectStore] = open_objects,
        owners: Owners | None = None,
    ) -> None:
        self._store = store
        self._objects = objects
        self._home = home
        self._code_commit = code_commit
        self._needed_by = needed_by
        self._open_objects = open_objects
        self._owners = owners
        self._reader = ChunkReader(store=store, objects=objects)

    def version(self, ref: str) -> DatasetVersion:
        """Return a version: `flights`, `flights@3`, `flights@` + its digest, a branch or a tag.

        Of several with one digest it is the oldest.
        """
        with self._store.read() as tx:
            return find_version(tx, ref)

    def commit_files(
        self,
        name: str,
        sources: Sequence[Path | str],
        *,
        message: str = "",
        progress: Callable[[int], None] | None = None,
        branch: str = MAIN,
        expect: str = "",
        read_from: Provenance | None = None,
    ) -> DatasetVersion:
        """Commit files and folders as the next version of a dataset, unless its newest has these.

        One folder is committed with all that lies in it; several paths, or a file, under their
        names. `progress` is told the bytes of files as they are done, from any thread. `branch` and
        `expect` are as for `commit`; `read_from` is where files come from that were fetched for it.
        """
        require_name(name)
        root, only = root_of([Path(source) for source in sources])
        known = self._known(root)
        for _ in range(ATTEMPTS):
            intake = self._intake()
            found = walk(root, only=only, without=self._home)
            writer = ChunkWriter(intake)
            seen = self._seen(root, found, known, writer=writer, progress=progress)
            draft = self.draft(name, message=message, branch=branch, read_from=read_from)
            entries = [entry.entry for entry in seen]
            version = self.land(draft, entries, writer=writer, expect=expect)
            if version is not None:
                if read_from is None:  # else they were fetched aside, and nobody works there
                    self._remember(Place(str(root), version.ref, only, tuple(seen)))
                return version
            known = {entry.path: entry for entry in seen}
        raise Conflict(
            f"Four times something that {name} needs was swept away while it was committed.",
            hint="Commit again when no gc runs.",
        )

    def plan_commit(self, name: str, sources: Sequence[Path | str]) -> CommitPlan:
        """Say what a commit would store; reads what it would read and writes nothing."""
        require_name(name)
        root, only = root_of([Path(source) for source in sources])
        intake = self._intake(dry_run=True)
        writer = ChunkWriter(intake)
        found = walk(root, only=only, without=self._home)
        seen = self._seen(root, found, self._known(root), writer=writer)
        writer.close()
        return CommitPlan(
            dataset=name,
            file_count=_count(seen),
            size_bytes=_size(seen),
            new_bytes=intake.new_bytes,
        )

    def files(self, ref: str) -> tuple[TreeEntry, ...]:
        """Return every file, link and empty folder of a version, ordered by path."""
        return read_tree(self._tree_version(ref).tree, reader=self._reader)

    def open(self, ref: str, path: str) -> BinaryIO:
        """Open a file of a version to read; seekable, and only what is asked for is fetched."""
        entries = {entry.path: entry for entry in self.files(ref) if entry.is_file}
        if path not in entries:
            raise NotFound("file", path, known=entries)
        return self.open_entry(entries[path])

    def open_entry(self, entry: TreeEntry) -> BinaryIO:
        """Open a file of a tree that was listed before."""
        stream = ChunkStream(entry.chunks, reader=self._reader)
        return io.BufferedReader(stream, buffer_size=io.DEFAULT_BUFFER_SIZE)

    def contents(self, entries: Iterable[TreeEntry]) -> Iterator[tuple[TreeEntry, Iterable[bytes]]]:
        """Yield files of a tree with their blocks, in no order: many are read faster so."""
        return contents_of(entries, reader=self._reader)

    def open_object(self, digest: str) -> BinaryIO:
        """Open a whole object that a version without a tree needs, verified."""
        return self._objects.open(digest)

    def diff_files(self, before: str, after: str) -> TreeDiff:
        """Say which files differ from one version to another."""
        return diff_trees(self.files(before), self.files(after))

    def status(self, path: Path | str) -> TreeStatus:
        """Say how a folder differs from the version committed or checked out there."""
        if self._home is None:
            raise InvalidInput("Without a home no folder is remembered.")
        return folder_status(path, home=self._home)

    def checkout(
        self,
        ref: str,
        path: Path | str,
        *,
        only: str = "",
        force: bool = False,
        exact: bool = False,
        copy: bool = False,
        dry_run: bool = False,
    ) -> CheckedOut:
        """Write a version's files into a folder, or those that `only` (a path or glob) means.

        Files are read-only links into the home where that can be, writable ones with `copy`. What
        was changed in the folder is not overwritten unless forced; `exact` removes what the version
        does not have. Raises Conflict naming what is in the way.
        """
        version = self._tree_version(ref)
        wanted = chosen(read_tree(version.tree, reader=self._reader), only)
        root = Path(path).resolve()
        here = self._here(root)
        plan = plan_checkout(wanted, here, force=force, exact=exact)
        if not dry_run:
            shelf = None if copy or self._home is None else self._home / SHELF
            with Hands(root, reader=self._reader, shelf=shelf) as hands:
                hands.remove(plan.remove)
                hands.write(plan.write)
                kept = [here.still[e.path] for e in plan.keep if e.path in here.still]
                seen = [*kept, *hands.seen(e for e in plan.keep if e.path not in here.still)]
                seen += hands.seen(plan.write)
            seen.sort(key=attrgetter("path"))
            names = () if not only else tuple(sorted({e.path.split("/")[0] for e in wanted}))
            self._remember(Place(str(root), version.ref, names, tuple(seen)))
        return CheckedOut(
            ref=version.ref,
            root=str(root),
            written=tuple(entry.path for entry in plan.write),
            kept=len(plan.keep),
            removed=tuple(plan.remove),
        )

    def fsck(
        self,
        *,
        repair: str = "",
        sources: Sequence[ChunkSource] = (),
        progress: Callable[[int], None] | None = None,
    ) -> Checked:
        """Read every object there is and name what is damaged or gone, and who suffers.

        `repair` is where a copy of the objects is (a folder or a URL of objects): what is sound
        there takes the place of what is not, whole or chunk by chunk; so do chunks from other
        packs, from files of folders that were committed, and from `sources`.
        """
        with self._store.read() as tx:
            versions = sql.all_versions(tx)
        check = Check(
            versions,
            store=self._store,
            objects=self._objects,
            reader=self._reader,
            repair=self._repair_from(repair, sources) if repair or sources else None,
            progress=progress,
        )
        return check.run()

    def rebuild(self, *, dry_run: bool = False) -> Rebuilt:
        """Make the chunks known again that packs hold and no row says, were the rows lost."""
        return rebuild(store=self._store, objects=self._objects, dry_run=dry_run)

    def writer(self) -> ChunkWriter:
        """Return what takes the bytes of a tree that is to land."""
        return ChunkWriter(self._intake())

    def draft(
        self,
        name: str,
        *,
        message: str,
        branch: str = MAIN,
        parents: tuple[int, ...] = (),
        read_from: Provenance | None = None,
    ) -> DatasetVersion:
        """Return what is known of a version before its content is."""
        return DatasetVersion(
            id=new_id(),
            dataset=name,
            number=0,
            digest="",
            files=(),
            table="",
            columns=(),
            rows=0,
            size_bytes=0,
            message=message,
            actor=current_actor(),
            code_commit=self._code_commit(),
            created_at=0,
            branch=branch,
            parents=parents,
            source=read_from,
        )

    def land(
        self,
        draft: DatasetVersion,
        entries: Sequence[TreeEntry],
        *,
        writer: ChunkWriter,
        expect: str = "",
    ) -> DatasetVersion | None:
        """Make a tree a version, or return None if a chunk that it needs was swept away.

        `writer` has been given what of it is not stored yet.
        """
        tree, own = write_tree(entries, writer=writer)
        writer.close()
        draft = msgspec.structs.replace(
            draft,
            digest=tree,
            tree=tree,
            size_bytes=_size(entries),
            file_count=_count(entries),
            stored_bytes=writer.intake.stored_bytes,
        )
        needed = {*own, *(chunk for entry in entries for chunk in entry.chunks)}
        with self._store.write() as tx:
            chunks_sql.lock_to_lean(tx)
            if len(chunks_sql.known(tx, needed)) < len(needed):
                return None
            return add_version(tx, draft, expect=expect)

    def _repair_from(self, where: str, sources: Sequence[ChunkSource]) -> Repair:
        copies = [_copy_at(where, opened=self._open_objects)] if where else []
        chunks: list[ChunkSource] = [
            PacksOf(self._objects),
            *(PacksOf(copy) for copy in copies),
            *sources,
        ]
        if self._home:
            chunks.append(KnownFiles(Places(self._home / PLACES), shelf=self._home / SHELF))
        return Repair(copies, chunks)

    def _tree_version(self, ref: str) -> DatasetVersion:
        with self._store.read() as tx:
            version = find_version(tx, ref)
        if not version.tree:
            raise InvalidInput(
                f"{version.ref} is a table, not files.",
                hint=f"Read its rows: client.data.table({version.ref!r}).",
            )
        return version

    def _verify_files(self, version: DatasetVersion) -> DatasetVersion:
        """Read every chunk of a version again. Raises Corrupt naming the first that is damaged."""
        entries = read_tree(version.tree, reader=self._reader)
        chunks = {chunk for entry in entries for chunk in entry.chunks}
        for _ in self._reader.each(self._reader.find(list(chunks))):
            pass
        return version

    def _intake(self, *, dry_run: bool = False) -> Intake:
        return Intake(store=self._store, objects=self._objects, dry_run=dry_run)

    def _known(self, root: Path) -> dict[str, Seen]:
        place = Places(self._home / PLACES).load(root) if self._home else None
        return {entry.path: entry for entry in place.seen} if place else {}

    def _remember(self, place: Place) -> None:
        if self._home:
            Places(self._home / PLACES).save(place)

    def _here(self, root: Path) -> Here:
        if not root.exists():
            return Here({}, {}, {}, lambda _: b"")
        found = walk(root, without=self._home)
        return here_in(found, known=self._known(root), read=lambda f: content_of(str(root), f))

    def _seen(
        self,
        root: Path,
        found: Sequence[Found],
        known: dict[str, Seen],
        *,
        writer: ChunkWriter,
        progress: Callable[[int], None] | None = None,
    ) -> list[Seen]:
        """Return all that was found with its content; what is not known by its looks is read."""
        seen: list[Seen] = []
        unread: list[Found] = []
        for here in found:
            was = known.get(here.path)
            if here.kind == "link":
                seen.append(_plain(here, link_target(str(root), here)))
            elif here.kind == "folder" or not here.size_bytes:
                seen.append(_plain(here, b""))
            elif was and was.is_still(here) and was.kind == here.kind:
                seen.append(was)
            else:
                unread.append(here)
        unread += self._swept(seen, found)
        again = {here.path for here in unread}
        seen = [entry for entry in seen if entry.path not in again]
        seen += Readers(root, writer=writer, progress=progress).read(unread)
        seen.sort(key=lambda entry: entry.path)
        return seen

    def _swept(self, seen: Sequence[Seen], found: Sequence[Found]) -> list[Found]:
        """Return files that are known, but a chunk of which is not stored any more."""
        chunks = {chunk for known in seen for chunk in known.entry.chunks}
        with self._store.read() as tx:
            gone = chunks - chunks_sql.known(tx, chunks)
        paths = {s.path for s in seen if gone.intersection(s.entry.chunks)} if gone else set()
        return [here for here in found if here.path in paths]


def _copy_at(where: str, *, opened: Callable[[str], ObjectStore]) -> ObjectStore:
    folder = Path(where)
    if "://" not in where and not folder.is_dir():
        raise NotFound("folder", where, hint="Name a copy of the objects: a folder or s3://….")
    return opened(where if "://" in where else folder.resolve().as_uri())


def _plain(here: Found, content: bytes) -> Seen:
    return Seen(here.path, here.kind, here.size_bytes, 0, 0, 0, content)


def _size(seen: Sequence[Seen | TreeEntry]) -> int:
    return sum(entry.size_bytes for entry in seen if entry.kind != "link")


def _count(seen: Sequence[Seen | TreeEntry]) -> int:
    return sum(entry.kind != "folder" for entry in seen)
