"""Profiles against counting by hand: whatever the types, the pieces, the parts and the nulls."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from decimal import Decimal
from pathlib import Path
from statistics import fmean, stdev

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.analysis.profiles import QUANTILE_LEVELS, TableProfile
from treadle.data.contracts import LabelRule
from treadle.data.profiling import (
    columns,
    count_between,
    pieces,
    profile_table,
    profile_with_cuts,
    sample,
)
from treadle.kernel.errors import NotFound

FLOATS = st.one_of(
    st.none(),
    st.just(math.nan),
    st.sampled_from([math.inf, -math.inf]),
    st.floats(-1e6, 1e6),
    st.integers(-3, 3).map(float),
)
INTEGERS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(-3, 3))
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "a", "b", "é"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
)
ROWS = st.lists(
    st.tuples(FLOATS, INTEGERS, TEXTS, st.one_of(st.none(), st.booleans())), max_size=50
)


def table_of(rows):
    f, i, t, b = zip(*rows, strict=True) if rows else ((), (), (), ())
    return pa.table(
        {
            "f": pa.array(f, pa.float64(), from_pandas=False),
            "i": pa.array(i, pa.int64()),
            "t": pa.array(t, pa.string()),
            "b": pa.array(b, pa.bool_()),
        }
    )


def in_parts(table, folder, *, rows):
    paths = []
    for start in range(0, max(1, table.num_rows), rows):
        paths.append(Path(folder) / f"part-{start:05}.parquet")
        pq.write_table(table.slice(start, rows), paths[-1])
    return paths


@pytest.fixture
def tiny_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "_FEWEST_VALUES", 8)
    monkeypatch.setattr(pieces, "MEMORY_BYTES", 1)
    monkeypatch.setattr(pieces.Shelf.__init__, "__kwdefaults__", {"memory": 1})


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_every_figure_agrees_with_counting_by_hand(rows):
    profile = profile_table(table_of(rows))

    f, i, t, b = zip(*rows, strict=True) if rows else ((), (), (), ())
    assert profile.rows == len(rows)
    assert_numbers(profile.column("f"), f)
    assert_numbers(profile.column("i"), i)
    assert_texts(profile.column("t"), t)
    known = [v for v in b if v is not None]
    assert profile.column("b").nulls == len(b) - len(known)
    assert dict(profile.column("b").top_values) == Counter(str(v).lower() for v in known)
    assert profile.repeated == len(rows) - len({tuple(map(str, row)) for row in normal(rows)})


def normal(rows):
    return [tuple(0.0 if v == 0 and isinstance(v, float) else v for v in row) for row in rows]


def assert_numbers(found, values):
    known = [v + 0 for v in values if v is not None and math.isfinite(v)]
    nulls = sum(v is None or v != v for v in values)  # noqa: PLR0124 - NaN
    counts = Counter(known)
    assert (found.nulls, found.infinite) == (nulls, len(values) - nulls - len(known))
    assert found.distinct == len(counts)
    if not known:
        assert found.quantiles == found.top_values == ()
        return
    assert found.once == sum(n == 1 for n in counts.values())
    assert (found.min, found.max) == (float(min(known)), float(max(known)))
    assert (found.zeros, found.negatives) == (counts[0], sum(v < 0 for v in known))
    scale = max(1.0, *(abs(v) for v in known))
    assert found.mean == pytest.approx(fmean(known), abs=1e-9 * scale)
    assert found.std == (None if len(known) == 1 else pytest.approx(stdev(known), abs=1e-7 * scale))
    assert found.quantiles == pytest.approx(
        np.quantile(np.array(known, dtype=float), QUANTILE_LEVELS), abs=1e-9 * scale
    )
    assert sum(found.histogram.counts) == sum(found.reference_bins.counts) == len(known)
    assert found.histogram.counts == by_hand(found.histogram.edges, known)
    top = sorted(counts.items(), key=lambda p: (-p[1], p[0]))[:20]
    assert [n for _, n in found.top_values] == [n for _, n in top]
    assert [float(v) for v, _ in found.top_values] == pytest.approx([float(v) for v, _ in top])


def by_hand(edges, values):
    if len(edges) == 2:
        return (len(values),)
    return tuple(
        np.diff([0, *(sum(v < e for v in values) for e in edges[1:-1]), len(values)]).tolist()
    )


def assert_texts(found, values):
    known = [v for v in values if v is not None]
    counts = Counter(known)
    assert (found.nulls, found.distinct) == (len(values) - len(known), len(counts))
    assert found.once == sum(n == 1 for n in counts.values())
    assert dict(found.categories) == counts
    assert found.top_values == tuple(sorted(counts.items(), key=lambda p: (-p[1], p[0]))[:20])
    if known:
        assert (found.min, found.max) == (min(known), max(known))
        assert found.lengths.min == min(map(len, known))
        assert found.lengths.max == max(map(len, known))
        assert found.lengths.mean == pytest.approx(fmean(map(len, known)))
        assert found.lengths.blank >= sum(v in {"", " "} for v in known)


@settings(max_examples=15, deadline=None)
@given(rows=ROWS, size=st.integers(1, 30))
def test_parts_and_a_frame_give_the_same_profile(rows, size, tmp_path_factory):
    table = table_of(rows)

    whole = profile_table(table)

    assert profile_table(in_parts(table, tmp_path_factory.mktemp("parts"), rows=size)) == whole


def many(rows=2_000):
    draw = np.random.default_rng(3)
    return pa.table(
        {
            "when": pa.array(np.sort(draw.integers(0, 10**15, rows))).cast(pa.timestamp("us")),
            "x": pa.array(draw.normal(size=rows), mask=draw.random(rows) < 0.1),
            "n": draw.integers(0, 50, rows),
            "id": [f"key-{k:06d}" for k in draw.permutation(rows)],
            "kind": draw.choice(["a", "b", "c"], rows),
        }
    )


def test_pieces_on_disk_change_nothing(tiny_pieces, monkeypatch):
    in_memory = many()
    spilled = profile_table(in_memory)
    monkeypatch.undo()

    assert msg(spilled) == msg(profile_table(in_memory))


def msg(profile):
    return [
        (
            c.name,
            c.distinct,
            c.once,
            c.min,
            c.max,
            c.quantiles,
            c.histogram,
            c.reference_bins,
            c.top_values,
        )
        for c in profile.columns
    ] + [profile.repeated, profile.chart]


def test_texts_counted_by_a_query_are_the_same(monkeypatch):
    table = many()
    counted = profile_table(table)
    monkeypatch.setattr(columns, "MOST_COUNTED", 2)

    assert profile_table(table) == counted


def test_rows_that_repeat_others_are_counted():
    table = pa.table({"a": [1, 1, 2, None, None], "b": ["x", "x", "x", None, None]})

    assert profile_table(table).repeated == 2


NOON = pa.array(
    [dt.datetime(2013, 7, 4, 12, tzinfo=dt.UTC), None], pa.timestamp("us", "America/New_York")
)
CODES = pa.array([["a"], None], pa.list_(pa.dictionary(pa.int8(), pa.string())))
DECIMALS = pa.array([Decimal("1.50"), None, Decimal("-2.25")], pa.decimal128(10, 2))
TYPES = {
    "decimal": (DECIMALS, "number", -2.25),
    "decimal256": (pa.array([Decimal("1.50"), None], pa.decimal256(50, 2)), "number", 1.5),
    "unsigned": (pa.array([2**64 - 1, None], pa.uint64()), "number", float(2**64 - 1)),
    "half": (pa.array([np.float16(0.5), None], pa.float16()), "number", 0.5),
    "zoned": (NOON, "time", 1372939200e6),
    "date64": (pa.array([dt.date(1970, 1, 2), None], pa.date64()), "time", 86_400e6),
    "binary": (pa.array([b"ab", None]), "other", None),
    "struct": (pa.array([{"a": 1}, None]), "other", None),
    "map": (pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())), "other", None),
    "list of codes": (CODES, "other", None),
    "large text": (pa.array(["b", None], pa.large_string()), "category", "b"),
    "view": (pa.array(["b", None], pa.string_view()), "category", "b"),
}  # fmt: skip


@pytest.mark.parametrize(("column", "kind", "least"), TYPES.values(), ids=TYPES)
def test_every_type_is_profiled_or_said_not_to_be(column, kind, least):
    found = profile_table(pa.table({"x": column})).column("x")

    assert (found.kind, found.nulls, found.min) == (kind, 1, least)
    assert ("not profiled" in found.remarks) == (kind == "other")


FILED = [name for name in TYPES if name not in {"half", "decimal256", "list of codes", "view"}]


@pytest.mark.parametrize("name", FILED)
def test_a_file_is_profiled_like_a_frame(name, tmp_path):
    table = pa.table({"x": TYPES[name][0]})

    assert profile_table(in_parts(table, tmp_path, rows=10)) == profile_table(table)


TIMES = {
    "time": pa.array([dt.time(0, 0, 2), None], pa.time32("ms")),
    "fine time": pa.array([2_000_000_000, None], pa.time64("ns")),
    "duration": pa.array([dt.timedelta(seconds=2), None], pa.duration("ms")),
    "fine duration": pa.array([2_000_000_000, None], pa.duration("ns")),
    "fine instant": pa.array([2_000_000_000, None], pa.timestamp("ns")),
}


@pytest.mark.parametrize("column", TIMES.values(), ids=TIMES)
def test_times_in_files_are_microseconds(column, tmp_path):
    table = pa.table({"x": column})

    found = profile_table(in_parts(table, tmp_path, rows=10)).column("x")

    assert (found.kind, found.min, found.nulls) == ("time", 2e6, 1)


def test_nan_in_a_file_is_null(tmp_path):
    table = pa.table({"x": [1.0, math.nan, math.nan, math.inf]})

    found = profile_table(in_parts(table, tmp_path, rows=2)).column("x")

    assert (found.nulls, found.infinite, found.max) == (2, 1, 1.0)


def test_five_hundred_columns_are_profiled():
    draw = np.random.default_rng(0)
    table = pa.table({f"c{i}": draw.normal(size=200) for i in range(500)})

    found = profile_table(table)

    assert len(found.columns) == 500
    assert len(found.pairs) == 30 * 29 // 2
    assert len(found.unpaired) == 470


def test_very_long_texts_are_cut_where_they_are_shown():
    texts = ["x" * 1_000_000, "y" * 1_000_000, "x" * 1_000_000]

    found = profile_table(pa.table({"x": texts})).column("x")

    assert (found.distinct, found.lengths.max) == (2, 1_000_000)
    assert found.top_values[0][1] == 2
    assert {len(text) for text, _ in found.top_values} == {200}


def test_a_table_without_columns_has_none():
    assert profile_table(pa.table({})).columns == ()


def test_no_rows_are_no_error(tmp_path):
    table = many(0)

    found = profile_table(in_parts(table, tmp_path, rows=1))

    assert [c.distinct for c in found.columns] == [0] * 5
    assert (found.rows, found.repeated, found.sampled, found.chart) == (0, 0, 0, None)


def test_some_columns_are_profiled_alone():
    whole, part = profile_table(many()), profile_table(many(), columns=["x", "kind"])

    assert part.columns == tuple(whole.column(name) for name in ("x", "kind"))


def test_a_column_that_is_not_there_is_said():
    with pytest.raises(NotFound, match="kin"):
        profile_table(many(10), columns=["kin"])


def test_personal_data_is_hinted_at_and_never_shown():
    mails = [f"somebody{i}@example.org" for i in range(100)]
    cards = [4111111111111111] * 100

    found = profile_table(pa.table({"contact": mails, "card": cards, "phone": mails}))

    assert [h.kind for h in found.column("contact").hints] == ["e-mail"]
    assert [h.kind for h in found.column("card").hints] == ["payment card"]
    assert "somebody" not in repr(found)
    assert "4111111111111111" not in repr(found)


def test_rows_and_nulls_are_charted_by_day():
    table = pa.table(
        {
            "at": pa.array([15706, 15706, 15737, None], pa.date32()),
            "x": [None, 1.0, math.nan, None],
        }
    )  # fmt: skip

    chart = profile_table(table).chart

    assert (chart.column, chart.unit, len(chart.starts), chart.undated) == ("at", "day", 32, 1)
    assert (chart.rows[0], chart.rows[31], sum(chart.rows)) == (2, 1, 3)
    assert (chart.nulls["x"][0], chart.nulls["x"][31], sum(chart.nulls["x"])) == (1, 1, 2)


def test_a_target_is_told_of_by_its_columns_most_first():
    draw = np.random.default_rng(1)
    y = draw.integers(0, 2, 3_000)
    table = pa.table(
        {"noise": draw.normal(size=3_000), "tied": y + draw.normal(size=3_000), "y": y}
    )

    found = profile_table(table, label=LabelRule(column="y"))

    assert found.target == "y"
    assert [t.name for t in found.target_ties] == ["tied", "noise"]
    assert found.target_ties[0].auc == pytest.approx(0.76, abs=0.03)
    assert found.target_ties[1].share < 0.02


def test_classes_have_information_and_no_auc():
    kinds = ["a", "b", "c"] * 100
    table = pa.table({"x": [1, 2, 3] * 100, "kind": kinds})

    (tie,) = profile_table(table, label=LabelRule(column="kind")).target_ties

    assert tie.auc is None
    assert tie.information == pytest.approx(math.log2(3), abs=1e-6)
    assert tie.share == pytest.approx(1.0)


def test_a_target_that_is_all_alike_ties_nothing():
    table = pa.table({"x": [1.0, 2.0, None], "y": [1, 1, 1]})

    (tie,) = profile_table(table, label=LabelRule(column="y")).target_ties

    assert (tie.information, tie.share, tie.auc) == (0.0, 0.0, None)


def test_pairs_of_a_sample_are_close_to_those_of_all_rows(monkeypatch):
    draw = np.random.default_rng(2)
    x = draw.normal(size=20_000)
    table = pa.table({"x": x, "y": x + draw.normal(size=20_000)})
    (exact,) = profile_table(table).pairs
    monkeypatch.setattr(sample, "MOST_ROWS", 5_000)

    found = profile_table(table)

    assert found.sampled == found.pairs[0].rows == 5_000
    assert found.pairs[0].value == pytest.approx(exact.value, abs=4 / math.sqrt(5_000))


def test_values_are_counted_among_the_cuts_of_another(tmp_path):
    table = many()
    cuts = {"x": (-1.0, 0.0, 1.0), "n": (10.0, 25.0)}
    known = np.array([v for v in table["x"].to_pylist() if v is not None])

    in_the_scan = profile_with_cuts(table, cuts=cuts).between
    alone = count_between(in_parts(table, tmp_path, rows=700), cuts)

    assert in_the_scan == alone
    assert alone["x"] == by_hand((0, *cuts["x"], 0), known)


def test_a_profile_is_the_same_each_time():
    assert profile_table(many()) == profile_table(many())


def test_a_profile_is_json_whole():
    profile = profile_table(many(), label=LabelRule(column="n"))

    assert msgspec.json.decode(msgspec.json.encode(profile), type=TableProfile) == profile
