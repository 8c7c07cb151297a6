"""Whether a change of a contract breaks readers."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from treadle.data.contract_changes import changes
from treadle.data.contract_text import from_toml, to_toml
from treadle.data.contracts import ColumnRule, ContractBody, RelationRule, TableRule

COLUMN = ColumnRule(
    name="x",
    type="number",
    max_null_share=0.0,
    low=0,
    high=9,
    max_outside_share=0.01,
    categories=("a", "b"),
    unique=True,
)
BODY = ContractBody(columns=(COLUMN,), relations=(RelationRule(name="r", claim="x <= y"),))


def effects(after: ContractBody) -> list[tuple[str, str]]:
    return [(c.path, c.effect) for c in changes(BODY, after)]


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        ({"type": "text"}, "breaks"),
        ({"type": "integer"}, "tightens"),
        ({"max_null_share": 0.1}, "breaks"),
        ({"max_outside_share": 0.02}, "loosens"),
        ({"max_outside_share": 0.0}, "tightens"),
        ({"high": 10}, "breaks"),
        ({"high": 8}, "tightens"),
        ({"low": None}, "breaks"),
        ({"low": 1}, "tightens"),
        ({"categories": ("a", "b", "c")}, "breaks"),
        ({"categories": ("a",)}, "tightens"),
        ({"categories": ()}, "breaks"),
        ({"unique": False}, "breaks"),
        ({"ascending": True}, "tightens"),
        ({"pattern": "[a-z]"}, "tightens"),
        ({"warn": ("range",)}, "breaks"),
        ({"role": "sensitive"}, "breaks"),
    ],
)
def test_a_change_of_a_column(change: dict[str, Any], effect: str) -> None:
    (name,) = change

    found = effects(replace(BODY, columns=(replace(COLUMN, **change),)))

    assert found == [(f"columns.x.{name}", effect)]


def test_a_column_that_is_gone_breaks_readers_and_a_new_one_does_not() -> None:
    other = ColumnRule(name="y", type="text")

    found = effects(replace(BODY, columns=(other,)))

    assert found == [("columns.x", "breaks"), ("columns.y", "other")]


def test_a_relation_that_is_gone_breaks_readers() -> None:
    assert effects(replace(BODY, relations=())) == [("relations.r", "breaks")]


def test_fewer_rows_a_day_loosen() -> None:
    before = replace(BODY, table=TableRule(min_rows_per_day=9))
    after = replace(BODY, table=TableRule(min_rows_per_day=8))

    assert [c.effect for c in changes(before, after)] == ["loosens"]


def test_the_same_claims_are_no_change() -> None:
    assert changes(BODY, from_toml(to_toml(BODY))) == ()


def test_a_contract_of_the_first_release_opens_and_keeps_its_digest() -> None:
    old = """
[table]
min_rows = 1
min_rows_per_day = 25.0

[label]
column = "sale"
low = 0.1
high = 0.9

[columns.sale]
type = "integer"
role = "target"

[columns.shop]
type = "text"
max_null_share = 0.02
categories = ["north", "post"]
"""

    body = from_toml(old)

    # As the first release computed it: stored contracts are compared by this.
    assert body.digest == FIRST_DIGEST
    assert to_toml(body, legend="") == old


FIRST_DIGEST = "d8e7ae7ed98efa490dcb4eb3ea3ea8fea7293e16fb6ba0581bbba46daa2c65ae"
