from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from treadle.data.contracts import ColumnRule, ContractBody, TableRule
from treadle.data.facts import ContractSet, DatasetQuarantined, DatasetValidated
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.storage import events

if TYPE_CHECKING:
    from treadle.data.service import Data
    from treadle.kernel.clock import FrozenClock
    from treadle.storage.metadata import SqlMetadataStore

GOOD, BROKEN = pa.table({"x": [1, 2, 3]}), pa.table({"x": [1, 99, 3]})
BODY = ContractBody(columns=(ColumnRule(name="x", type="integer", low=0, high=10),))
STRICTER = ContractBody(table=TableRule(min_rows=2), columns=BODY.columns)


def kinds(store: SqlMetadataStore) -> list[str]:
    with store.read() as tx:
        return [e.kind for e in events.read(tx.connection)]


def test_a_dataset_without_a_contract_has_none(data: Data) -> None:
    data.commit("x", GOOD)

    assert data.contract("x") is None


def test_a_contract_is_set_and_found(everywhere: Data, clock: FrozenClock) -> None:
    everywhere.commit("x", GOOD)

    contract = everywhere.set_contract("x", BODY)

    assert everywhere.contract("x") == contract
    assert (contract.number, contract.body, contract.digest) == (1, BODY, BODY.digest)
    assert contract.created_at == clock.instant


def test_an_equal_contract_keeps_its_number(data: Data) -> None:
    data.commit("x", GOOD)
    first = data.set_contract("x", BODY)

    assert data.set_contract("x", BODY) == first
    assert data.set_contract("x", STRICTER).number == 2
    assert data.set_contract("x", BODY).number == 3


def test_a_contract_needs_its_dataset(data: Data) -> None:
    with pytest.raises(NotFound, match="No dataset 'x'"):
        data.set_contract("x", BODY)


def test_setting_a_contract_is_an_event_with_its_body(data: Data, store: SqlMetadataStore) -> None:
    data.commit("x", GOOD)
    data.set_contract("x", BODY)

    with store.read() as tx:
        (event,) = events.read(tx.connection, kinds=["contract.set"])
    assert event.as_fact(ContractSet).body == BODY


def test_a_learned_contract_is_set(data: Data) -> None:
    data.commit("x", GOOD)

    contract = data.infer_contract("x", roles={"x": "id"})

    assert data.contract("x") == contract
    assert contract.body.columns[0].unique


def test_a_version_that_keeps_its_contract_passes(everywhere: Data) -> None:
    everywhere.commit("x", GOOD)
    everywhere.set_contract("x", BODY)

    validation = everywhere.validate("x")

    assert (validation.verdict, validation.broken()) == ("pass", ())
    assert (validation.dataset_ref, validation.contract_number) == ("x@1", 1)


def test_a_version_that_breaks_its_contract_fails(everywhere: Data) -> None:
    everywhere.commit("x", GOOD)
    everywhere.set_contract("x", BODY)
    everywhere.commit("x", BROKEN)

    validation = everywhere.validate("x@2")

    (found,) = validation.broken()
    assert validation.verdict == "fail"
    assert (found.check, found.column, found.counted) == ("range", "x", 1)
    assert found.examples == ({"row": 1, "x": 99},)


def test_validations_are_kept_newest_first(everywhere: Data) -> None:
    everywhere.commit("x", GOOD)
    everywhere.set_contract("x", BODY)
    first = everywhere.validate("x")
    everywhere.set_contract("x", STRICTER)

    second = everywhere.validate("x")

    assert everywhere.validations("x@1") == (second, first)
    assert second.contract_number == 2


def test_another_contract_can_be_tried(data: Data) -> None:
    data.commit("x", GOOD)
    older = data.set_contract("x", BODY)
    data.set_contract("x", STRICTER)

    assert data.validate("x", contract=older).contract_number == 1


def test_validating_without_a_contract_says_how_to_get_one(data: Data) -> None:
    data.commit("x", GOOD)

    with pytest.raises(Conflict, match=r"has no contract.*treadle data infer"):
        data.validate("x")


def test_a_validation_is_an_event_with_its_findings(data: Data, store: SqlMetadataStore) -> None:
    data.commit("x", BROKEN)
    data.set_contract("x", BODY)
    data.validate("x")

    with store.read() as tx:
        (event,) = events.read(tx.connection, kinds=["dataset.validated"])
    fact = event.as_fact(DatasetValidated)
    assert fact.verdict == "fail"
    assert fact.findings[0].startswith("fail range x: 1 of 3 values lie outside 0 to 10")


def test_a_quarantine_holds_one_version(everywhere: Data) -> None:
    everywhere.commit("x", GOOD)
    everywhere.commit("x", BROKEN)

    held = everywhere.quarantine("x@2", reason="dead feed", evidence={"rate": 0.0})

    assert (held.ref, held.rows, held.state) == ("x@2", 3, "held")
    assert everywhere.is_quarantined("x@2")
    assert not everywhere.is_quarantined("x@1")
    assert everywhere.quarantines("x") == (held,)


def test_a_held_version_is_held_once(data: Data, store: SqlMetadataStore) -> None:
    data.commit("x", GOOD)
    first = data.quarantine("x", reason="dead feed", evidence={})

    assert data.quarantine("x", reason="again", evidence={}) == first
    assert kinds(store) == ["dataset.committed", "dataset.quarantined"]


def test_a_released_version_may_be_used(everywhere: Data) -> None:
    everywhere.commit("x", GOOD)
    held = everywhere.quarantine("x", reason="dead feed", evidence={})

    released = everywhere.release_quarantine(held.id)

    assert released.state == "released"
    assert everywhere.quarantines() == (released,)
    assert not everywhere.is_quarantined("x")


def test_a_rejected_version_stays_out(data: Data) -> None:
    data.commit("x", GOOD)
    held = data.quarantine("x", reason="dead feed", evidence={})

    data.reject_quarantine(held.id)

    assert data.is_quarantined("x")


def test_a_decision_is_made_once(data: Data) -> None:
    data.commit("x", GOOD)
    held = data.quarantine("x", reason="dead feed", evidence={})
    data.release_quarantine(held.id)

    with pytest.raises(Conflict, match="is released already"):
        data.reject_quarantine(held.id)


def test_a_released_version_can_be_held_again(data: Data) -> None:
    data.commit("x", GOOD)
    data.release_quarantine(data.quarantine("x", reason="one", evidence={}).id)

    again = data.quarantine("x", reason="two", evidence={})

    assert [q.reason for q in data.quarantines("x")] == ["two", "one"]
    assert data.is_quarantined("x")
    assert again.state == "held"


def test_an_unknown_quarantine_is_not_found(data: Data) -> None:
    with pytest.raises(NotFound, match="No quarantine"):
        data.release_quarantine("f" * 32)


def test_quarantines_are_events_with_their_evidence(data: Data, store: SqlMetadataStore) -> None:
    data.commit("x", GOOD)
    held = data.quarantine("x", reason="dead feed", evidence={"rate": [0.0, 0.1]})
    data.release_quarantine(held.id)

    with store.read() as tx:
        _, quarantined, released = events.read(tx.connection)
    fact = quarantined.as_fact(DatasetQuarantined)
    assert (fact.reason, fact.evidence, fact.rows) == ("dead feed", {"rate": [0.0, 0.1]}, 3)
    assert released.kind == "dataset.quarantine_released"


def test_nothing_is_learned_from_no_rows(data: Data) -> None:
    data.commit("x", pa.table({"a": pa.array([], pa.int64())}))

    with pytest.raises(InvalidInput, match="x@1 has no rows"):
        data.infer_contract("x")
    assert data.contract("x") is None
