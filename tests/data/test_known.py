from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from treadle.data.contracts import ColumnRule, ContractBody

if TYPE_CHECKING:
    from treadle.data.service import Data

GOOD, BROKEN = pa.table({"x": [1, 2, 3]}), pa.table({"x": [1, 99, 3]})
BODY = ContractBody(columns=(ColumnRule(name="x", type="integer", low=0, high=10),))


def test_the_newest_verdict_on_each_version_is_known(everywhere: Data) -> None:
    everywhere.commit("x", GOOD)
    everywhere.commit("x", BROKEN)
    everywhere.commit("x", pa.table({"x": [4]}))
    everywhere.set_contract("x", BODY)
    everywhere.validate("x@1")
    everywhere.validate("x@2")
    everywhere.set_contract("x", ContractBody())
    everywhere.validate("x@2")

    assert everywhere.verdicts("x") == {1: "pass", 2: everywhere.validations("x@2")[0].verdict}
    assert everywhere.verdicts("y") == {}


def test_a_profile_is_known_once_it_was_made(data: Data) -> None:
    data.commit("x", GOOD)
    before = data.known_profile("x")

    made = data.profile("x")

    assert before is None
    assert data.known_profile("x") == made
