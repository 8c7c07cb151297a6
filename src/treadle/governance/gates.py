"""The gates: each takes a candidate and the rules, and says yes or no with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.analysis.leakage import leakage_verdict
from treadle.governance.entities import Candidate, GateResult, GateRules

if TYPE_CHECKING:
    from collections.abc import Callable

# Metrics for which less is better; every other metric is better when larger.
LOSSES = frozenset({"log_loss", "brier", "mae", "rmse"})


def judge(
    candidate: Candidate, rules: GateRules, *, data_problem: Callable[[str], str]
) -> tuple[GateResult, ...]:
    """Run every gate the rules ask for. `data_problem(ref)` says what is wrong with a dataset."""
    results: list[GateResult] = []
    if rules.leak:
        results.append(_leak(candidate))
    if rules.contract:
        results.append(_contract(candidate, data_problem))
    if rules.beats_baseline:
        results.append(_baseline(candidate, rules))
    results.extend(
        _bound(candidate, name, rules.minimum[name], "minimum") for name in rules.minimum
    )
    results.extend(
        _bound(candidate, name, rules.maximum[name], "maximum") for name in rules.maximum
    )
    return tuple(results)


def _leak(candidate: Candidate) -> GateResult:
    evidence = {"probes": [msgspec.to_builtins(probe) for probe in candidate.probes]}
    if not candidate.probes:
        message = "no input was probed for leaks"
        return GateResult(gate="leak", passed=False, message=message, evidence=evidence)
    verdict = leakage_verdict(candidate.probes)
    message = verdict.reason.rstrip(".")
    return GateResult(gate="leak", passed=verdict.passed, message=message, evidence=evidence)


def _contract(candidate: Candidate, data_problem: Callable[[str], str]) -> GateResult:
    problems = {ref: data_problem(ref) for ref in candidate.datasets}
    broken = {ref: text for ref, text in problems.items() if text}
    evidence = {"datasets": list(candidate.datasets), "broken": broken}
    if broken:
        message = "; ".join(f"{ref}: {text}" for ref, text in broken.items())
        return GateResult(gate="contract", passed=False, message=message, evidence=evidence)
    count = len(candidate.datasets)
    kept = "version keeps its" if count == 1 else "versions keep their"
    message = f"{count} dataset {kept} contract, none quarantined"
    return GateResult(gate="contract", passed=True, message=message, evidence=evidence)


def _baseline(candidate: Candidate, rules: GateRules) -> GateResult:
    name = rules.beats_baseline
    ours, base = candidate.metrics.get(name), candidate.baseline.get(name)
    evidence: dict[str, Any] = {"metric": name, "candidate": ours, "baseline": base}
    if ours is None or base is None:
        who = "candidate" if ours is None else "baseline"
        return GateResult(
            gate="baseline", passed=False, message=f"the {who} has no {name}", evidence=evidence
        )
    gain = base - ours if name in LOSSES else ours - base
    passed = gain > rules.baseline_margin
    word = "better" if passed else "not better"
    message = f"{name} {ours:.4f} against the baseline's {base:.4f}: {word}"
    return GateResult(gate="baseline", passed=passed, message=message, evidence=evidence)


def _bound(candidate: Candidate, name: str, bound: float, side: str) -> GateResult:
    value = candidate.metrics.get(name)
    evidence: dict[str, Any] = {"metric": name, "value": value, side: bound}
    if value is None:
        message = f"the candidate has no {name}"
        return GateResult(gate=side, passed=False, message=message, evidence=evidence)
    passed = value >= bound if side == "minimum" else value <= bound
    message = f"{name} {value:.4f} {'keeps' if passed else 'breaks'} its {side} {bound:g}"
    return GateResult(gate=side, passed=passed, message=message, evidence=evidence)
