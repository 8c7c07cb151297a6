"""What tuning knows: studies and their trials."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from treadle.tuning.space import Dimension

Direction = Literal["minimize", "maximize"]
TrialState = Literal["running", "finished", "failed", "killed"]


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """A search. `metric` is what is minimized or maximized; `run_id` the tracking run of its last
    sitting, parent of the trials of that sitting.
    """

    id: str
    name: str
    direction: Direction
    metric: str
    space: dict[str, Dimension]
    seed: int
    experiment: str
    run_id: str
    created_at: int


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One try; it is the tracking run `run_id`. `value` is None until it has finished."""

    number: int
    params: dict[str, Any]
    run_id: str
    state: TrialState
    value: float | None = None
    metrics: dict[str, float] = {}
    error: str = ""
    started_at: int
    ended_at: int | None = None


class StudyResult(msgspec.Struct, frozen=True, kw_only=True):
    """A study, all its trials by number, and the best that finished (the first of equals)."""

    study: Study
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The finished trial with the best value. Raises ValueError when none has finished."""
        sign = 1 if self.study.direction == "minimize" else -1
        finished = [trial for trial in self.trials if trial.state == "finished"]
        return min(finished, key=lambda trial: (sign * (trial.value or 0.0), trial.number))
