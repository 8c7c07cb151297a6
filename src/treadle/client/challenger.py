"""What a worker does when a policy wants a challenger."""

from __future__ import annotations

from pathlib import Path

from treadle.client import connect
from treadle.client.project import Project
from treadle.execution.context import current_work
from treadle.execution.entities import Work
from treadle.kernel.errors import Conflict

TARGET = f"{__name__}:train"


def work_for(project: Path, *, endpoint: str) -> Work:
    """Return the work of training a challenger of a project for an endpoint."""
    return Work(target=TARGET, arguments={"project": str(project), "endpoint": endpoint})


def train(*, project: str, endpoint: str) -> dict[str, str | None]:
    """Move the loop of an endpoint once, training by its project when the policy still wants it."""
    context = current_work()
    if context is None:
        raise Conflict("A challenger is trained by a worker.", hint="By hand: treadle run")
    with connect(context.home) as client:
        tick = client.loop.tick(endpoint, retrain=Project(Path(project), client=client).retrain)
    return {
        "decision": tick.decision.reason,
        "version": tick.made.version if tick.made else None,
        "release": tick.proposed.id if tick.proposed else None,
    }
