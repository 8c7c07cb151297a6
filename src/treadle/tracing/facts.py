"""What happens to traces, as facts of the event log.

Traces and spans themselves are no events, as metric points are none: a busy program makes thousands
an hour. What people and judges say about them is, and what takes them away.
"""

from __future__ import annotations

from typing import Any, ClassVar

from treadle.storage.events import Fact
from treadle.tracing.entities import AssessmentKind


class TracesDeleted(Fact, frozen=True, kw_only=True):
    """Traces were deleted for good, with their spans and assessments."""

    kind: ClassVar[str] = "traces.deleted"
    experiment_id: str
    count: int
    first_id: str
    last_id: str

    def subject(self) -> str:
        return f"traces/{self.experiment_id}"


class TracesLinked(Fact, frozen=True, kw_only=True):
    """Traces were linked to a run."""

    kind: ClassVar[str] = "traces.linked"
    run_id: str
    trace_ids: tuple[str, ...]

    def subject(self) -> str:
        return f"run/{self.run_id}"


class AssessmentLogged(Fact, frozen=True, kw_only=True):
    """Somebody said something about a trace."""

    kind: ClassVar[str] = "assessment.logged"
    id: str
    trace_id: str
    name: str
    about: AssessmentKind
    value: Any
    source_kind: str
    source_id: str
    overrides: str

    def subject(self) -> str:
        return f"trace/{self.trace_id}"


class AssessmentChanged(Fact, frozen=True, kw_only=True):
    """What was said about a trace was changed."""

    kind: ClassVar[str] = "assessment.changed"
    id: str
    trace_id: str
    name: str
    value: Any

    def subject(self) -> str:
        return f"trace/{self.trace_id}"


class AssessmentDeleted(Fact, frozen=True, kw_only=True):
    """What was said about a trace was taken back."""

    kind: ClassVar[str] = "assessment.deleted"
    id: str
    trace_id: str

    def subject(self) -> str:
        return f"trace/{self.trace_id}"
