"""A contract's claims about single rows, as conditions for the scan and as what is said of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treadle.data.checks.scan import Condition, Figure
from treadle.data.entities import CheckResult, Verdict
from treadle.data.patterns import LONGEST_VALUE
from treadle.data.rounding import OFF_GRID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treadle.data.checks.scan import Broken, Rows, Scanned
    from treadle.data.contracts import ColumnRule, ContractBody, RelationRule

# A column of the second kind keeps a rule of the first, or may (see `_type`).
_FITS = {
    "number": frozenset({"integer"}),
    "integer": frozenset({"number"}),
    "timestamp": frozenset({"date"}),
}
_NUMBERS = frozenset({"integer", "number", "boolean"})
_TIMES = frozenset({"timestamp", "date"})
_READS_AS_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$"


class Counts(NamedTuple):
    """How many rows there are, how many have a value in the column, and how many break a claim."""

    rows: int
    known: int
    broken: Broken

    @property
    def share(self) -> float:
        """Return the share of the rows with a value that break the claim."""
        return self.broken.found / self.known if self.known else 0.0


class Claim(NamedTuple):
    """One check of one column: its name, what breaks it, and what is said then.

    `needs_kind`: it is left out when the column is of another kind, or has no value at all.
    """

    check: str
    column: str
    condition: Condition
    judge: Callable[[Counts], CheckResult]
    needs_kind: bool = True


class Compiled:
    """The conditions and figures that a contract asks one scan for."""

    def __init__(self, rows: Rows, body: ContractBody) -> None:
        self.values: list[Any] = []
        self.figures: list[Figure] = []
        self._rows = rows
        self._keys = [n for n in (*body.with_role("id"), *body.with_role("time")) if n in rows]
        self._present = [rule for rule in body.columns if rule.name in rows]
        self._nulls = [self._null(rule) for rule in self._present]
        self._claims = [claim for rule in self._present for claim in self._of(rule)]
        self._relations = [
            r for r in body.relations if all(self._is_number(c) for c in r.relation.columns)
        ]
        self._broken = [self._relation(rule) for rule in self._relations]
        self.conditions = [*self._nulls, *(c.condition for c in self._claims), *self._broken]

    def shown(self, *names: str) -> tuple[str, ...]:
        """Return what is shown of a row: these columns, and what names the row."""
        return tuple(dict.fromkeys([*names, *self._keys]))

    def column_results(
        self, scanned: Scanned
    ) -> Iterator[tuple[ColumnRule, int, list[CheckResult]]]:
        """Yield each column's rule, how many values it has, and its results.

        No values are reported where the kind is wrong: nothing more can be said of the column.
        """
        offset = len(self._nulls)
        of_column: dict[str, list[tuple[int, Claim]]] = {}
        for at, claim in enumerate(self._claims):
            of_column.setdefault(claim.column, []).append((at, claim))
        for place, rule in enumerate(self._present):
            nulls = scanned.broken[place]
            known = scanned.rows - nulls.found
            results, keeps = [], True
            for at, claim in of_column[rule.name]:
                if claim.needs_kind and not (known and keeps):
                    continue
                found = claim.judge(Counts(scanned.rows, known, scanned.broken[offset + at]))
                keeps = keeps and not (found.check == "type" and found.counted)
                results.append(softened(found, warn=rule.warn))
                if found.check == "type":
                    judged = _nulls(rule, Counts(scanned.rows, known, nulls))
                    results.append(softened(judged, warn=rule.warn))
            yield rule, known if keeps else 0, results

    def relation_results(self, scanned: Scanned) -> Iterator[CheckResult]:
        """Yield what was found of each relation whose columns are there."""
        start = len(self.conditions) - len(self._relations)
        for place, rule in enumerate(self._relations):
            judged = int(scanned.figures[place] or 0)
            counts = Counts(scanned.rows, judged, scanned.broken[start + place])
            yield softened(_related(rule, counts), warn=("relation",) if rule.warn else ())

    def named(self) -> Iterator[tuple[str, str, Condition]]:
        """Yield each condition with the check and the column, or the relation, that it is of."""
        for rule, condition in zip(self._present, self.conditions[: len(self._nulls)], strict=True):
            yield "nulls", rule.name, condition
        for claim in self._claims:
            yield claim.check, claim.column, claim.condition
        for relation, condition in zip(self._relations, self._broken, strict=True):
            yield "relation", relation.name, condition

    def _is_number(self, name: str) -> bool:
        return name in self._rows and self._rows.kind(name) in _NUMBERS | _TIMES

    def _null(self, rule: ColumnRule) -> Condition:
        return Condition(f"{self._rows.column(rule.name)} IS NULL", self.shown(rule.name))

    def _of(self, rule: ColumnRule) -> Iterator[Claim]:
        name, rows = rule.name, self._rows
        value, kind = rows.column(name), rows.kind(name)
        yield self._type(rule)
        shown = self.shown(name)
        if rule.type != kind and kind not in _FITS.get(rule.type, ()):
            return
        if (rule.low is not None or rule.high is not None) and kind in _NUMBERS:
            number = rows.number(name)
            sides = [
                f"{number} {sign} {self._bound(b)}"
                for sign, b in (("<", rule.low), (">", rule.high))
                if b is not None
            ]
            condition = Condition(" OR ".join(sides), shown)
            yield Claim("range", name, condition, lambda c: _range(rule, c))
        if rule.max_zero_share < 1.0 and kind in _NUMBERS:
            condition = Condition(f"{rows.number(name)} = 0", shown)
            yield Claim("zeros", name, condition, lambda c: _zeros(rule, c))
        if rule.grid is not None and kind in _NUMBERS:
            steps = f"({rows.number(name)} / {self._bound(rule.grid)})"
            condition = Condition(f"abs({steps} - round({steps})) > {double(OFF_GRID)}", shown)
            yield Claim("grid", name, condition, lambda c: _grid(rule, c))
        if rule.categories:
            known = ", ".join(self._bound(c) for c in rule.categories)
            condition = Condition(f"CAST({value} AS VARCHAR) NOT IN ({known})", shown)
            yield Claim("categories", name, condition, lambda c: _categories(rule, c))
        if rule.pattern is not None and kind == "text":
            bound = self._bound(rule.pattern)
            short = f"length({value}) <= {LONGEST_VALUE}"
            matched = f"{short} AND regexp_full_match({value}, {bound})"
            condition = Condition(f"NOT ({matched})", shown)
            yield Claim("pattern", name, condition, lambda c: _pattern(rule, c))

    def _type(self, rule: ColumnRule) -> Claim:
        rows, kind, name = self._rows, self._rows.kind(rule.name), rule.name
        column, type_ = rows.column(name), rows.schema.field(name).type
        expected, strangers = rule.type, f"{column} IS NOT NULL"
        fits = kind == expected or kind in _FITS.get(expected, ())
        if fits:
            # Frames turn whole numbers with a null into floats: judge the values.
            floats = expected == "integer" and kind == "number"
            strangers = f"floor({rows.number(name)}) <> {rows.number(name)}" if floats else "false"
        elif kind == "text" and expected in _NUMBERS - {"boolean"}:
            strangers = f"NOT regexp_matches({column}, '{_READS_AS_NUMBER}')"

        def judge(counts: Counts) -> CheckResult:
            keeps = not counts.known or (fits and not counts.broken.found)
            says = "as expected" if keeps else f"{expected} is expected"
            return CheckResult(
                check="type",
                column=name,
                verdict="pass" if keeps else "fail",
                counted=0 if keeps else counts.known,
                total=counts.rows,
                message=f"It is {type_}{', ' if keeps else '; '}{says}.",
                examples=() if keeps else counts.broken.rows,
            )

        condition = Condition(strangers, self.shown(name))
        return Claim("type", name, condition, judge, needs_kind=False)

    def _relation(self, rule: RelationRule) -> Condition:
        relation = rule.relation
        numbers = [
            f"{self._bound(t.factor)} * {self._rows.number(t.column)}" for t in relation.terms
        ]
        total = f"({' + '.join(numbers)} + {self._bound(relation.constant)})"
        self.figures.append(Figure("sum", f"CASE WHEN {total} IS NULL THEN 0 ELSE 1 END"))
        tolerance = self._bound(rule.tolerance)
        if relation.sign == "=":
            broken = f"abs({total}) > {tolerance}"
        else:
            broken = f"{total} {'>' if relation.sign == '<=' else '>='} {tolerance}"
        return Condition(broken, self.shown(*relation.columns))

    def _bound(self, value: float | str) -> str:
        if isinstance(value, (int, float)):
            return double(value)
        self.values.append(value)
        return f"${len(self.values)}"


def double(value: float) -> str:
    """Return a number as SQL's DOUBLE, to the last bit."""
    text = repr(float(value))
    # Without an exponent it would be read as a decimal, and rounded on the way.
    return (
        f"{text if 'e' in text else f'{text}e0'}" if math.isfinite(value) else f"'{text}'::DOUBLE"
    )


def softened(result: CheckResult, *, warn: tuple[str, ...]) -> CheckResult:
    """Let a failed check only warn when its rule says so."""
    if result.verdict == "fail" and result.check in warn:
        return msgspec.structs.replace(result, verdict="warn")
    return result


def _nulls(rule: ColumnRule, counts: Counts) -> CheckResult:
    counted, allowed = counts.broken.found, rule.max_null_share
    share = counted / counts.rows if counts.rows else 0.0
    broken = share > allowed
    return CheckResult(
        check="nulls",
        column=rule.name,
        verdict="fail" if broken else "pass",
        counted=counted,
        total=counts.rows,
        message=f"{counted:,} of {counts.rows:,} have no value ({share:.2%}); "
        f"{allowed:.2%} are allowed.",
        examples=counts.broken.rows if broken else (),
    )


def _range(rule: ColumnRule, counts: Counts) -> CheckResult:
    bounds = f"{'…' if rule.low is None else f'{rule.low:g}'} to "
    bounds += "…" if rule.high is None else f"{rule.high:g}"
    return shared(
        "range",
        rule.name,
        counts,
        allowed=rule.max_outside_share,
        message=f"{counts.broken.found:,} of {counts.known:,} values lie outside {bounds}",
        tolerated="pass",  # the reference had such rows too
    )


def _zeros(rule: ColumnRule, counts: Counts) -> CheckResult:
    found = shared(
        "zeros",
        rule.name,
        counts,
        allowed=rule.max_zero_share,
        message=f"{counts.broken.found:,} of {counts.known:,} values are 0",
        tolerated="pass",
    )
    return found if found.verdict != "pass" else msgspec.structs.replace(found, examples=())


def _grid(rule: ColumnRule, counts: Counts) -> CheckResult:
    return shared(
        "grid",
        rule.name,
        counts,
        allowed=rule.max_off_grid_share,
        message=f"{counts.broken.found:,} of {counts.known:,} values "
        f"are no multiples of {rule.grid:g}",
        tolerated="pass",
    )


def _categories(rule: ColumnRule, counts: Counts) -> CheckResult:
    names = sorted({str(row[rule.name]) for row in counts.broken.rows})
    named = f", such as {', '.join(names)}" if names else ""
    return shared(
        "categories",
        rule.name,
        counts,
        allowed=rule.max_new_share,
        message=f"{counts.broken.found:,} of {counts.known:,} values are new{named}",
        tolerated="warn",
    )


def _pattern(rule: ColumnRule, counts: Counts) -> CheckResult:
    return shared(
        "pattern",
        rule.name,
        counts,
        allowed=rule.max_unmatched_share,
        message=f"{counts.broken.found:,} of {counts.known:,} values do not match {rule.pattern}",
        tolerated="pass",
    )


def _related(rule: RelationRule, counts: Counts) -> CheckResult:
    off = f" (within {rule.tolerance:g})" if rule.tolerance else ""
    return shared(
        "relation",
        rule.name,
        counts,
        allowed=rule.max_broken_share,
        message=f"{counts.broken.found:,} of {counts.known:,} rows break {rule.claim}{off}",
        tolerated="pass",
    )


def shared(
    check: str, column: str, counts: Counts, *, allowed: float, message: str, tolerated: Verdict
) -> CheckResult:
    """Judge by the share of rows that break a claim; up to the allowed share they are tolerated."""
    broken = counts.broken.found
    verdict: Verdict = "fail" if counts.share > allowed else tolerated if broken else "pass"
    return CheckResult(
        check=check,
        column=column,
        verdict=verdict,
        counted=broken,
        total=counts.known,
        message=f"{message} ({counts.share:.2%}; {allowed:.2%} are allowed).",
        examples=counts.broken.rows,
    )
