from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.errors import InvalidInput, NotFound
from treadle.tracking.service import curves
from treadle.tracking.thinning import thinned

if TYPE_CHECKING:
    from treadle.tracking.entities import MetricPoint

EXAMPLES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

steps = st.integers(-200, 200) | st.sampled_from([-(1 << 63), (1 << 63) - 1])
values = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0, -1.0, 0.5])
points = st.tuples(st.just("loss"), values, steps, st.integers(0, 3))
batches = st.lists(st.lists(points, min_size=1, max_size=30), min_size=1, max_size=4)
places = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(0, 2), st.sampled_from([-1.0, 0.0, 2.0])),
    min_size=1,
    unique=True,
).map(lambda found: sorted((*place, False) for place in found))


@pytest.fixture
def run(tracking):
    return tracking.start_run(experiment="late", capture=False)


def wave(count: int) -> list[tuple[str, float, int, int]]:
    return [("loss", math.sin(i / 50), i, 10 * i) for i in range(count)]


def place(point: MetricPoint) -> tuple[float, int, int]:
    return point.value, point.step, point.at


@EXAMPLES
@given(sent=batches)
def test_summaries_are_those_of_all_points_however_they_came(tracking, sent):
    run = tracking.start_run(experiment="p", capture=False)
    for batch in [*sent, sent[0]]:
        tracking.log_batch(run.id, points=batch)

    [found] = tracking.metric_summaries(run.id)

    history = tracking.history(run.id, "loss")
    numbers = [p.value for p in history if not math.isnan(p.value)]
    assert found.points == len(history)
    assert found.lowest == min(numbers, default=None)
    assert found.highest == max(numbers, default=None)


@EXAMPLES
@given(sent=batches, span=st.tuples(steps, steps).map(sorted))
def test_blocks_tell_the_extremes_of_every_span(tracking, sent, span):
    run = tracking.start_run(experiment="p", capture=False)
    for batch in [*sent, sent[-1]]:
        tracking.log_batch(run.id, points=batch)
    inside = [
        p
        for p in tracking.history(run.id, "loss")
        if span[0] <= p.step <= span[1] and not math.isnan(p.value)
    ]

    # Few points are read one by one: here the blocks must answer.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "RAW_MOST", 0)
        chart = tracking.chart([run.id], "loss", points=8, first_step=span[0], last_step=span[1])

    shown = [p.value for p in chart.get(run.id, ()) if not math.isnan(p.value)]
    assert min(shown, default=None) == min((p.value for p in inside), default=None)
    assert max(shown, default=None) == max((p.value for p in inside), default=None)
    assert len(chart.get(run.id, ())) <= 8


@given(given_places=places, most=st.integers(4, 40))
def test_a_thinned_curve_keeps_its_ends_and_the_extremes_of_every_stretch(given_places, most):
    ends = [given_places[0], given_places[-1]]

    kept = thinned(given_places, most=most, ends=ends)

    assert kept == sorted(set(kept))
    assert set(ends) <= set(kept) <= set(given_places)
    assert len(kept) <= most
    assert min(p[2] for p in kept) == min(p[2] for p in given_places)
    assert max(p[2] for p in kept) == max(p[2] for p in given_places)


def test_a_chart_of_few_points_shows_each_of_them(tracking, run):
    tracking.log_batch(run.id, points=[*wave(10), ("loss", math.nan, 3, 0)])

    chart = tracking.chart([run.id], "loss", points=20)

    assert [p.step for p in chart[run.id]] == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9]


def test_a_chart_of_many_points_is_short_and_keeps_a_single_spike(tracking, run):
    tracking.log_batch(run.id, points=wave(30_000))
    tracking.log_batch(run.id, points=[("loss", 99.0, 12_345, 5), ("loss", -99.0, 23_456, 5)])

    shown = tracking.chart([run.id], "loss", points=200)[run.id]

    assert len(shown) <= 200
    assert (shown[0].step, shown[-1].step) == (0, 29_999)
    assert (99.0, 12_345, 5) in map(place, shown)
    assert (-99.0, 23_456, 5) in map(place, shown)


def test_a_chart_of_a_crowded_step_samples_what_lies_between(tracking, run):
    crowd = [("loss", float(i % 1000), 0, i) for i in range(25_000)]
    tracking.log_batch(run.id, points=crowd)

    shown = tracking.chart([run.id], "loss", points=100)[run.id]

    assert {0.0, 999.0} <= {p.value for p in shown}
    assert (shown[0].at, shown[-1].at) == (0, 24_999)


def test_a_chart_leaves_out_runs_without_the_metric(tracking, run):
    other = tracking.start_run(experiment="late", capture=False)
    tracking.log_batch(run.id, points=wave(3))

    assert list(tracking.chart([run.id, other.id, "nobody"], "loss")) == [run.id]


def test_a_span_of_steps_is_charted_alone(tracking, run):
    tracking.log_batch(run.id, points=wave(100))

    chart = tracking.chart([run.id], "loss", first_step=40, last_step=44)

    assert [p.step for p in chart[run.id]] == [40, 41, 42, 43, 44]


def test_pages_of_a_history_are_in_the_order_of_time_and_join_without_a_gap(tracking, run):
    tracking.log_batch(run.id, points=[("loss", float(i), i, 100 - i) for i in range(10)])

    pages = [tracking.history_page(run.id, "loss", limit=4, offset=offset) for offset in (0, 4, 8)]

    assert [p.step for page in pages for p in page.items] == list(range(9, -1, -1))
    assert [page.next_offset for page in pages] == [4, 8, None]
    assert {page.total for page in pages} == {10}


def test_histories_of_several_runs_share_one_limit(tracking, run):
    other = tracking.start_run(experiment="late", capture=False)
    for each in (run, other):
        tracking.log_batch(each.id, points=wave(5))

    found = tracking.histories([other.id, run.id, "nobody"], "loss", limit=7)

    assert {run_id: len(points) for run_id, points in found.items()} == {other.id: 5, run.id: 2}


def test_a_metric_never_logged_has_an_empty_page(tracking, run):
    assert tracking.history_page(run.id, "never", limit=5).items == ()
    with pytest.raises(NotFound):
        tracking.history_page("nobody", "never", limit=5)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (1, -1)])
def test_a_page_of_points_that_cannot_be_is_refused(solo, limit, offset):
    made = solo.start_run(experiment="late", capture=False)

    with pytest.raises(InvalidInput, match="cannot be"):
        solo.history_page(made.id, "loss", limit=limit, offset=offset)
