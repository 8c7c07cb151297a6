"""What happens to jobs, as facts of the event log; leases and heartbeats are too many for it."""

from __future__ import annotations

from typing import ClassVar, Literal

from treadle.storage.events import Fact


class JobFact(Fact, frozen=True, kw_only=True):
    """Something that happened to a job."""

    id: str

    def subject(self) -> str:
        return f"job/{self.id}"


class JobQueued(JobFact, frozen=True, kw_only=True):
    """Work was put in the queue."""

    kind: ClassVar[str] = "job.queued"
    job_kind: str
    target: str
    key: str | None
    max_attempts: int


class JobLost(JobFact, frozen=True, kw_only=True):
    """A worker stopped answering while it had the job; it is tried again unless it failed."""

    kind: ClassVar[str] = "job.lost"
    worker: str
    attempts: int


class JobEnded(JobFact, frozen=True, kw_only=True):
    """A job came to its end."""

    kind: ClassVar[str] = "job.ended"
    state: Literal["done", "failed", "cancelled"]
    attempts: int
    error: str
