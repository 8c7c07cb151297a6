"""The seam of execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from treadle.execution.entities import Progress, Work


class Executor(Protocol):
    """Takes work and answers for it.

    **Thread safety**: all verbs may be called from any thread. **Idempotence**: submitting with a
    key that is queued, running or done gives the handle of that work. **Errors of the work** are
    never raised here: `poll` tells them. **Handles** are ids; one that is unknown raises NotFound.
    """

    def submit(
        self, work: Work, *, kind: str = "work", key: str | None = None, max_attempts: int = 3
    ) -> str:
        """Take work and return its handle. Raises InvalidInput when its arguments are not JSON."""
        ...

    def poll(self, handle: str) -> Progress:
        """Say how far the work is. Raises Unavailable when nobody can do it any more."""
        ...

    def cancel(self, handle: str) -> None:
        """Stop the work, or keep it from starting; does nothing when it is over."""
        ...

    def logs(self, handle: str) -> str:
        """Return the end of what the work printed so far."""
        ...
