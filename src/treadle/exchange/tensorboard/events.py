"""The messages inside TensorBoard's event files, as far as runs need them.

`Event` and `Summary` of TensorFlow's event.proto and summary.proto, read and written by the rules
of Protocol Buffers' wire format (protobuf.dev, "Encoding"). Fields that are not known are skipped,
as these rules ask.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

Kind = Literal["scalar", "image", "text", "other"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
# TensorFlow's DataType numbers of what a scalar may be, with their layout in `tensor_content`.
_TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
_STRING = 7


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a summary: a number, the bytes of an image, texts, or something else."""

    tag: str
    kind: Kind
    number: float = 0.0
    data: bytes = b""
    plugin: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What was logged at a step and an instant (s since 1970)."""

    seconds: float
    step: int
    values: tuple[Value, ...] = ()


class Malformed(ValueError):
    """Some bytes are no message."""


def read_event(data: bytes) -> Event:
    """Return the event in a frame. Raises Malformed."""
    parts = _parts(data)
    moment = parts.bytes(1)
    values = (_value(_parts(v)) for v in _parts(parts.bytes(5)).all_bytes(1))
    return Event(
        seconds=_DOUBLE.unpack(moment)[0] if len(moment) == _DOUBLE.size else 0.0,
        step=_signed(parts.number(2)),
        values=tuple(values),
    )


def write_scalar(tag: str, number: float, *, step: int, seconds: float) -> bytes:
    """Return the event of one number; TensorBoard keeps it as a 32-bit float."""
    with np.errstate(over="ignore"):  # beyond 32 bits lies infinity
        single = _FLOAT.pack(float(np.float32(number)))
    value = _field(1, tag.encode()) + _key(2, FIXED32) + single + _plugin("scalars")
    return _event(value, step=step, seconds=seconds)


def write_text(tag: str, text: str, *, step: int, seconds: float) -> bytes:
    """Return the event of one text, which TensorBoard shows as Markdown."""
    shape = _field(2, _key(1, VARINT) + _varint(1))
    tensor = _key(1, VARINT) + _varint(_STRING) + _field(2, shape) + _field(8, text.encode())
    value = _field(1, tag.encode()) + _field(8, tensor) + _plugin("text")
    return _event(value, step=step, seconds=seconds)


def write_version(seconds: float) -> bytes:
    """Return the event every file begins with."""
    return _key(1, FIXED64) + _DOUBLE.pack(seconds) + _field(3, b"brain.Event:2")


def _event(value: bytes, *, step: int, seconds: float) -> bytes:
    moment = _key(1, FIXED64) + _DOUBLE.pack(seconds) + _key(2, VARINT) + _varint(step)
    return moment + _field(5, _field(1, value))


def _plugin(name: str) -> bytes:
    return _field(9, _field(1, _field(1, name.encode())))


def _value(parts: _Parts) -> Value:
    tag = parts.bytes(1).decode(errors="replace")
    plugin = _parts(_parts(parts.bytes(9)).bytes(1)).bytes(1).decode(errors="replace")
    single, image = parts.bytes(2), _parts(parts.bytes(4)).bytes(4)
    if len(single) == _FLOAT.size:
        return Value(tag=tag, kind="scalar", number=_FLOAT.unpack(single)[0], plugin=plugin)
    if image:
        return Value(tag=tag, kind="image", data=image, plugin=plugin)
    return _of_tensor(tag, _parts(parts.bytes(8)), plugin=plugin)


def _of_tensor(tag: str, tensor: _Parts, *, plugin: str) -> Value:
    kind, texts = tensor.number(1), tensor.all_bytes(8)
    # The images plugin writes width, height and then the images.
    if kind == _STRING and plugin == "images" and len(texts) > 2:  # noqa: PLR2004 - see above
        return Value(tag=tag, kind="image", data=texts[2], plugin=plugin)
    if kind == _STRING and plugin in {"text", ""}:
        return Value(tag=tag, kind="text", data=b"\n\n".join(texts), plugin=plugin)
    layout = np.dtype(_TYPES.get(kind, "V0"))
    raw = tensor.bytes(4) or tensor.bytes(5) or tensor.bytes(6)
    if not layout.itemsize or len(raw) != layout.itemsize:
        return Value(tag=tag, kind="other", plugin=plugin)
    return Value(tag=tag, kind="scalar", number=float(np.frombuffer(raw, layout)[0]), plugin=plugin)


class _Parts:
    """The fields of a message by their numbers, in their order."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._bytes: dict[int, list[bytes]] = {}

    @classmethod
    def of(cls, data: bytes) -> _Parts:
        """Read a message."""
        made = cls()
        for number, value in _fields(data):
            if isinstance(value, int):
                made._numbers[number] = value
            else:
                made._bytes.setdefault(number, []).append(value)
        return made

    def number(self, number: int) -> int:
        return self._numbers.get(number, 0)

    def all_bytes(self, number: int) -> list[bytes]:
        return self._bytes.get(number, [])

    def bytes(self, number: int) -> bytes:
        return self._bytes.get(number, [b""])[-1]


_parts = _Parts.of


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        wire = key & 7
        if wire == VARINT:
            value, at = _read_varint(data, at)
            yield key >> 3, value
            continue
        if wire == BYTES:
            length, at = _read_varint(data, at)
        elif wire in {FIXED64, FIXED32}:
            length = 8 if wire == FIXED64 else 4
        else:
            raise Malformed(f"A field of wire type {wire} is not known.")
        if at + length > len(data):
            raise Malformed("A message ends in the middle of a field.")
        yield key >> 3, data[at : at + length]
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:  # noqa: PLR2004 - ten bytes of seven bits
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            return value, at
        shift += 7
    raise Malformed("A number has no end.")


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    made = bytearray()
    while value >= 0x80:  # noqa: PLR2004 - the last byte has no high bit
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _field(number: int, data: bytes) -> bytes:
    return _key(number, BYTES) + _varint(len(data)) + data
