"""Values in ascending pieces: exact order statistics of a column that was never whole in memory.

A scan sorts what fits, a piece at a time. What a profile asks is answered from the pieces: how many
values lie below a cut by bisection in each, the rest by one walk over stretches that hold about as
much as a piece, in which equal values are counted and not repeated. No value is approximated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from treadle.analysis.columns import Floats

STRETCH = 1 << 20
"""About how many values a walk holds at once."""


class Counted(NamedTuple):
    """Distinct values in ascending order, and how often each is there."""

    values: NDArray[Any]
    counts: NDArray[np.int64]


class Walked(NamedTuple):
    """What one walk over all values finds."""

    distinct: int
    once: int
    mean: float
    deviations: float
    """Sum of the squared deviations from the mean."""
    top: tuple[tuple[Any, int], ...]
    order: Floats
    """The values at the places asked for."""


class Ordered:
    """A column's finite values, as pieces that are each in ascending order."""

    def __init__(self, pieces: Sequence[NDArray[Any]], *, stretch: int = STRETCH) -> None:
        self._pieces = [piece for piece in pieces if len(piece)]
        self._stretch = stretch
        self.size = sum(len(piece) for piece in self._pieces)

    @property
    def ends(self) -> tuple[Any, Any]:
        """Return the lowest and the highest value."""
        return min(p[0] for p in self._pieces), max(p[-1] for p in self._pieces)

    def below(self, cuts: NDArray[Any]) -> NDArray[np.int64]:
        """Return how many values lie below each cut."""
        found = np.zeros(len(cuts), dtype=np.int64)
        for piece in self._pieces:
            found += _below(piece, cuts)
        return found

    def counts_between(self, edges: Sequence[float] | Floats) -> NDArray[np.int64]:
        """Return how many values fall between inner cuts: one more than there are cuts."""
        below = self.below(np.asarray(edges, dtype=np.float64))
        return np.diff(np.concatenate([[0], below, [self.size]])).astype(np.int64)

    def stretches(self) -> Iterator[Counted]:
        """Give the distinct values in ascending order, some at a time."""
        if len(self._pieces) <= 1:
            yield from (counted(piece) for piece in self._pieces)
            return
        step = max(1, self._stretch // len(self._pieces))
        cuts = np.unique(np.concatenate([piece[::step] for piece in self._pieces]))
        # One cut of each piece lies within a step of every value: join as many as fill a stretch.
        cuts = cuts[:: len(self._pieces)]
        places = [
            np.concatenate([np.searchsorted(piece, cuts, side="left"), [len(piece)]])
            for piece in self._pieces
        ]
        for i in range(len(cuts)):
            parts = [
                counted(piece[at[i] : at[i + 1]])
                for piece, at in zip(self._pieces, places, strict=True)
                if at[i] < at[i + 1]
            ]
            yield _joined(parts)

    def walk(self, *, places: NDArray[np.int64], top: int) -> Walked:
        """Look at every distinct value once; `places` count from 0 and ascend."""
        order = np.zeros(len(places), dtype=np.float64)
        distinct = once = seen = 0
        mean = deviations = 0.0
        first: list[tuple[Any, int]] = []
        for values, counts in self.stretches():
            distinct += len(values)
            once += int((counts == 1).sum())
            floats = values.astype(np.float64)
            reached = seen + np.cumsum(counts)
            here = (places >= seen) & (places < reached[-1])
            order[here] = floats[np.searchsorted(reached, places[here], side="right")]
            of_these, rest = _moments(floats, counts)
            rows = int(reached[-1]) - seen
            step = of_these - mean
            mean += step * rows / (seen + rows)
            deviations += rest + step * step * seen * rows / (seen + rows)
            first = _first([*first, *_most(values, counts, top=top)], top=top)
            seen += rows
        return Walked(distinct, once, mean, deviations, tuple(first), order)


def counted(ordered: NDArray[Any]) -> Counted:
    """Count equal neighbours of an ascending array."""
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    starts = np.concatenate([np.zeros(min(1, len(ordered)), dtype=np.int64), changes])
    return Counted(ordered[starts], np.diff(starts, append=len(ordered)))


def quantiles(order: Floats, *, places: NDArray[np.int64], positions: Floats, size: int) -> Floats:
    """Quantiles between the order statistics around each position (Hyndman & Fan 1996, type 7)."""
    lower = np.floor(positions).astype(np.int64)
    low = order[np.searchsorted(places, lower)]
    high = order[np.searchsorted(places, np.minimum(lower + 1, size - 1))]
    weight = positions - lower
    # The weighted sum cannot overflow where the difference of two huge values would.
    return np.where(low == high, low, low * (1.0 - weight) + high * weight)


def places_around(positions: Floats, *, size: int) -> NDArray[np.int64]:
    """Return the places of the values that quantiles at these positions lie between."""
    lower = np.floor(positions).astype(np.int64)
    return np.unique(np.concatenate([lower, np.minimum(lower + 1, size - 1)]))


def _below(piece: NDArray[Any], cuts: NDArray[Any]) -> NDArray[np.int64]:
    if piece.dtype.kind not in "iu":
        return np.searchsorted(piece, cuts, side="left").astype(np.int64)
    # Compared as whole numbers: as doubles they would be copied, and large ones would be others.
    limits, whole = np.iinfo(piece.dtype), np.ceil(cuts)
    inside = (whole > limits.min) & (whole < limits.max)
    found = np.where(whole <= limits.min, 0, len(piece)).astype(np.int64)
    found[inside] = np.searchsorted(piece, whole[inside].astype(piece.dtype), side="left")
    return found


def _joined(parts: list[Counted]) -> Counted:
    if len(parts) == 1:
        return parts[0]
    values = np.concatenate([p.values for p in parts])
    counts = np.concatenate([p.counts for p in parts])
    order = np.argsort(values, kind="stable")
    distinct, _ = counted(values[order])
    starts = np.searchsorted(values[order], distinct, side="left")
    return Counted(distinct, np.add.reduceat(counts[order], starts))


def _moments(values: Floats, counts: NDArray[np.int64]) -> tuple[float, float]:
    rows = counts.sum()
    with np.errstate(over="ignore", invalid="ignore"):
        # Not BLAS: its threads wait by spinning, which on a busy machine costs more than the sum.
        mean = float(np.einsum("i,i->", values, counts) / rows)
        return mean, float(np.einsum("i,i->", (values - mean) ** 2, counts))


def _most(values: NDArray[Any], counts: NDArray[np.int64], *, top: int) -> list[tuple[Any, int]]:
    """Return the most frequent values; of equally frequent ones the smaller."""
    if len(counts) > top:
        least = np.partition(counts, -top)[-top]
        above = np.flatnonzero(counts > least)
        equal = np.flatnonzero(counts == least)[: top - len(above)]
        kept = np.concatenate([above, equal])
        values, counts = values[kept], counts[kept]
    return list(zip(values.tolist(), counts.tolist(), strict=True))


def _first(pairs: list[tuple[Any, int]], *, top: int) -> list[tuple[Any, int]]:
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:top]
