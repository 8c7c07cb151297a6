"""What a row's columns claim of each other: `arr_delay = dep_delay + air_time - 3`, `low <= high`.

Linear, on purpose: it can be read, learned from data, and means the same to a scan, to a frame and
to a single row. Columns are bare names or `"quoted ones"`, a quote within doubled; a time counts in
seconds.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from treadle.kernel.errors import InvalidInput

Sign = Literal["=", "<=", "<"]
MOST_TERMS = 20
MOST_CHARACTERS = 1_000
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)"
    r'|"(?P<quoted>(?:[^"]|"")+)"|(?P<sign><=|>=|[=<>+*-]))'
)
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMPARISONS = frozenset({"=", "<=", "<", ">=", ">"})
_HINT = "Write it as `arr_delay = dep_delay + 2 * taxi - 3`, or with <=, <, >= or >."


class Term(NamedTuple):
    """A column and by what it is multiplied."""

    column: str
    factor: float


class Relation(NamedTuple):
    """`terms` added up and `constant`, compared with 0."""

    terms: tuple[Term, ...]
    constant: float
    sign: Sign

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns it speaks of."""
        return tuple(t.column for t in self.terms)


class _Token(NamedTuple):
    kind: str
    text: str


def parse_relation(claim: str) -> Relation:
    """Read a claim. Raises InvalidInput that shows where it stops making sense."""
    tokens = _tokens(claim)
    at = [i for i, t in enumerate(tokens) if t.kind == "sign" and t.text in _COMPARISONS]
    if len(at) != 1:
        raise InvalidInput(f"{claim!r} compares {len(at)} times, not once.", hint=_HINT)
    left, right = _side(tokens[: at[0]], claim), _side(tokens[at[0] + 1 :], claim)
    sign = tokens[at[0]].text
    if sign in {">", ">="}:
        left, right, sign = right, left, sign.replace(">", "<")
    total = dict(left)
    for name, factor in right.items():
        total[name] = total.get(name, 0.0) - factor
    constant = total.pop("", 0.0)
    terms = tuple(Term(name, factor) for name, factor in total.items() if factor)
    if not terms or len(terms) > MOST_TERMS:
        raise InvalidInput(
            f"{claim!r} speaks of {len(terms)} columns; 1 to {MOST_TERMS} are possible.", hint=_HINT
        )
    return Relation(terms, constant, "=" if sign == "=" else "<=" if sign == "<=" else "<")


def column_text(name: str) -> str:
    """Return a column as a claim writes it."""
    return name if _BARE.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _tokens(claim: str) -> list[_Token]:
    if len(claim) > MOST_CHARACTERS:
        raise InvalidInput(f"A claim of {len(claim):,} characters is longer than 1,000.")
    found, place, text = [], 0, claim.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise InvalidInput(f"{claim!r} cannot be read from {text[place:]!r} on.", hint=_HINT)
        kind = str(match.lastgroup)
        quoted = kind == "quoted"
        name = match[kind].replace('""', '"') if quoted else match[kind]
        found.append(_Token("name" if quoted else kind, name))
        place = match.end()
    return found


def _side(tokens: list[_Token], claim: str) -> dict[str, float]:
    """Return the factor of each column of one side; the number alone stands under ''."""
    total: dict[str, float] = {}
    place = 0
    while place < len(tokens):
        factor = 1.0
        if tokens[place].kind == "sign" and tokens[place].text in {"+", "-"}:
            factor, place = (1.0 if tokens[place].text == "+" else -1.0), place + 1
        elif total:
            raise InvalidInput(f"{claim!r}: a + or - is missing.", hint=_HINT)
        product = tokens[place : place + 3]
        kinds = [t.kind if t.kind != "sign" else t.text for t in product]
        name = ""
        if kinds == ["number", "*", "name"]:
            factor, name, place = factor * float(product[0].text), product[2].text, place + 3
        elif kinds[:1] == ["name"]:
            name, place = product[0].text, place + 1
        elif kinds[:1] == ["number"]:
            factor, place = factor * float(product[0].text), place + 1
        else:
            raise InvalidInput(f"{claim!r}: a column or a number is missing.", hint=_HINT)
        total[name] = total.get(name, 0.0) + factor
    if not total:
        raise InvalidInput(f"{claim!r}: one side is empty.", hint=_HINT)
    return total
