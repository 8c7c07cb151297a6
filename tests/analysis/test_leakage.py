from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from treadle.analysis import leakage
from treadle.kernel.errors import InvalidInput

ROWS = 6_000


@pytest.fixture(scope="module")
def target():
    return (np.random.default_rng(0).random(ROWS) < 0.25).astype(int)


@pytest.fixture(scope="module")
def features(target):
    rng = np.random.default_rng(1)
    return {
        "hour": rng.normal(size=ROWS) + 0.5 * target,
        "noise": rng.normal(size=ROWS),
        "origin": np.where(rng.random(ROWS) < 0.3 + 0.2 * target, "EWR", "JFK").astype(object),
    }


def by_name(probes):
    return {p.name: p for p in probes}


def test_a_number_is_probed_by_its_rank_auc(features, target):
    probes = by_name(leakage.single_feature_probe(features, target))

    assert probes["hour"].auc == pytest.approx(roc_auc_score(target, features["hour"]), abs=0.01)


def test_plausible_features_pass(features, target):
    probes = leakage.single_feature_probe(features, target)
    verdict = leakage.leakage_verdict(probes)

    assert {p.status for p in probes} == {"plausible"}
    assert verdict.passed
    assert "hour" in verdict.reason


def test_probes_come_best_first(features, target):
    aucs = [p.auc for p in leakage.single_feature_probe(features, target)]

    assert aucs == sorted(aucs, reverse=True)


def test_an_implausibly_good_feature_is_suspect(features, target):
    delay = 1.9 * target + np.random.default_rng(2).normal(size=ROWS)

    probes = leakage.single_feature_probe({**features, "dep_delay": delay}, target)
    verdict = leakage.leakage_verdict(probes)

    assert probes[0].name == "dep_delay"
    assert probes[0].status == "suspect"
    assert probes[0].auc > 0.9
    assert probes[0].gain > 0.2
    assert (verdict.passed, verdict.outcome) == (False, "suspect")
    assert "dep_delay is implausibly good" in verdict.reason


def test_two_leaks_do_not_hide_each_other(features, target):
    rng = np.random.default_rng(3)
    two = {f"leak{i}": 1.9 * target + rng.normal(size=ROWS) for i in range(2)}

    probes = by_name(leakage.single_feature_probe({**features, **two}, target))

    assert (probes["leak0"].status, probes["leak1"].status) == ("suspect", "suspect")
    assert probes["hour"].status == "plausible"


def test_a_falling_feature_is_as_good_as_a_rising_one(features, target):
    rising = leakage.single_feature_probe({"f": features["hour"]}, target)
    falling = leakage.single_feature_probe({"f": -features["hour"]}, target)

    assert falling[0].auc == pytest.approx(rising[0].auc, abs=0.01)


def test_a_feature_known_only_after_is_a_leak_whatever_its_auc(features, target):
    probes = leakage.single_feature_probe(features, target, known_after={"noise"})
    verdict = leakage.leakage_verdict(probes)

    assert by_name(probes)["noise"].status == "leak"
    assert verdict.outcome == "leak"
    assert "noise is known only after" in verdict.reason


def test_declared_leaks_do_not_make_others_look_plausible(features, target):
    delay = 1.9 * target + np.random.default_rng(2).normal(size=ROWS)
    both = {**features, "dep_delay": delay, "arr_delay": delay + target}

    probes = by_name(leakage.single_feature_probe(both, target, known_after={"arr_delay"}))

    assert probes["arr_delay"].status == "leak"
    assert probes["dep_delay"].status == "suspect"


def test_a_category_is_probed_on_rows_it_was_not_learnt_from(target):
    identifiers = np.array([f"id{i}" for i in range(ROWS)], dtype=object)

    probes = leakage.single_feature_probe({"id": identifiers}, target)

    assert probes[0].auc == pytest.approx(0.5, abs=0.03)


def test_a_category_that_knows_is_seen(target):
    status = np.where(target == 1, "cancelled", "flown").astype(object)

    probes = leakage.single_feature_probe({"status": pa.array(status)}, target)

    assert probes[0].auc == 1.0
    assert probes[0].status == "suspect"


def test_a_null_that_knows_is_seen(target):
    values = np.random.default_rng(4).normal(size=ROWS)
    values[target == 1] = math.nan

    probes = leakage.single_feature_probe({"air_time": values}, target)

    assert probes[0].auc == 1.0


def test_what_is_not_monotone_is_seen(target):
    values = np.random.default_rng(5).choice([-1.0, 1.0], size=ROWS) * (0.1 + target)

    probes = leakage.single_feature_probe({"f": values}, target)

    assert probes[0].auc > 0.99


def test_a_numeric_target_is_split_at_its_median():
    delay = np.random.default_rng(6).normal(size=ROWS)

    probes = leakage.single_feature_probe({"same": delay * 2}, delay)

    assert probes[0].auc == 1.0


def test_constant_and_empty_columns_know_nothing(target):
    empty = np.full(ROWS, math.nan)

    probes = leakage.single_feature_probe({"c": np.ones(ROWS), "n": empty}, target)

    assert [p.auc for p in probes] == [0.5, 0.5]


def test_no_features_have_no_leak(target):
    assert leakage.leakage_verdict(leakage.single_feature_probe({}, target)).passed


def test_one_outcome_cannot_be_probed():
    with pytest.raises(InvalidInput, match="both outcomes"):
        leakage.single_feature_probe({"f": [1.0, 2.0]}, [1, 1])


def test_a_feature_of_other_rows_is_named(target):
    with pytest.raises(InvalidInput, match="'short'"):
        leakage.single_feature_probe({"short": [1.0]}, target)
