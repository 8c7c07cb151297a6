r"""Patterns a text matches as a whole: those that RE2 and Python read alike, both in no time.

A scan matches by RE2, a row in serving by Python. So what the two read differently is refused
(lookarounds, back-references, \s, \b, ^ and $ within), and what can take Python for ever is too
(a repetition without end inside another, or more than three of them).
"""

from __future__ import annotations

import re
import warnings

from treadle.kernel.errors import InvalidInput

MOST_CHARACTERS = 500
MOST_OPEN_REPEATS = 3
MOST_REPEATS = 1_000
LONGEST_VALUE = 1_000
"""A text longer than this matches no pattern."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ALLOWED = frozenset("dDwWnt.\\+*?()[]{}|^$/-")
_REFUSED = re.compile(r"\(\?(?!:)|\[\[|\[:|\[[^\]]*(?:--|&&|~~|\|\|)|\{,|[*+?}]\+")
_OPEN_REPEAT = re.compile(r"[*+]|\{\d+,\}")


def require_pattern(pattern: str, *, where: str) -> None:
    """Refuse a pattern that RE2 and Python would read differently, or that may take for ever."""
    if problem := _problem(pattern):
        raise InvalidInput(
            f"{where}.pattern {pattern!r}: {problem}.",
            hint="Use literals, classes like [A-Z0-9], \\d, \\w, (…|…), and ?, *, +, {n,m}.",
        )


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern for Python, to `fullmatch`."""
    return re.compile(pattern, re.ASCII)


def _problem(pattern: str) -> str:
    if len(pattern) > MOST_CHARACTERS:
        return f"it is longer than {MOST_CHARACTERS} characters"
    unknown = [c for c in _ESCAPE.findall(pattern) if c not in _ALLOWED]
    if unknown:
        return f"\\{unknown[0]} is not the same everywhere"
    bare = _ESCAPE.sub("x", pattern)
    if found := _REFUSED.search(bare):
        return f"{found[0]!r} is not the same everywhere"
    outside = re.sub(r"\[\^?\]?[^\]]*\]", "c", bare)
    if set("^$") & set(outside):
        return "the whole text is matched: leave ^ and $ out"
    if any(int(n) > MOST_REPEATS for n in re.findall(r"\d+", " ".join(_braces(outside)))):
        return f"more than {MOST_REPEATS:,} repetitions"
    if len(_OPEN_REPEAT.findall(outside)) > MOST_OPEN_REPEATS:
        return f"more than {MOST_OPEN_REPEATS} repetitions without an end"
    if re.search(r"\)(?:[*+]|\{)", outside):
        return "a repeated group; repeat a class instead"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled(pattern)
    except (re.error, FutureWarning, OverflowError) as error:
        return f"it cannot be read: {error}"
    return ""


def _braces(pattern: str) -> list[str]:
    return re.findall(r"\{[^}]*\}", pattern)
