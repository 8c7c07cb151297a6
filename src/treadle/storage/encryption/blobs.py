"""Blobs, encrypted: the same keys outside, other bytes inside. For remotes.

Each is stored as an encrypted object is, bound to the key it lies under: in another's place none
opens.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from treadle.kernel.errors import Corrupt, NotFound
from treadle.storage.encryption.format import (
    HEADER_BYTES,
    SALT_BYTES,
    TAG_BYTES,
    Opened,
    encrypted,
    plain_size,
    read_header,
    stored_size,
)
from treadle.storage.objects import read_up_to, stream_of
from treadle.storage.ports import BlobInfo, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.storage.encryption.keyring import Keyring
    from treadle.storage.ports import Blobs

# What is not larger (a pack, whatever describes versions) is fetched at once and opened in memory.
AT_ONCE_BYTES = 48 << 20
REMEMBERED = 4096


class Ends(NamedTuple):
    """What is read of a blob before it is opened."""

    size_bytes: int
    header: bytes
    closing_tag: bytes


class SealedBlobs:
    """Blobs of another place, encrypted with the data keys of a ring."""

    def __init__(self, inner: Blobs, *, keys: Keyring) -> None:
        self._inner = inner
        self._keys = keys
        self._opened: dict[str, Opened] = {}

    def put(self, key: str, stream: BinaryIO) -> None:
        """Store all bytes of a stream under a key, in place of what may be there."""
        self._opened.pop(key, None)
        self._inner.put(key, stream_of(self._sealed(key, stream)))

    def create(self, key: str, data: bytes) -> bool:
        """Store bytes unless the key is taken; say whether it was free."""
        return self._inner.create(key, b"".join(self._sealed(key, io.BytesIO(data))))

    def open(self, key: str, *, span: Span | None = None) -> BinaryIO:
        """Open a blob to read, or only these bytes of it.

        Raises NotFound when it is not there, Corrupt when it is not what was stored there.
        """
        if span is not None:
            return self._part(key, span)
        with self._inner.open(key) as stream:
            stored = read_up_to(stream, AT_ONCE_BYTES + 1)
        if len(stored) > AT_ONCE_BYTES:
            return self._part(key, Span(0, len(stored)), is_whole=True)
        ends = Ends(len(stored), stored[:HEADER_BYTES], stored[-TAG_BYTES:])
        opened = self._opened_by(key, ends)
        body = io.BytesIO(stored[HEADER_BYTES:])
        return io.BytesIO(b"".join(_named(key, opened, body, Span(0, opened.size_bytes))))

    def stat(self, key: str) -> BlobInfo | None:
        """Return what is known of a blob, or None when it is not there."""
        found = self._inner.stat(key)
        return found and BlobInfo(key, plain_size(found.size_bytes), found.put_at)

    def delete(self, key: str) -> None:
        """Remove a blob; does nothing when it is not there."""
        self._opened.pop(key, None)
        self._inner.delete(key)

    def list(self, folder: str) -> Iterator[BlobInfo]:
        """Yield every blob below a folder, in no promised order."""
        for info in self._inner.list(folder):
            yield BlobInfo(info.key, plain_size(info.size_bytes), info.put_at)

    def _sealed(self, key: str, stream: BinaryIO) -> Iterator[bytes]:
        salt = os.urandom(SALT_BYTES)
        return encrypted(stream, self._keys.current(), salt=salt, filed_under=key.encode)

    def _part(self, key: str, span: Span, *, is_whole: bool = False) -> BinaryIO:
        opened = self._opened.get(key) or self._remembered(key)
        stop = opened.size_bytes if is_whole else min(span.stop, opened.size_bytes)
        if span.start >= stop and not is_whole:
            return io.BytesIO()
        stored = self._inner.open(key, span=Span(*opened.stored_span(span.start, stop)))

        def blocks() -> Iterator[bytes]:
            with stored:
                yield from _named(key, opened, stored, Span(span.start, stop))

        return stream_of(blocks())

    def _remembered(self, key: str) -> Opened:
        known = self._inner.stat(key)
        if known is None:
            raise NotFound("blob", key)
        size = known.size_bytes
        header = self._stored(key, Span(0, HEADER_BYTES))
        tag = self._stored(key, Span(max(0, size - TAG_BYTES), size))
        if len(self._opened) >= REMEMBERED:
            self._opened.clear()
        opened = self._opened[key] = self._opened_by(key, Ends(size, header, tag))
        return opened

    def _stored(self, key: str, span: Span) -> bytes:
        with self._inner.open(key, span=span) as stream:
            return read_up_to(stream, span.stop - span.start)

    def _opened_by(self, key: str, ends: Ends) -> Opened:
        try:
            header = read_header(ends.header)
            cipher = header.cipher(self._keys.find(header.key_id))
            opened = Opened(cipher, plain_size(ends.size_bytes))
            if stored_size(opened.size_bytes) != ends.size_bytes:
                raise _damaged(key)
            opened.check(ends.closing_tag, filed_under=key.encode())
        except Corrupt as error:
            raise _damaged(key) from error
        return opened


def _named(key: str, opened: Opened, stored: BinaryIO, span: Span) -> Iterator[bytes]:
    try:
        yield from opened.decrypted(stored, start=span.start, stop=span.stop)
    except Corrupt as error:
        raise _damaged(key) from error


def _damaged(key: str) -> Corrupt:
    return Corrupt(
        f"{key} is not what was encrypted under that name.",
        hint="It is damaged, or was put there by somebody without the key: restore it from a copy.",
    )
