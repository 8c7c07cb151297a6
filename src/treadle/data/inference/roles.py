"""The roles that a person gave to columns, checked; the time where only one column can be it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput, NotFound, near_misses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.data.checks.scan import Rows
    from treadle.data.contracts import ColumnType, Role

ROLES: tuple[Role, ...] = ("id", "time", "target", "sensitive", "known_after")
_DATED: tuple[ColumnType, ...] = ("timestamp", "date")


def checked_roles(rows: Rows, given: Mapping[str, Role]) -> dict[str, Role]:
    """Return the roles of columns. Raises NotFound or InvalidInput for what cannot be."""
    roles, names = dict(given), rows.schema.names
    dated = [name for name in names if rows.kind(name) in _DATED]
    if "time" not in roles.values() and len(dated) == 1:
        roles.setdefault(dated[0], "time")
    for name, role in roles.items():
        if name not in rows:
            raise NotFound("column", name, known=names)
        if role not in ROLES:
            close = near_misses(role, ROLES)
            hint = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(ROLES)}."
            raise InvalidInput(f"Column {name!r}: no role {role!r}.", hint=hint)
        if role == "time" and rows.kind(name) not in _DATED:
            raise InvalidInput(
                f"Column {name!r} cannot be the time: it is {rows.kind(name)}.",
                hint="Name a timestamp or date column.",
            )
    for role in ("target", "time"):
        twice = [name for name, known in roles.items() if known == role]
        if len(twice) > 1:
            raise InvalidInput(f"Two {role}s: {' and '.join(twice)}.", hint="Name one.")
    return roles
