"""How models, aliases, versions and their tags are named."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.registry.entities import Stage

NAME_LENGTH = 100
LONGEST_NAME = 256
ALIAS_LENGTH = 255
KEY_LENGTH = 250
VALUE_LENGTH = 100_000
DESCRIPTION_LENGTH = 100_000
LINK_LENGTH = 4_000
NUMBER_DIGITS = 9
LATEST = "latest"
STAGES: tuple[Stage, ...] = ("none", "staging", "production", "archived")

_NAME = re.compile(r"[A-Za-z0-9_\-.]+")
_ALIAS = re.compile(r"[\w\-.]+")
_NUMBER = re.compile(r"[vV]?\d+")
_KEY = re.compile(r"[/\w.\- :]+")
# What no reader of a log, a page or a path should meet in a name.
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it was asked for: by number, or by alias; neither means the newest."""

    name: str
    number: int | None = None
    alias: str | None = None


def check_name(name: str, *, what: str = "model") -> str:
    """Return a name that is easy to write everywhere, or raise InvalidInput."""
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise _unfit(name, what, f"Use 1 to {NAME_LENGTH} letters, digits and `_ - .`")
    return name


def check_model_name(name: str) -> str:
    """Return a name that MLflow's clients may give a model, or raise InvalidInput."""
    resolved = posixpath.normpath(name)
    wrong = (
        not name.strip()
        or len(name) > LONGEST_NAME
        or any(sign in name for sign in "/:\\")
        or _CONTROL.search(name)
        or resolved != name
        or resolved.startswith("..")
        or resolved == "."
    )
    if wrong:
        raise _unfit(name, "model", f"Use at most {LONGEST_NAME} characters without `/`, `:`.")
    return name


def check_alias(alias: str) -> str:
    """Return an alias, or raise InvalidInput: it must not read as a number or as `latest`."""
    if not _ALIAS.fullmatch(alias) or len(alias) > ALIAS_LENGTH:
        raise _unfit(alias, "alias", f"Use 1 to {ALIAS_LENGTH} letters, digits and `_ - .`")
    if alias.lower() == LATEST or _NUMBER.fullmatch(alias):
        raise InvalidInput(
            f"{alias!r} cannot name an alias: it already means a version.",
            hint="Use a word such as champion.",
            kind="reserved_alias",
            name=alias,
        )
    return alias


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags, or raise InvalidInput for the first that cannot be one."""
    return {check_key(key): check_value(key, value) for key, value in tags.items()}


def check_key(key: str) -> str:
    """Return the key of a tag, or raise InvalidInput."""
    if not _KEY.fullmatch(key) or len(key) > KEY_LENGTH or _CONTROL.search(key):
        raise _unfit(key, "tag", f"Use 1 to {KEY_LENGTH} letters, digits, spaces and `_ - . : /`")
    return key


def check_value(key: str, value: str) -> str:
    """Return the value of a tag, or raise InvalidInput."""
    return check_text(value, what=f"tag {key!r}", longest=VALUE_LENGTH)


def check_text(text: str, *, what: str, longest: int = DESCRIPTION_LENGTH) -> str:
    """Return a text that can be stored, or raise InvalidInput."""
    if len(text) > longest or "\x00" in text:
        raise InvalidInput(
            f"The text of {what} has {len(text)} characters, or a NUL; {longest} are allowed.",
            what=what,
        )
    return text


def check_stage(stage: str) -> Stage:
    """Return a stage in our spelling, or raise InvalidInput."""
    for known in STAGES:
        if stage.lower() == known:
            return known
    raise InvalidInput(
        f"{stage[:NAME_LENGTH]!r} is no stage.",
        hint=f"There is: {', '.join(STAGES)}.",
        kind="stage",
        name=stage,
    )


def parse_ref(ref: str) -> Ref:
    """Read `late@3`, `late@champion`, `late@latest` or `late` (the newest)."""
    name, at, chosen = ref.rpartition("@")
    if not at:
        return Ref(name=check_model_name(chosen))
    check_model_name(name)
    if chosen == LATEST:
        return Ref(name=name)
    if chosen.isascii() and chosen.isdigit() and len(chosen) <= NUMBER_DIGITS:
        return Ref(name=name, number=int(chosen))
    return Ref(name=name, alias=check_alias(chosen))


def _unfit(name: str, what: str, hint: str) -> InvalidInput:
    article = "an" if what[0] in "aeiou" else "a"
    return InvalidInput(f"{name[:NAME_LENGTH]!r} cannot name {article} {what}.", hint=hint)
