"""A request that breaks the contract, as the one who sent it sees it."""

from __future__ import annotations

import asyncio
import json

import httpx2 as httpx
import pytest

from tests.server.inference.samples import EXAMPLE, made_home, request
from treadle.data.contracts import ColumnRule, ContractBody
from treadle.data.service import Data
from treadle.server.inference.app import InferenceApp
from treadle.server.inference.exposition import exposition
from treadle.serving.entities import Variant
from treadle.serving.runtime import Runtime
from treadle.tracking.service import Tracking


@pytest.fixture
def served(tmp_path):
    """The endpoint `late`, its model made from a dataset whose contract bounds `seats`."""
    with made_home(tmp_path) as serving:
        store, objects = serving._store, serving._objects
        data, tracking = (kind(store=store, objects=objects) for kind in (Data, Tracking))
        version = data.commit("planes", EXAMPLE.select(["seats"]))
        rule = ColumnRule(name="seats", type="integer", low=1, high=900)
        data.set_contract("planes", ContractBody(columns=(rule,)))
        run = tracking.start_run(experiment="late")
        tracking.log_input(run.id, kind="dataset", ref=version.ref, digest=version.digest)
        made = serving.registry.register(
            "late", lambda t: t["seats"].to_numpy() / 1000, example=EXAMPLE, run_id=run.id
        )
        serving.set_traffic("late", [Variant(name="a", version=made.ref)], reason="of a run")
        runtime = Runtime(serving, home=tmp_path)
        runtime.refresh()
        app = InferenceApp(runtime)
        yield app, serving, runtime
        app.close()
        runtime.close()


def ask(app, path, body=None):
    async def sent():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request("GET" if body is None else "POST", path, content=body)

    return asyncio.run(sent())


def seats(number):
    return request(inputs={"seats": {"data": [number]}})


def test_by_default_it_is_answered_and_counted(served):
    app, serving, _ = served

    answer = ask(app, "/v2/models/late/infer", seats(5_000))
    told = json.loads(ask(app, "/v2/models/late").content)["parameters"]["contract"]

    assert answer.status_code == 200
    assert told == {
        "mode": "warn",
        "of": {"planes": 1},
        "rows": 1,
        "broken": 1,
        "refused": 0,
        "checks": {"range seats": 1},
    }
    (identifier,) = answer.json()["parameters"]["prediction_ids"]
    assert serving.prediction(identifier).broken == "range seats"


def test_refused_it_is_told_the_claim_and_the_value(served):
    app, serving, runtime = served
    serving.set_contract_mode("late", "refuse", reason="strict")
    runtime.refresh()

    answer = ask(app, "/v2/models/late/infer", seats(5_000))
    good = ask(app, "/v2/models/late/infer", seats(150))

    runtime.contracts.flush()

    assert serving.contract_counts("late").refused_requests == 1
    assert serving.broken_examples("late").items[0].values == {"seats": 5_000}
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert "contract of planes (contract 1): row 0: range seats (5000)" in answer.json()["error"]
    assert good.status_code == 200


def test_prometheus_reads_what_became_of_requests(served):
    app, serving, runtime = served
    ask(app, "/v2/models/late/infer", seats(150))
    ask(app, "/v2/models/late/infer", seats(5_000))
    serving.set_contract_mode("late", "refuse", reason="strict")
    runtime.refresh()
    ask(app, "/v2/models/late/infer", seats(6_000))

    told = ask(app, "/metrics")

    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = told.text.splitlines()
    assert 'treadle_contract_requests_total{endpoint="late",outcome="kept"} 1' in lines
    assert 'treadle_contract_rows_total{endpoint="late",outcome="refused"} 1' in lines
    assert 'treadle_contract_broken_claims_total{endpoint="late",outcome="warned"} 1' in lines
    assert len([line for line in lines if not line.startswith("#")]) == 9


def test_labels_of_metrics_are_escaped():
    said = exposition({('a"b\\c', "kept"): (1, 2, 0)}).decode()

    assert '{endpoint="a\\"b\\\\c",outcome="kept"} 1' in said
