"""The object store in a folder, and the way to any object store by its URL."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from blake3 import blake3

from treadle.kernel.digests import CHUNK_BYTES, digest_bytes
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound, Unavailable
from treadle.kernel.ids import new_id
from treadle.storage.draft_files import DraftFile, is_large
from treadle.storage.ports import ObjectInfo, ObjectStore, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIGEST_LENGTH = 64
WHOLE_BYTES = 1 << 30
# Beside the objects of a store: those that are encrypted, and the wrapped keys.
ENCRYPTED, KEYS = "encrypted", "keys"


class FolderObjectStore:
    """Objects as files named by their digest; written aside, synced, then renamed."""

    def __init__(self, folder: Path, *, before_put: Callable[[], None] | None = None) -> None:
        self._folder = folder
        self._before_put = before_put
        self._drafts = folder / "drafts"
        with explained(folder):
            self._drafts.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        """Where the objects lie."""
        return self._folder

    @property
    def drafts(self) -> Path:
        """Where files lie that are not objects yet, on the same disk."""
        return self._drafts

    def put(self, stream: BinaryIO, *, name: Callable[[], str] | None = None) -> ObjectInfo:
        """Store all bytes of a stream and return their digest and size."""
        with explained(self._folder):
            draft, info = spool(stream, folder=self._drafts, is_digested=name is None)
            try:
                info = ObjectInfo(name(), info.size_bytes) if name else info
                self.adopt(draft, info)
            finally:
                draft.unlink(missing_ok=True)
        return info

    def open(self, digest: str, *, span: Span | None = None) -> BinaryIO:
        """Open an object to read. Raises NotFound when it is gone, Corrupt when damaged."""
        try:
            # An object is a file of its own: what points elsewhere was not put here.
            raw = os.fdopen(os.open(self._path(digest), os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except FileNotFoundError as error:
            raise NotFound("object", digest) from error
        except OSError as error:
            raise Corrupt(
                f"Object {digest[:12]}… cannot be read: {error.strerror or error}.",
                hint="Restore it from a copy; everything that uses it is named by treadle trace.",
                digest=digest,
            ) from error
        return verified(raw, digest=digest) if span is None else part_of(raw, span)

    def stat(self, digest: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when it is not there."""
        try:
            return ObjectInfo(digest, self._path(digest).stat().st_size)
        except FileNotFoundError:
            return None

    def delete(self, digest: str, *, before: int | None = None) -> bool:
        """Remove an object, unless somebody has put it since; return whether it was there."""
        path, aside = self._path(digest), self._drafts / f"removed-{new_id()}"
        try:
            if before is not None and _touched_at(path) >= before:
                return False
            path.rename(aside)
        except FileNotFoundError:
            return False
        is_old = before is None or _touched_at(aside) < before
        if not is_old:  # put between the look and the move
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink(missing_ok=True)  # a sweep of drafts may have been here
        return is_old

    def iterate(self, *, before: int | None = None) -> Iterator[ObjectInfo]:
        """Yield every object, in no promised order; with `before` those that nobody put since."""
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            # What is removed meanwhile was none of those to name.
            with contextlib.suppress(FileNotFoundError):
                if is_digest(path.name) and (before is None or _touched_at(path) < before):
                    yield ObjectInfo(path.name, path.stat().st_size)

    def presign(self, digest: str, *, seconds: int) -> str | None:  # noqa: ARG002 - a folder signs nothing
        """Return None: a folder has no URLs that expire."""
        return None

    def adopt(self, draft: Path, info: ObjectInfo) -> None:
        """Make an object of a synced file among the drafts.

        One that is there already stays, and is young again.
        """
        target = self._path(info.digest)
        if self._before_put:
            self._before_put()
        # Of another user's file only the content may be replaced, not the time.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            os.utime(target)
            return
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            sync_folder(self._folder)
        draft.replace(target)
        sync_folder(target.parent)

    def _path(self, digest: str) -> Path:
        check_digest(digest)
        return self._folder / digest[:2] / digest


class PartOfFile(io.RawIOBase):
    """The bytes of a span of a file, as a stream that owns the file."""

    def __init__(self, file: BinaryIO, span: Span) -> None:
        self._file = file
        self._span = span
        self._left = span.stop - span.start
        file.seek(span.start)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be moved."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to another byte of the span."""
        size = self._span.stop - self._span.start
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: size - self._left, io.SEEK_END: size}
        at = min(max(0, origins[whence] + offset), size)
        self._left = size - at
        self._file.seek(self._span.start + at)
        return at

    def read(self, size: int = -1, /) -> bytes:
        """Read so many bytes, or all that is left; they are copied once."""
        block = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block

    def readinto(self, buffer: Any) -> int:
        """Read what fits and is left."""
        block = self._file.read(min(len(buffer), self._left))
        buffer[: len(block)] = block
        self._left -= len(block)
        return len(block)

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()


class Blocks(io.RawIOBase):
    """Blocks as a stream, whatever their sizes."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is at hand: nothing only at the end."""
        while not self._held:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._held = memoryview(block)
        size = min(len(buffer), len(self._held))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size


class CanOpen(Protocol):
    """What hands out objects by their digests; an ObjectStore does."""

    def open(self, digest: str, *, span: Span | None = None) -> BinaryIO:
        """Open an object to read. Raises NotFound when it is gone."""
        ...


def stream_of(blocks: Iterator[bytes]) -> BinaryIO:
    """Return blocks as a stream."""
    return cast("BinaryIO", Blocks(blocks))


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes, or all there are: a stream may give fewer at a time."""
    parts: list[bytes] = []
    while size and (block := bytes(stream.read(size))):
        parts.append(block)
        size -= len(block)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def part_of(file: BinaryIO, span: Span) -> BinaryIO:
    """Return the bytes of a span of a file as a stream."""
    return cast("BinaryIO", PartOfFile(file, span))


def blocks_of(
    store: CanOpen, info: ObjectInfo, *, skip: int = 0, block_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """Yield a whole object, but for its first bytes, read only once.

    Raises NotFound when it is gone, Corrupt before the last block when it is damaged: who has sent
    the others breaks off, so that nobody takes a damaged object for whole.
    """
    hasher, held = blake3(), b""
    with store.open(info.digest, span=Span(0, info.size_bytes)) as stream:
        while block := stream.read(block_bytes):
            hasher.update(block)
            kept, skip = block[skip:], max(0, skip - len(block))
            if held:
                yield held
            held = kept or held
    _compare(hasher.hexdigest(), info.digest)
    if held:
        yield held


def put_bytes(store: ObjectStore, data: bytes) -> ObjectInfo:
    """Store bytes that are already in memory."""
    return store.put(io.BytesIO(data))


def read_bytes(store: ObjectStore, digest: str) -> bytes:
    """Read a whole object into memory, verified."""
    with store.open(digest) as stream:
        return stream.read()


def spool(stream: BinaryIO, *, folder: Path, is_digested: bool = True) -> tuple[Path, ObjectInfo]:
    """Write a stream to a synced draft file and say what it is; the caller removes the draft."""
    handle, name = tempfile.mkstemp(dir=folder, prefix="draft-")
    draft = Path(name)
    hasher, size = blake3(), 0
    large = is_large(stream)
    # What lies in memory and is not digested on the way goes in one call: half the cost of many.
    block_bytes = WHOLE_BYTES if large and not is_digested else CHUNK_BYTES
    try:
        with DraftFile(handle, is_large=large) as file:
            while block := stream.read(block_bytes):
                if is_digested:
                    hasher.update(block)
                size += file.write(block)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    draft.chmod(0o444)
    return draft, ObjectInfo(hasher.hexdigest(), size)


def verified(raw: BinaryIO, *, digest: str) -> BinaryIO:
    """Return a stream whose bytes were checked. Raises Corrupt when they are not the digest's."""
    # Small objects are checked in memory; large ones are read twice, so memory stays bounded.
    start = raw.read(CHUNK_BYTES)
    if len(start) < CHUNK_BYTES:
        raw.close()
        _compare(digest_bytes(start), digest)
        return io.BytesIO(start)
    hasher = blake3(start)
    while block := raw.read(CHUNK_BYTES):
        hasher.update(block)
    try:
        _compare(hasher.hexdigest(), digest)
    except Corrupt:
        raw.close()
        raise
    raw.seek(0)
    return raw


def check_digest(digest: str) -> None:
    """Raise InvalidInput unless a text has the form of a digest; keeps paths inside their root."""
    if not is_digest(digest):
        raise InvalidInput(f"{digest!r} is no digest.", hint="A digest is 64 hex digits.")


def is_digest(text: str) -> bool:
    """Say whether a text has the form of a digest."""
    return len(text) == DIGEST_LENGTH and all(c in "0123456789abcdef" for c in text)


def lacks_key(where: object) -> Unavailable:
    """Return what to say where encrypted objects are opened without a key."""
    return Unavailable(
        f"The objects in {where} are encrypted, and no key is set.",
        hint="Set TREADLE_OBJECTS_KEY to the master key or the file that holds it.",
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as `rename` alone does not."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Say what a disk refused as an error that tells what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise Unavailable(
            f"Cannot write objects in {folder}: {error.strerror or error}.",
            hint="Free some space; nothing was lost, run it again."
            if full
            else "Check that the folder can be written.",
        ) from error


def _touched_at(path: Path) -> int:
    return path.stat().st_mtime_ns // 1000


def _compare(found: str, digest: str) -> None:
    if found != digest:
        raise Corrupt(
            f"Object {digest[:12]}… is damaged: its bytes now have digest {found[:12]}….",
            hint="Restore it from a copy; everything that uses it is named by treadle trace.",
            digest=digest,
            found=found,
        )
