"""The verbs of artifacts: files of runs and logged models, files of model versions, loose files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.storage.objects import blocks_of
from treadle.storage.ports import ObjectInfo, Span
from treadle.tracking import artifacts_paths as paths
from treadle.tracking.artifacts_paths import LOOSE, Owner, Place
from treadle.tracking.artifacts_uploads import place_of_part
from treadle.tracking.entities import Artifact
from treadle.tracking.facts import ArtifactLogged, ArtifactsDeleted, ArtifactStored
from treadle.tracking.rules import shown
from treadle.tracking.store import artifacts as store
from treadle.tracking.store.artifacts import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from treadle.data.entities import FileEntry
    from treadle.storage.events import Fact
    from treadle.storage.ports import Drafts, MetadataStore, ObjectStore, Piece
    from treadle.storage.transaction import Transaction

PARTS_MOST = 10_000
UPLOAD_LASTS_US = 86_400_000_000
BLOCK_BYTES = 1 << 18


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file or a folder at one level; `path` is from the owner's root, a folder has no size."""

    path: str
    is_folder: bool
    size_bytes: int | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


class Artifacts:
    """Files by owner and path; their bytes are objects. May be shared by threads."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        drafts: Drafts,
        version_files: Callable[[str], Iterable[FileEntry]],
    ) -> None:
        self._store = store
        self._objects = objects
        self._drafts = drafts
        self._version_files = version_files

    def resolve(self, uri: str) -> Place:
        """Return what a URI or a path of the artifact store names, in any form that it has.

        `runs:/ID/PATH`, `models:/m-ID/PATH`, `mlflow-artifacts:/…` with an authority or without,
        or a path in the store. Raises InvalidInput for a place elsewhere or a path that could
        leave its owner, NotFound for a run or model that is not there.
        """
        named = paths.named_in(uri)
        if named is not None:
            self._check_owner(named.owner)
            return named
        tail = paths.tail_of(uri)
        place = paths.owner_in(tail)
        with self._store.read() as tx:
            if place.owner.kind == "version" or _is_there(tx, place.owner):
                return place
        return Place(LOOSE, paths.safe_path(tail))

    def of_run(self, run_id: str, path: str = "") -> Place:
        """Return a place in a run. Raises NotFound when there is no such run."""
        return self._in(Owner("run", run_id), path)

    def of_model(self, model_id: str, path: str = "") -> Place:
        """Return a place in a logged model. Raises NotFound when there is no such model."""
        return self._in(Owner("model", model_id), path)

    def of_version(self, version_id: str, path: str = "") -> Place:
        """Return a place in the files of a model version."""
        return Place(Owner("version", version_id), paths.safe_path(path))

    def level(self, place: Place) -> tuple[Entry, ...]:
        """Return the files and folders right in a folder, by path; none of what is not there."""
        found: dict[str, Entry] = {}
        start = len(place.path) + 1 if place.path else 0
        for file in self.files(place):
            name, slash, _ = file.path[start:].partition("/")
            path = file.path[:start] + name
            if slash:
                found[path] = Entry(path=path, is_folder=True)
            else:
                found[path] = Entry(
                    path=path, is_folder=False, size_bytes=file.size_bytes, digest=file.digest
                )
        return tuple(found[path] for path in sorted(found))

    def files(self, place: Place) -> tuple[Artifact, ...]:
        """Return every file below a folder, by path."""
        if place.owner.kind == "version":
            start = f"{place.path}/" if place.path else ""
            files = self._files_of_version(place.owner.id)
            return tuple(file for file in files if file.path.startswith(start))
        with self._store.read() as tx:
            return tuple(store.files_of(tx, place.owner, folder=place.path))

    def find(self, place: Place) -> Artifact:
        """Return the file at a place. Raises NotFound with the near miss."""
        found = self._found(place)
        if found is None:
            near = self.files(Place(place.owner))
            raise NotFound("artifact", place.path, known=[file.path for file in near])
        return found

    def open(self, place: Place) -> BinaryIO:
        """Open a file to read, all of it checked before."""
        return self._objects.open(self.find(place).digest)

    def blocks(self, file: Artifact, *, span: Span | None = None) -> Generator[bytes]:
        """Yield a file block by block, or a span of it, without holding it in memory.

        A whole file is checked on the way: Corrupt comes before its last block.
        """
        if span is None:
            info = ObjectInfo(file.digest, file.size_bytes)
            yield from blocks_of(self._objects, info, block_bytes=BLOCK_BYTES)
            return
        with self._objects.open(file.digest, span=span) as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block

    def link(self, file: Artifact, *, seconds: int) -> str | None:
        """Return an address that reads a file for a while, where the object store has them."""
        return self._objects.presign(file.digest, seconds=seconds)

    def put(self, place: Place, stream: BinaryIO) -> Artifact:
        """Store a stream as a file; the same path again takes its place.

        A stream that breaks leaves nothing. Raises Conflict where a folder is in the way.
        """
        with self._store.read() as tx:
            _check_free(tx, place)
        info = self._objects.put(stream)
        return self._keep(place, info)

    def delete(self, place: Place) -> int:
        """Remove a file, or a folder with all below it; return how many files that were."""
        _check_writable(place)
        with self._store.write() as tx:
            count = store.remove_files(tx, place.owner, place.path)
            if count:
                owner = str(place.owner)
                tx.emit(ArtifactsDeleted(owner=owner, path=place.path, files=count))
        return count

    def begin_upload(self, place: Place, *, parts: int) -> Upload:
        """Begin to upload a file in parts, which may come in any order and at once."""
        if not 1 <= parts <= PARTS_MOST:
            raise InvalidInput(
                f"An upload in {parts} parts cannot be.", hint=f"Use 1 to {PARTS_MOST} parts."
            )
        self.sweep_uploads()
        with self._store.write() as tx:
            _check_free(tx, place)
            upload = Upload(
                id=new_id(),
                owner_kind=place.owner.kind,
                owner_id=place.owner.id,
                path=place.path,
                parts=parts,
                begun_at=tx.at,
            )
            store.add_upload(tx, upload)
        return upload

    def put_part(
        self, upload_id: str, number: int, stream: BinaryIO, *, size_bytes: int | None = None
    ) -> Piece:
        """Store a part; the same number again takes its place.

        One whose size is known before it comes is written where it will lie in the file.
        """
        with self._store.write() as tx:
            upload = _upload(tx, upload_id, lock=True)
            if not 1 <= number <= upload.parts:
                raise InvalidInput(f"Part {number} of an upload of {upload.parts} parts cannot be.")
            span = place_of_part(tx, upload, number, size=size_bytes)
        try:
            piece = self._drafts.write(upload_id, stream, span=span)
            self._keep_part(upload_id, number, piece)
        except BaseException:
            self._forget_part(upload_id, number, is_placed=span is not None)
            raise
        return piece

    def complete_upload(self, upload_id: str, *, tokens: Sequence[str]) -> Artifact:
        """Join the parts to the file, if they are the ones that came. Raises Conflict if not."""
        with self._store.read() as tx:
            upload, parts = _upload(tx, upload_id), store.parts_of(tx, upload_id)
        if [part.token for part in parts] != list(tokens) or len(parts) != upload.parts:
            raise Conflict(
                f"Upload {upload_id} has {len(parts)} of {upload.parts} parts, "
                "and not those that were named.",
                hint="Send what is missing, or begin again.",
                upload=upload_id,
            )
        info = self._drafts.join(upload_id, parts)
        kept = self._keep(Place(Owner(upload.owner_kind, upload.owner_id), upload.path), info)  # type: ignore[arg-type] # stored from one
        self.abort_upload(upload_id)
        return kept

    def abort_upload(self, upload_id: str) -> None:
        """Forget an upload with all its parts; does nothing when there is none."""
        with self._store.write() as tx:
            store.remove_upload(tx, upload_id)
        self._drafts.drop(upload_id)

    def find_upload(self, upload_id: str) -> Upload:
        """Return an upload that has begun. Raises NotFound."""
        with self._store.read() as tx:
            return _upload(tx, upload_id)

    def sweep_uploads(self) -> int:
        """Forget the uploads that nobody completed within a day; return how many."""
        with self._store.read() as tx:
            stale = store.stale_uploads(tx, before=tx.at - UPLOAD_LASTS_US)
        for upload_id in stale:
            self.abort_upload(upload_id)
        return len(stale)

    def sweep_drafts(self) -> int:
        """Remove what a process that was killed had begun to write, once it is a day old."""
        self.sweep_uploads()
        # By the disk's own clock, which a replay of the past does not set.
        return self._drafts.sweep(before=time.time_ns() // 1000 - UPLOAD_LASTS_US)

    def reachable(self) -> set[str]:
        """Return the digests that a run, a logged model or a loose file still needs.

        Those of datasets, model versions, pipelines and endpoints are their nouns' to name.
        """
        with self._store.read() as tx:
            return store.reachable(tx)

    def _in(self, owner: Owner, path: str) -> Place:
        place = Place(owner, paths.safe_path(path))
        self._check_owner(owner)
        return place

    def _check_owner(self, owner: Owner) -> None:
        with self._store.read() as tx:
            _check_owner(tx, owner)

    def _found(self, place: Place) -> Artifact | None:
        if place.owner.kind == "version":
            files = self._files_of_version(place.owner.id)
            return next((file for file in files if file.path == place.path), None)
        with self._store.read() as tx:
            return store.find_file(tx, place.owner, place.path)

    def _files_of_version(self, version_id: str) -> list[Artifact]:
        files = self._version_files(version_id)
        found = [Artifact(path=f.path, digest=f.digest, size_bytes=f.size_bytes) for f in files]
        return sorted(found, key=lambda file: file.path)

    def _keep(self, place: Place, info: ObjectInfo) -> Artifact:
        file = Artifact(path=place.path, digest=info.digest, size_bytes=info.size_bytes)
        with self._store.write() as tx:
            _check_free(tx, place)
            store.put_file(tx, place.owner, file)
            tx.emit(_logged(place.owner, file))
        return file

    def _keep_part(self, upload_id: str, number: int, piece: Piece) -> None:
        with self._store.write() as tx:
            _upload(tx, upload_id, lock=True)
            if piece.start is not None and not store.is_place_kept(tx, upload_id, number):
                raise Conflict(f"Part {number} came again while it was written.", upload=upload_id)
            before = store.put_part(tx, upload_id, number, piece)
        if before is not None:
            self._drafts.remove(upload_id, before)

    def _forget_part(self, upload_id: str, number: int, *, is_placed: bool) -> None:
        with self._store.write() as tx:
            ended = store.find_upload(tx, upload_id) is None
            if is_placed:
                store.release_place(tx, upload_id, number)
        if ended:
            self._drafts.drop(upload_id)


def _check_writable(place: Place) -> None:
    if place.owner.kind == "version":
        raise Conflict(
            "The files of a model version cannot be changed: they are signed.",
            hint="Register another version.",
        )


def _check_free(tx: Transaction, place: Place) -> None:
    _check_writable(place)
    if not place.path:
        raise InvalidInput("A file needs a path.", hint="Write one such as plots/roc.png.")
    _check_owner(tx, place.owner)
    blocker = store.in_the_way(tx, place.owner, place.path)
    if blocker is not None:
        raise Conflict(
            f"{shown(place.path)} cannot be stored: {shown(blocker)} is in the way.",
            hint="A name is a file or a folder, not both.",
            path=place.path,
        )


def _check_owner(tx: Transaction, owner: Owner) -> None:
    if not _is_there(tx, owner):
        raise NotFound("run" if owner.kind == "run" else "logged_model", owner.id)


def _is_there(tx: Transaction, owner: Owner) -> bool:
    if owner.kind == "run":
        return store.has_run(tx, owner.id)
    return owner.kind != "model" or store.has_model(tx, owner.id)


def _upload(tx: Transaction, upload_id: str, *, lock: bool = False) -> Upload:
    found = store.find_upload(tx, upload_id, lock=lock)
    if found is None:
        raise NotFound("upload", upload_id, hint="It has ended, or it was begun over a day ago.")
    return found


def _logged(owner: Owner, file: Artifact) -> Fact:
    if owner.kind == "run":
        return ArtifactLogged(
            run_id=owner.id, path=file.path, digest=file.digest, size_bytes=file.size_bytes
        )
    return ArtifactStored(
        owner=str(owner), path=file.path, digest=file.digest, size_bytes=file.size_bytes
    )
