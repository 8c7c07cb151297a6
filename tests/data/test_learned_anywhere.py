"""Contracts of tables nobody expects: odd names, odd types, nearly no rows, very many claims."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from treadle.data.checks import check_table, scan
from treadle.data.contract_text import from_toml, to_toml
from treadle.data.entities import worst
from treadle.data.inference import infer_body
from treadle.data.parquet import as_schema, plain_schema, write_part
from treadle.data.profiling import profile_table
from treadle.data.relations import parse_relation
from treadle.data.tables.files import ParquetFiles

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.contracts import ContractBody
    from treadle.data.tables.files import AnyTable

ROWS = 1_200
HOURS = pa.array(
    np.datetime64("2026-01-01T00", "us") + np.arange(ROWS) * np.timedelta64(3_600_000_000, "us")
)
BASE = np.random.default_rng(0).normal(50.0, 10.0, ROWS)
D = decimal.Decimal
NAMES = (
    'a"b', "a'b", "a b", "a.b", "日本", "select", '"', "", "a\nb", "c0", "row", "t", "day",
    "at to x", "[x]", "# c", "a\\b", "$1", "x" * 400, '""', "0", "NULL",
)  # fmt: skip
TYPES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "list": (pa.list_(pa.int64()), [[1, 2], None, []]),
    "struct": (pa.struct([("a", pa.int64())]), [{"a": 1}, None, {"a": None}]),
    "map": (pa.map_(pa.string(), pa.int64()), [[("k", 1)], None, []]),
    "binary": (pa.binary(), [b"a", None, b"\xff"]),
    "fixed": (pa.binary(2), [b"ab", None, b"\xff0"]),
    "decimal": (pa.decimal128(38, 10), [D("1.5"), None, D("-99999999999.25")]),
    "wide decimal": (pa.decimal256(50, 5), [D("1.5"), None, D(4)]),
    "time": (pa.time64("us"), [dt.time(1), None, dt.time(23, 59)]),
    "duration": (pa.duration("s"), [dt.timedelta(1), None, dt.timedelta(-3)]),
    "date": (pa.date64(), [dt.date(2020, 1, 1), None, dt.date(1960, 1, 1)]),
    "large": (pa.uint64(), [2**64 - 1, None, 0]),
    "truth": (pa.bool_(), [True, None, False]),
    "infinite": (pa.float64(), [float("inf"), float("nan"), -float("inf")]),
    "nothing": (pa.null(), [None, None, None]),
}
TABLES = {
    "names": pa.table(
        [np.round(BASE * (1 + i % 3), i % 4) for i in range(len(NAMES))], names=list(NAMES)
    ),
    "texts": pa.table(
        [[f"{n}-{j}" for j in range(ROWS)] if i % 2 else BASE for i, n in enumerate(NAMES)],
        names=list(NAMES),
    ).append_column("at", HOURS),
    "types": pa.table(
        {**{n: pa.array(v * 400, type_) for n, (type_, v) in TYPES.items()}, "at": HOURS}
    ),
    "one row": pa.table({"x": [1.5], "t": ["a"], "at": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]}),
    "no value": pa.table(
        {
            "x": pa.nulls(50, pa.float64()),
            "t": pa.nulls(50, pa.string()),
            "at": pa.nulls(50, pa.date32()),
        }
    ),
    "no rows": pa.table({"x": pa.array([], pa.float64()), "t": pa.array([], pa.string())}),
}


def learned(table: pa.Table, source: AnyTable | None = None, **given: Any) -> ContractBody:
    profile = profile_table(table if not isinstance(source, ParquetFiles) else source.paths)
    return infer_body(table if source is None else source, profile, **given)


def on_disk(table: pa.Table, folder: Path) -> ParquetFiles:
    plain = plain_schema(table.schema)
    with (folder / "part-00000.parquet").open("wb") as file:
        write_part(as_schema(table, plain), table.schema, file)
    return ParquetFiles.of((folder / "part-00000.parquet",))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_any_table_keeps_what_was_learned_of_it_and_reads_it_back(
    table: pa.Table, tmp_path: Path
) -> None:
    files = on_disk(table, tmp_path)

    body = learned(table, files)

    assert from_toml(to_toml(body)) == body
    assert body == learned(table)
    assert worst(check_table(files, body)) == "pass"
    assert worst(check_table(table, body)) == "pass"


def test_a_quote_in_a_name_is_doubled_in_a_claim() -> None:
    body = learned(pa.table({'a"b': BASE.round(1), "c d": (BASE.round(1) * 2)}))

    (relation,) = body.relations
    assert relation.claim == '"a""b" = 0.5 * "c d"'
    assert parse_relation(relation.claim).columns == ('a"b', "c d")


def test_relations_that_would_be_called_alike_are_told_apart() -> None:
    low = BASE - np.random.default_rng(1).exponential(20.0, ROWS).round()

    body = learned(pa.table({"low to high": BASE * 2.0, "low": low, "high": BASE}))

    names = [relation.name for relation in body.relations]
    assert {"low to high", "low to high'"} <= set(names)
    assert from_toml(to_toml(body)) == body


def test_days_before_the_calendar_are_days() -> None:
    times = [dt.datetime(1, 1, 1), dt.datetime(1, 1, 2)] * 20  # noqa: DTZ001 - as a CSV gives them

    table = pa.table({"at": pa.array(times, pa.timestamp("us")), "x": range(40)})

    body = learned(table)
    assert body.table.min_rows_per_day == 10.0
    assert worst(check_table(table, body)) == "pass"


@pytest.mark.parametrize("kind", ["list", "time", "duration", "date"])
def test_what_cannot_be_a_label_is_refused_when_learned_and_fails_when_checked(kind: str) -> None:
    table = TABLES["types"].select([kind, "large"])

    with pytest.raises(Exception, match="is neither number, truth nor text"):
        learned(table, roles={kind: "target"})
    body = learned(table.rename_columns(["other", kind]), roles={kind: "target"})
    assert worst(check_table(table.select([kind]), body)) == "fail"


def test_very_many_claims_are_counted_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    table = TABLES["texts"]
    body = learned(table)
    broken = table.set_column(0, NAMES[0], pa.array(BASE + 1e6))
    at_once = check_table(broken, body)

    monkeypatch.setattr(scan, "MOST_CONDITIONS", 3)

    assert check_table(broken, body) == at_once
    assert worst(at_once) == "fail"
