"""The claim of the differential suite: to the same calls both servers give the same answers."""

from __future__ import annotations

import ast
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.mlflow.normal import normal

CALLS = Path(__file__).parent / "calls"


def cases() -> list[str]:
    """Return every case as `file.case`: the public functions of the call scripts."""
    return [
        f"{path.stem}.{node.name}"
        for path in sorted(CALLS.glob("*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


def check(answers: dict[str, Any], name: str, *, version: str) -> None:
    """Compare what both servers answered to a case, but for the differences that have a reason.

    A reason given for one step that is the same after all is a complaint, for the newest version.
    """
    file, case = name.split(".")
    found = answers["files"][file]
    expected, ours = (
        normal(found["cases"][case][server], addresses=answers["addresses"])
        for server in ("genuine", "ours")
    )
    known = {
        key: reason
        for key, reason in found["differences"].items()
        if fnmatchcase(case, key.partition("[")[0])
    }
    complaints = _compare(expected, ours, case=case, known=known)
    if version == "newest":
        complaints += _idle(expected, ours, case=case, known=known)
    assert not complaints, "\n\n".join(complaints)


def _compare(expected: list, ours: list, *, case: str, known: dict[str, str]) -> list[str]:
    complaints = []
    if len(expected) != len(ours) and not any(_covers(key, case, None) for key in known):
        complaints.append(f"{len(expected)} answers expected, {len(ours)} found: {_shown(ours)}")
    for step, (theirs, mine) in enumerate(zip(expected, ours, strict=False)):
        reason = next((known[key] for key in known if _covers(key, case, step)), "")
        if theirs != mine and not (reason and _is_allowed(theirs, mine, reason)):
            complaints.append(f"step {step}\n expected {_shown(theirs)}\n found    {_shown(mine)}")
    return complaints


def _idle(expected: list, ours: list, *, case: str, known: dict[str, str]) -> list[str]:
    return [
        f"step {step} is the same after all; it need not differ: {known[f'{case}[{step}]']}"
        for step, (theirs, mine) in enumerate(zip(expected, ours, strict=False))
        if theirs == mine and f"{case}[{step}]" in known
    ]


def _covers(key: str, case: str, step: int | None) -> bool:
    """Whether a key is about a step of a case; of a whole case when step is None."""
    pattern, _, which = key.partition("[")
    return fnmatchcase(case, pattern) and (not which or which.rstrip("]") == str(step))


def _is_allowed(theirs: Any, mine: Any, reason: str) -> bool:
    """A reason that begins with `words:` allows another message, but no other error code."""
    if not reason.startswith("words:"):
        return True
    return _without_words(theirs) == _without_words(mine)


def _without_words(answer: Any) -> Any:
    if isinstance(answer, list) and answer[:1] == ["raised"]:
        return answer[:3]
    if isinstance(answer, dict) and isinstance(answer.get("json"), dict):
        return {**answer, "json": {**answer["json"], "message": "…"}}
    return answer


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:1500]
