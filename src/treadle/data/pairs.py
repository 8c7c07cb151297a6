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

from typing import TYPE_CHECKING

from treadle.data.contracts import RelationRule
from treadle.data.relations import column_text
from treadle.data.rounding import upward
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FEWEST_ROWS = 1_000
"""Fewer rows than this show no claim between columns."""
SAMPLE = 100_000
MOST_COLUMNS = 40
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
KEY_SAMPLE = 60_000
_FEW = 3
_PREDICTABLE = 2


def learn_relations(
    columns: Mapping[str, Floats], *, levels: Collection[str] = ()
) -> tuple[RelationRule, ...]:
    """Learn orders and identities from numbers (NaN: no value), rows in the order of time."""
    if not columns or len(next(iter(columns.values()))) < FEWEST_ROWS:
        return ()
    varied = {n: _sampled(v) for n, v in columns.items()}
    varied = {n: v for n, v in varied.items() if _varies(v)}
    names = list(varied)[:MOST_COLUMNS]
    identities: dict[frozenset[str], RelationRule] = {}
    for name in names:
        rule = _identity(name, varied, names, levels)
        if rule is not None:  # a = b + c says of a, b and c what b = a - c does
            identities.setdefault(frozenset(rule.relation.columns), rule)
    orders = [
        rule
        for low in names
        for high in names
        if low != high and (rule := _order(low, high, varied)) is not None
    ]
    return (*identities.values(), *orders)[:MOST_RELATIONS]


def learn_key(codes: Mapping[str, NDArray[np.int64]]) -> tuple[str, ...]:
    """Return the fewest columns found that name a row, the first given first; () when none do.

    `codes` numbers the values of each column that has no nulls.
    """
    rows = len(next(iter(codes.values()))) if codes else 0
    if rows < FEWEST_ROWS:
        return ()
    # A part first: what cannot name it cannot name all, and the search is through sooner.
    part = {n: c[:KEY_SAMPLE] for n, c in codes.items()}
    key = _grown([], part)
    for name in tuple(key):
        rest = [n for n in key if n != name]
        if rest and _distinct(_together([part[n] for n in rest])) == len(part[name]):
            key = rest
    if key and rows > KEY_SAMPLE:
        key = _grown(key, codes)
    return tuple(n for n in codes if n in key)


def _grown(key: list[str], codes: Mapping[str, NDArray[np.int64]]) -> list[str]:
    """Return a key with columns added until it names each row; [] when none does."""
    rows = len(next(iter(codes.values())))
    found = _together([codes[n] for n in key]) if key else np.zeros(rows, dtype=np.int64)
    while (distinct := _distinct(found)) < rows and len(key) < MOST_KEYS:
        tried = {n: _distinct(_joined(found, codes[n])) for n in codes if n not in key}
        best = max(tried, key=lambda n: tried[n], default=None)
        if best is None or tried[best] <= distinct:
            return []
        key = [*key, best]
        found = _joined(found, codes[best])
    return key if _distinct(found) == rows else []


def _sampled(values: Floats) -> Floats:
    step = max(1, -(-len(values) // SAMPLE))
    return values[::step]


def _varies(values: Floats) -> bool:
    known = values[np.isfinite(values)]
    return (
        len(known) >= FEWEST_ROWS and len(np.unique(known[:: max(1, len(known) // 1_000)])) > _FEW
    )


def _order(low: str, high: str, columns: Mapping[str, Floats]) -> RelationRule | None:
    a, b = columns[low], columns[high]
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if len(a) < FEWEST_ROWS:
        return None
    for half in (slice(None, len(a) // 2), slice(len(a) // 2, None)):
        if (a[half] > b[half]).mean() > LEAST_SHARE:
            return None
    apart = np.random.default_rng(0).permutation(b)
    if (a > apart).mean() < WORTH_CLAIMING:
        return None
    gap = b - a
    if np.quantile(gap, 0.01) > TOUCHED * gap.std():
        return None
    claim = f"{column_text(low)} <= {column_text(high)}"
    return RelationRule(name=f"{low} to {high}", claim=claim, max_broken_share=TOLERATED_SHARE)


def _identity(
    name: str, columns: Mapping[str, Floats], names: Sequence[str], levels: Collection[str]
) -> RelationRule | None:
    y = columns[name]
    chosen: list[str] = []
    while len(chosen) < MOST_PREDICTORS:
        scored = {
            n: _explained(y, [columns[c] for c in (*chosen, n)])
            for n in names
            if n not in (name, *chosen)
        }
        best = max(scored, key=lambda n: scored[n], default=None)
        before = _explained(y, [columns[c] for c in chosen]) if chosen else 0.0
        if 1.0 - before < EXACT:
            break
        if best is None or scored[best] - before < (1.0 - before) / 2.0:
            break
        chosen.append(best)
    least = 1.0 - EXACT if {name, *chosen} & set(levels) else LEAST_SHARE_EXPLAINED
    if not chosen or _explained(y, [columns[c] for c in chosen]) < least:
        return None
    return _fitted(name, y, chosen, [columns[c] for c in chosen])


def _fitted(
    name: str, y: Floats, chosen: Sequence[str], xs: Sequence[Floats]
) -> RelationRule | None:
    known = np.isfinite(y) & np.all([np.isfinite(x) for x in xs], axis=0)
    y, design = y[known], _design([x[known] for x in xs])
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


def _explained(y: Floats, xs: Sequence[Floats]) -> float:
    """Return the share of a column's variance that a linear fit explains; 0 for too few rows."""
    known = np.isfinite(y) & np.all([np.isfinite(x) for x in xs], axis=0)
    step = max(1, int(known.sum()) // 5_000)
    y, design = y[known][::step], _design([x[known][::step] for x in xs])
    if len(y) < FEWEST_ROWS // _PREDICTABLE or not np.var(y):
        return 0.0
    left = y - design @ np.linalg.lstsq(design, y)[0]
    return float(1.0 - np.var(left) / np.var(y))


def _design(xs: Sequence[Floats]) -> Floats:
    return np.column_stack([*xs, np.ones(len(xs[0]))])


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    both = first * (int(second.max()) + 1) + second
    codes: NDArray[np.int64] = np.unique(both, return_inverse=True)[1].astype(np.int64)
    return codes


def _together(codes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    found = np.zeros(len(codes[0]), dtype=np.int64)
    for code in codes:
        found = _joined(found, code)
    return found


def _distinct(codes: NDArray[np.int64]) -> int:
    return int(codes.max()) + 1 if len(codes) else 0
