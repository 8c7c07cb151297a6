"""Intervals: no rate without one."""

from __future__ import annotations

import math

import msgspec

from treadle.analysis.distributions import normal_quantile
from treadle.kernel.errors import InvalidInput


class Interval(msgspec.Struct, frozen=True):
    """From `low` to `high`, covering the truth with probability `level`."""

    low: float
    high: float
    level: float

    def contains(self, value: float) -> bool:
        """Say whether the value lies inside, ends included."""
        return self.low <= value <= self.high

    def is_inside(self, low: float, *, high: float) -> bool:
        """Say whether the whole interval lies in the band from low to high."""
        return low <= self.low and self.high <= high

    def is_outside(self, low: float, *, high: float) -> bool:
        """Say whether no point of the interval lies in the band from low to high."""
        return self.high < low or self.low > high


def wilson(k: int, n: int, *, level: float = 0.95) -> Interval:
    """Interval of a rate of k successes in n independent trials (Wilson 1927).

    It stays in [0, 1] and keeps its coverage for small n and rates near 0 or 1. Rows of one day
    are not independent: for those see `comparisons.mean_with_interval_clustered`.
    """
    if n < 1 or not 0 <= k <= n:
        raise InvalidInput(f"A rate needs 0 ≤ k ≤ n and n ≥ 1; got k={k}, n={n}.")
    z2 = normal_quantile(require_level(level) / 2.0 + 0.5) ** 2
    rate = k / n
    centre = (rate + z2 / (2.0 * n)) / (1.0 + z2 / n)
    half = math.sqrt(z2 * (rate * (1.0 - rate) + z2 / (4.0 * n)) / n) / (1.0 + z2 / n)
    low = 0.0 if k == 0 else max(0.0, centre - half)
    return Interval(low, 1.0 if k == n else min(1.0, centre + half), level)


def require_level(level: float) -> float:
    """Refuse a confidence level that is not between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise InvalidInput(
            f"A confidence level lies between 0 and 1; got {level}.", hint="Write 0.95 for 95 %."
        )
    return level
