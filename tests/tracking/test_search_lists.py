"""Searching experiments and logged models."""

from __future__ import annotations

import math

import pytest
from sqlalchemy import insert

from treadle.kernel.errors import InvalidInput
from treadle.tracking.store import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)

AT = 1_357_000_000_000_000


@pytest.fixture
def listed(tracking, clock):
    """Experiments Alpha, beta and Gamma, made one after the other; Gamma is deleted."""
    made = {}
    for name, team in {"Alpha": "ops", "beta": "ML", "Gamma": "ml"}.items():
        clock.advance(1_000_000)
        made[name] = tracking.create_experiment(name, tags={"team": team}).id
    tracking.delete_experiment(made["Gamma"])
    return made


def names(page):
    return [found.name for found in page.items]


@pytest.mark.parametrize(
    ("where", "view", "expected"),
    [
        ("", "active", ["beta", "Alpha"]),
        ("", "deleted", ["Gamma"]),
        ("", "all", ["Gamma", "beta", "Alpha"]),
        ("name LIKE '%a'", "active", ["beta", "Alpha"]),
        ("name LIKE 'a%'", "active", []),
        ("attribute.name ILIKE 'a%'", "active", ["Alpha"]),
        ("tags.team = 'ML' or tag.team = 'ml'", "all", ["Gamma", "beta"]),
        ("tags.team ILIKE 'ml'", "active", ["beta"]),
        ("tags.team IS NOT NULL and tags.never IS NULL", "active", ["beta", "Alpha"]),
        ("not tags.team = 'ops'", "active", ["beta"]),
        ("creation_time > 1357000001000", "all", ["Gamma", "beta"]),
        ("last_update_time >= '2012-12-31'", "active", ["beta", "Alpha"]),
    ],
)
def test_experiments_are_found_newest_first(tracking, listed, where, view, expected):
    found = tracking.search_experiments(where=where, view=view)

    assert names(found) == expected
    assert found.total == len(expected)


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("name", ["Alpha", "Gamma", "beta"]),
        (["name DESC"], ["beta", "Gamma", "Alpha"]),
        (["creation_time ASC"], ["Alpha", "beta", "Gamma"]),
        ("tags.team", ["beta", "Gamma", "Alpha"]),
        ("last_update_time DESC, name", ["Gamma", "beta", "Alpha"]),
    ],
)
def test_experiments_are_ordered_by_the_bytes_of_their_names(tracking, listed, order_by, expected):
    assert names(tracking.search_experiments(order_by=order_by, view="all")) == expected


def test_experiments_come_in_pages(tracking, listed):
    first = tracking.search_experiments(view="all", limit=2)
    second = tracking.search_experiments(view="all", limit=2, offset=2)

    assert names(first) + names(second) == ["Gamma", "beta", "Alpha"]
    assert (first.next_offset, second.next_offset) == (2, None)


@pytest.mark.parametrize("where", ["metrics.loss < 1", "nam = 'x'", "tags.team < 'x'"])
def test_what_experiments_do_not_have_is_refused(solo, where):
    with pytest.raises(InvalidInput):
        solo.search_experiments(where=where)


@pytest.fixture
def models(store):
    """Logged models a, b, c of experiments 1, 1, 2; c has a loss that is no number."""
    values = {"a": ("1", 0.3, "train"), "b": ("1", 0.1, "test"), "c": ("2", math.nan, "train")}
    with store.write() as tx:
        for number, (name, (experiment, loss, data)) in enumerate(values.items()):
            row = {
                "id": f"m-{name}",
                "experiment_id": experiment,
                "name": name,
                "model_type": "Agent" if name == "a" else "",
                "source_run_id": "",
                "status": "ready",
                "status_message": "",
                "lifecycle_stage": "active",
                "artifact_location": "",
                "created_at": AT + number * 1_000_000,
                "updated_at": AT,
            }
            tx.execute(insert(logged_models), row)
            key = {"model_id": row["id"], "key": "k"}
            tx.execute(insert(logged_model_params), key | {"value": "0.010"})
            tx.execute(insert(logged_model_tags), key | {"value": name.upper()})
            measured = {
                "model_id": row["id"], "key": "loss", "at": AT, "step": 1, "run_id": "r",
                "value": 0.0 if math.isnan(loss) else loss, "is_nan": math.isnan(loss),
                "dataset_name": data, "dataset_digest": "d",
            }  # fmt: skip
            earlier = measured | {"at": AT - 1, "value": 9.0, "is_nan": False}
            tx.execute(insert(logged_model_metrics), [measured, earlier])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "cba"),
        ("metrics.loss < 0.2", "b"),
        ("metrics.loss = 9", "cba"),
        ("metrics.loss = 0", ""),
        ("params.k = 0.010", "cba"),
        ("params.k = 0.01", ""),
        ("tags.k LIKE 'A'", "a"),
        ("status = 'READY' and model_type = 'Agent'", "a"),
        ("model_id IN ('m-a', 'm-c')", "ca"),
        ("creation_timestamp > 1357000001000", "c"),
        ("name = 'a' or not metrics.loss < 5", "ca"),
    ],
)
def test_logged_models_are_found_newest_first(tracking, models, where, expected):
    found = tracking.search_logged_models(where=where)

    assert "".join(names(found)) == expected
    assert found.total == len(expected)


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("metrics.loss", "bac"),
        (["metrics.loss DESC"], "abc"),
        ("name", "abc"),
        ("last_updated_timestamp", "cba"),
        ("tags.k desc", "cba"),
    ],
)
def test_logged_models_are_ordered_by_their_latest_metrics(tracking, models, order_by, expected):
    assert "".join(names(tracking.search_logged_models(order_by=order_by))) == expected


def test_logged_models_are_narrowed_by_experiments_and_by_what_they_were_measured_on(
    tracking, models
):
    def found(**narrowed):
        return "".join(names(tracking.search_logged_models(**narrowed)))

    assert found(experiment_ids=["1"]) == "ba"
    assert found(experiment_ids=[]) == ""
    assert found(datasets=[("train", "")]) == "ca"
    assert found(datasets=[("train", "other")]) == ""
    assert found(datasets=[("train", "d"), ("test", "")], where="metrics.loss < 0.2") == "b"
    assert found(datasets=[("train", "d")], where="metrics.loss < 0.2") == ""
