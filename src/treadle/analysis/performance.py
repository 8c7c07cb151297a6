"""How good predictions are, once the truth is known. y is 0/1, p a probability of 1.

Nulls are refused, not dropped: a label that is not there yet is a state, never a zero, and the
caller says how many rows it left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.analysis.columns import (
    Values,
    as_binary,
    as_probabilities,
    complete_floats,
    require_same_length,
)
from treadle.analysis.comparisons import ratio_with_interval_clustered
from treadle.analysis.intervals import Interval, wilson
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treadle.analysis.columns import Floats

__all__ = [
    "Calibration",
    "CalibrationBin",
    "Interval",
    "accuracy",
    "auc",
    "brier",
    "calibration",
    "calibration_bins",
    "log_loss",
    "mae",
    "per_row_log_loss",
    "rmse",
    "wilson",
]


class Calibration(msgspec.Struct, frozen=True):
    """Observed against predicted rate; `ratio` is observed / predicted, `interval` is the ratio's.

    `clusters` is None when rows were taken as independent.
    """

    rows: int
    observed_rate: float
    predicted_rate: float
    ratio: float
    interval: Interval
    clusters: int | None


class CalibrationBin(msgspec.Struct, frozen=True):
    """Rows with predictions from `low` to `high`; `interval` is the observed rate's."""

    low: float
    high: float
    rows: int
    predicted_rate: float
    observed_rate: float
    interval: Interval


def per_row_log_loss(y: Values, p: Values) -> Floats:
    """Loss -ln(probability given to what happened) of each row, in nats.

    Probabilities are clipped by the float64 epsilon (2.2e-16), as scikit-learn does.
    """
    positive, probability = _outcome_pair(y, p)
    epsilon = np.finfo(np.float64).eps
    clipped = np.clip(probability, epsilon, 1.0 - epsilon)
    return -np.where(positive, np.log(clipped), np.log1p(-clipped))


def log_loss(y: Values, p: Values) -> float:
    """Mean log-loss in nats."""
    return float(per_row_log_loss(y, p).mean())


def brier(y: Values, p: Values) -> float:
    """Mean squared distance between probability and outcome (Brier 1950)."""
    positive, probability = _outcome_pair(y, p)
    return float(np.mean((probability - positive) ** 2))


def accuracy(y: Values, p: Values, *, threshold: float = 0.5) -> float:
    """Share of rows on the right side of the threshold (p ≥ threshold says 1)."""
    positive, probability = _outcome_pair(y, p)
    return float(np.mean((probability >= threshold) == positive))


def auc(y: Values, p: Values) -> float:
    """Probability that a random positive scores above a random negative, ties counting half.

    p may be any score. Exact: Mann-Whitney's U counted in integers.
    """
    positive, score = as_binary(y), complete_floats(p, name="p")
    require_same_length(positive, score, names="y and p")
    high, low = np.sort(score[positive]), np.sort(score[~positive])
    if not len(high) or not len(low):
        raise InvalidInput(
            f"AUC needs both outcomes; all {len(score)} rows are {int(positive[0])}.",
            hint="Widen the window until both outcomes occur.",
        )
    wins_twice = (
        np.searchsorted(low, high, side="left").sum()
        + np.searchsorted(low, high, side="right").sum()
    )
    return float(int(wins_twice) / (2 * len(high) * len(low)))


def calibration(
    y: Values, p: Values, *, cluster: Values | None = None, level: float = 0.95
) -> Calibration:
    """Observed rate over predicted rate, with an interval.

    Without `cluster` rows count as independent and the interval is Wilson's of the observed rate
    over the predicted rate. With it (a day per row, say) the interval is cluster-robust.
    """
    positive, probability = _outcome_pair(y, p)
    observed, predicted = float(positive.mean()), float(probability.mean())
    if predicted == 0.0:
        raise InvalidInput("Every prediction is 0: observed over predicted is not defined.")
    if cluster is None:
        rate = wilson(int(positive.sum()), len(positive), level=level)
        interval = Interval(rate.low / predicted, rate.high / predicted, level)
        return Calibration(
            len(positive), observed, predicted, observed / predicted, interval, clusters=None
        )
    ratio = ratio_with_interval_clustered(
        positive.astype(np.float64), probability, cluster=cluster, level=level
    )
    return Calibration(
        len(positive), observed, predicted, ratio.ratio, ratio.interval, clusters=ratio.clusters
    )


def calibration_bins(
    y: Values, p: Values, *, bins: int = 10, level: float = 0.95
) -> tuple[CalibrationBin, ...]:
    """Observed and predicted rate in bins of about equal row counts, equal predictions together."""
    positive, probability = _outcome_pair(y, p)
    order = np.argsort(probability, kind="stable")
    ordered = probability[order]
    wanted = np.arange(1, bins) * len(ordered) // bins
    # A bin may not begin inside a run of equal predictions.
    starts = np.unique(np.searchsorted(ordered, ordered[wanted], side="left"))
    parts = np.split(order, starts[starts > 0])
    return tuple(_calibration_bin(positive[i], probability[i], level=level) for i in parts)


def mae(y: Values, p: Values) -> float:
    """Mean absolute error, in the unit of y."""
    return float(np.abs(_errors(y, p)).mean())


def rmse(y: Values, p: Values) -> float:
    """Root mean squared error, in the unit of y."""
    return float(np.sqrt(np.mean(_errors(y, p) ** 2)))


def _outcome_pair(y: Values, p: Values) -> tuple[NDArray[np.bool_], Floats]:
    positive, probability = as_binary(y), as_probabilities(p)
    require_same_length(positive, probability, names="y and p")
    return positive, probability


def _errors(y: Values, p: Values) -> Floats:
    truth, predicted = complete_floats(y, name="y"), complete_floats(p, name="p")
    require_same_length(truth, predicted, names="y and p")
    return predicted - truth


def _calibration_bin(
    positive: NDArray[np.bool_], probability: Floats, *, level: float
) -> CalibrationBin:
    count = int(positive.sum())
    return CalibrationBin(
        low=float(probability.min()),
        high=float(probability.max()),
        rows=len(positive),
        predicted_rate=float(probability.mean()),
        observed_rate=count / len(positive),
        interval=wilson(count, len(positive), level=level),
    )
