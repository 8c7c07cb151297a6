"""How much two columns say of each other, by one measure for each pair of kinds.

- two numbers: Pearson's correlation r in [-1, 1], over the rows in which both are finite;
- two categories: Cramér's V in [0, 1], √(χ²/(n·(min(r, c) - 1))), uncorrected, null left out;
- a number and a category: the correlation ratio η in [0, 1], the root of the share of the number's
  variance that lies between the categories.
"""

from __future__ import annotations

import math
from itertools import combinations, product
from typing import TYPE_CHECKING, Literal

import msgspec

from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from treadle.analysis.columns import Floats

Measure = Literal["pearson", "cramers_v", "correlation_ratio"]
MUTUAL_BINS = 20
NULL = -1
"""The code of a row without a category."""


class Pair(msgspec.Struct, frozen=True):
    """Two columns, the measure that fits their kinds, and over how many rows it was taken."""

    first: str
    second: str
    measure: Measure
    value: float
    rows: int


def pairs(
    numbers: Mapping[str, Floats], categories: Mapping[str, NDArray[np.int64]]
) -> tuple[Pair, ...]:
    """Measure each pair of columns; one that does not vary has none. Rounded to 4 decimals."""
    return tuple(
        msgspec.structs.replace(pair, value=round(pair.value, 4))
        for found in (_of_numbers(numbers), _of_categories(categories), _mixed(numbers, categories))
        for pair in found
    )


def pearson(columns: NDArray[np.float64]) -> tuple[Floats, NDArray[np.int64]]:
    """Return r of each pair of columns (rows x columns, NaN for no value), and the rows of each.

    NaN where a column does not vary over the rows that both have.
    """
    known = np.isfinite(columns)
    if not len(columns):
        width = columns.shape[1]
        return np.full((width, width), np.nan), np.zeros((width, width), dtype=np.int64)
    with np.errstate(all="ignore"):
        centred = np.where(known, columns, 0.0)
        centred -= centred.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        scale = np.abs(np.where(known, centred, 0.0)).max(axis=0)
        centred = np.where(known, centred / np.where(scale > 0, scale, 1.0), 0.0)
        flags = known.astype(np.float64)
        rows = flags.T @ flags
        sums = centred.T @ flags
        squares = (centred * centred).T @ flags
        products = centred.T @ centred
        spread = squares - sums * sums / rows
        # What rounding leaves of a constant is no spread.
        spread[spread <= 1e-13 * squares] = np.nan
        r = (products - sums * sums.T / rows) / np.sqrt(spread * spread.T)
    return np.clip(r, -1.0, 1.0), rows.astype(np.int64)


def cramers_v(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[float | None, int]:
    """Return V of two columns of codes, and the rows that have both."""
    table = contingency(first, second)
    rows = int(table.sum())
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    least = min(table.shape) - 1
    if least < 1:
        return None, rows
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    chi2 = float(((table - expected) ** 2 / expected).sum())
    return min(1.0, math.sqrt(chi2 / (rows * least))), rows


def correlation_ratio(codes: NDArray[np.int64], values: Floats) -> tuple[float | None, int]:
    """Return η of a number by a category, and the rows that have both."""
    known = (codes != NULL) & np.isfinite(values)
    codes, values = codes[known], values[known]
    if not len(values) or values.min() == values.max() or codes.min() == codes.max():
        return None, len(values)
    with np.errstate(all="ignore"):
        values = (values - values.mean()) / max(np.abs(values).max(), 1e-300)
        values -= values.mean()
        counts = np.bincount(codes)
        present = counts > 0
        sums = np.bincount(codes, weights=values)[present]
        total = float((values * values).sum())
        between = float((sums * sums / counts[present]).sum())
    if not total > 0.0 or not math.isfinite(between / total):
        return None, len(values)
    return math.sqrt(min(1.0, max(0.0, between / total))), len(values)


def mutual_information(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return how many bits one column of codes tells of the other (the plug-in estimate)."""
    table = contingency(first, second)
    total = table.sum()
    if not total:
        return 0.0
    joint = table / total
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    there = joint > 0
    return max(0.0, float(np.sum(joint[there] * np.log2(joint[there] / apart[there]))))


def corrected_information(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return the mutual information without what chance adds to it (Miller 1955, Madow).

    The plug-in estimate grows with the number of cells; without this a column of many names seems
    to tell of anything. Never below 0, nor above the entropy of either column.
    """
    table = contingency(first, second)
    total = table.sum()
    if not total:
        return 0.0
    cells, ours, theirs = ((t > 0).sum() for t in (table, table.sum(axis=1), table.sum(axis=0)))
    chance = float(cells - ours - theirs + 1) / (2.0 * total * math.log(2.0))
    known = (first != NULL) & (second != NULL)
    most = min(entropy(first[known]), entropy(second[known]))
    return float(min(most, max(0.0, mutual_information(first, second) - chance)))


def entropy(codes: NDArray[np.int64]) -> float:
    """Return the bits of a column of codes."""
    counts = np.bincount(codes[codes != NULL])
    shares = counts[counts > 0] / max(1, counts.sum())
    return max(0.0, float(-np.sum(shares * np.log2(shares))))


def codes_of_numbers(values: Floats, *, bins: int = MUTUAL_BINS) -> NDArray[np.int64]:
    """Cut numbers at their quantiles into about equal bins; few distinct values stay themselves."""
    known = np.isfinite(values)
    codes = np.full(len(values), NULL, dtype=np.int64)
    if not known.any():
        return codes
    distinct, places = np.unique(values[known], return_inverse=True)
    if len(distinct) > bins:
        levels = np.linspace(0.0, 1.0, bins + 1)[1:-1]
        cuts = np.unique(np.quantile(values[known], levels, method="lower"))
        places = np.searchsorted(cuts, values[known], side="right")
    codes[known] = places
    return codes


def _of_numbers(numbers: Mapping[str, Floats]) -> Iterator[Pair]:
    if len(numbers) > 1:
        r, rows = pearson(np.column_stack(list(numbers.values())))
        for (i, first), (j, second) in combinations(enumerate(numbers), 2):
            if math.isfinite(r[i, j]):
                yield Pair(first, second, "pearson", float(r[i, j]), int(rows[i, j]))


def _of_categories(categories: Mapping[str, NDArray[np.int64]]) -> Iterator[Pair]:
    for (first, ours), (second, theirs) in combinations(categories.items(), 2):
        v, rows = cramers_v(ours, theirs)
        if v is not None:
            yield Pair(first, second, "cramers_v", v, rows)


def _mixed(
    numbers: Mapping[str, Floats], categories: Mapping[str, NDArray[np.int64]]
) -> Iterator[Pair]:
    for (name, codes), (number, values) in product(categories.items(), numbers.items()):
        eta, rows = correlation_ratio(codes, values)
        if eta is not None:
            yield Pair(number, name, "correlation_ratio", eta, rows)


def contingency(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Count each pair of codes over the rows that have both."""
    known = (first != NULL) & (second != NULL)
    first, second = first[known], second[known]
    if not len(first):
        return np.zeros((0, 0))
    width = int(second.max()) + 1
    counts = np.bincount(first * width + second, minlength=(int(first.max()) + 1) * width)
    return counts.reshape(-1, width).astype(np.float64)
