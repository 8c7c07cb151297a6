"""Roles that a profile suggests for columns which have none: a person decides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.analysis.personal import Hint
    from treadle.analysis.profiles import ColumnProfile, TableProfile
    from treadle.data.contracts import ContractBody, Role

_NAMED_ID = re.compile(r"(?:^|_)(?:id|key|uuid|guid)$|[a-z]Id$")
_DATED = ("timestamp", "date")


class Suggestion(NamedTuple):
    """A role that would fit a column, and what speaks for it."""

    column: str
    role: Role
    why: str

    @property
    def comment(self) -> str:
        """Return it as a line of a contract that claims nothing."""
        # A name with a line break would end the comment.
        name = self.column if self.column.isprintable() else repr(self.column)
        return f"# {name} may be {self.role}: {self.why}. --role {name}={self.role}"


def suggested_roles(profile: TableProfile, body: ContractBody) -> tuple[Suggestion, ...]:
    """Return the roles that hints, names and distinct values speak for, where none is given."""
    given = {rule.name: rule.role for rule in body.columns}
    has_time = body.time is not None
    return tuple(
        suggestion
        for column in profile.columns
        if not given.get(column.name)
        for suggestion in _of(column, has_time=has_time)
    )


def _of(column: ColumnProfile, *, has_time: bool) -> Iterator[Suggestion]:
    if column.hints:
        yield Suggestion(column.name, "sensitive", "; ".join(map(_said, column.hints)))
    elif _NAMED_ID.search(column.name) and "all different" in column.remarks and not column.nulls:
        yield Suggestion(column.name, "id", f"{column.rows:,} values, all different")
    elif not has_time and column.kind == "time" and column.type.startswith(_DATED):
        yield Suggestion(column.name, "time", "it is one of several times")


def _said(hint: Hint) -> str:
    if hint.by == "name":
        return f"its name says {hint.kind}"
    return f"{hint.share:.0%} of {hint.looked:,} values look like {hint.kind}"
