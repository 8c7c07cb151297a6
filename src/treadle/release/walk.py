"""The walk of a release as pure steps from one state to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.ids import new_id
from treadle.release.entities import Release, Stage
from treadle.release.trial import Finding, Look
from treadle.serving.entities import Variant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from treadle.governance.entities import GateReport
    from treadle.release.entities import State


def begun(
    *, endpoint: str, candidate: str, champion: str, why: str, at: int, gates: Stage | None = None
) -> Release:
    """Return a release at its very beginning."""
    return Release(
        id=new_id(),
        endpoint=endpoint,
        candidate=candidate,
        champion=champion,
        why=why,
        state="shadow",
        stages=() if gates is None else (gates,),
        reason="",
        created_at=at,
    )


def gates_stage(reports: Iterable[GateReport], *, candidate: str, at: int) -> Stage:
    """Return the stage of the gates: the newest report decides, none at all does not pass."""
    report = next(iter(reports), None)
    if report is None:
        verdict = f"{candidate} was never judged by a gate"
        return Stage(name="gates", started_at=at, ended_at=at, passed=False, verdict=verdict)
    return Stage(
        name="gates",
        started_at=report.at,
        ended_at=at,
        passed=report.passed,
        verdict=report.reason,
        evidence={"report": report.id},
    )


def entered(release: Release, name: Literal["shadow", "canary"], *, at: int) -> Release:
    """Move on into shadow or canary."""
    stage = Stage(name=name, started_at=at)
    return msgspec.structs.replace(
        release, state=name, stages=(*_closed(release.stages, at=at), stage)
    )


def promoted(release: Release, *, at: int) -> Release:
    """End well: the candidate serves."""
    live = Stage(name="live", started_at=at, passed=True, verdict="serves all traffic")
    return msgspec.structs.replace(
        release,
        state="live",
        reason=release.stages[-1].verdict if release.stages else release.why,
        stages=(*_closed(release.stages, at=at), live),
        ended_at=at,
    )


def ended(release: Release, state: State, *, reason: str, at: int) -> Release:
    """End without having been promoted."""
    stages = _closed(release.stages, at=at)
    return msgspec.structs.replace(release, state=state, reason=reason, stages=stages, ended_at=at)


def with_finding(release: Release, finding: Finding) -> Release:
    """Write into the present stage what was found in it."""
    stage = msgspec.structs.replace(
        release.stage, passed=finding.passed, verdict=finding.verdict, evidence=finding.evidence
    )
    return msgspec.structs.replace(release, stages=(*release.stages[:-1], stage))


def looks_of(release: Release) -> tuple[Look, ...]:
    """Return the looks that were taken in the present stage."""
    return msgspec.convert(release.stage.evidence.get("looks", ()), tuple[Look, ...])


def variants_of(release: Release, *, canary_share: float) -> tuple[Variant, ...]:
    """Return the traffic a release asks for where it stands."""
    if release.state == "live":
        return (_variant(release.candidate),)
    if not release.is_open:
        return (_variant(release.champion),)
    if release.state == "shadow":
        shadow = _variant(release.candidate, share=0.0)
        return _variant(release.champion), msgspec.structs.replace(shadow, role="shadow")
    canary = _variant(release.candidate, share=canary_share)
    champion = _variant(release.champion, share=1.0 - canary_share)
    return champion, msgspec.structs.replace(canary, role="canary")


def before(present: str, past: Iterable[Release]) -> str:
    """Return the version that served before the present one, or an empty text.

    `past` are an endpoint's live releases, oldest first. A rollback goes back on that path and adds
    nothing to it: rolling back twice goes two versions back, not to and fro.
    """
    path: list[str] = []
    for release in past:
        if not release.is_rollback:
            path += [release.champion] if release.champion and not path else []
            path.append(release.candidate)
        elif release.candidate in path:
            del path[path.index(release.candidate) + 1 :]
    return path[-2] if len(path) > 1 and path[-1] == present else ""


def _variant(version: str, *, share: float = 1.0) -> Variant:
    return Variant(name=version.replace("@", "-"), version=version, share=share, role="live")


def _closed(stages: tuple[Stage, ...], *, at: int) -> tuple[Stage, ...]:
    if not stages or stages[-1].ended_at is not None:
        return stages
    return (*stages[:-1], msgspec.structs.replace(stages[-1], ended_at=at))
