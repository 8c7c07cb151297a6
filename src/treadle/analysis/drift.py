"""How far a current sample lies from a reference. A distance is not yet an alarm: see effects.

Definitions differ between tools and thresholds do not carry over, so each function states its
own. Nulls (and infinite values) of numbers are left out here; how many there were belongs to a
contract and to `DriftScore`. Where categories are counted, null is a category.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from treadle.analysis.bins import count_in_bins, reference_bins
from treadle.analysis.columns import Values, as_floats, finite_floats
from treadle.analysis.distributions import chi2_sf, kolmogorov_sf
from treadle.analysis.logistic import cross_fitted_auc, rank_design
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from treadle.analysis.columns import Floats

    Counts: TypeAlias = Mapping[str, int] | Sequence[int] | np.ndarray

EXACT_KS_ROWS = 1_000


class KsResult(msgspec.Struct, frozen=True):
    """Largest distance between two empirical distribution functions, and its p-value."""

    statistic: float
    p_value: float
    exact: bool


class Chi2Result(msgspec.Struct, frozen=True):
    """Two-sample contingency test; `cramers_v` in [0, 1] is its size free of the sample size.

    `sparse_share` is the share of cells that expect fewer than 5 rows: above 0.2 the p-value is
    rough (Cochran 1954).
    """

    statistic: float
    dof: int
    p_value: float
    cramers_v: float
    sparse_share: float


def psi(reference: Values, current: Values, *, bins: int = 10, floor: float = 1e-4) -> float:
    """Population stability index Σ (c - r)·ln(c / r) over reference-quantile bins.

    r and c are the shares of reference and current per bin, each raised to `floor` when below, so
    that an empty bin stays finite. Bins: see `analysis.bins`.
    """
    cut = reference_bins(np.sort(finite_floats(reference, name="reference")), bins=bins)
    return psi_from_bins(cut.edges, cut.counts, current, floor=floor)


def psi_from_bins(
    edges: Sequence[float],
    reference_counts: Sequence[int],
    current_values: Values,
    *,
    floor: float = 1e-4,
) -> float:
    """PSI against the bins a profile stored: the reference's rows are not needed."""
    if len(reference_counts) != len(edges) + 1:
        raise InvalidInput(
            f"{len(edges)} inner edges make {len(edges) + 1} bins; "
            f"got {len(reference_counts)} counts."
        )
    current = count_in_bins(finite_floats(current_values, name="current"), edges=np.asarray(edges))
    return psi_from_counts(reference_counts, current, floor=floor)


def psi_from_counts(
    reference_counts: Counts, current_counts: Counts, *, floor: float = 1e-4
) -> float:
    """PSI of two sets of counts, by position or by category name."""
    if not 0.0 < floor < 1.0:
        raise InvalidInput(f"The floor is a share between 0 and 1; got {floor}.")
    reference, current = (np.maximum(s, floor) for s in _shares(reference_counts, current_counts))
    return float(np.sum((current - reference) * np.log(current / reference)))


def jensen_shannon(reference_counts: Counts, current_counts: Counts, *, base: float = 2.0) -> float:
    """Jensen-Shannon distance: the square root of the divergence with logarithms to `base`.

    With base 2 it lies in [0, 1]; no floor is needed. (Endres & Schindelin 2003.)
    """
    if not base > 1.0:
        raise InvalidInput(f"The base of the logarithm must exceed 1; got {base}.")
    reference, current = _shares(reference_counts, current_counts)
    middle = (reference + current) / 2.0
    divergence = (_relative_entropy(reference, middle) + _relative_entropy(current, middle)) / 2.0
    return math.sqrt(max(divergence / math.log(base), 0.0))


def ks(reference: Values, current: Values) -> KsResult:
    """Two-sample Kolmogorov-Smirnov test, two-sided, exact statistic (ties included).

    With at most 1,000 values in each sample the p-value is exact for continuous data, counted
    over lattice paths (Hodges 1958), and conservative under ties. Above that it is Kolmogorov's
    limit at (√e + 0.12 + 0.11/√e)·D with e = n·m/(n + m) (Stephens 1970).
    """
    first, second = _ordered_pair(reference, current)
    n, m = len(first), len(second)
    steps = _largest_gap(first, second)
    statistic = steps / (n * m)
    if max(n, m) <= EXACT_KS_ROWS:
        return KsResult(statistic, _exact_ks_p(steps, n=n, m=m), exact=True)
    root = math.sqrt(n * m / (n + m))
    return KsResult(statistic, _limit_ks_p(statistic, root=root), exact=False)


def chi2(reference_counts: Counts, current_counts: Counts) -> Chi2Result:
    """Chi-squared test that two samples share one distribution over categories.

    Both samples are uncertain (2 x K contingency, no continuity correction): the reference is
    never taken as exact, so a new category adds a finite amount. Categories that neither sample
    holds are left out.
    """
    observed = np.vstack(_aligned(reference_counts, current_counts))
    observed = observed[:, observed.sum(axis=0) > 0]
    total = float(observed.sum())
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / total
    statistic = float(((observed - expected) ** 2 / expected).sum())
    dof = observed.shape[1] - 1
    sparse = float((expected < 5.0).mean())  # noqa: PLR2004 - Cochran's rule
    p_value = chi2_sf(statistic, dof=dof) if dof else 1.0
    return Chi2Result(statistic, dof, p_value, min(1.0, math.sqrt(statistic / total)), sparse)


def wasserstein(reference: Values, current: Values) -> float:
    """Wasserstein-1 (earth mover's) distance ∫ |F - G| dx, in the unit of the column."""
    first, second = _ordered_pair(reference, current)
    joined = np.sort(np.concatenate([first, second]))
    cdf_first = np.searchsorted(first, joined[:-1], side="right") / len(first)
    cdf_second = np.searchsorted(second, joined[:-1], side="right") / len(second)
    return float(np.sum(np.abs(cdf_first - cdf_second) * np.diff(joined)))


def domain_classifier(
    reference: ArrayLike, current: ArrayLike, seed: int, *, folds: int = 5, sample: int = 5_000
) -> float:
    """AUC with which a classifier tells current rows from reference rows: 0.5 means it cannot.

    A ridge logistic regression on the features' joint ranks, their squares, their null flags and
    (up to 16 features) their products, so that it sees changes of location, spread and pairwise
    dependence. Trained and judged on different rows (`folds`-fold cross-fitting, mean of the
    folds' AUC), on at most `sample` random rows of each side. Rows x features in, AUC out.
    """
    rng = np.random.default_rng(seed)
    first = _sampled_rows(reference, name="reference", sample=sample, rng=rng)
    second = _sampled_rows(current, name="current", sample=sample, rng=rng)
    if first.shape[1] != second.shape[1]:
        raise InvalidInput(
            f"Reference has {first.shape[1]} features and current {second.shape[1]}.",
            hint="Give the same features in the same order.",
        )
    if min(len(first), len(second)) < 2 * folds:
        raise InvalidInput(
            f"{folds} folds need at least {2 * folds} rows on each side; "
            f"got {len(first)} and {len(second)}."
        )
    design = rank_design(np.vstack([first, second]))
    is_current = np.repeat([False, True], [len(first), len(second)])
    return cross_fitted_auc(design, is_current, folds=folds, rng=rng)


def _aligned(reference_counts: Counts, current_counts: Counts) -> tuple[Floats, Floats]:
    if isinstance(reference_counts, Mapping) and isinstance(current_counts, Mapping):
        names = list(dict.fromkeys([*reference_counts, *current_counts]))
        reference_counts = [reference_counts.get(n, 0) for n in names]
        current_counts = [current_counts.get(n, 0) for n in names]
    if isinstance(reference_counts, Mapping) or isinstance(current_counts, Mapping):
        raise InvalidInput("Give both counts by category name, or both by position.")
    reference = _checked_counts(reference_counts, name="reference")
    current = _checked_counts(current_counts, name="current")
    if len(reference) != len(current):
        raise InvalidInput(f"Counts must share their bins: {len(reference)} and {len(current)}.")
    return reference, current


def _checked_counts(counts: Sequence[int] | np.ndarray, *, name: str) -> Floats:
    array = np.asarray(counts, dtype=np.float64)
    if not len(array) or not np.isfinite(array).all() or array.min() < 0 or not array.sum() > 0:
        raise InvalidInput(
            f"The {name} counts must be non-negative with a positive sum.",
            hint="Choose a window with values.",
        )
    return array


def _shares(reference_counts: Counts, current_counts: Counts) -> tuple[Floats, Floats]:
    reference, current = _aligned(reference_counts, current_counts)
    return reference / reference.sum(), current / current.sum()


def _relative_entropy(p: Floats, q: Floats) -> float:
    present = p > 0
    return float(np.sum(p[present] * np.log(p[present] / q[present])))


def _ordered_pair(reference: Values, current: Values) -> tuple[Floats, Floats]:
    first = np.sort(finite_floats(reference, name="reference"))
    second = np.sort(finite_floats(current, name="current"))
    for name, values in (("reference", first), ("current", second)):
        if not len(values):
            raise InvalidInput(f"The {name} has no values.", hint="Choose a window with values.")
    return first, second


def _largest_gap(first: Floats, second: Floats) -> int:
    """Return n·m·D as an integer, so that ties in the statistic are exact."""
    joined = np.concatenate([first, second])
    below_first = np.searchsorted(first, joined, side="right")
    below_second = np.searchsorted(second, joined, side="right")
    return int(np.abs(below_first * len(second) - below_second * len(first)).max())


def _exact_ks_p(steps: int, *, n: int, m: int) -> float:
    """Probability that a random lattice path from (0, 0) to (n, m) leaves |i·m - j·n| < steps.

    p(i, j), the probability that a path has left the band when it passes (i, j), is the mean of
    its two predecessors weighted i/(i+j) and j/(i+j); whole anti-diagonals are done at once.
    """
    if steps == 0:
        return 1.0
    i = np.arange(n + 1)
    left = np.zeros(n + 1)
    for k in range(1, n + m + 1):
        before = np.concatenate([[0.0], left[:-1]])
        j = k - i
        left = (i * before + j * left) / k
        left[np.abs(i * m - j * n) >= steps] = 1.0
        left[(j < 0) | (j > m)] = 0.0
    return float(min(left[n], 1.0))


def _limit_ks_p(statistic: float, *, root: float) -> float:
    return min(1.0, max(0.0, kolmogorov_sf((root + 0.12 + 0.11 / root) * statistic)))


def _sampled_rows(rows: ArrayLike, *, name: str, sample: int, rng: np.random.Generator) -> Floats:
    matrix = np.asarray(rows)
    matrix = as_floats(matrix)[:, None] if matrix.ndim == 1 else matrix.astype(np.float64)
    if matrix.ndim != 2 or not matrix.shape[1]:  # noqa: PLR2004 - rows x features
        raise InvalidInput(f"{name} must be rows x features; its shape is {matrix.shape}.")
    if len(matrix) > sample:
        matrix = matrix[rng.choice(len(matrix), size=sample, replace=False)]
    return matrix
