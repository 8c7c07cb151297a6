"""A release: the walk of a candidate, stage by stage, with its evidence."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from treadle.release.policy import Policy
from treadle.storage.events import Fact

State = Literal["shadow", "canary", "live", "stopped", "refused"]
ACTIVE = ("shadow", "canary")


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a release: when, what it found, and the numbers."""

    name: Literal["gates", "shadow", "canary", "live"]
    started_at: int
    ended_at: int | None = None
    passed: bool | None = None
    verdict: str = ""
    evidence: dict[str, Any] = {}


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The walk of one candidate on one endpoint.

    `refused`: the gates or the paired test found no reason to change; `stopped`: it was proven
    worse, broke in canary, or a person stopped it.
    """

    id: str
    endpoint: str
    candidate: str
    champion: str
    why: str
    state: State
    stages: tuple[Stage, ...]
    reason: str
    created_at: int
    ended_at: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still under way."""
        return self.state in ACTIVE

    @property
    def is_rollback(self) -> bool:
        """Whether it put a former version back: then it has passed no gates."""
        return not any(stage.name == "gates" for stage in self.stages)

    @property
    def stage(self) -> Stage:
        """The stage it is in, or ended in."""
        return self.stages[-1]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether to train a challenger now, and why."""

    yes: bool
    reason: str


class ReleaseMoved(Fact, frozen=True, kw_only=True):
    """A release began, passed a stage or ended; carries the release as it then stood."""

    kind: ClassVar[str] = "release.moved"
    release: Release

    def subject(self) -> str:
        """Return the endpoint."""
        return f"endpoint/{self.release.endpoint}"


class RetrainDecided(Fact, frozen=True, kw_only=True):
    """A challenger is to be trained, for this reason."""

    kind: ClassVar[str] = "retrain.decided"
    endpoint: str
    reason: str

    def subject(self) -> str:
        """Return the endpoint."""
        return f"endpoint/{self.endpoint}"


class RetrainEnded(Fact, frozen=True, kw_only=True):
    """The training that was decided is over; `version` is empty when it made none."""

    kind: ClassVar[str] = "retrain.ended"
    endpoint: str
    version: str
    outcome: str

    def subject(self) -> str:
        """Return the endpoint."""
        return f"endpoint/{self.endpoint}"


class PolicySet(Fact, frozen=True, kw_only=True):
    """An endpoint follows these rules from now on."""

    kind: ClassVar[str] = "policy.set"
    policy: Policy
    digest: str

    def subject(self) -> str:
        """Return the endpoint."""
        return f"endpoint/{self.policy.endpoint}"
