"""Bins cut at the reference's quantiles: what a profile stores so that drift needs no raw data.

Inner cut points c1 < … < ck make k + 1 bins [-∞, c1), [c1, c2), …, [ck, ∞): the outer bins are
open, so that no value of a later window falls outside. A value so frequent that it is several
quantiles at once gets a bin of its own; otherwise a shift below or above it would stay unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.analysis.ordered import Ordered
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treadle.analysis.columns import Floats


class Bins(msgspec.Struct, frozen=True):
    """Inner cut points and how many reference values fell in each bin (one more than cuts)."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def reference_bins(ordered: Floats, *, bins: int = 10) -> Bins:
    """Cut sorted, finite reference values into bins of about equal counts."""
    if bins < 2:  # noqa: PLR2004 - one bin cannot show a difference
        raise InvalidInput(f"At least 2 bins are needed, got {bins}.")
    if not len(ordered):
        raise InvalidInput("The reference has no values.", hint="Choose a reference with values.")
    quantiles = quantiles_of_sorted(ordered, levels=np.linspace(0.0, 1.0, bins + 1))
    return bins_from_quantiles(Ordered([ordered]), quantiles)


def bins_from_quantiles(values: Ordered, quantiles: Floats) -> Bins:
    """Cut ordered values at quantiles of theirs, from the lowest value to the highest."""
    found, times = np.unique(quantiles, return_counts=True)
    frequent = found[times > 1]
    inner = found[(found > quantiles[0]) & (found < quantiles[-1])]
    edges = np.unique(np.concatenate([inner, frequent, np.nextafter(frequent, np.inf)]))
    edges = edges[np.isfinite(edges)]
    return Bins(tuple(edges.tolist()), tuple(values.counts_between(edges.tolist()).tolist()))


def count_in_bins(values: Floats, *, edges: Floats) -> NDArray[np.int64]:
    """Count finite values per bin."""
    positions = np.searchsorted(edges, values, side="right")
    return np.bincount(positions, minlength=len(edges) + 1).astype(np.int64)


def quantiles_of_sorted(ordered: Floats, *, levels: Floats) -> Floats:
    """Quantiles by linear interpolation between order statistics (Hyndman & Fan 1996, type 7)."""
    positions = levels * (len(ordered) - 1)
    lower = np.floor(positions).astype(np.int64)
    upper = np.minimum(lower + 1, len(ordered) - 1)
    weight = positions - lower
    # The weighted sum cannot overflow where the difference of two huge values would.
    between = ordered[lower] * (1.0 - weight) + ordered[upper] * weight
    return np.where(ordered[lower] == ordered[upper], ordered[lower], between)
