"""The filter language of lists: `metrics.log_loss < 0.5 and (tags.team = 'ops' or not name = 'x')`.

A filter is conditions joined by `and`, `or`, `not` and parentheses. A condition is a field, an
operator and a value. A field may have a key behind a dot; in backticks or double quotes a key may
hold anything. Texts stand in quotes (a doubled quote is one), numbers do not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NoReturn

import msgspec

from treadle.kernel.errors import InvalidInput, near_misses

if TYPE_CHECKING:
    from collections.abc import Iterator

Operator = Literal[
    "=", "!=", "<", "<=", ">", ">=",
    "LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL",
]  # fmt: skip
Value = int | float | str | tuple[str, ...] | None

LONGEST = 200_000
# What both databases read, plan and answer soon, however it is put together.
DEEPEST = 16
MOST_CONDITIONS = 50
MOST_VALUES = 5_000
LONGEST_PATTERN = 2_000
MOST_WILDCARDS = 20
SHOWN = 30

_SPACE = re.compile(r"\s*")
_FIELD = re.compile(r"(?P<bare>[A-Za-z_]\w*)|`(?P<ticked>(?:[^`]|``)+)`|\"(?P<quoted>[^\"]+)\"")
_KEY = re.compile(r"(?P<bare>[\w.\-/:]+)|`(?P<ticked>(?:[^`]|``)+)`|\"(?P<quoted>[^\"]+)\"")
_SIGN = re.compile(r"<=|>=|<>|!=|==|=|<|>")
_WORD = re.compile(r"[A-Za-z_]+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
_WHOLE = re.compile(r"[-+]?\d+")
_TEXT = re.compile(r"'(?P<single>(?:[^']|'')*)'|\"(?P<double>(?:[^\"]|\"\")*)\"")
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_WORDS = ("LIKE", "ILIKE", "IN", "IS", "NOT")
# What other languages write, and how it is written here.
_ELSEWHERE = {"==": "=", "&&": "and", "||": "or", "!": "not", "&": "and", "|": "or", "~": "LIKE"}


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about a thing of a list; `key` is empty for a field that has none.

    `at` is the place of the field in the filter, counted from 1, and `written` its value as it
    stands there.
    """

    field: str
    key: str = ""
    operator: Operator
    value: Value = None
    at: int = 0
    written: str = ""

    @property
    def name(self) -> str:
        """How the field is written."""
        field = _name_text(self.field, _FIELD)
        return f"{field}.{_name_text(self.key, _KEY)}" if self.key else field


class And(msgspec.Struct, frozen=True):
    """All of its parts hold."""

    parts: tuple[Node, ...]


class Or(msgspec.Struct, frozen=True):
    """One of its parts holds."""

    parts: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True):
    """Its part does not hold."""

    part: Node


Node = Condition | And | Or | Not
EVERYTHING = And(())


def parse_filter(text: str) -> Node:
    """Read a filter; an empty one holds for everything. Raises InvalidInput naming the place."""
    if len(text) > LONGEST:
        raise InvalidInput(f"A filter has at most {LONGEST} characters, not {len(text)}.")
    return _Reader(text).everything()


def write_filter(node: Node) -> str:
    """Write a filter so that it reads as the same again."""
    if isinstance(node, Condition):
        value = "" if node.value is None else f" {_value_text(node.value)}"
        return f"{node.name} {node.operator}{value}"
    if isinstance(node, Not):
        return f"NOT {_inner(node.part)}"
    joint = " AND " if isinstance(node, And) else " OR "
    return joint.join(_inner(part) for part in node.parts)


def conditions_of(node: Node) -> Iterator[Condition]:
    """Yield every condition of a filter, from left to right."""
    if isinstance(node, Condition):
        yield node
    else:
        for part in (node.part,) if isinstance(node, Not) else node.parts:
            yield from conditions_of(part)


def shown_text(text: str) -> str:
    """Return the beginning of a text, fit for a message."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


class _Reader:
    """Reads one filter from left to right; `at` is how far it has come."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.conditions = 0
        self.values = 0

    def everything(self) -> Node:
        if not self._rest():
            return EVERYTHING
        found = self._any(depth=0)
        if self._rest():
            self._refuse("“and”, “or” or the end of the filter", known=("and", "or"))
        return found

    def _any(self, *, depth: int) -> Node:
        parts = [self._all(depth=depth)]
        while self._word("or"):
            parts.append(self._all(depth=depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, *, depth: int) -> Node:
        parts = [self._one(depth=depth)]
        while self._word("and"):
            parts.append(self._one(depth=depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, *, depth: int) -> Node:
        if depth > DEEPEST:
            raise InvalidInput(
                f"The filter is nested deeper than {DEEPEST} levels at character {self.at + 1}."
            )
        if self._word("not"):
            return Not(self._one(depth=depth + 1))
        if not self._sign("("):
            return self._condition()
        found = self._any(depth=depth + 1)
        if not self._sign(")"):
            self._refuse("“)”, “and” or “or”", known=("and", "or"))
        return found

    def _condition(self) -> Condition:
        self._skip()
        place = self.at + 1
        field, key = self._name()
        operator = self._operator()
        value, written = self._value(operator)
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            raise InvalidInput(
                f"A filter has at most {MOST_CONDITIONS} conditions; one more stands at character "
                f"{place}.",
                hint="Ask for many values of one field by IN ('a', 'b').",
            )
        return Condition(
            field=field, key=key, operator=operator, value=value, at=place, written=written
        )

    def _name(self) -> tuple[str, str]:
        found = _FIELD.match(self.text, self.at)
        if found is None:
            self._refuse("a condition such as metrics.log_loss < 0.5")
        self.at = found.end()
        if not self.text.startswith(".", self.at):
            return _named(found), ""
        key = _KEY.match(self.text, self.at + 1)
        if key is None:
            self.at += 1
            self._refuse("a name behind the dot, in backticks when it is not plain")
        self.at = key.end()
        return _named(found), _plain(_named(key))

    def _operator(self) -> Operator:
        self._skip()
        sign = _SIGN.match(self.text, self.at)
        if sign is not None and sign[0] != "==":
            self.at = sign.end()
            return _operator("!=" if sign[0] == "<>" else sign[0])
        if self._word("is"):
            negated = self._word("not")
            if not self._word("null"):
                self._refuse("NULL" if negated else "NULL or NOT NULL", known=("NULL", "NOT"))
            return "IS NOT NULL" if negated else "IS NULL"
        prefix = "NOT " if self._word("not") else ""
        found = next((word for word in ("LIKE", "ILIKE", "IN") if self._word(word)), "")
        if not found:
            self._refuse("=, !=, <, <=, >, >=, LIKE, ILIKE, IN or IS NULL", known=_WORDS)
        return _operator(prefix + found)

    def _value(self, operator: Operator) -> tuple[Value, str]:
        self._skip()
        start = self.at
        if operator.startswith("IS"):
            return None, ""
        value: Value
        if operator.endswith("IN"):
            value = self._values()
        elif operator.endswith("LIKE"):
            value = self._pattern()
        else:
            value = self._scalar()
        return value, self.text[start : self.at]

    def _values(self) -> tuple[str, ...]:
        if not self._sign("("):
            self._refuse("a list such as ('a', 'b')")
        values = [self._quoted()]
        while self._sign(","):
            if self._sign(")"):
                return tuple(values)
            values.append(self._quoted())
            self.values += 1
            if self.values > MOST_VALUES:
                raise InvalidInput(f"The lists of a filter have at most {MOST_VALUES} values.")
        if not self._sign(")"):
            self._refuse("“,” or “)”")
        return tuple(values)

    def _pattern(self) -> str:
        place = self.at + 1
        pattern = self._quoted()
        if len(pattern) > LONGEST_PATTERN or pattern.count("%") > MOST_WILDCARDS:
            raise InvalidInput(
                f"The pattern at character {place} is too long.",
                hint=f"It has at most {LONGEST_PATTERN} characters and {MOST_WILDCARDS} “%”.",
            )
        return pattern

    def _scalar(self) -> int | float | str:
        number = _NUMBER.match(self.text, self.at)
        if number is None:
            return self._quoted(wanted="a number, or a text in quotes")
        self.at = number.end()
        # More digits than any number of ours has: the nearest float says the same.
        short = _WHOLE.fullmatch(number[0]) and len(number[0]) <= SHOWN
        return int(number[0]) if short else float(number[0])

    def _quoted(self, *, wanted: str = "a text in quotes") -> str:
        self._skip()
        found = _TEXT.match(self.text, self.at)
        if found is None:
            if self.text[self.at : self.at + 1] in {"'", '"'}:
                wanted = "the quote that ends this text"
            self._refuse(wanted)
        self.at = found.end()
        single = found["single"]
        text = found["double"].replace('""', '"') if single is None else single.replace("''", "'")
        return _plain(text)

    def _skip(self) -> None:
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr] # matches always

    def _rest(self) -> str:
        self._skip()
        return self.text[self.at : self.at + 1]

    def _sign(self, sign: str) -> bool:
        self._skip()
        found = self.text.startswith(sign, self.at)
        self.at += len(sign) * found
        return found

    def _word(self, word: str) -> bool:
        self._skip()
        end = self.at + len(word)
        # A word ends where the next character could not be part of it.
        found = self.text[self.at : end].lower() == word.lower() and not (
            self.text[end : end + 1].isalnum() or self.text[end : end + 1] in {"_", "."}
        )
        self.at = end if found else self.at
        return found

    def _refuse(self, wanted: str, *, known: tuple[str, ...] = ()) -> NoReturn:
        self._skip()
        rest = shown_text(self.text[self.at : self.at + SHOWN + 1])
        stands = f"“{rest}”" if rest else "nothing more"
        close = _closest(rest, known)
        raise InvalidInput(
            f"The filter cannot be read at character {self.at + 1}: {stands} stands there.",
            hint=f"Did you mean {close!r}?" if close else f"Expected {wanted}.",
            position=self.at + 1,
        )


def _operator(text: str) -> Operator:
    operator: Operator = msgspec.convert(text, Operator)
    return operator


def _closest(rest: str, known: tuple[str, ...]) -> str:
    elsewhere = next((word for sign, word in _ELSEWHERE.items() if rest.startswith(sign)), "")
    if elsewhere and known:
        return elsewhere
    word = _WORD.match(rest)
    upper = {name.upper(): name for name in known}
    close = near_misses(word[0].upper(), upper) if word else ()
    return upper[close[0]] if close else ""


def _named(found: re.Match[str]) -> str:
    return found["bare"] or found["quoted"] or found["ticked"].replace("``", "`")


def _plain(text: str) -> str:
    # No store holds them, so nothing could be found by them.
    if _NOT_TEXT.search(text):
        raise InvalidInput("A text in the filter holds a NUL character or half a character.")
    return text


def _inner(node: Node) -> str:
    text = write_filter(node)
    return text if isinstance(node, (Condition, Not)) else f"({text})"


def _name_text(name: str, pattern: re.Pattern[str]) -> str:
    found = pattern.fullmatch(name)
    plain = found is not None and found["bare"] and name.lower() != "not"
    return name if plain else "`{}`".format(name.replace("`", "``"))


def _value_text(value: Value) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_value_text, value))})"
    if isinstance(value, str):
        return "'{}'".format(value.replace("'", "''"))
    return repr(value)
