"""What a monitor looks for and what it found."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from treadle.data.entities import CheckResult  # noqa: TC001 - the type of a field
from treadle.kernel.clock import DAY_US, format_day
from treadle.kernel.errors import InvalidInput
from treadle.serving.entities import LabelBatch
from treadle.storage.events import Fact


class MonitorRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a window is judged, and when it alerts.

    A window is judged `label_delay_days` after its end, when its labels are there, if at least
    `minimum_labels` of them are. `calibration_band` b: alert when observed/predicted leaves
    [1/b, b] and its interval excludes 1. `loss_tolerance`: alert when the log-loss exceeds the
    reference's by more than this (nats per prediction), surely (the interval lies above zero), and
    not only because cases are harder: it must surely exceed what the predictions themselves
    promise, too. `distance_threshold` (PSI) never alerts: beyond it the effect on the predictions
    is estimated and shown.
    """

    window_days: int = 7
    label_delay_days: int = 1
    calibration_band: float = 1.5
    loss_tolerance: float = 0.05
    distance_threshold: float = 0.25
    minimum_labels: int = 200
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.window_days < 1:
            raise InvalidInput(f"window_days must be at least 1, not {self.window_days}.")
        if self.calibration_band <= 1:
            raise InvalidInput(
                f"calibration_band must be above 1, not {self.calibration_band}.",
                hint="1.5 tolerates a rate between two thirds and one and a half of the predicted.",
            )
        if not 0 < self.level < 1:
            raise InvalidInput(f"level must be between 0 and 1, not {self.level}.")


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What the served version did where it was last judged: its held-out rows, as an object."""

    version: str
    digest: str
    rows: int
    log_loss: float


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """Watches one endpoint with its rules against its reference."""

    name: str
    endpoint: str
    rules: MonitorRules
    reference: Reference | None
    created_at: int


class Band(msgspec.Struct, frozen=True):
    """An estimate with its interval."""

    estimate: float
    low: float
    high: float


class Distance(msgspec.Struct, frozen=True):
    """How far a feature is from its reference (PSI), and what that did to the mean prediction.

    `effect` and its `interval` are None where it was not estimated: below the threshold, or not
    among the farthest.
    """

    feature: str
    psi: float
    effect: float | None = None
    interval: tuple[float, float] | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a monitor says: what moved, where or why, by how much, and how sure that is.

    `size` and its `interval`: observed rate / predicted rate (calibration), nats per prediction
    (loss), change of the mean prediction (distance; 0 and None where it was not estimated), share
    of the rows that break the claim most of them break (contract).
    """

    kind: Literal["calibration", "loss", "distance", "contract"]
    title: str
    cause: str
    size: float
    interval: tuple[float, float] | None = None
    alerts: bool


WindowState = Literal["ok", "alert", "quarantined", "waiting"]


class WindowReport(msgspec.Struct, frozen=True, kw_only=True):
    """One window of an endpoint, judged.

    `waiting`: fewer labels than the rules ask for; `quarantined`: the same, because deliveries
    broke their contract. What needs labels is None then. `version` answered most of its `rows`,
    `labelled` of which have an accepted label; `quarantined` labels of deliveries that touch it
    count nowhere. Losses are in nats per prediction: `log_loss` observed, `excess_loss` above the
    reference's, `unexpected_loss` above what the predictions themselves promise (their entropy).
    `calibration` is observed rate / predicted rate.
    """

    id: str
    monitor: str
    start: int
    end: int
    version: str
    rows: int
    labelled: int
    quarantined: int
    observed_rate: float | None
    predicted_rate: float | None
    log_loss: float | None
    auc: float | None
    excess_loss: Band | None
    unexpected_loss: Band | None
    calibration: Band | None
    distances: tuple[Distance, ...]
    state: WindowState
    findings: tuple[Finding, ...]
    at: int

    @property
    def distance_max(self) -> float:
        """The largest PSI of any feature."""
        return max((d.psi for d in self.distances), default=0.0)

    def line(self) -> str:
        """Say the window in one line of text."""
        head = f"{format_day(self.start)}  n={self.rows}"
        if self.log_loss is None or self.calibration is None:
            return f"{head}  labels {self.labelled}  {self.state}"
        c = self.calibration
        return (
            f"{head}  loss {self.log_loss:.4f}  observed/predicted {c.estimate:.2f}"
            f" [{c.low:.2f}, {c.high:.2f}]  PSI max {self.distance_max:.2f} (shown, not an alarm)"
            f"  {self.state}"
        )


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A finding somebody must know: open until a window is well again or a person closes it."""

    id: str
    monitor: str
    endpoint: str
    kind: str
    title: str
    cause: str
    size: float
    interval: tuple[float, float] | None = None
    window_start: int
    window_end: int
    state: Literal["open", "closed"]
    opened_at: int
    closed_at: int | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """Labels that were taken in: one dataset version, and what became of it.

    `joined` of its `rows` labels met a prediction, those being about `first_at` to `last_at` (µs).
    A quarantined one says why and counts nowhere.
    """

    ref: str
    state: Literal["accepted", "quarantined"]
    reason: str = ""
    rows: int = 0
    joined: int = 0
    first_at: int = 0
    last_at: int = 0

    def touches(self, start: int, end: int) -> bool:
        """Whether it has a label for a prediction about `start <= at < end`."""
        return self.joined > 0 and self.first_at < end and self.last_at >= start


class TakenLabels(LabelBatch, frozen=True, kw_only=True):
    """Labels that came without a dataset, as they were taken in, and what their contract says.

    `checks` are of these and of those that came this way shortly before. A batch in quarantine
    counts nowhere; `problem` names the checks it failed. Without a contract or a reference nothing
    is checked.
    """

    problem: str = ""
    checks: tuple[CheckResult, ...] = ()


class MonitorCreated(Fact, frozen=True, kw_only=True):
    """A monitor was set on an endpoint, or its rules changed."""

    kind: ClassVar[str] = "monitor.created"
    monitor: Monitor

    def subject(self) -> str:
        """Return the monitor."""
        return f"monitor/{self.monitor.name}"


class ReferenceSet(Fact, frozen=True, kw_only=True):
    """A monitor measures against another version from now on."""

    kind: ClassVar[str] = "monitor.reference_set"
    monitor: str
    reference: Reference

    def subject(self) -> str:
        """Return the monitor."""
        return f"monitor/{self.monitor}"


class WindowEvaluated(Fact, frozen=True, kw_only=True):
    """A window was judged."""

    kind: ClassVar[str] = "monitor.window_evaluated"
    monitor: str
    start: int
    end: int
    state: WindowState
    rows: int
    labelled: int
    log_loss: float | None
    calibration: float | None
    distance_max: float

    def subject(self) -> str:
        """Return the monitor."""
        return f"monitor/{self.monitor}"


class AlertOpened(Fact, frozen=True, kw_only=True):
    """Something really moved."""

    kind: ClassVar[str] = "alert.opened"
    alert: Alert

    def subject(self) -> str:
        """Return the monitor."""
        return f"monitor/{self.alert.monitor}"


class AlertClosed(Fact, frozen=True, kw_only=True):
    """It is well again, or a person said so."""

    kind: ClassVar[str] = "alert.closed"
    alert_id: str
    monitor: str
    reason: str

    def subject(self) -> str:
        """Return the monitor."""
        return f"monitor/{self.monitor}"


def check_window(start: int, end: int) -> None:
    """Raise InvalidInput unless a window runs forward by whole days' worth of time."""
    if end - start < DAY_US:
        raise InvalidInput(
            f"A window must last at least a day: {format_day(start)} to {format_day(end)}."
        )
