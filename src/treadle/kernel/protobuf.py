"""The rules of Protocol Buffers' wire format (protobuf.dev, "Encoding"), read and written.

What a field means is said where a message is known. Groups, which nobody writes any more, are
refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Malformed(ValueError):
    """Some bytes are no message."""


class Parts:
    """The fields of a message by their numbers, in their order."""

    __slots__ = ("_bytes", "_numbers")

    def __init__(self, data: bytes) -> None:
        """Read a message. Raises Malformed."""
        self._numbers: dict[int, int] = {}
        self._bytes: dict[int, list[bytes]] = {}
        for number, value in fields_of(data):
            if isinstance(value, int):
                self._numbers[number] = value
            else:
                self._bytes.setdefault(number, []).append(value)

    def number(self, number: int) -> int:
        """Return the last whole number of a field, or zero."""
        return self._numbers.get(number, 0)

    def all_bytes(self, number: int) -> list[bytes]:
        """Return every value of a field that is not a whole number."""
        return self._bytes.get(number, [])

    def bytes(self, number: int) -> bytes:
        """Return the last value of a field that is not a whole number, or nothing."""
        return self._bytes.get(number, [b""])[-1]


def fields_of(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield each field's number and value: whole numbers, all others as bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = read_varint(data, at)
        wire = key & 7
        if wire == VARINT:
            value, at = read_varint(data, at)
            yield key >> 3, value
            continue
        if wire == BYTES:
            length, at = read_varint(data, at)
        elif wire in {FIXED64, FIXED32}:
            length = 8 if wire == FIXED64 else 4
        else:
            raise Malformed(f"A field of wire type {wire} is not known.")
        if at + length > end:
            raise Malformed("A message ends in the middle of a field.")
        yield key >> 3, data[at : at + length]
        at += length


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place behind it."""
    value = shift = 0
    while at < len(data) and shift < 70:  # noqa: PLR2004 - ten bytes of seven bits
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            return value, at
        shift += 7
    raise Malformed("A number has no end.")


def varint(value: int) -> bytes:
    """Write a number; a negative one as its 64 bits."""
    value &= (1 << 64) - 1
    made = bytearray()
    while value >= 0x80:  # noqa: PLR2004 - the last byte has no high bit
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def signed(value: int) -> int:
    """Return a number of 64 bits as the signed one it stands for."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def key(number: int, wire: int) -> bytes:
    """Write what a field begins with."""
    return varint(number << 3 | wire)


def field(number: int, data: bytes) -> bytes:
    """Write a field of bytes, of text, or of a message."""
    return key(number, BYTES) + varint(len(data)) + data
