"""What execution knows: work, the jobs it waits in, and how far they are."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
OPEN_STATES = ("queued", "running")
# The states in which a job stands for its key: a new one is made only after failure or cancelling.
KEY_STATES = ("queued", "running", "done")


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A function named by text and its JSON arguments.

    `target` reads `/folder/file.py:function` or `package.module:function`.
    """

    target: str
    arguments: dict[str, Any] = {}


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a piece of work is; `result` is set when it is done, `error` when it failed."""

    state: JobState
    attempts: int = 0
    result: Any = None
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in OPEN_STATES


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of work in the queue. Instants are µs UTC by the machine's clock.

    `actor` asked for it and is named by everything it does. `log` holds the end of what it printed.
    """

    id: str
    kind: str
    key: str | None
    work: Work
    state: JobState
    actor: str
    attempts: int
    max_attempts: int
    ready_at: int
    lease_owner: str | None = None
    lease_until: int | None = None
    result: Any = None
    error: str = ""
    log: str = ""
    created_at: int
    started_at: int | None = None
    ended_at: int | None = None

    @property
    def progress(self) -> Progress:
        """How far the job is."""
        return Progress(
            state=self.state, attempts=self.attempts, result=self.result, error=self.error
        )


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How much is in the queue now: may start, is being done, has lost its worker."""

    ready: int
    running: int
    expired: int
