"""What two tables' columns are to each other: the same, new, gone, of another type."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from treadle.data.column_types import kind_of
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_DIGITS = 38
INTEGER_DIGITS = 20
_NUMERIC = frozenset({"integer", "number", "boolean"})
_DATED = frozenset({"timestamp", "date"})


class Pairing(NamedTuple):
    """A column that both tables have: its places, and the SQL type as which it is compared.

    `sql_type` is empty where both have one type already.
    """

    name: str
    before: int
    after: int
    sql_type: str
    compared_as: str


class Columns(NamedTuple):
    """The columns of two tables, paired by name, in the order of the second."""

    both: tuple[Pairing, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    def pairing(self, name: str) -> Pairing | None:
        """Return a column that both have."""
        return next((p for p in self.both if p.name == name), None)


def pair_columns(
    before: pa.Schema, after: pa.Schema, *, renamed: Mapping[str, str] | None = None
) -> Columns:
    """Pair columns by name; `renamed` says what one of `before` is called in `after`."""
    names = [(renamed or {}).get(name, name) for name in before.names]
    both = tuple(
        _pairing(name, names.index(name), place, before, after)
        for place, name in enumerate(after.names)
        if name in names
    )
    return Columns(
        both=both,
        added=tuple(name for name in after.names if name not in names),
        removed=tuple(name for name in names if name not in after.names),
    )


def same_type(one: pa.DataType, other: pa.DataType) -> bool:
    """Say whether two types hold the same values; how texts are laid out in memory is no matter."""
    return bool(bare_type(one) == bare_type(other))


def bare_type(type_: pa.DataType) -> pa.DataType:
    """Return the type without how its values are laid out."""
    if pa.types.is_dictionary(type_):
        return bare_type(type_.value_type)
    if kind_of(type_) == "text":
        return pa.string()
    if pa.types.is_large_binary(type_) or pa.types.is_binary_view(type_):
        return pa.binary()
    return type_


def _pairing(name: str, at: int, place: int, before: pa.Schema, after: pa.Schema) -> Pairing:
    one, other = before.field(at).type, after.field(place).type
    return Pairing(name, at, place, *common_type(one, other))


def common_type(*types: pa.DataType) -> tuple[str, str]:
    """Return the SQL type that holds the values of all, and its name for people.

    Both are empty where the types are one already.
    """
    if all(same_type(types[0], other) for other in types[1:]):
        return "", ""
    kinds = {kind_of(each) for each in types}
    if kinds <= {"integer", "boolean"}:
        return "HUGEINT", "integer"
    if kinds <= _NUMERIC:
        return _decimal(types) or "DOUBLE", "number"
    if kinds <= _DATED:
        # An instant without a zone counts as UTC, as it does in contracts.
        has_ns = any(pa.types.is_timestamp(t) and t.unit == "ns" for t in types)
        return "TIMESTAMP_NS" if has_ns else "TIMESTAMP", "instant"
    return "VARCHAR", "text"


def _decimal(types: Sequence[pa.DataType]) -> str:
    """Return the decimal type that holds decimals, and integers beside them; else ''."""
    if not any(pa.types.is_decimal128(t) for t in types):
        return ""
    digits = [_digits(t) for t in types]
    if None in digits:
        return ""
    whole, scale = (max(each) for each in zip(*(d for d in digits if d), strict=True))
    return f"DECIMAL({MOST_DIGITS}, {scale})" if whole + scale <= MOST_DIGITS else ""


def _digits(type_: pa.DataType) -> tuple[int, int] | None:
    if pa.types.is_decimal128(type_):
        return type_.precision - type_.scale, type_.scale
    return (INTEGER_DIGITS, 0) if pa.types.is_integer(type_) else None
