"""What a shift did: to the predictions, to the loss, to the calibration.

A distance says that a column moved. These say whether it matters, which is what an alert needs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from treadle.analysis.clusters import (
    ClusterTotals,
    as_totals,
    clustered_mean,
    difference_of,
    totals_by_cluster,
)
from treadle.analysis.columns import Values, as_probabilities, complete_floats
from treadle.analysis.intervals import Interval
from treadle.analysis.performance import Calibration, calibration, per_row_log_loss
from treadle.analysis.verdicts import Verdict
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from treadle.analysis.columns import Floats


class FeatureEffect(msgspec.Struct, frozen=True):
    """What the shift of one feature did to the predictions of the current window.

    `effect`: change of the mean prediction, with its `standard_error`; `spread_effect`: change of
    the predictions' standard deviation; `share`: |effect| over the sum of all features' |effect|
    (0 when nothing moved); `loss_if_fault`: expected extra log-loss per row if the shift is a
    fault of the data and not a change of the world (None unless predictions are probabilities).
    """

    name: str
    effect: float
    standard_error: float
    spread_effect: float
    share: float
    loss_if_fault: float | None


class LossEffect(msgspec.Struct, frozen=True):
    """Observed log-loss against the loss the predictions themselves expect.

    `excess` = observed - expected; `interval` is its interval, clustered.
    """

    expected: float
    observed: float
    excess: float
    interval: Interval
    clusters: int
    rows: int


class QualityShift(msgspec.Struct, frozen=True):
    """Mean loss now minus mean loss in the reference, with an interval clustered on both sides."""

    reference_loss: float
    current_loss: float
    difference: float
    p_value: float
    interval: Interval
    tolerance: float
    verdict: Verdict


class CalibrationShift(msgspec.Struct, frozen=True):
    """Observed over predicted rate against the band [1 / tolerance, tolerance]."""

    calibration: Calibration
    tolerance: float
    verdict: Verdict


def attribute_shift(
    predict: Callable[[Floats], Floats],
    reference: Floats,
    current: Floats,
    *,
    names: Sequence[str],
    seed: int,
    sample: int = 512,
    only: Sequence[str] | None = None,
) -> tuple[FeatureEffect, ...]:
    """Say which feature's shift moved the predictions, largest effect first.

    With C a random sample of current rows and C(j) the same rows with feature j carried back to
    the reference's distribution, x → Q_ref(F_cur(x)) (same rank, old quantile, nulls ranked last,
    ties in random order):

        effect(j)        = mean f(C) - mean f(C(j))
        spread_effect(j) = std f(C) - std f(C(j))
        loss_if_fault(j) = mean KL(f(C(j)) || f(C))

    The last is the expected extra log-loss if f(C(j)) were the right probabilities, as after a
    change of units. One feature at a time: effects of features that shift together may overlap
    and need not sum to the total. `predict` takes rows x features float64 (nulls NaN) and gives
    one number per row; it is called twice, the second time with one copy of C for each feature
    that is asked about (`only`; all without it). The reference's other columns are not looked at.
    """
    before, now = _as_rows(reference, names=names), _as_rows(current, names=names)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(now), size=min(sample, len(now)), replace=False)
    rows = now[chosen]
    served = _predictions(predict, rows)
    asked = [j for j, name in enumerate(names) if only is None or name in only]
    if not asked:
        return ()
    copies = np.tile(rows, (len(asked), 1, 1))
    for copy, j in zip(copies, asked, strict=True):
        copy[:, j] = _carried_back(before[:, j], now[:, j], rng=rng)[chosen]
    mended = _predictions(predict, copies.reshape(-1, len(names))).reshape(len(asked), -1)
    effects = [
        _effect(names[j], served=served, mended=own) for j, own in zip(asked, mended, strict=True)
    ]
    total = math.fsum(abs(e.effect) for e in effects)
    shared = (msgspec.structs.replace(e, share=abs(e.effect) / total) for e in effects)
    ordered = shared if total > 0.0 else effects
    return tuple(sorted(ordered, key=lambda e: -abs(e.effect)))


def loss_effect(y: Values, p: Values, *, cluster: Values, level: float = 0.95) -> LossEffect:
    """Say how much worse the log-loss is than calibrated predictions would have it.

    Were p right, the expected loss of a row would be its entropy -p·ln p - (1-p)·ln(1-p): it
    grows when the world becomes less certain, and that is no fault of the model. The excess over
    it is. Positive: over-confident or off; negative: under-confident.
    """
    observed = per_row_log_loss(y, p)
    probability = as_probabilities(p)
    expected = _entropy(probability)
    totals = totals_by_cluster(observed - expected, cluster=cluster)
    estimate = clustered_mean(totals)
    return LossEffect(
        expected=float(expected.mean()),
        observed=float(observed.mean()),
        excess=estimate.value,
        interval=estimate.interval(level=level),
        clusters=len(totals.clusters),
        rows=len(observed),
    )


def quality_shift(
    reference_losses_by_cluster: Mapping[str, ArrayLike] | ClusterTotals,
    current_losses_by_cluster: Mapping[str, ArrayLike] | ClusterTotals,
    *,
    tolerance: float = 0.0,
    level: float = 0.95,
) -> QualityShift:
    """Say whether the loss now differs from the reference by more than `tolerance`.

    Losses per cluster (day → its rows' losses, or `ClusterTotals`). The verdict is "worse" or
    "better" only if the whole interval lies beyond ±tolerance, "within" only if it lies inside,
    else "undecided". Welch's t on cluster-robust errors.
    """
    if tolerance < 0.0:
        raise InvalidInput(f"A tolerance is not negative; got {tolerance}.")
    reference = clustered_mean(as_totals(reference_losses_by_cluster))
    current = clustered_mean(as_totals(current_losses_by_cluster))
    change = difference_of(current, reference)
    interval = change.interval(level=level)
    outcome = _outcome(interval, low=-tolerance, high=tolerance, names=("better", "worse"))
    reason = (
        f"Loss {current.value:.4f} against {reference.value:.4f} in the reference: "
        f"{_words(outcome)} (change {change.value:+.4f}, {level:.0%} interval "
        f"{interval.low:+.4f} to {interval.high:+.4f}, tolerance {tolerance:g})."
    )
    return QualityShift(
        reference_loss=reference.value,
        current_loss=current.value,
        difference=change.value,
        p_value=change.p_value(),
        interval=interval,
        tolerance=tolerance,
        verdict=Verdict(outcome != "worse", outcome, reason),
    )


def calibration_shift(
    y: Values, p: Values, *, cluster: Values, tolerance: float = 1.25, level: float = 0.95
) -> CalibrationShift:
    """Say whether observed over predicted rate has left the band [1 / tolerance, tolerance].

    "under-predicts" or "over-predicts" only if the whole interval (clustered by day) lies outside
    the band, "within" only if it lies inside, else "undecided".
    """
    if tolerance < 1.0:
        raise InvalidInput(
            f"The tolerance is a ratio of at least 1; got {tolerance}.", hint="1.25 allows 25 %."
        )
    found = calibration(y, p, cluster=cluster, level=level)
    names = ("over-predicts", "under-predicts")
    outcome = _outcome(found.interval, low=1.0 / tolerance, high=tolerance, names=names)
    reason = (
        f"Observed rate {found.observed_rate:.4f} against predicted {found.predicted_rate:.4f}: "
        f"{_words(outcome)} (ratio {found.ratio:.3f}, {level:.0%} interval "
        f"{found.interval.low:.3f} to {found.interval.high:.3f}, "
        f"band {1.0 / tolerance:.3f} to {tolerance:.3f})."
    )
    verdict = Verdict(outcome not in names, outcome, reason)
    return CalibrationShift(found, tolerance, verdict)


def _as_rows(rows: Floats, *, names: Sequence[str]) -> Floats:
    matrix = np.asarray(rows, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or not len(matrix):  # noqa: PLR2004 - rows x features
        raise InvalidInput(
            f"Rows must be n x {len(names)} with n ≥ 1, one column per name; got {matrix.shape}."
        )
    return matrix


def _predictions(predict: Callable[[Floats], Floats], rows: Floats) -> Floats:
    predicted = complete_floats(predict(rows), name="predictions")
    if len(predicted) != len(rows):
        raise InvalidInput(f"predict gave {len(predicted)} values for {len(rows)} rows.")
    return predicted


def _carried_back(reference: Floats, current: Floats, *, rng: np.random.Generator) -> Floats:
    """Give each current value the reference value of the same rank; NaN sorts last in both."""
    order = np.lexsort((rng.random(len(current)), current))
    ordered = np.sort(reference)
    ranks = (np.arange(len(current)) * 2 + 1) * len(ordered) // (2 * len(current))
    carried = np.empty(len(current))
    carried[order] = ordered[ranks]
    return carried


def _effect(name: str, *, served: Floats, mended: Floats) -> FeatureEffect:
    change = served - mended
    error = float(change.std(ddof=1)) / math.sqrt(len(change)) if len(change) > 1 else 0.0
    return FeatureEffect(
        name=name,
        effect=float(change.mean()),
        standard_error=error,
        spread_effect=float(served.std() - mended.std()),
        share=0.0,
        loss_if_fault=_mean_divergence(mended, served),
    )


def _mean_divergence(truth: Floats, served: Floats) -> float | None:
    low, high = min(truth.min(), served.min()), max(truth.max(), served.max())
    if low < 0.0 or high > 1.0:
        return None
    epsilon = np.finfo(np.float64).eps
    q = np.clip(served, epsilon, 1.0 - epsilon)
    cross = -truth * np.log(q) - (1.0 - truth) * np.log1p(-q)
    return max(0.0, float(np.mean(cross - _entropy(truth))))


def _entropy(probability: Floats) -> Floats:
    inside = (probability > 0.0) & (probability < 1.0)
    p = np.where(inside, probability, 0.5)
    return np.where(inside, -p * np.log(p) - (1.0 - p) * np.log1p(-p), 0.0)


def _outcome(interval: Interval, *, low: float, high: float, names: tuple[str, str]) -> str:
    if interval.high < low:
        return names[0]
    if interval.low > high:
        return names[1]
    return "within" if interval.is_inside(low, high=high) else "undecided"


def _words(outcome: str) -> str:
    return {
        "within": "within tolerance",
        "undecided": "not decided yet",
        "under-predicts": "the model under-predicts",
        "over-predicts": "the model over-predicts",
    }.get(outcome, outcome)
