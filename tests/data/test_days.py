"""What days show: asked in turns, labels among it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.days import TABLE
from treadle.data.checks import days
from treadle.data.checks.days import Days, largest_step
from treadle.data.checks.labelled import labels_by_day
from treadle.data.checks.scan import rows_of
from treadle.data.column_types import days_of
from treadle.data.contracts import LabelRule
from treadle.data.labels import judge_labels, label_days, outcomes


def test_medians_in_turns_are_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "MOST_VALUES", 700)

    with rows_of(TABLE, others={}) as (rows, _):
        found = Days(rows, "at")
        medians = found.asked({"m": f"median({rows.number('level')})"})["m"]

    each = days_of(TABLE["at"])
    level = TABLE["level"].to_numpy()
    assert found.day.tolist() == np.unique(each).tolist()
    assert medians == pytest.approx([np.median(level[each == d]) for d in found.day])


def test_a_step_is_between_days_that_follow() -> None:
    medians = np.array([1.0, np.nan, 9.0, 8.0, 30.0])

    assert largest_step(medians, np.array([1, 2, 3, 4, 9])) == (1.0, 3)
    assert largest_step(medians[:1], np.array([1])) == (0.0, -1)


LABELS = st.lists(
    st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from([0.0, 1.0, 2.5])),
    min_size=1,
    max_size=120,
)


@settings(max_examples=25)
@given(LABELS, st.sampled_from([None, 0.5]))
def test_labels_counted_by_the_engine_are_judged_as_those_of_an_array(
    pairs: list[tuple[int | None, float | None]], above: float | None
) -> None:
    table = pa.table(
        {"at": pa.array([d for d, _ in pairs], pa.date32()), "y": [v for _, v in pairs]},
        schema=pa.schema([("at", pa.date32()), ("y", pa.float64())]),
    )
    rule = LabelRule(column="y", above=above, low=0.1, high=0.9, constant_days=0.01)

    with rows_of(table, others={}) as (rows, _):
        counted = labels_by_day(rows, rule, days=Days(rows, "at"))

    arrays = label_days(outcomes(table["y"], rule=rule), days_of(table["at"]))
    assert judge_labels(counted, rule=rule) == judge_labels(arrays, rule=rule)
    assert counted.deviations == pytest.approx(arrays.deviations)


def test_classes_are_constant_only_where_all_texts_are_equal() -> None:
    table = pa.table({"at": pa.array([1, 1, 2], pa.date32()), "y": ["a", "a", "b"]})
    rule = LabelRule(column="y")

    with rows_of(table, others={}) as (rows, _):
        shown = labels_by_day(rows, rule, days=Days(rows, "at"))

    assert not shown.is_constant
    assert (shown.lows == shown.highs).all()
