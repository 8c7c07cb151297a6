from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.errors import Conflict
from treadle.tracking.entities import MetricPoint

# The fixtures hold a store that every example adds a run of its own to.
EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

keys = st.sampled_from(["loss", "auc", "val/loss"])
values = st.floats() | st.sampled_from([0.0, 1.0, math.nan])
points = st.builds(
    MetricPoint, key=keys, value=values, step=st.integers(-2, 2), at=st.integers(0, 3)
)
batches = st.lists(st.lists(points, max_size=6), max_size=4)
params = st.dictionaries(st.sampled_from("abc"), st.text("xyz", max_size=2))


def flat(sent):
    return [point for batch in sent for point in batch]


def rank(point: MetricPoint) -> tuple[int, int, float, bool]:
    nan = math.isnan(point.value)
    return point.step, point.at, 0.0 if nan else point.value, nan


def latest_of(sent: list[MetricPoint]) -> dict[str, str]:
    latest: dict[str, MetricPoint] = {}
    for point in sent:
        if point.key not in latest or rank(point) > rank(latest[point.key]):
            latest[point.key] = point
    return {key: shown(point.value) for key, point in latest.items()}


def shown(value: float) -> str:
    return repr(value + 0.0)  # NaN equals itself, and -0.0 is 0.0


@EXAMPLES
@given(sent=batches)
def test_the_latest_metric_is_the_greatest_point_however_points_arrive(tracking, sent):
    run = tracking.start_run(experiment="p")
    for batch in sent:
        tracking.log_points(run.id, batch)

    metrics = tracking.run(run.id).metrics

    assert {key: shown(value) for key, value in metrics.items()} == latest_of(flat(sent))


@EXAMPLES
@given(sent=batches)
def test_a_point_is_stored_once_and_in_order(tracking, sent):
    run = tracking.start_run(experiment="p")
    for batch in [*sent, *sent]:
        tracking.log_points(run.id, batch)

    history = tracking.history(run.id, "loss")

    unique = {(rank(p), shown(p.value)) for p in flat(sent) if p.key == "loss"}
    assert [(rank(p), shown(p.value)) for p in history] == sorted(unique)


@EXAMPLES
@given(sent=st.lists(params, max_size=5))
def test_the_first_value_of_a_param_stays_and_a_refused_batch_leaves_nothing(tracking, sent):
    run = tracking.start_run(experiment="p")
    kept: dict[str, str] = {}

    for batch in sent:
        clash = [key for key in batch if kept.get(key, batch[key]) != batch[key]]
        if clash:
            with pytest.raises(Conflict) as caught:
                tracking.log(run.id, params=batch)
            key = caught.value.data["key"]
            assert key in clash
            assert (caught.value.data["old"], caught.value.data["new"]) == (kept[key], batch[key])
        else:
            tracking.log(run.id, params=batch)
            kept |= batch

    assert tracking.run(run.id).params == kept
