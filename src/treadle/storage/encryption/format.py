"""The format of an encrypted object: segments that are read one by one, and none can be exchanged.

    "TRDLCRYP" | version | data key's id, 16 bytes | salt, 32 bytes | segment … | closing tag

Each object has a key of its own: HKDF-SHA256 of the data key, with the salt, for what stands before
it. A segment is 64 KiB of the plain bytes (the last one what is left, also none) under AES-256-GCM;
its nonce is its number and whether it is the last, so that one that is moved, repeated or left out
does not open. The closing tag binds the size and what the bytes are filed under, so that an object
in another's place does not open either.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from treadle.kernel.digests import CHUNK_BYTES
from treadle.kernel.errors import Corrupt
from treadle.storage.objects import read_up_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

MAGIC = b"TRDLCRYP"
VERSION = 1
SEGMENT_BYTES = 64 << 10
TAG_BYTES = 16
SALT_BYTES = 32
KEY_BYTES = 32

_HEADER = struct.Struct(">8sB16s32s")
HEADER_BYTES = _HEADER.size
_STORED_BYTES = SEGMENT_BYTES + TAG_BYTES
_NONCE = struct.Struct(">7xIB")
_SIZE = struct.Struct(">Q")
# No segment has it: their nonces begin with zeros.
_CLOSING_NONCE = b"\xff" * 12
_AT_ONCE = CHUNK_BYTES // SEGMENT_BYTES


class DataKey(NamedTuple):
    """A key that objects' keys are made of."""

    id: bytes
    secret: bytes


class Header(NamedTuple):
    """How an object begins."""

    key_id: bytes
    salt: bytes

    def packed(self) -> bytes:
        """Return it as it is stored."""
        return _HEADER.pack(MAGIC, VERSION, self.key_id, self.salt)

    def cipher(self, key: DataKey) -> AESGCM:
        """Return the object's own key, ready for use."""
        packed = self.packed()
        info = b"treadle object" + packed[:-SALT_BYTES]
        derived = HKDF(hashes.SHA256(), KEY_BYTES, salt=self.salt, info=info)
        return AESGCM(derived.derive(key.secret))


def read_header(packed: bytes) -> Header:
    """Return how an object begins. Raises Corrupt when it is no encrypted object."""
    if len(packed) != HEADER_BYTES or not packed.startswith(MAGIC):
        raise Corrupt("This is no encrypted object.")
    _, version, key_id, salt = _HEADER.unpack(packed)
    if version != VERSION:
        raise Corrupt(
            f"This object is encrypted in format {version}, not {VERSION}.",
            hint="A newer version of Treadle wrote it: read it with that.",
        )
    return Header(key_id, salt)


def plain_size(stored: int) -> int:
    """Return how many bytes an encrypted object of a size holds."""
    body = stored - HEADER_BYTES - TAG_BYTES
    return max(0, body - TAG_BYTES * _segments(body, _STORED_BYTES))


def stored_size(plain: int) -> int:
    """Return the size of an encrypted object that holds so many bytes."""
    return HEADER_BYTES + plain + TAG_BYTES * (_segments(plain, SEGMENT_BYTES) + 1)


def encrypted(
    stream: BinaryIO, key: DataKey, *, salt: bytes, filed_under: Callable[[], bytes]
) -> Iterator[bytes]:
    """Yield all bytes of a stream, encrypted. `filed_under` is asked after the last of them."""
    header = Header(key.id, salt)
    cipher = header.cipher(key)
    yield header.packed()
    number, size, held = 0, 0, b""
    while block := read_up_to(stream, CHUNK_BYTES):
        size += len(block)
        data = memoryview(held + block)
        at, done = 0, []
        while len(data) - at > SEGMENT_BYTES:  # the last one bears a mark: it waits
            segment = data[at : at + SEGMENT_BYTES]
            done.append(cipher.encrypt(_nonce(number), segment, None))
            number, at = number + 1, at + SEGMENT_BYTES
        held = bytes(data[at:])
        if done:
            yield b"".join(done)
    yield cipher.encrypt(_nonce(number, is_last=True), held, None)
    yield cipher.encrypt(_CLOSING_NONCE, b"", _SIZE.pack(size) + filed_under())


class Opened(NamedTuple):
    """An object whose key is at hand."""

    cipher: AESGCM
    size_bytes: int

    def check(self, closing_tag: bytes, *, filed_under: bytes) -> None:
        """Raise Corrupt unless it is what was stored under this."""
        try:
            bound = _SIZE.pack(self.size_bytes) + filed_under
            self.cipher.decrypt(_CLOSING_NONCE, closing_tag, bound)
        except InvalidTag as error:
            raise _refused() from error

    def stored_span(self, start: int, stop: int) -> tuple[int, int]:
        """Return which stored bytes hold these plain ones: whole segments."""
        first, last = start // SEGMENT_BYTES, max(start, stop - 1) // SEGMENT_BYTES
        end = stored_size(self.size_bytes) - TAG_BYTES
        return (
            HEADER_BYTES + first * _STORED_BYTES,
            min(HEADER_BYTES + (last + 1) * _STORED_BYTES, end),
        )

    def decrypted(self, stream: BinaryIO, *, start: int, stop: int) -> Iterator[bytes]:
        """Yield plain bytes from the stored ones that hold them (`stored_span`).

        Raises Corrupt before any byte that is not what was stored.
        """
        number, skip, left = start // SEGMENT_BYTES, start % SEGMENT_BYTES, stop - start
        at, end = self.stored_span(start, stop)
        while at < end:
            block = memoryview(read_up_to(stream, min(_AT_ONCE * _STORED_BYTES, end - at)))
            if not block:
                raise _refused()
            at += len(block)
            plain = b"".join(self._segments_of(block, number))
            number += _AT_ONCE
            yield plain[skip : skip + left]
            left -= len(plain) - skip
            skip = 0

    def _segments_of(self, block: memoryview, number: int) -> Iterator[bytes]:
        for at in range(0, len(block), _STORED_BYTES):
            nonce = _nonce(number, is_last=number == self._last)
            try:
                yield self.cipher.decrypt(nonce, block[at : at + _STORED_BYTES], None)
            except InvalidTag as error:
                raise _refused() from error
            number += 1

    @property
    def _last(self) -> int:
        return _segments(self.size_bytes, SEGMENT_BYTES) - 1


class DecryptedFile(io.RawIOBase):
    """The plain bytes of an encrypted object that lies in a file, which it owns; seekable."""

    def __init__(self, file: BinaryIO, opened: Opened) -> None:
        self._file = file
        self._opened = opened
        self._at = 0
        self._held = (0, b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be moved."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to another byte."""
        size = self._opened.size_bytes
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: size}
        self._at = max(0, origins[whence] + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read what is at hand: nothing only at the end."""
        start, plain = self._held
        if not start <= self._at < start + len(plain):
            start, plain = self._held = self._load()
        part = plain[self._at - start : self._at - start + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        """Close the file too."""
        self._file.close()
        super().close()

    def _load(self) -> tuple[int, bytes]:
        size = self._opened.size_bytes
        if self._at >= size and size:
            return self._at, b""
        start = self._at // SEGMENT_BYTES * SEGMENT_BYTES
        stop = min(start + CHUNK_BYTES, size)
        self._file.seek(self._opened.stored_span(start, stop)[0])
        return start, b"".join(self._opened.decrypted(self._file, start=start, stop=stop))


def open_stream(
    stream: BinaryIO, *, plain_bytes: int, key_of: Callable[[bytes], DataKey]
) -> Iterator[bytes]:
    """Yield the plain bytes of an encrypted object that comes as a stream from its beginning."""
    header = read_header(read_up_to(stream, HEADER_BYTES))
    opened = Opened(header.cipher(key_of(header.key_id)), plain_bytes)
    yield from opened.decrypted(stream, start=0, stop=plain_bytes)


def _segments(size: int, of: int) -> int:
    return max(1, -(-size // of))


def _nonce(number: int, *, is_last: bool = False) -> bytes:
    return _NONCE.pack(number, is_last)


def _refused() -> Corrupt:
    return Corrupt("It is damaged: its bytes are not those that were encrypted.")
