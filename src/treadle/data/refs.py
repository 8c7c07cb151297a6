"""How a version is asked for.

`flights` and `flights@latest` (the head of `main`), `flights@3`, `flights@4a3df1` (the start of its
digest; of several versions with that content the oldest), `flights@exp` (a branch), `flights@v1` (a
tag).

Also by time: `flights@2013-07-04T12:00` is the newest that was committed up to that instant, UTC
unless it says otherwise, and `flights@2013-07-04` up to the end of that day; of those that `main`
descends from.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from treadle.data import store as sql
from treadle.data.branches import store as pointers
from treadle.data.branches.entities import DAY_US, GRACE_US, LATEST, LEAST_PREFIX, MAIN
from treadle.data.branches.graph import ancestors
from treadle.kernel.clock import format_instant, parse_instant
from treadle.kernel.errors import InvalidInput, NotFound, near_misses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.storage.transaction import Transaction

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]|$)")


class Ref(NamedTuple):
    """A dataset's name, and a number, the start of a digest, a branch, a tag, or `latest`."""

    name: str
    version: str


def parse_ref(ref: str) -> Ref:
    """Split `name@version`; without a version the latest is meant.

    Raises InvalidInput where one half is missing: a variable that a script left empty would
    otherwise be the newest version.
    """
    name, sign, version = ref.partition("@")
    if not name or (sign and not version):
        raise InvalidInput(
            f"{ref!r} names no version.",
            hint=f"Write {name or 'NAME'} for the newest, {name or 'NAME'}@3, or "
            f"{name or 'NAME'}@ with a branch, a tag, a time or the start of a digest.",
        )
    return Ref(name, version or LATEST)


def find_version(tx: Transaction, ref: str) -> DatasetVersion:
    """Return the version a reference means. Raises NotFound with near misses, or who removed it."""
    found = find_even_removed(tx, ref)
    if found.removed_at is not None:
        raise _removed(tx, ref, found)
    return found


def find_even_removed(tx: Transaction, ref: str) -> DatasetVersion:
    """Return the version a reference means, removed or not. Raises NotFound with near misses."""
    name, wanted = parse_ref(ref)
    if not sql.is_known(tx, name):
        names = tuple(sql.names(tx))
        hint = "" if names else f"This home has none yet: treadle data commit FILE --name {name}"
        raise NotFound("dataset", name, known=names, hint=hint)
    number = int(wanted) if _is_number(wanted) else _pointed_at(tx, name, wanted)
    found = sql.version_by_number(tx, name, number) if number else None
    if found is None and len(wanted) >= LEAST_PREFIX:
        found = _by_prefix(tx, name, wanted.lower())
    if found is None:
        found = _as_of(tx, name, wanted)
    if found is None:
        raise NotFound("version", ref, hint=_what_there_is(tx, name, wanted))
    return found


def version_before(tx: Transaction, version: DatasetVersion) -> DatasetVersion | None:
    """Return what a version was made on: of a merge, what its branch had. Removed ones are not."""
    waiting = list(version.parents)
    while waiting:
        found = sql.version_by_number(tx, version.dataset, waiting.pop(0))
        if found is not None and found.removed_at is None:
            return found
        waiting[:0] = found.parents if found is not None else ()
    return None


def _pointed_at(tx: Transaction, name: str, wanted: str) -> int:
    """Return the number a branch or tag points at, 0 when there is none of that name."""
    found = pointers.pointer(tx, name, MAIN if wanted == LATEST else wanted)
    return found.number if found else 0


def _what_there_is(tx: Transaction, name: str, wanted: str) -> str:
    close = near_misses(wanted, (p.name for p in pointers.pointers(tx, name)))
    if close:
        return f"Did you mean {' or '.join(f'{name}@{c}' for c in close)}?"
    latest = sql.latest_number(tx, name)
    if latest <= 1:
        return f"{name} has one version: {name}@1." if latest else ""
    return f"{name} has the versions 1 to {latest}; see them: treadle data versions {name}"


def _removed(tx: Transaction, ref: str, version: DatasetVersion) -> NotFound:
    whole = "@" not in ref and not sql.latest_number(tx, version.dataset)
    name, at = version.dataset if whole else version.ref, version.removed_at or 0
    back = f"Bring it back: treadle data restore {name}"
    if not is_in_grace(tx, version):
        back = f"That is more than {GRACE_US // DAY_US} days ago: it cannot be restored."
    told = f"{name} was removed on {format_instant(at)} by {version.removed_by}. {back}"
    return NotFound("dataset" if whole else "version", ref, hint=told)


def is_in_grace(tx: Transaction, version: DatasetVersion) -> bool:
    """Say whether a removed version can be restored."""
    return (version.removed_at or 0) > tx.at - GRACE_US


def _as_of(tx: Transaction, name: str, wanted: str) -> DatasetVersion | None:
    """Return the newest version up to a time, None for a text that is no time."""
    if not _TIME.match(wanted):
        return None
    until = parse_instant(wanted)
    if _DAY.fullmatch(wanted):
        until += DAY_US - 1
    head = _pointed_at(tx, name, MAIN)
    line = ancestors(sql.links(tx, name), head)
    number = next((each for each in sql.numbers_until(tx, name, until) if each in line), 0)
    found = sql.version_by_number(tx, name, number) if number else None
    if found is None:
        first = sql.version_by_number(tx, name, 1)
        told = f"{name} begins at {format_instant(first.created_at)}." if first else ""
        raise NotFound("version", f"{name}@{wanted}", hint=told)
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004 - an SQL integer


def _by_prefix(tx: Transaction, name: str, prefix: str) -> DatasetVersion | None:
    found = sql.versions_by_prefix(tx, name, prefix)
    if len(found) > 1:
        raise InvalidInput(
            f"{prefix!r} begins the digests of several versions of {name}.",
            hint=f"Write more of it, or {found[0].ref}.",
        )
    return found[0] if found else None


def require_one(name: str, asked: str, numbers: Sequence[int], *, where: str = "") -> None:
    """Refuse a digest that several versions have, for what must not hit the next one when redone.

    `where` says whose versions they are, as in ` there`.
    """
    if len(numbers) > 1:
        named = ", ".join(f"{name}@{number}" for number in numbers)
        raise InvalidInput(
            f"{name}@{asked} is the content of {len(numbers)} versions{where}: {named}.",
            hint=f"Name one of them by its number{where}.",
        )
