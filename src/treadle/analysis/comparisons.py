"""Is b better than a? Tests paired by row and clustered by day, fixed-size or sequential.

Losses: smaller is better. A difference is always a minus b, so that positive speaks for b.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from treadle.analysis.clusters import (
    ClusterTotals,
    clustered_mean,
    clustered_ratio,
    means_in_order,
    totals_by_cluster,
)
from treadle.analysis.columns import Values, complete_floats, require_same_length
from treadle.analysis.distributions import student_t_quantile, student_t_sf
from treadle.analysis.intervals import Interval, require_level
from treadle.analysis.verdicts import Verdict
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from treadle.analysis.columns import Floats

__all__ = [
    "AlwaysValid",
    "ClusterTotals",
    "ClusteredMean",
    "ClusteredRatio",
    "PairedResult",
    "Verdict",
    "always_valid",
    "always_valid_verdict",
    "mean_with_interval_clustered",
    "non_inferiority",
    "paired_clustered",
    "ratio_with_interval_clustered",
    "superiority",
    "totals_by_cluster",
]


class PairedResult(msgspec.Struct, frozen=True):
    """Mean of loss a minus loss b on the same rows: positive means b has the smaller loss.

    `z` is the mean over its standard error, `p_value` two-sided by t with clusters - 1 degrees
    of freedom.
    """

    mean_difference: float
    standard_error: float
    z: float
    p_value: float
    interval: Interval
    clusters: int
    rows: int


class ClusteredMean(msgspec.Struct, frozen=True):
    """Mean over rows with an interval that knows rows of one cluster belong together."""

    mean: float
    standard_error: float
    interval: Interval
    clusters: int
    rows: int


class ClusteredRatio(msgspec.Struct, frozen=True):
    """Ratio of two sums with a cluster-robust interval."""

    ratio: float
    standard_error: float
    interval: Interval
    clusters: int
    rows: int


class AlwaysValid(msgspec.Struct, frozen=True):
    """What may be said now, however often one has looked before.

    `interval` covers the true mean difference at all times together with probability `level`;
    None while it is still unbounded. `e_value` is the evidence against "no difference" at the
    latest cluster, `p_value` one over the largest e-value so far. `decision` is "b" (b has the
    smaller loss), "a", or "continue".
    """

    mean_difference: float
    interval: Interval | None
    e_value: float
    p_value: float
    clusters: int
    decision: str


def paired_clustered(
    loss_a: Values, loss_b: Values, *, cluster: Values, level: float = 0.95
) -> PairedResult:
    """Compare two models' losses on the same rows, clustered by day.

    One loss per row each, one cluster label per row, at least 2 clusters. Formula:
    `clusters.clustered_mean` (Cameron & Miller 2015).
    """
    a, b = complete_floats(loss_a, name="loss_a"), complete_floats(loss_b, name="loss_b")
    require_same_length(a, b, names="loss_a and loss_b")
    totals = totals_by_cluster(a - b, cluster=cluster)
    estimate = clustered_mean(totals)
    return PairedResult(
        mean_difference=estimate.value,
        standard_error=estimate.standard_error,
        z=estimate.z(),
        p_value=estimate.p_value(),
        interval=estimate.interval(level=level),
        clusters=len(totals.clusters),
        rows=len(a),
    )


def mean_with_interval_clustered(
    values: Values, *, cluster: Values, level: float = 0.95
) -> ClusteredMean:
    """Mean of a column with an interval clustered by day."""
    totals = totals_by_cluster(values, cluster=cluster)
    estimate = clustered_mean(totals)
    return ClusteredMean(
        estimate.value,
        estimate.standard_error,
        estimate.interval(level=level),
        clusters=len(totals.clusters),
        rows=sum(totals.rows),
    )


def ratio_with_interval_clustered(
    numerator: Values, denominator: Values, *, cluster: Values, level: float = 0.95
) -> ClusteredRatio:
    """Sum of one column over the sum of another, both non-negative, interval clustered by day."""
    top = totals_by_cluster(numerator, cluster=cluster)
    bottom = totals_by_cluster(denominator, cluster=cluster)
    estimate = clustered_ratio(top.sums, denominators=bottom.sums)
    wide = estimate.interval(level=level)
    return ClusteredRatio(
        estimate.value,
        estimate.standard_error,
        Interval(max(0.0, wide.low), wide.high, level),
        clusters=len(top.clusters),
        rows=sum(top.rows),
    )


def always_valid(
    differences_by_cluster: Mapping[str, float] | ArrayLike,
    *,
    level: float = 0.95,
    tau: float = 1.0,
) -> AlwaysValid:
    """Watch a paired difference cluster by cluster and stop whenever you like.

    One mean difference (a minus b) per cluster, in time order, taken as exchangeable normal
    draws of unknown variance. The normal mixture (Robbins 1970; Johari et al. 2022; Howard et
    al. 2021) is put on the standardised effect, δ ~ N(0, tau²) with tau in standard deviations of
    a cluster's difference, because the variance is not known (Lai 1976; Wang & Ramdas 2024,
    "Anytime-valid t-tests and confidence sequences"). With r = 1 + n·tau² and
    q = n·(mean - μ)² / ((n-1)·s²) the evidence against μ is

        e_n(μ) = r^(-1/2) · ((1 + q) / (1 + q/r))^(n/2),

    a non-negative martingale under μ: it ever reaches 1/(1 - level) with probability
    at most 1 - level (Ville's inequality).
    The interval holds the μ not yet refuted; it is unbounded for few clusters.
    """
    values = means_in_order(differences_by_cluster)
    alpha = 1.0 - require_level(level)
    if not tau > 0.0:
        raise InvalidInput(f"tau must be positive, got {tau}.")
    log_evidence = _log_e_values(values, tau=tau)
    p_value = math.exp(-max(0.0, float(log_evidence.max())))
    mean = float(values.mean())
    decision = "continue" if p_value > alpha else _favoured(values, log_evidence, alpha=alpha)
    return AlwaysValid(
        mean_difference=mean,
        interval=_mixture_interval(values, alpha=alpha, tau=tau),
        # Beyond e^700 a float would be infinite and JSON would lose it.
        e_value=math.exp(min(700.0, float(log_evidence[-1]))),
        p_value=p_value,
        clusters=len(values),
        decision=decision,
    )


def superiority(
    paired: PairedResult,
    *,
    margin: float = 0.0,
    level: float = 0.95,
    minimum_clusters: int = 5,
    a: str = "champion",
    b: str = "candidate",
) -> Verdict:
    """Pass only if b's loss is proven smaller than a's by more than `margin` (one-sided t)."""
    if few := _too_few(paired, minimum=minimum_clusters):
        return few
    passed = _lower_bound(paired, level=level) > margin
    worse = _upper_bound(paired, level=level) < 0.0
    outcome = "superior" if passed else "worse" if worse else "not proven"
    claim = {
        "superior": f"{b} beats {a}",
        "worse": f"{b} is worse than {a}",
        "not proven": f"{b} is not proven better than {a}",
    }[outcome]
    evidence = _evidence(paired, margin=margin, level=level)
    return Verdict(passed, outcome, f"{claim}: {evidence}.")


def non_inferiority(
    paired: PairedResult,
    *,
    margin: float,
    level: float = 0.95,
    minimum_clusters: int = 5,
    a: str = "champion",
    b: str = "candidate",
) -> Verdict:
    """Pass only if b's loss is proven at most `margin` above a's (one-sided t)."""
    if margin < 0.0:
        raise InvalidInput(f"The margin of non-inferiority is not negative; got {margin}.")
    if few := _too_few(paired, minimum=minimum_clusters):
        return few
    bound = _lower_bound(paired, level=level)
    passed = bound > -margin or (margin == 0.0 and bound == 0.0)
    outcome = "not inferior" if passed else "not proven"
    claim = f"{b} is {'no worse' if passed else 'not proven to be no worse'} than {a}"
    evidence = _evidence(paired, margin=-margin, level=level)
    return Verdict(passed, outcome, f"{claim}: {evidence}.")


def always_valid_verdict(
    result: AlwaysValid, *, a: str = "champion", b: str = "candidate"
) -> Verdict:
    """Say in words what a sequential comparison decided: passed means b is proven better."""
    outcome = {"b": "superior", "a": "worse", "continue": "undecided"}[result.decision]
    claim = {
        "superior": f"{b} has the smaller loss",
        "worse": f"{b} has the larger loss than {a}",
        "undecided": f"{a} and {b} cannot be told apart yet",
    }[outcome]
    reason = (
        f"{claim}: mean difference {result.mean_difference:+.5f} over {result.clusters} clusters, "
        f"always-valid p {result.p_value:.3g}."
    )
    return Verdict(outcome == "superior", outcome, reason)


def _log_e_values(values: Floats, *, tau: float) -> Floats:
    """Log evidence against a mean of 0 after each cluster; 0 after the first."""
    n = np.arange(1, len(values) + 1)
    squares = np.cumsum(values**2)
    # With S = Σ(x-μ)² and E = n·mean²: (1 + q)/(1 + q/r) = S / (S - E + E/r), which stays
    # finite when the variance is 0.
    explained = np.minimum(np.cumsum(values) ** 2 / n, squares)
    r = 1.0 + n * tau**2
    left = squares - explained + explained / r
    # While every difference is exactly 0 there is no evidence at all.
    growth = np.log(np.divide(squares, left, out=np.ones(len(values)), where=squares > 0.0))
    return np.asarray(np.where(squares > 0.0, n / 2.0 * growth - 0.5 * np.log(r), 0.0))


def _favoured(values: Floats, log_evidence: Floats, *, alpha: float) -> str:
    """Name the model that the mean spoke for when the evidence first sufficed."""
    first = int(np.argmax(log_evidence >= -math.log(alpha)))
    return "b" if values[: first + 1].mean() > 0.0 else "a"


def _mixture_interval(values: Floats, *, alpha: float, tau: float) -> Interval | None:
    n = len(values)
    r = 1.0 + n * tau**2
    c = (r / alpha**2) ** (1.0 / n)
    if n < 2 or c >= r:  # noqa: PLR2004 - no variance from one cluster
        return None
    q = (c - 1.0) / (1.0 - c / r)
    half = math.sqrt(q * (n - 1) * float(values.var(ddof=1)) / n)
    mean = float(values.mean())
    return Interval(mean - half, mean + half, 1.0 - alpha)


def _lower_bound(paired: PairedResult, *, level: float) -> float:
    t = student_t_quantile(require_level(level), dof=paired.clusters - 1)
    return paired.mean_difference - t * paired.standard_error


def _upper_bound(paired: PairedResult, *, level: float) -> float:
    return 2.0 * paired.mean_difference - _lower_bound(paired, level=level)


def _too_few(paired: PairedResult, *, minimum: int) -> Verdict | None:
    if paired.clusters >= minimum:
        return None
    reason = f"{paired.clusters} clusters are too few to judge; {minimum} are needed."
    return Verdict(passed=False, outcome="too few clusters", reason=reason)


def _evidence(paired: PairedResult, *, margin: float, level: float) -> str:
    bound = _lower_bound(paired, level=level)
    return (
        f"mean loss {-paired.mean_difference:+.5f}, at most {-bound:+.5f} at {level:.0%} "
        f"one-sided (limit {0.0 - margin:+.5f}, p {_one_sided_p(paired, margin=margin):.3g}), "
        f"on {paired.rows} rows in {paired.clusters} clusters"
    )


def _one_sided_p(paired: PairedResult, *, margin: float) -> float:
    distance = paired.mean_difference - margin
    if paired.standard_error == 0.0:
        return 0.0 if distance > 0.0 else 1.0
    return student_t_sf(distance / paired.standard_error, dof=paired.clusters - 1)
