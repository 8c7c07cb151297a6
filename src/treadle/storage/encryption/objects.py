"""Any object store, encrypted: the same digests outside, other bytes inside."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import tempfile
from typing import TYPE_CHECKING, BinaryIO, cast

from blake3 import blake3

from treadle.kernel.errors import Corrupt, InvalidInput, NotFound
from treadle.storage.encryption.format import (
    HEADER_BYTES,
    SALT_BYTES,
    TAG_BYTES,
    DecryptedFile,
    Opened,
    encrypted,
    open_stream,
    plain_size,
    read_header,
    stored_size,
)
from treadle.storage.objects import check_digest, read_up_to, stream_of, verified
from treadle.storage.ports import ObjectInfo, Piece, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from treadle.storage.encryption.keyring import Keyring
    from treadle.storage.ports import Drafts, ObjectStore

# So many objects' keys are kept at hand: parts of packs are read again and again.
REMEMBERED = 4096


class EncryptedObjectStore:
    """Objects named by the digest of their plain bytes, kept encrypted in another store.

    What lay in `plain` before stays readable there, and is removed from there.
    """

    def __init__(self, inner: ObjectStore, *, plain: ObjectStore, keys: Keyring) -> None:
        self.inner = inner
        self.plain = plain
        self.keys = keys
        self._opened: dict[str, Opened] = {}

    def put(self, stream: BinaryIO, *, name: Callable[[], str] | None = None) -> ObjectInfo:
        """Store all bytes of a stream and return their digest and size."""
        source = Measured(stream)
        told: list[str] = []

        def filed_under() -> str:
            if not told:
                told.append(name() if name else source.digest)
            return told[0]

        blocks = encrypted(
            cast("BinaryIO", source),
            self.keys.current(),
            salt=os.urandom(SALT_BYTES),
            filed_under=lambda: filed_under().encode(),
        )
        kept = self.inner.put(stream_of(blocks), name=filed_under)
        return ObjectInfo(kept.digest, source.size_bytes)

    def open(self, digest: str, *, span: Span | None = None) -> BinaryIO:
        """Open an object to read. Raises NotFound when it is gone, Corrupt when damaged."""
        if span is not None:
            return self._part(digest, span)
        try:
            opened = self._open(digest)
            file = self._stored_file(digest, opened)
        except NotFound:
            return self.plain.open(digest)
        try:
            decrypted = io.BufferedReader(DecryptedFile(file, opened), buffer_size=1 << 20)
            return verified(cast("BinaryIO", decrypted), digest=digest)
        except Corrupt as error:
            file.close()
            raise _damaged(digest, error) from error

    def stat(self, digest: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when it is not there."""
        found = self.inner.stat(digest)
        if found is None:
            return self.plain.stat(digest)
        return ObjectInfo(digest, plain_size(found.size_bytes))

    def delete(self, digest: str, *, before: int | None = None) -> bool:
        """Remove an object, unless somebody has put it since; return whether it was there."""
        self._opened.pop(digest, None)
        removed = self.inner.delete(digest, before=before)
        removed = self.plain.delete(digest, before=before) or removed
        return removed and self.stat(digest) is None

    def iterate(self, *, before: int | None = None) -> Iterator[ObjectInfo]:
        """Yield every object, in no promised order; with `before` those that nobody put since."""
        seen = set()
        for info in self.inner.iterate(before=before):
            seen.add(info.digest)
            yield ObjectInfo(info.digest, plain_size(info.size_bytes))
        for info in self.plain.iterate(before=before):
            if info.digest not in seen:
                yield info

    def presign(self, digest: str, *, seconds: int) -> str | None:  # noqa: ARG002 - no link decrypts
        """Return None: who follows a link has no key."""
        check_digest(digest)
        return None

    def encrypt_what_is_plain(self) -> Iterator[ObjectInfo]:
        """Encrypt what lay there before, object by object; yield each that is done."""
        for info in list(self.plain.iterate()):
            with self.plain.open(info.digest) as stream:
                self.put(stream)
            self.plain.delete(info.digest)
            yield info

    def _open(self, digest: str) -> Opened:
        known = self.inner.stat(digest)
        if known is None:
            raise NotFound("object", digest)
        size = known.size_bytes
        opened = Opened(self._cipher(digest), plain_size(size))
        if stored_size(opened.size_bytes) != size:
            raise _damaged(digest)
        tag = self._stored(digest, Span(size - TAG_BYTES, size))
        try:
            opened.check(tag, filed_under=digest.encode())
        except Corrupt as error:
            raise _damaged(digest, error) from error
        if len(self._opened) >= REMEMBERED:
            self._opened.clear()
        self._opened[digest] = opened
        return opened

    def _cipher(self, digest: str) -> AESGCM:
        try:
            header = read_header(self._stored(digest, Span(0, HEADER_BYTES)))
            return header.cipher(self.keys.find(header.key_id))
        except Corrupt as error:
            raise _damaged(digest, error) from error

    def _stored(self, digest: str, span: Span) -> bytes:
        with self.inner.open(digest, span=Span(max(0, span.start), span.stop)) as stream:
            return read_up_to(stream, span.stop - span.start)

    def _stored_file(self, digest: str, opened: Opened) -> BinaryIO:
        """Return the stored bytes as a file: it is read twice, but fetched once."""
        stream = self.inner.open(digest, span=Span(0, stored_size(opened.size_bytes)))
        if stream.seekable():
            return stream
        with stream:
            draft = tempfile.TemporaryFile(prefix="treadle-")  # noqa: SIM115 - handed on
            shutil.copyfileobj(stream, draft, 1 << 20)
        return cast("BinaryIO", draft)

    def _part(self, digest: str, span: Span) -> BinaryIO:
        known = self._opened.get(digest)
        # Who reads the whole wants to know that it is whole: its header and closing tag, too.
        if known is not None and span.stop - span.start < known.size_bytes:
            try:
                return self._decrypted(digest, known, span)
            except (NotFound, Corrupt):  # put again since, with another salt
                self._opened.pop(digest, None)
        try:
            return self._decrypted(digest, self._open(digest), span)
        except NotFound:
            return self.plain.open(digest, span=span)

    def _decrypted(self, digest: str, opened: Opened, span: Span) -> BinaryIO:
        start, stop = span.start, min(span.stop, opened.size_bytes)
        if start >= stop:
            return io.BytesIO()
        stream = self.inner.open(digest, span=Span(*opened.stored_span(start, stop)))

        def blocks() -> Iterator[bytes]:
            with stream:
                try:
                    yield from opened.decrypted(stream, start=start, stop=stop)
                except Corrupt as error:
                    raise _damaged(digest, error) from error

        ahead = blocks()
        first = next(ahead)  # at once: only what opens is handed over
        return stream_of(itertools.chain((first,), ahead))


class EncryptedDrafts:
    """Drafts whose pieces are encrypted as they come; each lies apart until they are joined."""

    def __init__(self, inner: Drafts, *, plain: Drafts, objects: EncryptedObjectStore) -> None:
        self._inner = inner
        self._plain = plain
        self._objects = objects

    def write(self, draft: str, stream: BinaryIO, *, span: Span | None = None) -> Piece:
        """Write a piece. Raises InvalidInput when it does not fill its span."""
        room = span.stop - span.start if span else None
        source = Measured(stream, room=room)
        blocks = encrypted(
            cast("BinaryIO", source),
            self._objects.keys.current(),
            salt=os.urandom(SALT_BYTES),
            filed_under=draft.encode,
        )
        piece = self._inner.write(draft, stream_of(blocks))
        if room not in {None, source.size_bytes}:
            self._inner.remove(draft, piece)
            raise _misfit(room)
        start = span.start if span else None
        return Piece(token=piece.token, size_bytes=source.size_bytes, start=start)

    def remove(self, draft: str, piece: Piece) -> None:
        """Remove a piece; does nothing when it is not there."""
        self._inner.remove(draft, _apart(piece))

    def join(self, draft: str, pieces: Sequence[Piece]) -> ObjectInfo:
        """Make an object of pieces in the order of the whole. Raises NotFound when one is gone."""
        return self._objects.put(stream_of(self.read(draft, pieces)))

    def read(self, draft: str, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield pieces one after the other. Raises NotFound when one is gone."""
        for piece in pieces:
            stored = stream_of(self._inner.read(draft, [_apart(piece)]))
            yield from open_stream(
                stored, plain_bytes=piece.size_bytes, key_of=self._objects.keys.find
            )

    def drop(self, draft: str) -> None:
        """Forget a draft with all its pieces; does nothing when there is none."""
        self._inner.drop(draft)
        self._plain.drop(draft)

    def sweep(self, *, before: int) -> int:
        """Remove what nobody has written to since an instant; return how many drafts that were."""
        return self._inner.sweep(before=before) + self._plain.sweep(before=before)


class Measured:
    """A stream that is digested and counted as it is read. Raises InvalidInput beyond its room."""

    def __init__(self, stream: BinaryIO, *, room: int | None = None) -> None:
        self._stream = stream
        self._room = room
        self._hasher = blake3()
        self.size_bytes = 0

    @property
    def digest(self) -> str:
        """Return the digest of what was read."""
        return self._hasher.hexdigest()

    def read(self, size: int) -> bytes:
        """Read the next bytes."""
        block = bytes(self._stream.read(size))
        self._hasher.update(block)
        self.size_bytes += len(block)
        if self._room is not None and self.size_bytes > self._room:
            raise _misfit(self._room)
        return block


def _apart(piece: Piece) -> Piece:
    return Piece(token=piece.token, size_bytes=stored_size(piece.size_bytes))


def _misfit(room: int | None) -> InvalidInput:
    return InvalidInput(f"The part is not of the {room} bytes that were announced.")


def _damaged(digest: str, error: Corrupt | None = None) -> Corrupt:
    why = f" {error.message}" if error else ""
    if error is not None and error.data.get("digest") == digest:
        return error
    return Corrupt(
        f"Object {digest[:12]}… is damaged.{why}",
        hint="Restore it from a copy; everything that uses it is named by treadle trace.",
        digest=digest,
    )
