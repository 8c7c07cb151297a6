"""What a branch and a tag are, and how they may be called."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from treadle.kernel.errors import InvalidInput

PointerKind = Literal["branch", "tag"]

MAIN = "main"
"""The branch that a dataset's name alone means; every dataset has it."""
LATEST = "latest"
PAGES = frozenset({"contract", "diff", "quarantines"})
"""What stands where a version's number would in the addresses of pages."""
LEAST_PREFIX = 6
"""So much of a digest names a version; less of it may be a name."""
DAY_US = 86_400_000_000
GRACE_US = 7 * DAY_US
"""So long what was removed can be restored, and `gc` leaves what it holds."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_DIGEST = re.compile(rf"[0-9a-f]{{{LEAST_PREFIX},}}", re.IGNORECASE)


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """A name for a version of a dataset: a branch, which commits move, or a tag, which stays."""

    dataset: str
    name: str
    kind: PointerKind
    number: int
    made_at: int
    moved_at: int
    actor: str

    @property
    def ref(self) -> str:
        """Return how to ask for what it points at: `flights@exp`."""
        return f"{self.dataset}@{self.name}"

    @property
    def version(self) -> str:
        """Return what it points at now: `flights@3`."""
        return f"{self.dataset}@{self.number}"


class Need(msgspec.Struct, frozen=True):
    """Something that needs a version: by its name, and whether a removal may be forced past it."""

    ref: str
    by: str
    is_record: bool = True


def require_pointer_name(name: str) -> None:
    """Raise InvalidInput unless a text can name a branch or tag and means nothing else."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot name a branch or tag.",
            hint="Begin with a letter, then letters, digits, '_', '-' and '.', 64 at most; what "
            "begins with a digit is a version's number or a time.",
        )
    if name in PAGES:
        raise InvalidInput(
            f"{name!r} is a page of every dataset and names no version.",
            hint="Use another name.",
        )
    if name.lower() == LATEST:
        raise InvalidInput(
            f"{name!r} means the newest version on {MAIN} already.", hint="Use another name."
        )
    if _DIGEST.fullmatch(name):
        raise InvalidInput(
            f"{name!r} could be the start of a version's digest.",
            hint=f"Have a letter beyond f or a sign in it: {name}-1.",
        )
