"""Sums per cluster: all that a cluster-robust mean or ratio needs to know about its rows.

Rows of one day share weather, traffic and staff; taken as independent they make noise look
proven (a z of 6.3 where the honest one is 0.8 on real flights). The cluster (a day, unless the
policy names another unit) is what counts as one observation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from treadle.analysis.columns import Values, as_array, complete_floats, require_same_length
from treadle.analysis.distributions import student_t_quantile, student_t_sf
from treadle.analysis.intervals import Interval, require_level
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from treadle.analysis.columns import Floats

# A t-statistic stays storable as JSON when there is no variation at all.
LARGEST_Z = 1e6


class ClusterTotals(msgspec.Struct, frozen=True):
    """Per cluster, in ascending order: its label, the sum of its values, its number of rows."""

    clusters: tuple[str, ...]
    sums: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean over all rows."""
        return math.fsum(self.sums) / sum(self.rows)

    @property
    def means(self) -> tuple[float, ...]:
        """Mean of each cluster."""
        return tuple(s / n for s, n in zip(self.sums, self.rows, strict=True))


class Estimate(msgspec.Struct, frozen=True):
    """A number with its cluster-robust standard error and degrees of freedom."""

    value: float
    standard_error: float
    dof: float

    def interval(self, *, level: float) -> Interval:
        """Two-sided interval by Student's t."""
        half = self.standard_error * student_t_quantile(
            0.5 + require_level(level) / 2.0, dof=self.dof
        )
        return Interval(self.value - half, self.value + half, level)

    def z(self, *, against: float = 0.0) -> float:
        """Distance from `against` in standard errors, at most 1e6 in size."""
        distance = self.value - against
        if self.standard_error == 0.0:
            return math.copysign(LARGEST_Z, distance) if distance else 0.0
        return max(-LARGEST_Z, min(LARGEST_Z, distance / self.standard_error))

    def p_value(self) -> float:
        """Two-sided p-value that the truth is 0."""
        return min(1.0, 2.0 * student_t_sf(abs(self.z()), dof=self.dof))


def totals_by_cluster(values: Values, *, cluster: Values) -> ClusterTotals:
    """Sum a complete column per cluster; `cluster` holds one label per row (days, say)."""
    column = complete_floats(values)
    labels, positions = cluster_positions(cluster)
    require_same_length(column, positions, names="values and cluster")
    sums = np.bincount(positions, weights=column, minlength=len(labels))
    rows = np.bincount(positions, minlength=len(labels))
    return ClusterTotals(labels, tuple(sums.tolist()), tuple(rows.tolist()))


def as_totals(losses: Mapping[str, ArrayLike] | ClusterTotals) -> ClusterTotals:
    """Accept totals, or the values of each cluster by its label."""
    if isinstance(losses, ClusterTotals):
        return losses
    columns = {str(k): complete_floats(v, name=f"cluster {k}") for k, v in losses.items()}
    return ClusterTotals(
        tuple(columns),
        tuple(float(c.sum()) for c in columns.values()),
        tuple(len(c) for c in columns.values()),
    )


def clustered_mean(totals: ClusterTotals) -> Estimate:
    """Mean over rows with its cluster-robust standard error.

    Var = G/(G-1) · Σ_g (s_g - n_g·mean)² / N², the sandwich of a regression on a constant with
    the usual small-sample factor, and t with G-1 degrees of freedom (Cameron & Miller 2015,
    Journal of Human Resources 50(2), sections II.C and VI.D).
    """
    return clustered_ratio(totals.sums, denominators=totals.rows)


def clustered_ratio(
    numerators: tuple[float, ...], *, denominators: tuple[float, ...] | tuple[int, ...]
) -> Estimate:
    """Ratio of two totals, linearised (Cochran 1977, Sampling Techniques, section 6.4)."""
    top, bottom = np.asarray(numerators), np.asarray(denominators, dtype=np.float64)
    count, total = len(top), math.fsum(bottom)
    if count < 2:  # noqa: PLR2004 - one cluster has no variance
        raise InvalidInput(
            f"A cluster-robust error needs at least 2 clusters; got {count}.",
            hint="Widen the window, or choose a finer cluster.",
            clusters=count,
        )
    if total == 0.0:
        raise InvalidInput("The denominators sum to 0: the ratio is not defined.")
    ratio = math.fsum(top) / total
    residuals = top - ratio * bottom
    variance = count / (count - 1) * float(residuals @ residuals) / total**2
    return Estimate(ratio, math.sqrt(variance), float(count - 1))


def cluster_positions(cluster: Values) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the labels in ascending order, and for each row the position of its label."""
    labels = as_array(cluster)
    if labels.dtype.kind == "O" and any(v is None for v in labels):
        raise InvalidInput("A row without a cluster cannot be compared.", hint="Give it a day.")
    if labels.dtype.kind == "f" and not np.isfinite(labels.astype(np.float64)).all():
        raise InvalidInput("A row without a cluster cannot be compared.", hint="Give it a day.")
    unique, positions = np.unique(labels, return_inverse=True)
    return tuple(str(v) for v in unique), positions.astype(np.int64)


def difference_of(first: Estimate, second: Estimate) -> Estimate:
    """First minus second, independent of each other, with Welch's degrees of freedom (1947)."""
    variances = (first.standard_error**2, second.standard_error**2)
    total = sum(variances)
    spread = variances[0] ** 2 / first.dof + variances[1] ** 2 / second.dof
    dof = total**2 / spread if spread > 0.0 else first.dof + second.dof
    return Estimate(first.value - second.value, math.sqrt(total), dof)


def means_in_order(differences: Mapping[str, float] | ArrayLike) -> Floats:
    """Accept one value per cluster, by label (insertion order) or in a sequence."""
    if isinstance(differences, Mapping):
        return complete_floats(list(differences.values()), name="differences")
    return complete_floats(differences, name="differences")
