"""Contracts past and present, and frames that are no version yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv
import pytest

from treadle.data.contracts import ColumnRule, ContractBody, TableRule
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.service import Data

GOOD = pa.table({"price": [1.0, 2.0], "shop": ["north", "south"]})
BAD = pa.table({"price": [1.0, 99.0], "shop": ["north", "sorth"]})


def bounded(high: float) -> ContractBody:
    return ContractBody(
        columns=(
            ColumnRule(name="price", type="number", high=high),
            ColumnRule(name="shop", type="text", references="shops"),
        )
    )


@pytest.fixture
def prices(data: Data) -> Data:
    data.commit("shops", pa.table({"shop": ["north", "south"]}))
    data.commit("prices", GOOD)
    data.set_contract("prices", bounded(10))
    data.set_contract("prices", bounded(200))
    return data


def test_contracts_are_listed_newest_first_and_found_by_number(prices: Data) -> None:
    assert [c.number for c in prices.contracts("prices")] == [2, 1]
    assert prices.contract_numbered("prices", 1).body == bounded(10)
    with pytest.raises(NotFound, match="contracts 1 to 2"):
        prices.contract_numbered("prices", 3)
    with pytest.raises(NotFound, match="treadle data infer shops"):
        prices.contract_numbered("shops", 1)


def test_what_changed_says_whether_readers_break(prices: Data) -> None:
    (wider,) = prices.contract_changes("prices", 1, 2)
    (narrower,) = prices.contract_changes("prices", 2, 1)

    assert (wider.path, wider.effect) == ("columns.price.high", "breaks")
    assert narrower.effect == "tightens"


def test_a_frame_is_judged_and_not_kept(prices: Data) -> None:
    checked = prices.check(BAD, contract="prices")

    assert checked.verdict == "fail"
    assert [(c.check, c.column) for c in checked.broken()] == [("references", "shop")]
    assert prices.versions("prices").total == 1
    assert prices.validations("prices") == ()


def test_a_frame_is_judged_by_an_older_contract_or_one_that_is_given(prices: Data) -> None:
    older = prices.check(BAD, contract="prices@1")
    given = prices.check(BAD, contract=ContractBody(table=TableRule(min_rows=3)))

    assert [c.check for c in older.broken()] == ["range", "references"]
    assert [c.check for c in given.broken()] == ["rows"]


def test_a_file_is_judged(prices: Data, tmp_path: Path) -> None:
    pyarrow.csv.write_csv(GOOD, tmp_path / "new.csv")

    assert prices.check(tmp_path / "new.csv", contract="prices").verdict == "pass"


def test_what_names_no_contract_or_is_no_frame_is_refused(prices: Data) -> None:
    with pytest.raises(NotFound, match="contract of"):
        prices.check(GOOD, contract="shops")
    with pytest.raises(InvalidInput, match="names no contract"):
        prices.check(GOOD, contract="prices@first")
    with pytest.raises(InvalidInput, match="A dict cannot be checked"):
        prices.check({"price": [1.0]}, contract="prices")  # type: ignore[arg-type]
