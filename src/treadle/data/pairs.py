"""Learning what a row's columns are to each other, and which of them name it.

Each claim must hold on the later half of the reference as it does on the earlier: what holds by
chance, or by the season, does not. A claim is worth making when rows put together at random would
break it.

- order (`low <= high`): broken by at most 0.1 % of the reference's rows, by 2 % or more were the
  columns independent, and touched: the 1 % quantile of the gap is at most a twentieth of its
  spread. Two columns that the season keeps apart do not touch.
- identity (`y = a * x + b * z + c`): a linear fit on the earlier half that explains 95 % of the
  column's variance; the tolerance is twice what 99 % of the later half's rows need, and may
  not exceed the column's standard deviation.
  Levels (columns whose daily median persists) move with the season out of the range in which a fit
  was learned: of them only an exact identity is claimed.
- key: columns without nulls that together repeat in no row, none of which can be left out.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from treadle.data.contracts import RelationRule
from treadle.data.relations import MOST_CHARACTERS, column_text
from treadle.data.rounding import upward
from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

FEWEST_ROWS = 1_000
"""Fewer rows than this show no claim between columns."""
MOST_COLUMNS = 40
FITTED_ROWS = 5_000
"""A fit is tried on about so many rows."""
MOST_RELATIONS = 30
LEAST_SHARE = 0.001
WORTH_CLAIMING = 0.02
TOUCHED = 0.05
TOLERATED_SHARE = 0.01
MOST_PREDICTORS = 3
LEAST_SHARE_EXPLAINED = 0.95
EXACT = 1e-9
TOLERANCE_FACTOR = 2.0
MOST_KEYS = 6
_FEW = 3
_PREDICTABLE = 2


def learn_relations(
    columns: Mapping[str, Floats], *, levels: Collection[str] = ()
) -> tuple[RelationRule, ...]:
    """Learn orders and identities from numbers (NaN: no value), rows in the order of time."""
    if not columns or len(next(iter(columns.values()))) < FEWEST_ROWS:
        return ()
    columns = {n: v for n, v in columns.items() if n and varies(v)}
    columns = dict(islice(columns.items(), MOST_COLUMNS))
    numbers = _Numbers(columns)
    identities: dict[frozenset[str], RelationRule] = {}
    for name in columns:
        rule = _identity(name, numbers, levels)
        if rule is not None:  # a = b + c says of a, b and c what b = a - c does
            identities.setdefault(frozenset(rule.relation.columns), rule)
    orders = [
        rule
        for low in columns
        for high in columns
        if low != high and (rule := _order(low, high, numbers)) is not None
    ]
    return tuple(_named_apart([*identities.values(), *orders][:MOST_RELATIONS]))


def learn_key(codes: Mapping[str, Whole]) -> tuple[str, ...]:
    """Return the fewest columns found that name a row, the first given first; () when none do.

    `codes` numbers the values of each column that has no nulls.
    """
    rows = len(next(iter(codes.values()))) if codes else 0
    if rows < FEWEST_ROWS:
        return ()
    key = _grown(codes)
    for name in tuple(key):
        rest = [n for n in key if n != name]
        if rest and _distinct(_together([codes[n] for n in rest])) == rows:
            key = rest
    return tuple(n for n in codes if n in key)


def varies(values: Floats) -> bool:
    """Say whether a column has enough values, and enough that differ, to claim something of it."""
    known = values[np.isfinite(values)]
    return (
        len(known) >= FEWEST_ROWS and len(np.unique(known[:: max(1, len(known) // 1_000)])) > _FEW
    )


def _named_apart(rules: Sequence[RelationRule]) -> Iterator[RelationRule]:
    """Give relations with a name each: a column may be called `low to high`."""
    seen: set[str] = set()
    for rule in rules:
        name = rule.name
        while name in seen:
            name += "'"
        seen.add(name)
        yield rule if name == rule.name else msgspec.structs.replace(rule, name=name)


def _grown(codes: Mapping[str, Whole]) -> list[str]:
    """Return columns added one by one until they name each row; [] when none do."""
    rows = len(next(iter(codes.values())))
    tried = {n: _distinct(c) for n, c in codes.items()}
    key: list[str] = []
    found, distinct = np.zeros(rows, dtype=np.int64), 1
    while distinct < rows and len(key) < MOST_KEYS:
        best = max(tried, key=lambda n: tried[n], default=None)
        if best is None or tried[best] <= distinct:
            return []
        key.append(best)
        found, distinct = _joined(found, codes[best]), tried[best]
        if distinct < rows:
            tried = {n: _differing(found, codes[n]) for n in codes if n not in key}
    return key if distinct == rows else []


class _Numbers:
    """Columns of numbers, and in which rows all of some have a value."""

    def __init__(self, columns: Mapping[str, Floats]) -> None:
        self._columns = columns
        finite = {n: np.isfinite(v) for n, v in columns.items()}
        self._gaps = {n: there for n, there in finite.items() if not there.all()}
        self._some: dict[frozenset[str], Whole] = {}
        self.names = list(columns)

    def whole(self, name: str) -> Floats:
        """Return all rows of a column."""
        return self._columns[name]

    def known(self, names: Sequence[str]) -> list[Floats]:
        """Return the rows in which all of some columns have a value."""
        gaps = [self._gaps[n] for n in names if n in self._gaps]
        found = [self._columns[n] for n in names]
        return [v[np.logical_and.reduce(gaps)] for v in found] if gaps else found

    def some(self, names: Sequence[str]) -> list[Floats]:
        """Return about FITTED_ROWS of the rows in which all of some columns have a value."""
        found = [self._columns[n] for n in names]
        gaps = frozenset(n for n in names if n in self._gaps)
        if not gaps:
            return [v[:: max(1, len(v) // FITTED_ROWS)] for v in found]
        if gaps not in self._some:
            rows = np.flatnonzero(np.logical_and.reduce([self._gaps[n] for n in gaps]))
            self._some[gaps] = rows[:: max(1, len(rows) // FITTED_ROWS)]
        return [v[self._some[gaps]] for v in found]


def _order(low: str, high: str, numbers: _Numbers) -> RelationRule | None:
    # What breaks it among all rows breaks it in one of the halves. NaN is above nothing.
    rows = numbers.whole(low)
    if np.count_nonzero(rows > numbers.whole(high)) > LEAST_SHARE * len(rows):
        return None
    a, b = numbers.known([low, high])
    half = len(a) // 2
    if len(a) < FEWEST_ROWS or (a[:half] > b[:half]).mean() > LEAST_SHARE:
        return None
    if (a[half:] > b[half:]).mean() > LEAST_SHARE:
        return None
    apart = np.random.default_rng(0).permutation(b)
    if (a > apart).mean() < WORTH_CLAIMING:
        return None
    gap = b - a
    if np.quantile(gap, 0.01) > TOUCHED * gap.std():
        return None
    claim = f"{column_text(low)} <= {column_text(high)}"
    if len(claim) > MOST_CHARACTERS:
        return None
    return RelationRule(name=f"{low} to {high}", claim=claim, max_broken_share=TOLERATED_SHARE)


def _identity(name: str, numbers: _Numbers, levels: Collection[str]) -> RelationRule | None:
    chosen: list[str] = []
    before = 0.0
    while len(chosen) < MOST_PREDICTORS and 1.0 - before >= EXACT:
        scored = {
            n: _correlation(numbers.some([name, *chosen, n]))
            for n in numbers.names
            if n not in (name, *chosen)
        }
        best = max(scored, key=lambda n: scored[n], default=None)
        if best is None or scored[best] - before < (1.0 - before) / 2.0:
            break
        chosen.append(best)
        before = _explained(numbers.some([name, *chosen]))
    least = 1.0 - EXACT if {name, *chosen} & set(levels) else LEAST_SHARE_EXPLAINED
    if not chosen or before < least:
        return None
    return _fitted(name, chosen, numbers)


def _fitted(name: str, chosen: Sequence[str], numbers: _Numbers) -> RelationRule | None:
    y, *xs = numbers.known([name, *chosen])
    design = _design(xs)
    half = len(y) // 2
    if half < FEWEST_ROWS // _PREDICTABLE:
        return None
    factors = np.array([float(f"{f:.4g}") for f in np.linalg.lstsq(design[:half], y[:half])[0]])
    left = np.abs(y[half:] - design[half:] @ factors)
    needed, spread = float(np.quantile(left, 0.99)), float(np.std(y[:half]))
    if TOLERANCE_FACTOR * needed > spread:
        return None
    pairs = zip(factors.tolist(), chosen, strict=False)
    right = " ".join(f"{'-' if f < 0 else '+'} {_times(f)}{column_text(c)}" for f, c in pairs if f)
    constant = float(factors[-1]) if abs(factors[-1]) > 1e-6 * spread else 0.0
    claim = f"{column_text(name)} = {right.removeprefix('+ ')}"
    claim += f" {'-' if constant < 0 else '+'} {abs(constant):g}" if constant else ""
    if len(claim) > MOST_CHARACTERS:
        return None
    tolerance = upward(max(TOLERANCE_FACTOR * needed, 1e-6 * spread))
    exact = needed <= 1e-6 * spread
    return RelationRule(
        name=name,
        claim=claim,
        tolerance=tolerance,
        max_broken_share=LEAST_SHARE if exact else 2.0 * TOLERATED_SHARE,
    )


def _times(factor: float) -> str:
    return "" if abs(factor) == 1.0 else f"{abs(factor):g} * "


def _correlation(columns: Sequence[Floats]) -> float:
    """Return what `_explained` does, from sums of products: faster, and less exact near 1."""
    rows = np.array(columns)
    if rows.shape[1] < FEWEST_ROWS // _PREDICTABLE:
        return 0.0
    rows -= rows.mean(axis=1, keepdims=True)
    products = rows @ rows.T
    if not products[0, 0]:
        return 0.0
    with_y, among = products[0, 1:], products[1:, 1:]
    return float(with_y @ np.linalg.lstsq(among, with_y)[0] / products[0, 0])


def _explained(columns: Sequence[Floats]) -> float:
    """Return the share of the first column's variance that the others explain in a linear fit."""
    y, *xs = columns
    if len(y) < FEWEST_ROWS // _PREDICTABLE or not np.var(y):
        return 0.0
    design = _design(xs)
    left = y - design @ np.linalg.lstsq(design, y)[0]
    return float(1.0 - np.var(left) / np.var(y))


def _design(xs: Sequence[Floats]) -> Floats:
    return np.column_stack([*xs, np.ones(len(xs[0]))])


def _joined(first: Whole, second: Whole) -> Whole:
    both = pa.array(first * (int(second.max()) + 1) + second)
    return np.asarray(both.dictionary_encode().indices, dtype=np.int64)


def _differing(first: Whole, second: Whole) -> int:
    return int(pc.count_distinct(pa.array(first * (int(second.max()) + 1) + second)).as_py())


def _together(codes: Sequence[Whole]) -> Whole:
    found = np.zeros(len(codes[0]), dtype=np.int64)
    for code in codes:
        found = _joined(found, code)
    return found


def _distinct(codes: Whole) -> int:
    return int(codes.max()) + 1 if len(codes) else 0
