"""What serving tells the event log; endpoints are rebuilt from the first three."""

from __future__ import annotations

from typing import ClassVar

from treadle.serving.entities import ContractMode, LabelState, Variant
from treadle.storage.events import Fact


class EndpointCreated(Fact, frozen=True, kw_only=True):
    """A stable name was made for a model."""

    kind: ClassVar[str] = "endpoint.created"
    name: str
    model: str

    def subject(self) -> str:
        """Return `endpoint/NAME`."""
        return f"endpoint/{self.name}"


class TrafficSet(Fact, frozen=True, kw_only=True):
    """An endpoint's traffic became this."""

    kind: ClassVar[str] = "endpoint.traffic_set"
    name: str
    revision: int
    variants: tuple[Variant, ...]
    reason: str
    release_id: str | None = None

    def subject(self) -> str:
        """Return `endpoint/NAME`."""
        return f"endpoint/{self.name}"


class ContractModeSet(Fact, frozen=True, kw_only=True):
    """What becomes of requests that break the contract was decided."""

    kind: ClassVar[str] = "endpoint.contract_mode_set"
    name: str
    revision: int
    mode: ContractMode
    reason: str

    def subject(self) -> str:
        """Return `endpoint/NAME`."""
        return f"endpoint/{self.name}"


class ContractBroken(Fact, frozen=True, kw_only=True):
    """Requests broke the contract: what was counted since the last time this was told.

    `requests` and `rows` were judged, `broken` rows broke a claim; `claims` has the rows by claim,
    at most 20 of them, `other_claims` says how many more there are.
    """

    kind: ClassVar[str] = "endpoint.contract_broken"
    name: str
    requests: int
    rows: int
    broken: int
    warned_requests: int
    refused_requests: int
    claims: dict[str, int]
    other_claims: int = 0

    def subject(self) -> str:
        """Return `endpoint/NAME`."""
        return f"endpoint/{self.name}"


class PredictionsLogged(Fact, frozen=True, kw_only=True):
    """A part of the request log was sealed. `damaged_bytes` could not be read from its segment."""

    kind: ClassVar[str] = "predictions.logged"
    endpoint: str
    part: str
    source: str
    piece: int
    rows: int
    shadows_dropped: int
    first_id: str
    last_id: str
    first_at: int
    last_at: int
    digest: str
    size_bytes: int
    damaged_bytes: int = 0

    def subject(self) -> str:
        """Return `endpoint/NAME`."""
        return f"endpoint/{self.endpoint}"


class LabelsJoined(Fact, frozen=True, kw_only=True):
    """A batch of labels arrived; `reason` says why it was set aside at once."""

    kind: ClassVar[str] = "labels.joined"
    endpoint: str
    batch: str
    source_ref: str
    state: LabelState
    rows: int
    joined: int
    arrived_at: int
    first_at: int
    last_at: int
    digest: str
    reason: str = ""

    def subject(self) -> str:
        """Return `endpoint/NAME`."""
        return f"endpoint/{self.endpoint}"


class LabelStateChanged(Fact, frozen=True, kw_only=True):
    """A batch of labels was accepted, or set aside."""

    kind: ClassVar[str] = "labels.state_changed"
    endpoint: str
    batch: str
    state: LabelState
    reason: str

    def subject(self) -> str:
        """Return `endpoint/NAME`."""
        return f"endpoint/{self.endpoint}"
