"""The scan against plain Python, value by value; and the same claims on a file and on one row."""

from __future__ import annotations

import datetime as dt
import math
import re
import sys
import time
from subprocess import run
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.data.checks import check_table, scan
from treadle.data.contracts import ColumnRule, ContractBody, RelationRule, TableRule
from treadle.data.rows import compile_row

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from treadle.data.entities import CheckResult

UTC = pa.timestamp("us", tz="America/New_York")
SCHEMA = pa.schema(
    [
        ("a", pa.float64()),
        ("b", pa.float64()),
        ("n", pa.int64()),
        ("t", pa.string()),
        ("sold", UTC),
        ("sent", UTC),
    ]
)
TIMES = st.integers(0, 9 * 86_400_000_000).map(
    lambda us: dt.datetime(2012, 12, 30, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)
)
ROW = st.fixed_dictionaries(
    {
        "a": st.none() | st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.5, 1e308]),
        "b": st.none() | st.floats(width=64) | st.sampled_from([0.0, 1.5, 3.0]),
        "n": st.none() | st.integers(-3, 12) | st.integers(-(2**63), 2**63 - 1),
        "t": st.none() | st.sampled_from(["A1", "B22", "é3", "", "A1\n"]) | st.text(max_size=4),
        "sold": st.none() | TIMES,
        "sent": st.none() | TIMES,
    }
)
BODY = ContractBody(
    table=TableRule(unique=(("n", "t"),)),
    columns=(
        ColumnRule(name="a", type="number", low=-1.0, high=2.0, max_null_share=0.0),
        ColumnRule(name="b", type="integer", high=3.0),
        ColumnRule(name="n", type="integer", low=0, high=9, unique=True, ascending=True),
        ColumnRule(name="t", type="text", categories=("A1", "é3"), pattern=r"[A-Zé]\d{1,2}"),
        ColumnRule(name="sold", type="timestamp", role="time"),
        ColumnRule(name="sent", type="timestamp"),
    ),
    relations=(
        RelationRule(name="sum", claim="a = 2 * b - 1.5", tolerance=0.25),
        RelationRule(name="order", claim="sold <= sent"),
        RelationRule(name="strict", claim='"n" > a', max_broken_share=0.5),
    ),
)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def counted(results: tuple[CheckResult, ...]) -> dict[str, int]:
    return {f"{r.check} {r.column}": r.counted for r in results}


def there(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def number(value: Any) -> float:
    return value.timestamp() if isinstance(value, dt.datetime) else float(value)


def oracle(rows: list[dict[str, Any]]) -> dict[str, set[int]]:
    """Which rows break each claim of BODY, read off the contract by hand."""

    def where(*names: str, breaks: Any) -> set[int]:
        cells = [[row[n] for n in names] for row in rows]
        return {i for i, c in enumerate(cells) if all(map(there, c)) and breaks(*c)}

    found = {f"nulls {n}": {i for i, r in enumerate(rows) if not there(r[n])} for n in SCHEMA.names}
    found["range a"] = where("a", breaks=lambda a: not -1.0 <= a <= 2.0)
    found["range n"] = where("n", breaks=lambda n: not 0.0 <= float(n) <= 9.0)
    found["categories t"] = where("t", breaks=lambda t: t not in {"A1", "é3"})
    found["pattern t"] = where("t", breaks=lambda t: not re.fullmatch(r"[A-Zé][0-9]{1,2}", t))
    found["relation sum"] = where("a", "b", breaks=lambda a, b: not abs(a + -2.0 * b + 1.5) <= 0.25)
    found["relation order"] = where("sold", "sent", breaks=lambda x, y: x > y)
    found["relation strict"] = where("n", "a", breaks=lambda n, a: not a - float(n) < 0)
    known = [(i, r["n"]) for i, r in enumerate(rows) if there(r["n"])]
    found["order n"] = {i for at, (i, n) in enumerate(known) if any(m > n for _, m in known[:at])}
    return found


def repetitions(keys: list[Any]) -> int:
    return len(keys) - len(set(keys))


@settings(deadline=None, max_examples=25)
@given(rows=st.lists(ROW, max_size=30))
def test_the_scan_counts_and_shows_what_plain_python_finds(rows: list[dict[str, Any]]) -> None:
    results = {f"{r.check} {r.column}": r for r in check_table(table_of(rows), BODY)}

    expected = oracle(rows)
    judged = {k: v for k, v in expected.items() if k in results}
    assert {k: results[k].counted for k in judged} == {k: len(v) for k, v in judged.items()}
    assert all(
        [e["row"] for e in results[k].examples] in ([], sorted(v)[:5]) for k, v in judged.items()
    )
    assert expected.keys() - judged.keys() <= {
        k for k in expected if not any(there(r[k.split()[1]]) for r in rows if k.split()[1] in r)
    }
    pairs = [(r["n"], r["t"]) for r in rows if there(r["n"]) and there(r["t"])]
    assert results["unique "].counted == repetitions(pairs)
    assert "unique n" not in results or results["unique n"].counted == repetitions(
        [r["n"] for r in rows if there(r["n"])]
    )


@settings(deadline=None, max_examples=25)
@given(rows=st.lists(ROW, max_size=30))
def test_a_file_a_frame_and_the_bounded_plan_answer_alike(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = table_of(rows)
    path = tmp_path_factory.mktemp("scan") / "t.parquet"
    pq.write_table(table, path)

    of_file = check_table(path, BODY)

    assert [(r.check, r.column, r.verdict, r.counted, r.message) for r in of_file] == [
        (r.check, r.column, r.verdict, r.counted, r.message) for r in check_table(table, BODY)
    ]
    with scan.rows_of(path, others={}) as (opened, _):
        given = {"figures": [scan.Figure("max", "row")], "values": []}
        conditions = [
            scan.Condition(f"{opened.column('n')} > {bound}", ("n",)) for bound in range(70)
        ]
        assert scan.scan_rows(opened, conditions, **given) == scan._one_by_one(
            opened, conditions, **given
        )


@settings(deadline=None, max_examples=50)
@given(row=ROW)
def test_one_row_breaks_what_it_breaks_as_a_table(row: dict[str, Any]) -> None:
    check = compile_row(BODY)
    of_table = {"type", "nulls", "range", "categories", "pattern", "relation"}

    found = {(f.check, f.column) for f in check(row)}

    results = check_table(table_of([row]), BODY)
    assert found == {(r.check, r.column) for r in results if r.check in of_table and r.counted}


def test_a_row_fails_where_nothing_is_tolerated_and_warns_elsewhere() -> None:
    rules = (
        ColumnRule(name="x", type="number", low=0, max_outside_share=0.1),
        ColumnRule(name="y", type="number", low=0),
        ColumnRule(name="z", type="number", low=0, warn=("range",)),
        ColumnRule(name="later", type="number", role="target"),
    )
    check = compile_row(ContractBody(columns=rules))

    found = check({"x": -1, "y": -1.0, "z": -1})

    assert [(f.column, f.verdict) for f in found] == [("x", "warn"), ("y", "fail"), ("z", "warn")]
    assert [f.check for f in check({"x": "1", "y": 2**70})] == ["type", "type", "columns"]


def test_times_in_a_request_are_iso_text() -> None:
    body = ContractBody(
        columns=tuple(ColumnRule(name=n, type="timestamp") for n in ("sold", "sent")),
        relations=(RelationRule(name="order", claim="sold <= sent"),),
    )
    check = compile_row(body)

    assert not check({"sold": "2013-01-01T00:00:00Z", "sent": "2013-01-01T01:00:00+01:00"})
    assert [f.check for f in check({"sold": "2013-01-02", "sent": "2013-01-01"})] == ["relation"]
    assert [f.check for f in check({"sold": "soon", "sent": None})] == ["type", "nulls"]


def test_a_row_is_checked_without_a_table_engine() -> None:
    code = "import sys, treadle.data.rows; print({'duckdb', 'pyarrow', 'numpy'} & {*sys.modules})"

    done = run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "set()"


def test_a_row_of_twenty_columns_takes_less_than_twenty_microseconds() -> None:
    rules = [
        ColumnRule(name=f"x{i}", type="number", low=0, high=100, max_null_share=0.01)
        for i in range(14)
    ] + [
        ColumnRule(name=f"t{i}", type="text", categories=("a", "b"), pattern="[a-z]+")
        for i in range(6)
    ]
    relation = RelationRule(name="sum", claim="x0 + x1 = 2 * x2", tolerance=100)
    check = compile_row(ContractBody(columns=tuple(rules), relations=(relation,)))
    row = {f"x{i}": 5.0 + i for i in range(14)} | {f"t{i}": "a" for i in range(6)}

    best = min(cpu_seconds(check, row) for _ in range(5))

    assert not check(row)
    assert best < 20e-6


def cpu_seconds(check: Any, row: dict[str, Any]) -> float:
    started = time.process_time()
    for _ in range(2_000):
        check(row)
    return (time.process_time() - started) / 2_000


def test_a_foreign_key_without_its_row_is_counted_and_shown(tmp_path: Path) -> None:
    rule = ColumnRule(name="plane", type="text", references="planes", references_column="tail")
    flights = pa.table({"plane": ["N1", None, "N3", "N3"]})
    planes = tmp_path / "planes.parquet"
    pq.write_table(pa.table({"tail": ["N1", "N2", None]}), planes)

    results = check_table(flights, ContractBody(columns=(rule,)), others={"planes": planes})

    (found,) = [r for r in results if r.check == "references"]
    assert (found.verdict, found.counted, found.total) == ("fail", 2, 3)
    assert [e["row"] for e in found.examples] == [2, 3]


def test_a_check_that_a_rule_names_in_warn_only_warns() -> None:
    rule = ColumnRule(name="x", type="number", high=1, warn=("range",))

    results = check_table(pa.table({"x": [2.0]}), ContractBody(columns=(rule,)))

    assert {r.check: r.verdict for r in results}["range"] == "warn"


def test_what_cannot_have_a_column_of_its_own_name_is_scanned_too() -> None:
    rules = tuple(ColumnRule(name=n, type="integer", high=1) for n in ("x", "X", "row", 'a"b'))
    table = pa.table([[1, 2]] * 4, names=["x", "X", "row", 'a"b'])

    results = check_table(table, ContractBody(columns=rules))

    assert [r.counted for r in results if r.check == "range"] == [1, 1, 1, 1]


def test_a_relation_of_a_column_that_is_no_number_is_left_out() -> None:
    body = ContractBody(relations=(RelationRule(name="order", claim="x <= y"),))

    results = check_table(pa.table({"x": ["1576 mi"], "y": [1]}), body)

    assert "relation" not in {r.check for r in results}


def test_rows_that_break_too_many_sets_of_claims_are_counted_claim_by_claim() -> None:
    bits = {f"b{i}": [row >> i & 1 for row in range(1 << 14)] for i in range(14)}
    rules = tuple(ColumnRule(name=name, type="integer", high=0) for name in bits)

    results = check_table(pa.table(bits), ContractBody(columns=rules))

    ranges = [r for r in results if r.check == "range"]
    assert scan.MOST_MASKS < 1 << 14
    assert [r.counted for r in ranges] == [1 << 13] * 14
    assert [e["row"] for e in ranges[1].examples] == [2, 3, 6, 7, 10]
