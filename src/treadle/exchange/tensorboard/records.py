"""The frames of a TensorBoard event file: length, checksum, bytes, checksum.

The format is TensorFlow's TFRecord: a little-endian 64-bit length, a masked CRC-32C of it, the
bytes, a masked CRC-32C of them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

# A frame longer than this is no event but a damaged length.
LONGEST = 256 << 20
_HEAD = struct.Struct("<QI")
_SUM = struct.Struct("<I")
_MASK = 0xA282EAD8
_WORD = 0xFFFFFFFF


def _table() -> tuple[int, ...]:
    made = []
    for value in range(256):
        crc = value
        for _ in range(8):
            # Castagnoli's polynomial, its bits turned round.
            crc = (crc >> 1) ^ 0x82F63B78 if crc & 1 else crc >> 1
        made.append(crc)
    return tuple(made)


_TABLE = _table()


def checksum(data: bytes) -> int:
    """Return the masked CRC-32C of some bytes (RFC 3720, masked as TFRecord asks)."""
    crc = _WORD
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= _WORD
    return (((crc >> 15) | (crc << 17)) + _MASK) & _WORD


def frames(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the frames of a file up to its end, or to the first that is cut off or damaged.

    A file that is still being written ends in half a frame: that is no error.
    """
    while len(head := stream.read(_HEAD.size)) == _HEAD.size:
        length, said = _HEAD.unpack(head)
        if said != checksum(head[:8]) or length > LONGEST:
            return
        data, tail = stream.read(length), stream.read(_SUM.size)
        if len(data) < length or len(tail) < _SUM.size or _SUM.unpack(tail)[0] != checksum(data):
            return
        yield data


def framed(data: bytes) -> bytes:
    """Return one frame around some bytes."""
    length = struct.pack("<Q", len(data))
    return length + _SUM.pack(checksum(length)) + data + _SUM.pack(checksum(data))
