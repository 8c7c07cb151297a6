"""A small world to run the loop in: a home that replays 2013, models that know more or less of it.

Every request has two inputs; the outcome's odds are those of `truth` plus a shock of its day. Weeks
begin on Fridays from 2013-03-01 on, as the real story's do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from treadle.analysis.leakage import single_feature_probe
from treadle.app import App
from treadle.governance.entities import GateRules
from treadle.kernel.clock import DAY_US, parse_instant
from treadle.kernel.settings import Settings
from treadle.monitoring.entities import MonitorRules
from treadle.release.policy import (
    LabelRules,
    Policy,
    ReleaseRules,
    RetrainRules,
)
from treadle.release.trained import Trained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treadle.governance.entities import GateReport
    from treadle.release.entities import Decision, Release
    from treadle.release.loop import Made, Tick

START = parse_instant("2013-03-01")
WEEK_US = 7 * DAY_US
ROWS = 420
TRUTH = (1.2, -0.8)

POLICY = Policy(
    endpoint="late",
    model="late",
    gates=GateRules(beats_baseline="log_loss"),
    labels=LabelRules(dataset="outcomes", key="flight", label="late"),
    release=ReleaseRules(looks=(6, 13), shadow_labels=200, canary_share=0.25, canary_requests=50),
    monitor=MonitorRules(minimum_labels=100, loss_tolerance=0.05),
    retrain=RetrainRules(every_days=28, cooldown_days=14, minimum_labels=500),
)


def at(week: int, *, day: float = 0.0) -> int:
    return START + week * WEEK_US + round(day * DAY_US)


def logistic(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def model_of(weights: tuple[float, float], *, bias: float = -1.0) -> Callable[[pa.Table], Any]:
    """A model that weighs the two inputs; pickled by value, as nobody can import it."""

    def answer(table: pa.Table) -> Any:
        score = weights[0] * table["heat"].to_numpy() + weights[1] * table["wind"].to_numpy()
        return 1.0 / (1.0 + np.exp(-(score + bias)))

    return answer


GOOD = model_of(TRUTH)
ROUGH = model_of((0.5, 0.0))
HARMFUL = model_of((-1.2, 0.8), bias=1.0)


def flights(week: int, *, rows: int = ROWS, shift: float = 0.0, bias: float = -1.0) -> pa.Table:
    """What is asked in a week and what becomes of it; the same week is the same flights."""
    rng = np.random.default_rng(1000 + week)
    heat, wind = rng.normal(size=rows) + shift, rng.normal(size=rows)
    day = np.sort(rng.integers(0, 7, rows))
    shock = rng.normal(size=7)[day] * 0.15
    odds = TRUTH[0] * heat + TRUTH[1] * wind + bias + shock
    return pa.table(
        {
            "flight": [f"w{week:02d}-{i:04d}" for i in range(rows)],
            "at": at(week) + day * DAY_US + np.arange(rows) * 1_000_000,
            "heat": heat,
            "wind": wind,
            "late": (rng.random(rows) < logistic(odds)).astype(np.int8),
        }
    )


def trained(model: Callable[[pa.Table], Any], *, week: int = -4) -> Trained:
    """A model with its evidence, judged on four weeks before it serves."""
    rows = pa.concat_tables([flights(w) for w in range(week, week + 4)])
    value, label = model(rows), rows["late"].to_numpy().astype(float)
    loss = -np.mean(np.where(label == 1, np.log(value), np.log1p(-value)))
    rate = label.mean()
    base = -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    return Trained(
        model=model,
        example=rows.select(["heat", "wind"]).slice(0, 10),
        metrics={"log_loss": float(loss)},
        # So weak that even a harmful model gets past it: here the release must catch it.
        baseline={"log_loss": float(base) + 1.5},
        heldout=pa.table(
            {
                "at": rows["at"],
                "value": value,
                "label": label,
                "x_heat": rows["heat"],
                "x_wind": rows["wind"],
            }
        ),
        probes=single_feature_probe({"heat": rows["heat"], "wind": rows["wind"]}, target=label),
    )


class World:
    """A home with everything in it; `now` moves its clock, never back."""

    def __init__(self, folder: Path, *, metadata_url: str = "", policy: Policy = POLICY) -> None:
        self.folder = folder
        self.policy = policy
        settings = Settings(home=folder, clock="played", metadata_url=metadata_url)
        self.app = App(settings)
        self.now(at(0))
        self.app.loop.start(policy)

    def now(self, instant: int) -> None:
        self.app.clock.set(instant)

    def candidate(self, model: Callable[[pa.Table], Any], *, name: str = "by hand") -> Made:
        return self.app.loop.candidate(self.policy, trained(model), name=name)

    def release(self, model: Callable[[pa.Table], Any], *, why: str = "test") -> Release:
        made = self.candidate(model, name=why)
        assert made.version is not None, made.report.reason
        return self.app.loop.propose(self.policy, made.version, why=why)

    def ask(self, week: int, **kinds: Any) -> pa.Table:
        """Have a week's flights answered, at the times they happen."""
        rows = flights(week, **kinds)
        self.app.serving.score_batch(
            self.policy.endpoint,
            rows.select(["heat", "wind"]),
            keys=rows["flight"],
            times=rows["at"],
            source_ref=f"week {week}",
        )
        return rows

    def deliver(self, rows: pa.Table) -> None:
        """Commit what became of flights as a version of the labels' dataset."""
        self.app.data.commit(self.policy.labels.dataset, rows.select(["flight", "late"]))

    def week(self, week: int, *, retrain: Any = None, labels: bool = True, **kinds: Any) -> Tick:
        """Play one week: asked while it lasts, its outcomes a day after its end, then one tick."""
        self.now(at(week, day=6.9))
        rows = self.ask(week, **kinds)
        self.now(at(week, day=8))
        if labels:
            self.deliver(rows)
        return self.app.loop.tick(self.policy.endpoint, retrain=retrain)

    def retrain_with(self, model: Callable[[pa.Table], Any]) -> Callable[..., Made]:
        def train(policy: Policy, decision: Decision) -> Made:
            return self.app.loop.candidate(policy, trained(model), name=decision.reason)

        return train

    def traffic(self) -> list[tuple[str, str, float]]:
        endpoint = self.app.serving.endpoint(self.policy.endpoint)
        return [(v.version, v.role, v.share) for v in endpoint.variants]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.app.log.read()]

    def report_of(self, made: Made) -> GateReport:
        assert made.report is not None
        return made.report
