"""The walk of a release, stage by stage, in the states a page draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.ui.widgets import Stage

if TYPE_CHECKING:
    from treadle.release.entities import Release
    from treadle.release.entities import Stage as ReleaseStage

WALK = ("gates", "shadow", "canary", "live")


def walk(release: Release) -> tuple[Stage, ...]:
    """Return the stages of a release: behind it, under way, and still to come while it is open."""
    past = tuple(Stage(stage.name, state_of(stage, release=release)) for stage in release.stages)
    reached = {stage.name for stage in release.stages}
    ahead = tuple(Stage(name, "idle") for name in WALK if name not in reached)
    return (*past, *ahead) if release.is_open else past


def state_of(stage: ReleaseStage, *, release: Release) -> str:
    """Return the state of one stage in one word."""
    if stage.name == "live":
        return "live"
    is_last = stage is release.stages[-1]
    if is_last and release.is_open:
        return "active"
    if stage.passed:
        return "passed"
    return release.state if is_last else "skipped"
