"""Requests under the contract of the data their model was trained on."""

from __future__ import annotations

import datetime as dt
import math
from unittest.mock import Mock

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.test_runtime import NOBODY_LISTENS
from treadle.data.contracts import ColumnRule, Contract, ContractBody, RelationRule
from treadle.data.service import Data
from treadle.kernel.errors import InvalidInput
from treadle.registry.entities import Field, Signature
from treadle.registry.service import Registry
from treadle.serving import request_checks
from treadle.serving.entities import Variant
from treadle.serving.known_keys import RememberingSigner
from treadle.serving.request_checks import BrokenContract, RequestChecks
from treadle.serving.runtime import Runtime
from treadle.serving.service import Serving
from treadle.serving.training_contracts import RequestContract, request_contract
from treadle.storage.metadata import SqlMetadataStore
from treadle.tracking.service import Tracking

BODY = ContractBody(
    columns=(
        ColumnRule(name="temp", type="number", low=-20, high=120, max_null_share=0.0),
        ColumnRule(name="carrier", type="text", categories=("UA", "B6"), max_new_share=0.1),
        ColumnRule(name="late", type="boolean", role="target"),
        ColumnRule(name="delay", type="number", role="known_after"),
        ColumnRule(name="at", type="timestamp", role="time"),
    ),
)


@pytest.fixture
def data(store, objects):
    return Data(store=store, objects=objects)


@pytest.fixture
def trained(store, objects, registry, serving, data, rows):
    """An endpoint whose model was made from a dataset with a contract."""
    version = data.commit("flights", rows(10))
    data.set_contract("flights", BODY)
    tracking = Tracking(store=store, objects=objects)
    run = tracking.start_run(experiment="late")
    tracking.log_input(run.id, kind="dataset", ref=version.ref, digest=version.digest)
    registry.register("late", lambda t: t["temp"].to_numpy() / 100, example=rows(3), run_id=run.id)
    serving.create_endpoint("late", "late")
    serving.set_traffic("late", [Variant(name="a", version="late@1")], reason="first")
    return serving


@pytest.fixture
def served(trained, runtime):
    runtime.refresh()
    return runtime


def request(*, temp: float | None = 60.0, carrier: str = "UA", more: int = 0) -> pa.Table:
    temps = pa.array([temp] + [50.0] * more, pa.float64())
    return pa.table({"temp": temps, "carrier": [carrier] + ["B6"] * more})


def test_a_request_that_keeps_the_contract_is_noted_as_nothing(served, serving):
    served.infer("late", request())

    assert serving.predictions("late")["broken"].to_pylist() == [None]


def test_by_default_a_broken_claim_is_noted_with_the_prediction_and_counted(served, serving):
    served.infer("late", request(temp=451.0, carrier="ZZ", more=1))

    assert serving.predictions("late").sort_by("value")["broken"].to_pylist() == [
        None,
        "range temp, categories carrier",
    ]
    counts = served.models.find("late").checks.counts()
    assert (counts.rows, counts.broken, counts.refused) == (2, 1, 0)
    assert counts.checks == {"range temp": 1, "categories carrier": 1}


def test_refusing_names_the_claims_and_their_values_and_predicts_nothing(served, serving):
    serving.set_contract_mode("late", "refuse", reason="strict")
    served.refresh()

    with pytest.raises(BrokenContract) as raised:
        served.infer("late", request(temp=451.0, carrier="ZZ"))

    assert str(raised.value).startswith(
        "The request breaks the contract of flights (contract 1): row 0: range temp (451.0)."
    )
    assert serving.predictions("late").num_rows == 0
    assert served.models.find("late").checks.counts().refused == 1


def test_what_a_claim_tolerates_in_a_table_is_not_refused(served, serving):
    serving.set_contract_mode("late", "refuse", reason="strict")
    served.refresh()

    served.infer("late", request(carrier="ZZ"))

    assert serving.predictions("late")["broken"].to_pylist() == ["categories carrier"]


def test_off_looks_at_nothing(served, serving):
    serving.set_contract_mode("late", "off", reason="")
    served.refresh()

    served.infer("late", request(temp=451.0))

    assert served.models.find("late").checks is None
    assert serving.predictions("late")["broken"].to_pylist() == [None]


def test_another_mode_is_refused_and_the_same_changes_nothing(trained):
    before = trained.endpoint("late")

    with pytest.raises(InvalidInput, match="no contract mode 'strict'"):
        trained.set_contract_mode("late", "strict", reason="")

    assert trained.set_contract_mode("late", "warn", reason="") == before


def test_a_new_contract_is_followed_and_counts_go_on(served, serving, data):
    served.infer("late", request(temp=451.0))
    data.set_contract("flights", ContractBody(columns=(ColumnRule(name="temp", type="number"),)))

    served.refresh()
    served.infer("late", request(temp=451.0))

    checks = served.models.find("late").checks
    assert checks.contract.sources == {"flights": 2}
    assert (checks.counts().rows, checks.counts().broken) == (2, 1)


def test_the_contract_holds_after_a_restart_while_the_store_is_down(
    served, serving, objects, store, tmp_path
):
    serving.set_contract_mode("late", "refuse", reason="strict")
    served.refresh()
    RememberingSigner(tmp_path / "keys", store=store)  # as the inference process has one
    down = SqlMetadataStore(NOBODY_LISTENS)
    signer = RememberingSigner(tmp_path / "keys", store=down)
    offline = Registry(store=down, objects=objects, signer=signer)
    reborn = Runtime(
        Serving(store=down, objects=objects, registry=offline, home=tmp_path), home=tmp_path
    )
    reborn.refresh()

    with pytest.raises(BrokenContract, match="range temp"):
        reborn.infer("late", request(temp=451.0))
    reborn.close()


def test_endpoints_are_rebuilt_with_their_mode(trained, log):
    trained.set_contract_mode("late", "refuse", reason="strict")
    before = trained.endpoints()

    trained.rebuild(list(log.read()))

    assert trained.endpoints() == before


def test_a_model_of_no_run_asks_nothing_of_requests(endpoint, runtime):
    runtime.refresh()

    assert runtime.models.find("late").checks is None


def contract(body: ContractBody, *, dataset: str = "flights") -> Contract:
    return Contract(dataset=dataset, number=1, body=body, digest="", created_at=0)


def signature(**fields: str) -> Signature:
    inputs = tuple(Field(name=name, type=type_) for name, type_ in fields.items())
    return Signature(inputs=inputs, output="probability")


def test_only_inputs_of_a_kind_that_requests_give_are_asked():
    made = request_contract(
        [contract(BODY)], signature(temp="double", carrier="int64", delay="double", late="bool")
    )

    assert made is not None
    assert [c.name for c in made.body.columns] == ["temp"]


def test_contracts_of_several_datasets_make_one():
    weather = ContractBody(
        columns=(ColumnRule(name="wind", type="number"), ColumnRule(name="gust", type="number")),
        relations=(RelationRule(name="gusts", claim="wind <= gust"),),
    )

    made = request_contract(
        [contract(BODY), contract(weather, dataset="weather")],
        signature(temp="double", wind="double", gust="double"),
    )

    assert made is not None
    assert made.sources == {"flights": 1, "weather": 1}
    assert [r.name for r in made.body.relations] == ["gusts"]


def test_times_in_requests_are_judged_as_times(served):
    body = ContractBody(columns=(ColumnRule(name="at", type="timestamp"),))
    made = request_contract([contract(body)], signature(at="timestamp"))

    assert made is not None
    checks = RequestChecks(made, mode="refuse", endpoint="late", keeper=served.contracts)
    at = [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)]
    assert checks.broken({"at": at}, rows=1, ids=["a"]) is None


CELLS = {
    "whole": st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 12) | st.none(),
    "number": st.floats(allow_nan=True) | st.floats(0, 10) | st.none(),
    "counted": st.floats(0, 12) | st.integers(0, 12).map(float) | st.just(math.inf),
    "shop": st.sampled_from(["a", "b", "c", None]),
    "text": st.sampled_from(["a", "", None]),
    "code": st.sampled_from(["x1", "y", None]),
    "near": st.floats(0, 10) | st.none(),
    "far": st.floats(0, 10) | st.none(),
}
RULES = ContractBody(
    columns=(
        ColumnRule(name="whole", type="integer", low=0, high=9),
        ColumnRule(name="number", type="number", low=0),
        ColumnRule(name="counted", type="integer", high=9),
        ColumnRule(name="shop", type="text", categories=("a", "b")),
        ColumnRule(name="text", type="text"),
        ColumnRule(name="code", type="text", pattern="x[0-9]"),
        ColumnRule(name="near", type="number", low=0, high=9),
        ColumnRule(name="far", type="number"),
    ),
    relations=(RelationRule(name="order", claim="near <= far"),),
)


@st.composite
def requests(draw):
    """Rows of some of the columns; a column holds mostly values that keep their rules."""
    names = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, unique=True))
    rows = draw(st.integers(2, 5))
    good = {"shop": "a", "text": "a", "code": "x1", "whole": 3}
    return {
        name: draw(
            st.lists(CELLS[name], min_size=rows, max_size=rows)
            if draw(st.booleans())
            else st.just([good.get(name, 3.0)] * rows)
        )
        for name in names
    }


@settings(max_examples=50, deadline=None)
@given(columns=requests())
def test_rows_together_break_what_each_breaks_alone(columns):
    contract = RequestContract(body=RULES, sources={}, sensitive=())
    rows = len(next(iter(columns.values())))
    alone = [
        RequestChecks(contract, mode="warn", endpoint="e", keeper=Mock()).broken(
            {name: [cells[row]] for name, cells in columns.items()}, rows=1, ids=["i"]
        )
        for row in range(rows)
    ]

    together = RequestChecks(contract, mode="warn", endpoint="e", keeper=Mock()).broken(
        columns, rows=rows, ids=["i"] * rows
    )

    assert together == (None if alone == [None] * rows else [a[0] if a else "" for a in alone])


def test_columns_that_keep_their_rules_are_not_judged_value_by_value(monkeypatch):
    body = ContractBody(columns=RULES.columns[:5])
    monkeypatch.setattr(request_checks, "compile_row", lambda *_, **__: pytest.fail)
    checks = RequestChecks(
        RequestContract(body=body, sources={}), mode="warn", endpoint="e", keeper=Mock()
    )
    good = {"whole": [1, 2], "number": [1.0, 2.0], "shop": ["a", "b"], "text": ["a", "z"]}

    assert checks.broken(good, rows=2, ids=["i", "j"]) is None
