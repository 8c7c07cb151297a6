"""Learning on all rows: asked in turns, tried on samples, counted on the whole."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.data.days import RNG, ROWS, TABLE
from treadle.data.checks import check_table, days
from treadle.data.checks.days import Days
from treadle.data.checks.scan import rows_of
from treadle.data.column_types import days_of
from treadle.data.inference import infer_body, keys, sample, texts
from treadle.data.inference.keys import find_key
from treadle.data.inference.sample import Sample
from treadle.data.pairs import learn_key
from treadle.data.profiling import profile_table


def test_a_contract_does_not_depend_on_how_much_is_asked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = profile_table(TABLE)
    at_once = infer_body(TABLE, profile)
    judged = check_table(TABLE, at_once)

    monkeypatch.setattr(days, "MOST_VALUES", 500)
    monkeypatch.setattr(sample, "MOST_CELLS", 1)

    assert infer_body(TABLE, profile) == at_once
    assert check_table(TABLE, at_once) == judged
    assert at_once.columns[1].max_daily_step is not None


@pytest.mark.parametrize("most", [40, 100_000])
def test_a_sample_is_every_so_manieth_row_in_the_order_of_days(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "MOST_ROWS", most)

    with rows_of(TABLE, others={}) as (rows, _):
        ((_, values),) = Sample(rows, Days(rows, "at")).numbers(["level"])

    order = np.argsort(days_of(TABLE["at"]), kind="stable")
    expected = TABLE["level"].to_numpy()[order][:: -(-ROWS // most)]
    assert values.tolist() == expected.tolist()


def test_a_key_of_a_part_is_widened_until_it_names_all_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = np.arange(ROWS) // 60
    shop = np.arange(ROWS) % 60
    shop[2_040:] //= 2  # twice a shop on a day, told apart by the till
    till = np.arange(ROWS) % 2
    table = pa.table(
        {
            "at": pa.array(day.astype(np.int32), pa.date32()),
            "colour": day % 3,
            "till": till,
            "shop": shop,
        }
    )
    names = ["at", "colour", "till", "shop"]

    monkeypatch.setattr(keys, "PART", 1_500)
    with rows_of(table, others={}) as (rows, _):
        found = find_key(rows, names, total=ROWS)
        lost = find_key(rows, ["at", "colour", "shop"], total=ROWS)

    part = {n: table[n].slice(0, 1_500).to_numpy().astype("int64") for n in names}
    assert learn_key(part) == ("at", "shop")
    assert found == ("at", "till", "shop")
    assert lost == ()


def test_a_pattern_of_the_first_texts_that_all_rows_do_not_keep_is_not_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = pa.table({"x": [f"A{i:05}" if i < 900 else f"b-{i:04}" for i in range(1_000)]})

    monkeypatch.setattr(texts, "SHAPED_TEXTS", 500)

    assert infer_body(table, profile_table(table)).columns[0].pattern is None


def test_a_relation_of_a_sample_that_all_rows_do_not_keep_is_not_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = RNG.normal(50.0, 10.0, 8_000)
    y = np.where(np.arange(8_000) % 4 == 0, x * 2.0, x * -2.0)

    monkeypatch.setattr(sample, "MOST_ROWS", 2_000)
    table = pa.table({"x": x, "y": y})

    assert infer_body(table, profile_table(table)).relations == ()
