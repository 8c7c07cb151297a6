"""How models, aliases and versions are named."""

from __future__ import annotations

import re

import msgspec

from treadle.kernel.errors import InvalidInput

NAME_LENGTH = 100
NUMBER_DIGITS = 9
LATEST = "latest"

_NAME = re.compile(r"[A-Za-z0-9_\-.]+")
_NUMBER = re.compile(r"v?[0-9]+")


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it was asked for: by number, or by alias; neither means the newest."""

    name: str
    number: int | None = None
    alias: str | None = None


def check_name(name: str, *, what: str = "model") -> str:
    """Return a name, or raise InvalidInput saying why it cannot be one."""
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise InvalidInput(
            f"{name[:NAME_LENGTH]!r} cannot name {'an' if what[0] in 'aeiou' else 'a'} {what}.",
            hint=f"Use 1 to {NAME_LENGTH} letters, digits and `_ - .`",
        )
    return name


def check_alias(alias: str) -> str:
    """Return an alias, or raise InvalidInput: it must not read as a number or as `latest`."""
    check_name(alias, what="alias")
    if alias == LATEST or _NUMBER.fullmatch(alias):
        raise InvalidInput(
            f"{alias!r} cannot name an alias: it already means a version.",
            hint="Use a word such as champion.",
        )
    return alias


def parse_ref(ref: str) -> Ref:
    """Read `late@3`, `late@champion`, `late@latest` or `late` (the newest)."""
    name, at, chosen = ref.partition("@")
    check_name(name)
    if not at or chosen == LATEST:
        return Ref(name=name)
    if chosen.isascii() and chosen.isdigit() and len(chosen) <= NUMBER_DIGITS:
        return Ref(name=name, number=int(chosen))
    return Ref(name=name, alias=check_alias(chosen))
