"""Releases with the evidence of each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.server.ui.contexts import CheckRow, ReleaseEntry, StageEntry
from treadle.server.ui.formats import elapsed
from treadle.server.ui.places import version_link, version_place
from treadle.server.ui.stages import state_of, walk
from treadle.server.ui.widgets import Link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.release.entities import Release, Stage

Evidence = dict[str, Any]


def release_entries(releases: Iterable[Release]) -> tuple[ReleaseEntry, ...]:
    """Return releases, each with its walk."""
    return tuple(_entry(release) for release in releases)


def _entry(release: Release) -> ReleaseEntry:
    done = {stage.name for stage in release.stages}
    ahead = [s for s in walk(release) if s.name not in done]
    return ReleaseEntry(
        id=release.id,
        outcome=release.state,
        candidate=Link(release.candidate, version_place(release.candidate)),
        champion=version_link(release.champion),
        started_us=release.created_at,
        duration_us=elapsed(release.created_at, release.ended_at),
        day="",
        reason=_reason(release),
        stages=(
            *(_stage(stage, release=release) for stage in release.stages),
            *(StageEntry(s.name, s.state, None, None, None, None, (), "") for s in ahead),
        ),
    )


def _reason(release: Release) -> str:
    return f"{release.why}: {release.reason}" if release.reason else release.why


def _stage(stage: Stage, *, release: Release) -> StageEntry:
    evidence = stage.evidence
    return StageEntry(
        name=stage.name,
        state=state_of(stage, release=release),
        started_us=stage.started_at,
        duration_us=elapsed(stage.started_at, stage.ended_at),
        requests=evidence.get("answers"),
        labelled=evidence.get("rows"),
        checks=tuple(_checks(stage)),
        note=stage.verdict,
    )


def _checks(stage: Stage) -> Iterable[CheckRow]:
    if "paired" in stage.evidence:
        return [_paired(stage.evidence, stage.passed)]
    if "error_rate" in stage.evidence:
        return _canary(stage.evidence, stage.passed)
    return []


def _paired(evidence: Evidence, passed: bool | None) -> CheckRow:  # noqa: FBT001 - a verdict that may be missing
    # The test subtracts the candidate from the champion; a page shows what the candidate changed.
    found = evidence["paired"]
    wanted = "below" if evidence["test"] == "superiority" else "at most"
    return CheckRow(
        name="Log-loss, paired by day",
        rule=f"difference {wanted} {_margin(evidence):g}",
        champion=evidence["champion_loss"],
        candidate=evidence["candidate_loss"],
        difference=-found["mean_difference"],
        low=-found["interval"]["high"],
        high=-found["interval"]["low"],
        verdict=_verdict(passed),
        note=f"{evidence['rows']:,} labelled requests on {evidence['days']} days",
    )


def _margin(evidence: Evidence) -> float:
    margin = float(evidence["margin"])
    return -margin if evidence["test"] == "superiority" and margin else margin


def _canary(evidence: Evidence, passed: bool | None) -> list[CheckRow]:  # noqa: FBT001 - a verdict that may be missing
    low, high = evidence["error_rate_interval"]
    ours, theirs = evidence["p95_latency_us"] / 1000, evidence["champion_p95_latency_us"] / 1000
    word = _verdict(passed)
    errors = CheckRow(
        name="Errors, share",
        rule="at most the policy's rate",
        champion=None,
        candidate=evidence["error_rate"],
        difference=None,
        low=None,
        high=None,
        verdict=word,
        note=f"{evidence['errors']} of {evidence['answers']}, interval {low:.1%} to {high:.1%}",
    )
    latency = CheckRow(
        name="p95, ms",
        rule="at most the policy's ratio",
        champion=theirs,
        candidate=ours,
        difference=ours - theirs,
        low=None,
        high=None,
        verdict=word,
        note="",
    )
    return [errors, latency]


def _verdict(passed: bool | None) -> str:  # noqa: FBT001 - a verdict that may be missing
    return "undecided" if passed is None else "passed" if passed else "refused"
