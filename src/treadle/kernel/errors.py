"""Every error Treadle raises on purpose.

TreadleError
 ├─ InvalidInput       what was given breaks a rule
 │   └─ ContractBroken data breaks its contract
 ├─ NotFound           a thing with that name is not there
 ├─ Conflict           somebody else was there first, or the state forbids it
 ├─ Refused            a gate, a policy or a permission says no
 ├─ Corrupt            stored bytes are not what they were
 ├─ Unavailable        a store, a port or a process cannot be reached or written
 └─ MissingExtra       an optional dependency is not installed
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class TreadleError(Exception):
    """Something Treadle knows how to explain.

    `message` says which rule broke with which values, `hint` what to do next, `data` holds the
    values for programs. `code` is the stable name used by the HTTP doors and by `--json`.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "", **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(TreadleError):
    """What was given breaks a rule."""

    code = "invalid_input"


class ContractBroken(InvalidInput):
    """The data breaks its contract."""

    code = "contract_broken"


class NotFound(TreadleError):
    """A thing with that name is not there."""

    code = "not_found"

    def __init__(
        self, kind: str, name: object, *, known: Iterable[str] = (), hint: str = ""
    ) -> None:
        known = tuple(known)
        close = near_misses(str(name), known)
        if not hint and close:
            hint = f"Did you mean {' or '.join(repr(c) for c in close)}?"
        elif not hint and known:
            hint = f"There is: {', '.join(sorted(known)[:5])}{', …' if len(known) > 5 else ''}."  # noqa: PLR2004 - five examples are enough to read
        super().__init__(f"No {kind} {str(name)!r}.", hint=hint, kind=kind, name=str(name))


class Conflict(TreadleError):
    """Somebody else was there first, or the present state forbids it."""

    code = "conflict"


class Refused(TreadleError):
    """A gate, a policy or a permission says no."""

    code = "refused"


class Corrupt(TreadleError):
    """Stored bytes are not what they were when they were written."""

    code = "corrupt"


class Unavailable(TreadleError):
    """A store, a port or a process cannot be reached or written."""

    code = "unavailable"


class MissingExtra(TreadleError):
    """An optional dependency is not installed."""

    code = "missing_extra"

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(
            f"This needs {package}, which is not installed.",
            hint=f"Install it with: pip install 'treadle[{extra}]'",
            package=package,
            extra=extra,
        )


def near_misses(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return up to three known names that look like the one that was asked for."""
    return tuple(difflib.get_close_matches(name, list(known), n=3, cutoff=0.6))


def counted(count: int, noun: str) -> str:
    """Say a count with its noun: `1 row`, `1,234 rows`."""
    return f"{count:,} {noun_of(count, noun)}"


def noun_of(count: int, noun: str) -> str:
    """Return the noun of a count: `dataset` of 1, `datasets` of others."""
    return noun if count == 1 else f"{noun}s"
