from __future__ import annotations

import numpy as np

from treadle.analysis.leakage import single_feature_probe
from treadle.governance import gates
from treadle.governance.entities import Candidate, GateRules

RNG = np.random.default_rng(3)
TARGET = RNG.integers(0, 2, 2000)
NOISE = RNG.normal(size=2000)


def judged(candidate, rules, *, problems=None):
    found = gates.judge(candidate, rules, data_problem=lambda ref: (problems or {}).get(ref, ""))
    return {r.gate: r for r in found}


def candidate(**fields):
    features = fields.pop("features", {"noise": NOISE, "hint": NOISE + TARGET * 0.5})
    known_after = fields.pop("known_after", frozenset())
    probes = single_feature_probe(features, TARGET, known_after=known_after)
    return Candidate(
        run_id="r", model="late", probes=probes, **{"metrics": {"log_loss": 0.5}, **fields}
    )


def test_a_candidate_of_plausible_inputs_passes_the_leak_gate():
    assert judged(candidate(), GateRules())["leak"].passed


def test_an_input_known_only_afterwards_is_blocked_by_name():
    result = judged(candidate(known_after={"hint"}), GateRules())["leak"]

    assert not result.passed
    assert "hint" in result.message


def test_an_input_that_knows_the_answer_is_blocked_without_being_declared():
    features = {"noise": NOISE, "answer": TARGET + NOISE * 0.01}

    assert not judged(candidate(features=features), GateRules())["leak"].passed


def test_a_candidate_nobody_probed_is_blocked():
    bare = Candidate(run_id="r", model="late", metrics={})

    assert not judged(bare, GateRules())["leak"].passed


def test_a_loss_must_be_smaller_than_the_baselines():
    rules = GateRules(beats_baseline="log_loss")

    assert judged(candidate(baseline={"log_loss": 0.6}), rules)["baseline"].passed
    assert not judged(candidate(baseline={"log_loss": 0.5}), rules)["baseline"].passed


def test_an_auc_must_be_larger_than_the_baselines_by_the_margin():
    rules = GateRules(beats_baseline="auc", baseline_margin=0.1)
    metrics = {"auc": 0.7}

    assert judged(candidate(metrics=metrics, baseline={"auc": 0.5}), rules)["baseline"].passed
    assert not judged(candidate(metrics=metrics, baseline={"auc": 0.65}), rules)["baseline"].passed


def test_a_missing_metric_blocks_and_says_whose_it_is():
    result = judged(candidate(), GateRules(beats_baseline="log_loss"))["baseline"]

    assert (result.passed, result.message) == (False, "the baseline has no log_loss")


def test_bounds_include_their_ends():
    rules = GateRules(maximum={"log_loss": 0.5}, minimum={"log_loss": 0.5})

    found = judged(candidate(), rules)

    assert (found["maximum"].passed, found["minimum"].passed) == (True, True)


def test_a_quarantined_dataset_blocks_and_is_named():
    made_from = candidate(datasets=("flights@1", "outcomes@9"))

    result = judged(made_from, GateRules(), problems={"outcomes@9": "quarantined"})["contract"]

    assert not result.passed
    assert result.message == "outcomes@9: quarantined"


def test_what_the_rules_do_not_ask_for_is_not_judged():
    assert judged(candidate(), GateRules(leak=False, contract=False)) == {}
