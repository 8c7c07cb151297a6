from __future__ import annotations

import tomllib
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.contract_text import as_mapping, from_mapping, from_toml, to_toml
from treadle.data.contracts import (
    ColumnRule,
    ColumnType,
    ContractBody,
    LabelRule,
    Role,
    TableRule,
)
from treadle.kernel.errors import InvalidInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SHARES = st.floats(0, 1)
BOUNDS = st.floats(-1e9, 0), st.floats(0, 1e9)
ABOVE_0 = st.none() | st.floats(1e-6, 1e9)
COLUMNS = st.builds(
    ColumnRule,
    name=TEXT,
    type=st.sampled_from(get_args(ColumnType)),
    role=st.sampled_from([r for r in get_args(Role) if r != "time"]),
    max_null_share=SHARES,
    low=st.none() | BOUNDS[0],
    high=st.none() | BOUNDS[1],
    max_outside_share=SHARES,
    categories=st.lists(TEXT, max_size=30).map(tuple),
    max_new_share=SHARES,
    unique=st.booleans(),
    max_daily_step=ABOVE_0,
)
LABELS = st.builds(
    LabelRule,
    column=TEXT,
    positive=st.none(),
    above=st.none() | st.floats(-1e9, 1e9),
    low=st.none() | BOUNDS[0],
    high=st.none() | BOUNDS[1],
    constant_days=SHARES,
)
TABLES = st.builds(
    TableRule,
    min_rows=st.integers(0, 10**9),
    min_rows_per_day=ABOVE_0,
    max_age_hours=ABOVE_0,
)
BODIES = st.builds(
    ContractBody,
    table=TABLES,
    columns=st.lists(COLUMNS, max_size=4, unique_by=lambda c: c.name).map(tuple),
    label=st.none() | LABELS,
)


@given(BODIES)
def test_a_contract_is_read_as_it_was_written(body: ContractBody) -> None:
    back = from_toml(to_toml(body))

    assert back == body
    assert back.digest == body.digest


@given(BODIES)
def test_a_contract_survives_the_database(body: ContractBody) -> None:
    stored = msgspec.json.encode(body)

    assert msgspec.json.decode(stored, type=ContractBody) == body


@given(BODIES)
def test_a_contract_can_be_part_of_another_file(body: ContractBody) -> None:
    assert from_mapping(as_mapping(body)) == body


def test_a_contract_reads_well() -> None:
    body = ContractBody(
        table=TableRule(min_rows=10),
        columns=(
            ColumnRule(name="temp", type="number", low=-20.0, high=110.0, max_daily_step=28.8),
            ColumnRule(name="new york", type="text", role="sensitive", categories=("EWR", "JFK")),
        ),
        label=LabelRule(column="late", low=0.02, high=0.78),
    )

    assert to_toml(body, legend="") == (
        "\n[table]\nmin_rows = 10\n"
        '\n[label]\ncolumn = "late"\nlow = 0.02\nhigh = 0.78\n'
        '\n[columns.temp]\ntype = "number"\nlow = -20.0\nhigh = 110.0\nmax_daily_step = 28.8\n'
        '\n[columns."new york"]\ntype = "text"\nrole = "sensitive"\ncategories = ["EWR", "JFK"]\n'
    )


def test_long_lists_are_broken_into_lines() -> None:
    rule = ColumnRule(name="x", type="text", categories=tuple(f"category {n}" for n in range(40)))

    text = to_toml(ContractBody(columns=(rule,)))

    assert max(len(line) for line in text.splitlines()) <= 100
    assert len(tomllib.loads(text)["columns"]["x"]["categories"]) == 40


def test_whole_numbers_are_the_same_bounds() -> None:
    whole = ContractBody(columns=(ColumnRule(name="x", type="number", low=0, high=10),))

    assert from_toml(to_toml(whole)).digest == whole.digest


def test_the_columns_of_a_role_are_known() -> None:
    body = ContractBody(
        columns=(
            ColumnRule(name="a", type="integer", role="id"),
            ColumnRule(name="b", type="timestamp", role="time"),
            ColumnRule(name="c", type="integer", role="id"),
        )
    )

    assert body.with_role("id") == ("a", "c")
    assert body.time == "b"
    assert body.column("b") == body.columns[1]
    assert body.column("zzz") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[table]\nmin_rows = x", r"not valid TOML: .*line 2"),
        ("[tabel]\nmin_rows = 1", r"line 1: unknown tabel\. Did you mean 'table'"),
        ("[table]\nmin_row = 1", r"line 2: unknown table\.min_row\. Did you mean 'min_rows'"),
        (
            '[table]\nmin_rows = 1\n\n[columns.temp]\ntype = "number"\nmax_nul_share = 0.1',
            r"line 6: unknown columns\.temp\.max_nul_share\. Did you mean 'max_null_share'",
        ),
        (
            '[columns."a b"]\ntype = "number"\n\nzzz = 1',
            r"line 4: unknown columns\.a b\.zzz\. There is: type, role",
        ),
        ("[columns.temp]\nlow = 1.0", r"columns\.temp: .*required field `type`"),
        ('[columns.temp]\ntype = "numbr"', r"columns\.temp: .*'numbr'"),
        ('[columns.temp]\ntype = "number"\nlow = "x"', r"columns\.temp: .*\$\.low"),
        ("columns = 3", r"columns must be a table"),
        ("[columns]\ntemp = 3", r"columns\.temp must be a table, like \[columns\.temp\]"),
        ('[columns.t]\ntype = "number"\nlow = 2\nhigh = 1', r"low = 2\.0 is above high = 1\.0"),
        ('[columns.t]\ntype = "number"\nmax_null_share = 7', r"between 0 and 1"),
        ('[columns.t]\ntype = "number"\nmax_daily_step = 0', r"max_daily_step = 0\.0"),
        ("[table]\nmax_age_hours = -1", r"table\.max_age_hours = -1\.0"),
        ('[label]\ncolumn = "y"\nlow = 0.9\nhigh = 0.1', r"label: low = 0\.9"),
        ('[label]\ncolumn = "y"\npositive = "yes"\nabove = 1', r"positive and label\.above"),
        (
            '[columns.a]\ntype = "date"\nrole = "time"\n[columns.b]\ntype = "date"\nrole = "time"',
            r"a and b both have the role 'time'",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        from_toml(text, name="contract.toml")


def test_a_mistake_names_its_file() -> None:
    with pytest.raises(InvalidInput, match=r"^policy\.toml, line 1: unknown zzz"):
        from_toml("zzz = 1", name="policy.toml")


def test_two_rules_for_one_column_are_refused() -> None:
    rule = ColumnRule(name="x", type="number")

    with pytest.raises(InvalidInput, match="'x' has two rules"):
        ContractBody(columns=(rule, rule))


@given(st.dictionaries(TEXT, st.integers() | TEXT | st.dictionaries(TEXT, st.integers())))
def test_any_mapping_is_a_contract_or_an_explained_error(values: dict[str, Any]) -> None:
    try:
        body = from_mapping(values)
    except InvalidInput as error:
        assert error.message  # noqa: PT017 - both outcomes are allowed
    else:
        assert isinstance(body, ContractBody)
