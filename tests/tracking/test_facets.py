"""Facets: counts of the runs that match."""

from __future__ import annotations

import pytest

from treadle.kernel.errors import InvalidInput
from treadle.tracking.facets import Facets


@pytest.fixture
def facets(store):
    return Facets(store=store)


@pytest.fixture
def runs(tracking):
    made = []
    for number in range(6):
        tags = {"team": "red" if number % 3 else "blue", "note": f"n{number}"}
        run = tracking.start_run(
            experiment="late" if number else "early",
            name=f"r{number}",
            tags=tags,
            user_id="ann" if number < 4 else "",
        )
        tracking.log(run.id, metrics={"loss": number / 10})
        if number < 2:
            tracking.end_run(run.id)
        made.append(run.id)
    return made


def test_runs_are_counted_by_experiment_status_user_and_tags_that_group_them(facets, runs):
    found = facets.count()

    assert (found.runs, found.is_all) == (6, True)
    assert found.experiments == {"late": 5, "early": 1}
    assert found.statuses == {"running": 4, "finished": 2}
    assert found.users == {"ann": 4}
    assert found.tags == {"team": {"red": 4, "blue": 2}}


def test_only_what_matches_is_counted(facets, runs):
    found = facets.count(experiment="late", where="metrics.loss < 0.35")

    assert found.experiments == {"late": 3}
    assert found.tags == {"team": {"red": 2, "blue": 1}}


def test_deleted_runs_are_counted_only_when_asked_for(facets, runs, tracking):
    tracking.delete_run(runs[0])

    assert facets.count().runs == 5
    assert facets.count(view="deleted").experiments == {"early": 1}


def test_many_runs_are_counted_over_the_newest(facets, runs, monkeypatch):
    monkeypatch.setattr("treadle.tracking.facets.COUNTED", 3)

    found = facets.count()

    assert (found.runs, found.is_all) == (3, False)
    assert found.experiments == {"late": 3}


def test_no_run_gives_no_counts(facets):
    found = facets.count(where="metrics.loss < 0")

    assert (found.runs, found.experiments, found.tags) == (0, {}, {})


def test_a_wrong_filter_or_status_is_refused(facets):
    with pytest.raises(InvalidInput):
        facets.count(where="metric loss")
    with pytest.raises(InvalidInput):
        facets.count(status="done")
