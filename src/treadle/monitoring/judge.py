"""Judge one window: pure functions from its labelled predictions to what moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from treadle.analysis import effects, performance
from treadle.analysis.clusters import Estimate, clustered_mean, difference_of, totals_by_cluster
from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import InvalidInput
from treadle.monitoring.distances import PREDICTION
from treadle.monitoring.entities import Band, Distance, Finding, MonitorRules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

FAR_NAMED = 3
FEWEST_DAYS = 2


class Outcomes(msgspec.Struct, frozen=True):
    """The labelled rows of a window: outcome, prediction and day of each."""

    label: NDArray[np.float64]
    value: NDArray[np.float64]
    day: NDArray[np.int64]

    @property
    def losses(self) -> NDArray[np.float64]:
        """Log-loss of each row, in nats."""
        return performance.per_row_log_loss(self.label, self.value)

    def suffice(self, rules: MonitorRules) -> bool:
        """Whether there are enough labels, on enough days, to say anything."""
        return len(self.label) >= rules.minimum_labels and len(np.unique(self.day)) >= FEWEST_DAYS


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """What labels say of a window; see `entities.WindowReport` for the units."""

    observed_rate: float
    predicted_rate: float
    log_loss: float
    auc: float | None
    excess_loss: Band | None
    unexpected_loss: Band
    calibration: Band | None


def with_outcome(rows: pa.Table) -> pa.Table:
    """Return the rows that have a label and an answer; a label not there yet is never a zero."""
    return rows.filter(pc.and_(pc.is_valid(rows["label"]), pc.is_valid(rows["value"])))


def outcomes_of(known: pa.Table) -> Outcomes:
    """Take label, prediction and day of rows that have both."""
    return Outcomes(
        known["label"].to_numpy().astype(np.float64),
        known["value"].to_numpy().astype(np.float64),
        known["at"].to_numpy().astype(np.int64) // DAY_US,
    )


def quality(now: Outcomes, *, reference: Outcomes | None, level: float) -> Quality:
    """Measure a window with enough labels: every interval is clustered by day."""
    losses = now.losses
    own = effects.loss_effect(now.label, now.value, cluster=now.day, level=level)
    return Quality(
        observed_rate=float(now.label.mean()),
        predicted_rate=float(now.value.mean()),
        log_loss=float(losses.mean()),
        auc=_auc(now),
        excess_loss=None if reference is None else excess_loss(now, reference, level=level),
        unexpected_loss=Band(own.excess, own.interval.low, own.interval.high),
        calibration=calibration(now, level=level),
    )


def excess_loss(now: Outcomes, reference: Outcomes, *, level: float) -> Band | None:
    """Log-loss of the window minus the reference's, both clustered by day (Welch's interval)."""
    try:
        shift = difference_of(_mean_loss(now), _mean_loss(reference))
    except InvalidInput:  # a reference of one day has no honest error
        return None
    span = shift.interval(level=level)
    return Band(shift.value, span.low, span.high)


def calibration(now: Outcomes, *, level: float) -> Band | None:
    """Observed over predicted rate, its interval clustered by day; None when all predicted 0."""
    if not now.value.any():
        return None
    found = performance.calibration(now.label, now.value, cluster=now.day, level=level)
    return Band(found.ratio, found.interval.low, found.interval.high)


def calibration_moved(found: Band, *, band: float) -> bool:
    """Say whether a ratio left [1/band, band] and its interval excludes 1."""
    outside = not 1 / band <= found.estimate <= band
    return outside and not found.low <= 1 <= found.high


def quality_findings(
    measured: Quality, *, rules: MonitorRules, cause: Callable[[], Iterable[object]]
) -> tuple[Finding, ...]:
    """Say what moved in quality; `cause` names where and why, and is asked only if it did."""
    found = []
    ratio, excess = measured.calibration, measured.excess_loss
    if ratio is not None and calibration_moved(ratio, band=rules.calibration_band):
        found.append(_calibration_finding(measured, ratio, cause=_joined(*cause())))
    if excess is not None and excess.low > 0 and excess.estimate > rules.loss_tolerance:
        found.append(_loss_finding(measured, excess, cause=cause))
    return tuple(found)


def distance_findings(distances: tuple[Distance, ...], *, threshold: float) -> tuple[Finding, ...]:
    """Name the inputs beyond the distance threshold with their effect: never an alarm by itself."""
    far = [d for d in distances if d.psi > threshold]
    if not far:
        return ()
    largest = max(far, key=lambda d: abs(d.effect or 0.0))
    most = f"PSI {far[0].psi:.2f}"
    if largest.effect is not None:
        most += f", effect on mean prediction {largest.effect:+.3f}"
    named = "; ".join(_said(d) for d in far[:FAR_NAMED])
    more = f"; {len(far) - FAR_NAMED} more" if len(far) > FAR_NAMED else ""
    return (
        Finding(
            kind="distance",
            title=f"{most}: no alarm",
            cause=f"{len(far)} beyond {threshold:g}: {named}{more}",
            size=largest.effect or 0.0,
            interval=largest.interval,
            alerts=False,
        ),
    )


def movers(distances: tuple[Distance, ...]) -> tuple[str, ...]:
    """Name the input whose shift surely moved the mean prediction most, if there is one."""
    sure = [d for d in distances if d.feature != PREDICTION and _is_sure(d)]
    most = max(sure, key=lambda d: abs(d.effect or 0.0), default=None)
    if most is None:
        return ()
    return (f"the shift of {most.feature} moved the mean prediction by {most.effect:+.3f}",)


def _is_sure(distance: Distance) -> bool:
    low, high = distance.interval or (0.0, 0.0)
    return not low <= 0 <= high


def _said(distance: Distance) -> str:
    effect = "" if distance.effect is None else f", effect {distance.effect:+.3f}"
    return f"{distance.feature} PSI {distance.psi:.2f}{effect}"


def _calibration_finding(measured: Quality, ratio: Band, *, cause: str) -> Finding:
    word = "more" if ratio.estimate > 1 else "less"
    return Finding(
        kind="calibration",
        title=f"Outcomes are {word} frequent than predicted: {measured.observed_rate:.1%} against "
        f"{measured.predicted_rate:.1%}, {ratio.estimate:.2f} times "
        f"[{ratio.low:.2f}, {ratio.high:.2f}]",
        cause=cause,
        size=ratio.estimate,
        interval=(ratio.low, ratio.high),
        alerts=True,
    )


def _loss_finding(
    measured: Quality, excess: Band, *, cause: Callable[[], Iterable[object]]
) -> Finding:
    """Split a larger loss: what the predictions themselves expected is no fault of the model."""
    own = measured.unexpected_loss
    alerts = own.low > 0
    split = (
        f"{excess.estimate - own.estimate:+.3f} of it the predictions expected (harder cases), "
        f"{own.estimate:+.3f} [{own.low:+.3f}, {own.high:+.3f}] they did not"
    )
    title = (
        f"Log-loss is {excess.estimate:+.3f} against the reference "
        f"[{excess.low:+.3f}, {excess.high:+.3f}]"
    )
    return Finding(
        kind="loss",
        title=title if alerts else f"{title}: harder cases, no alarm",
        cause=_joined(split, *cause()),
        size=excess.estimate,
        interval=(excess.low, excess.high),
        alerts=alerts,
    )


def _joined(*parts: object) -> str:
    return "; ".join(str(part) for part in parts)


def _mean_loss(outcomes: Outcomes) -> Estimate:
    return clustered_mean(totals_by_cluster(outcomes.losses, cluster=outcomes.day))


def _auc(now: Outcomes) -> float | None:
    # Only one outcome occurred: there is nothing to tell apart.
    if now.label.min() == now.label.max():
        return None
    return performance.auc(now.label, now.value)
