"""Columns of numbers in the form in which PostgreSQL sends arrays: packed, with no text between.

The driver would look at the type of every element and write each as text, which the server reads
again: of a thousand points that costs more than storing them.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

# Dimensions, whether there are NULLs, the type of the elements; then length and first subscript.
_HEAD = struct.Struct("!iiIii")


class Packed:
    """An array of one dimension without NULLs; subclasses name the types of PostgreSQL."""

    array_oid: ClassVar[int]
    _element_oid: ClassVar[int]
    _form: ClassVar[str]

    __slots__ = ("data",)

    def __init__(self, column: Sequence[Any]) -> None:
        size = struct.calcsize(f"!{self._form}")
        told: list[Any] = [size] * (2 * len(column))
        told[1::2] = column
        head = _HEAD.pack(1, 0, self._element_oid, len(column), 1)
        self.data = head + struct.pack("!" + f"i{self._form}" * len(column), *told)


class Longs(Packed):
    """bigint[]."""

    __slots__ = ()
    array_oid, _element_oid, _form = 1016, 20, "q"


class Doubles(Packed):
    """float8[]."""

    __slots__ = ()
    array_oid, _element_oid, _form = 1022, 701, "d"


class Booleans(Packed):
    """boolean[]."""

    __slots__ = ()
    array_oid, _element_oid, _form = 1000, 16, "?"


def teach(connection: Any) -> None:
    """Have a connection of psycopg send packed arrays as they are."""
    # An optional extra: only who uses PostgreSQL pays for its import.
    from psycopg.adapt import Dumper  # noqa: PLC0415 - see above
    from psycopg.pq import Format  # noqa: PLC0415 - see above

    class AsItIs(Dumper):
        format = Format.BINARY

        def dump(self, obj: Packed) -> bytes:
            return obj.data

    for kind in (Longs, Doubles, Booleans):
        dumper = type(kind.__name__, (AsItIs,), {"oid": kind.array_oid})
        connection.adapters.register_dumper(kind, dumper)
