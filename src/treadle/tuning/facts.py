"""What happens to studies, as facts of the event log."""

from __future__ import annotations

from typing import Any, ClassVar

from treadle.storage.events import Fact
from treadle.tuning.entities import Direction
from treadle.tuning.space import Dimension


class StudyFact(Fact, frozen=True, kw_only=True):
    """Something that happened to a study."""

    study: str

    def subject(self) -> str:
        return f"study/{self.study}"


class StudyCreated(StudyFact, frozen=True, kw_only=True):
    """A search was begun."""

    kind: ClassVar[str] = "study.created"
    id: str
    direction: Direction
    metric: str
    space: dict[str, Dimension]
    seed: int
    experiment: str


class TrialFinished(StudyFact, frozen=True, kw_only=True):
    """A trial came to its value."""

    kind: ClassVar[str] = "trial.finished"
    number: int
    params: dict[str, Any]
    run_id: str
    value: float
    metrics: dict[str, float]
