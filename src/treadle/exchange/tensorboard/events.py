"""The messages inside TensorBoard's event files, as far as runs need them.

`Event` and `Summary` of TensorFlow's event.proto and summary.proto. Fields that are not known are
skipped, as the rules of Protocol Buffers ask.
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec
import numpy as np

from treadle.kernel.protobuf import FIXED32, FIXED64, VARINT, Parts, field, key, signed, varint

Kind = Literal["scalar", "image", "text", "other"]

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


def read_event(data: bytes) -> Event:
    """Return the event in a frame. Raises Malformed."""
    parts = Parts(data)
    moment = parts.bytes(1)
    values = (_value(Parts(v)) for v in Parts(parts.bytes(5)).all_bytes(1))
    return Event(
        seconds=_DOUBLE.unpack(moment)[0] if len(moment) == _DOUBLE.size else 0.0,
        step=signed(parts.number(2)),
        values=tuple(values),
    )


def write_scalar(tag: str, number: float, *, step: int, seconds: float) -> bytes:
    """Return the event of one number; TensorBoard keeps it as a 32-bit float."""
    with np.errstate(over="ignore"):  # beyond 32 bits lies infinity
        single = _FLOAT.pack(float(np.float32(number)))
    value = field(1, tag.encode()) + key(2, FIXED32) + single + _plugin("scalars")
    return _event(value, step=step, seconds=seconds)


def write_text(tag: str, text: str, *, step: int, seconds: float) -> bytes:
    """Return the event of one text, which TensorBoard shows as Markdown."""
    shape = field(2, key(1, VARINT) + varint(1))
    tensor = key(1, VARINT) + varint(_STRING) + field(2, shape) + field(8, text.encode())
    value = field(1, tag.encode()) + field(8, tensor) + _plugin("text")
    return _event(value, step=step, seconds=seconds)


def write_version(seconds: float) -> bytes:
    """Return the event every file begins with."""
    return key(1, FIXED64) + _DOUBLE.pack(seconds) + field(3, b"brain.Event:2")


def _event(value: bytes, *, step: int, seconds: float) -> bytes:
    moment = key(1, FIXED64) + _DOUBLE.pack(seconds) + key(2, VARINT) + varint(step)
    return moment + field(5, field(1, value))


def _plugin(name: str) -> bytes:
    return field(9, field(1, field(1, name.encode())))


def _value(parts: Parts) -> Value:
    tag = parts.bytes(1).decode(errors="replace")
    plugin = Parts(Parts(parts.bytes(9)).bytes(1)).bytes(1).decode(errors="replace")
    single, image = parts.bytes(2), Parts(parts.bytes(4)).bytes(4)
    if len(single) == _FLOAT.size:
        return Value(tag=tag, kind="scalar", number=_FLOAT.unpack(single)[0], plugin=plugin)
    if image:
        return Value(tag=tag, kind="image", data=image, plugin=plugin)
    return _of_tensor(tag, Parts(parts.bytes(8)), plugin=plugin)


def _of_tensor(tag: str, tensor: Parts, *, plugin: str) -> Value:
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
