"""Gates and their evidence; answers to questions about the past."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from treadle.analysis.leakage import FeatureProbe
from treadle.serving.entities import Variant
from treadle.storage.events import Fact

DIGEST_SHOWN = 12


class GateRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a candidate must pass.

    `leak`: no input is known only after the prediction, or predicts implausibly well alone.
    `beats_baseline`: this metric must be better than the baseline's by `baseline_margin`.
    `minimum`, `maximum`: bounds of metrics, ends included. `contract`: no dataset version it was
    made from is quarantined or breaks the contract its dataset has now.
    """

    leak: bool = True
    beats_baseline: str = ""
    baseline_margin: float = 0.0
    minimum: dict[str, float] = {}
    maximum: dict[str, float] = {}
    contract: bool = True


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate looks at: a run's metrics, its baseline, its probed inputs, its data.

    `model` is the registered name it wants to become a version of.
    """

    run_id: str
    model: str = ""
    metrics: dict[str, float]
    baseline: dict[str, float] = {}
    probes: tuple[FeatureProbe, ...] = ()
    datasets: tuple[str, ...] = ()


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """One gate's verdict, its sentence, and the evidence it looked at."""

    gate: str
    passed: bool
    message: str
    evidence: dict[str, Any]


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """All gates of one candidate; it passes when every gate does."""

    id: str
    run_id: str
    model: str = ""
    passed: bool
    results: tuple[GateResult, ...]
    at: int

    @property
    def reason(self) -> str:
        """Say why it was blocked, or that it passed."""
        blocked = [r.message for r in self.results if not r.passed]
        return "; ".join(blocked) or f"all {len(self.results)} gates passed"


class GateTotals(msgspec.Struct, frozen=True, kw_only=True):
    """How many candidates were judged, and how many passed."""

    judged: int
    passed: int


class GatesEvaluated(Fact, frozen=True, kw_only=True):
    """A candidate was judged."""

    kind: ClassVar[str] = "gate.evaluated"
    report: GateReport

    def subject(self) -> str:
        """Return the run that was judged."""
        return f"run/{self.report.run_id}"


NodeKind = Literal[
    "prediction",
    "variant",
    "model version",
    "run",
    "pipeline run",
    "step",
    "dataset version",
    "file",
    "evaluation dataset",
    "trace",
    "document",
    "source",
]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in a lineage: what it is, what it was made from."""

    kind: NodeKind
    name: str
    detail: str = ""
    digest: str = ""
    made_from: tuple[Node, ...] = ()

    def lines(self, *, depth: int = 0) -> list[str]:
        """Return the lineage as indented lines of text."""
        mark = "" if depth == 0 else "  " * (depth - 1) + "└ "
        rest = "…" if len(self.digest) > DIGEST_SHOWN else ""
        digest = f"  {self.digest[:DIGEST_SHOWN]}{rest}" if self.digest else ""
        head = f"{mark}{self.kind} {self.name}{digest}{'  ' + self.detail if self.detail else ''}"
        return [head, *(line for n in self.made_from for line in n.lines(depth=depth + 1))]


class EndpointAt(msgspec.Struct, frozen=True, kw_only=True):
    """Who served what at an instant, since when, why, and who had it so.

    `release_id` is the release that asked for it, None when a person set the traffic.
    """

    endpoint: str
    at: int
    since: int
    version: str
    variants: tuple[Variant, ...]
    reason: str
    actor: str
    release_id: str | None
    event: int
