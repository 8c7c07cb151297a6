"""Rows in quarantine: what fails is kept apart with the reason, and comes back or never does."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.data.contracts import ColumnRule, ContractBody, RelationRule, TableRule
from treadle.data.service import Data
from treadle.kernel.errors import Conflict, NotFound
from treadle.storage import events

if TYPE_CHECKING:
    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore

BODY = ContractBody(
    table=TableRule(unique=(("id",),)),
    columns=(
        ColumnRule(name="id", type="integer", role="id"),
        ColumnRule(name="price", type="number", low=0, high=10, max_null_share=0.0),
        ColumnRule(name="shop", type="text", categories=("north", "south")),
        ColumnRule(name="was", type="number"),
    ),
    relations=(RelationRule(name="cheaper", claim="price <= was"),),
)


def prices(**changed: list[Any]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "id": [1, 2, 3, 4, 5, 6],
        "price": [1.0, 2.0, 99.0, None, 5.0, 6.0],
        "shop": ["north", "south", "north", "south", "east", "north"],
        "was": [2.0, 3.0, 100.0, 5.0, 6.0, 1.0],
    }
    return pa.table({**columns, **changed})


@pytest.fixture
def judged(data: Data) -> Data:
    data.commit("prices", prices())
    data.set_contract("prices", BODY)
    return data


def test_failing_rows_are_held_with_the_reason_and_the_others_go_on(everywhere: Data) -> None:
    everywhere.commit("prices", prices())
    everywhere.set_contract("prices", BODY)

    done = everywhere.quarantine_rows("prices")

    assert done.quarantine is not None
    assert done.validation.verdict == "fail"
    assert done.version.ref == "prices@2"
    assert everywhere.table("prices@2")["id"].to_pylist() == [1, 2]
    held = everywhere.held_rows(done.quarantine.id)
    assert [(r.row, r.checks) for r in held.items] == [
        (2, ("range price",)),
        (3, ("nulls price",)),
        (4, ("categories shop",)),
        (5, ("relation cheaper",)),
    ]
    assert held.items[0].values == {"id": 3, "price": 99.0, "shop": "north", "was": 100.0}
    assert everywhere.row_quarantines("prices")[0].clean_number == 2
    assert everywhere.validate("prices@2").verdict == "pass"


def test_validating_can_hold_the_rows_too(judged: Data) -> None:
    assert judged.validate("prices", quarantine=True).verdict == "fail"
    assert judged.row_quarantines("prices")[0].rows == 4


def test_the_version_itself_stays_as_it_is(judged: Data) -> None:
    judged.quarantine_rows("prices")

    assert judged.table("prices@1").num_rows == 6
    assert judged.is_quarantined("prices@1") is False
    assert judged.quarantines() == ()


@pytest.mark.parametrize("ref", ["prices@2", "prices@exp"])
def test_what_is_left_and_what_is_released_stay_on_the_branch(judged: Data, ref: str) -> None:
    judged.branch("prices", "exp")
    judged.commit("prices", prices(id=[11, 12, 13, 14, 15, 16]), branch="exp")

    done = judged.quarantine_rows(ref)
    assert done.quarantine is not None
    released = judged.release_rows(done.quarantine.id, where={"shop": "east"})

    assert judged.version("prices").ref == "prices@1"
    assert judged.table("prices@3")["id"].to_pylist() == [11, 12]
    assert (judged.version("prices@exp").number, released.released_number) == (4, 4)
    assert judged.table("prices@exp")["id"].to_pylist() == [11, 12, 15]


def test_what_is_left_goes_on_main_when_its_branch_is_gone(judged: Data) -> None:
    judged.branch("prices", "exp")
    judged.commit("prices", prices(id=[11, 12, 13, 14, 15, 16]), branch="exp")
    judged.merge("prices@exp", into="main")
    judged.delete_branch("prices", "exp")

    done = judged.quarantine_rows("prices@2")

    assert judged.version("prices") == done.version


def test_asked_again_the_same_rows_are_held_once(judged: Data) -> None:
    first = judged.quarantine_rows("prices@1")
    again = judged.quarantine_rows("prices@1")

    assert again.quarantine == first.quarantine
    assert again.version == first.version
    assert len(judged.row_quarantines()) == 1


def test_a_version_that_passes_is_what_is_left(data: Data) -> None:
    data.commit("prices", prices().slice(0, 2))
    data.set_contract("prices", BODY)

    done = data.quarantine_rows("prices")

    assert done.quarantine is None
    assert done.version.ref == "prices@1"


def test_what_is_tolerated_stays(data: Data) -> None:
    rule = ColumnRule(name="price", type="number", high=10, max_outside_share=0.5)
    data.commit("prices", prices())
    data.set_contract("prices", ContractBody(columns=(rule,)))

    assert data.quarantine_rows("prices").quarantine is None


def test_repeats_orphans_and_rows_out_of_order_are_named(data: Data) -> None:
    data.commit("shops", pa.table({"shop": ["north", "south"]}))
    days = [dt.date(2026, 1, d) for d in (1, 2, 1, 4, 5, 6)]
    data.commit("sales", prices(id=[1, 1, 2, 3, 3, 3]).append_column("day", pa.array(days)))
    data.set_contract(
        "sales",
        ContractBody(
            table=TableRule(unique=(("id",),)),
            columns=(
                ColumnRule(name="shop", type="text", references="shops"),
                ColumnRule(name="day", type="date", ascending=True),
            ),
        ),
    )

    found = data.quarantine_rows("sales").quarantine

    assert found is not None
    assert [(r.row, r.checks) for r in data.held_rows(found.id).items] == [
        (1, ("unique",)),
        (2, ("order day",)),
        (4, ("unique", "references shop")),
        (5, ("unique",)),
    ]


def test_a_table_of_which_every_row_fails_is_refused(data: Data) -> None:
    data.commit("prices", prices().slice(2, 1))
    data.set_contract("prices", BODY)

    with pytest.raises(Conflict, match=r"Every row of prices@1 \(1\) breaks") as raised:
        data.quarantine_rows("prices")
    assert "quarantines hold prices@1" in str(raised.value)
    assert data.row_quarantines() == ()


def test_a_dry_count_keeps_nothing(judged: Data) -> None:
    counts = judged.failing_rows("prices")

    assert counts[""] == 4
    assert counts["range price"] == 1
    assert judged.row_quarantines() == ()
    assert judged.validations("prices") == ()
    assert judged.versions("prices").total == 1


def test_released_rows_come_back_in_a_new_version(judged: Data) -> None:
    held = judged.quarantine_rows("prices").quarantine
    assert held is not None

    released = judged.release_rows(held.id)

    assert (released.state, released.released_number) == ("released", 3)
    assert judged.table("prices")["id"].to_pylist() == [1, 2, 3, 4, 5, 6]
    assert judged.table("prices").schema == judged.table("prices@1").schema
    with pytest.raises(Conflict, match="is released already"):
        judged.reject_rows(held.id)


def test_rows_are_released_by_check_and_the_others_stay_held(judged: Data) -> None:
    held = judged.quarantine_rows("prices").quarantine
    assert held is not None

    part = judged.release_rows(held.id, check="categories shop")

    assert (part.rows, part.part_of, part.released_number) == (1, held.id, 3)
    assert judged.table("prices@3")["id"].to_pylist() == [1, 2, 5]
    rest = judged.row_quarantine(held.id)
    assert (rest.state, rest.rows) == ("held", 3)
    assert "categories shop" not in rest.checks


def test_rows_are_rejected_by_value_and_stay_stored(judged: Data) -> None:
    held = judged.quarantine_rows("prices").quarantine
    assert held is not None

    part = judged.reject_rows(held.id, where={"shop": "south"})

    assert part.state == "rejected"
    assert [r.values["id"] for r in judged.held_rows(part.id).items] == [4]
    assert judged.versions("prices").total == 2


def test_a_check_or_value_that_no_row_has_decides_nothing(judged: Data) -> None:
    held = judged.quarantine_rows("prices").quarantine
    assert held is not None

    with pytest.raises(NotFound, match="range prise"):
        judged.release_rows(held.id, check="range prise")
    with pytest.raises(NotFound, match="west"):
        judged.reject_rows(held.id, where={"shop": "west"})
    with pytest.raises(NotFound, match="shap"):
        judged.reject_rows(held.id, where={"shap": "west"})
    assert judged.row_quarantine(held.id).state == "held"


def test_rows_do_not_come_back_into_other_columns(judged: Data) -> None:
    held = judged.quarantine_rows("prices").quarantine
    assert held is not None
    judged.commit("prices", prices().drop_columns(["was"]))

    with pytest.raises(Conflict, match="other columns than the held rows of prices@1: was"):
        judged.release_rows(held.id)
    assert judged.row_quarantine(held.id).state == "held"


class _Killed(Exception):
    pass


def killed(*_: object, **__: object) -> None:
    raise _Killed


def test_whoever_is_killed_before_the_clean_version_finishes_it_later(
    judged: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Data, "commit", killed)
        with pytest.raises(_Killed):
            judged.quarantine_rows("prices@1")
    (begun,) = judged.row_quarantines()
    with pytest.raises(Conflict, match="without them is not there yet"):
        judged.reject_rows(begun.id)

    done = judged.quarantine_rows("prices@1")

    assert done.version.rows == 2
    assert [q.clean_number for q in judged.row_quarantines()] == [2]


def test_whoever_is_killed_while_releasing_brings_rows_back_once(
    judged: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = judged.quarantine_rows("prices").quarantine
    assert held is not None
    with monkeypatch.context() as patch:
        patch.setattr(Data, "_moved", killed)
        with pytest.raises(_Killed):
            judged.release_rows(held.id)

    released = judged.release_rows(held.id)

    assert released.released_number == 3
    assert judged.versions("prices").total == 3


def test_every_step_is_an_event(judged: Data, store: SqlMetadataStore) -> None:
    held = judged.quarantine_rows("prices").quarantine
    assert held is not None
    judged.release_rows(held.id, check="range price")
    judged.reject_rows(held.id)

    with store.read() as tx:
        kinds = Counter(e.kind for e in events.read(tx.connection, subject="dataset/prices"))
    assert kinds["dataset.rows_quarantined"] == 1
    assert kinds["dataset.rows_decided"] == 2
    assert kinds["dataset.rows_moved"] == 2


CELLS = st.one_of(st.none(), st.floats(-5, 20, width=32))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cells=st.lists(CELLS, min_size=1, max_size=60))
def test_clean_and_held_rows_are_the_rows(
    cells: list[float | None], store: SqlMetadataStore, objects: FolderObjectStore
) -> None:
    data, name = Data(store=store, objects=objects), f"x{abs(hash(tuple(cells)))}"
    data.commit(name, pa.table({"id": range(len(cells)), "x": pa.array(cells, pa.float64())}))
    rule = ColumnRule(name="x", type="number", low=0, high=10, max_null_share=0.0)
    data.set_contract(name, ContractBody(columns=(rule,)))
    good = [i for i, c in enumerate(cells) if c is not None and 0 <= c <= 10]
    if not good:
        with pytest.raises(Conflict):
            data.quarantine_rows(name)
        return

    done = data.quarantine_rows(name)

    held = data.held_rows(done.quarantine.id).items if done.quarantine else ()
    assert data.table(done.version.ref)["id"].to_pylist() == good
    assert sorted([*good, *(r.row for r in held)]) == list(range(len(cells)))


def test_a_version_whose_rows_are_held_is_not_removed_before_they_are_decided_on(
    judged: Data,
) -> None:
    held = judged.quarantine_rows("prices@1").quarantine
    assert held is not None
    with pytest.raises(
        Conflict, match=f"quarantine {held.id} .rows not decided on. needs prices@1"
    ):
        judged.remove("prices@1", force=True)
    judged.reject_rows(held.id)

    assert judged.remove("prices@1").refs == ("prices@1",)
