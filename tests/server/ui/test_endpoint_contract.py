"""The contract of requests on an endpoint's page and in the API."""

from __future__ import annotations

import json
import re
import shlex

import httpx2
import pyarrow as pa
import pytest

from treadle.data.contracts import ColumnRule, ContractBody
from treadle.server.control import ControlServer
from treadle.server.ui.example_request import curl
from treadle.server.ui.formats import iso
from treadle.serving.entities import Variant
from treadle.serving.request_checks import BrokenContract
from treadle.serving.runtime import Runtime
from treadle.serving.training_contracts import RequestContract

ROWS = pa.table({"price": [1.0, 2.0], "who": ["ann", "bob"]})
REQUEST = [("price", pa.float64()), ("who", pa.string())]
BODY = ContractBody(
    columns=(
        ColumnRule(name="price", type="number", low=3.25, high=10),
        ColumnRule(name="who", type="text", role="sensitive", categories=("geheim <b>",)),
    )
)


@pytest.fixture
def runtime(empty, tmp_path):
    """The endpoint `shop`, whose model was made from a dataset with a contract."""
    version = empty.data.commit("prices", ROWS)
    empty.data.set_contract("prices", BODY)
    run = empty.tracking.start_run(experiment="shop")
    empty.tracking.log_input(run.id, kind="dataset", ref=version.ref, digest=version.digest)
    made = empty.registry.register(
        "shop", lambda t: t["price"].to_numpy(), example=ROWS, run_id=run.id
    )
    empty.serving.create_endpoint("shop", "shop")
    empty.serving.set_traffic("shop", [Variant(name="a", version=made.ref)], reason="first")
    opened = Runtime(empty.serving, home=empty.home)
    opened.refresh()
    yield opened
    opened.close()


@pytest.fixture
def asked(empty, runtime):
    with (
        ControlServer(empty, port=0) as server,
        httpx2.Client(base_url=server.url, trust_env=False) as client,
    ):
        yield client


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def request(price: float) -> pa.Table:
    return pa.table({"price": [price], "who": ["geheim <b>"]})


def test_a_page_shows_what_was_refused_and_why_and_no_sensitive_value(asked, empty, runtime):
    runtime.infer("shop", request(5.0))
    empty.serving.set_contract_mode("shop", "refuse", reason="strict")
    runtime.refresh()
    with pytest.raises(BrokenContract):
        runtime.infer("shop", request(99.0))
    runtime.contracts.flush()

    html = asked.get("/endpoints/shop").text
    said = words(html)

    assert "of prices, contract 1 ." in said
    assert re.search(r"Rows that broke it, last hour 1 50.0 % of 2", said)
    assert re.search(r"Requests refused, last day 1 of 2", said)
    assert re.search(r"range price 1 1 1 1 ", said)
    assert "price 99 who left out" in said
    assert "geheim" not in html


def test_a_claim_that_tolerates_a_share_is_not_said_to_be_refused(asked, empty):
    empty.serving.set_contract_mode("shop", "refuse", reason="strict")

    said = words(asked.get("/endpoints/shop").text)

    assert "is refused; a claim that tolerates a share of rows only warns. Claims about" in said


def test_a_claim_was_last_broken_when_its_newest_row_was(asked, empty, runtime):
    runtime.infer("shop", request(99.0))
    runtime.contracts.flush()

    (example,) = empty.serving.broken_examples("shop", claim="range price").items
    assert asked.get("/endpoints/shop").text.count(iso(example.at)) >= 2


def test_the_request_to_copy_keeps_the_contract_and_names_nothing_sensitive(asked):
    said = re.sub(r"<[^>]+>", "", asked.get("/endpoints/shop").text)

    assert "&#34;FP64&#34;, &#34;data&#34;: [3.25]" in said
    assert "&#34;BYTES&#34;, &#34;data&#34;: [&#34;a&#34;]" in said


def test_a_category_stays_within_the_quotes_of_the_request_to_copy(empty, runtime):
    served = empty.registry.version("shop@1")
    rule = ColumnRule(name="who", type="text", categories=("o'; rm -r x",))
    contract = RequestContract(body=ContractBody(columns=(rule,)), sources={}, sensitive=())

    *_, body = shlex.split(curl("http://x", served, contract))

    assert json.loads(body)["inputs"][1]["data"] == ["o'; rm -r x"]


def test_what_was_answered_all_the_same_names_its_prediction(asked, runtime):
    answer = runtime.infer("shop", request(99.0))
    runtime.contracts.flush()

    assert answer.ids[0] in asked.get("/endpoints/shop").text


def test_one_bad_request_does_not_crowd_out_the_other_claims(asked, runtime):
    for price in (90.0, 91.0, 92.0):
        runtime.infer("shop", request(price))
    runtime.infer("shop", pa.table({"price": [None], "who": ["geheim <b>"]}, pa.schema(REQUEST)))
    runtime.contracts.flush()

    said = words(asked.get("/endpoints/shop").text)
    assert "The newest row of each claim 4 kept" in said
    assert ("price 92" in said, "price 91" in said, "nulls price" in said) == (True, False, True)


def test_traffic_of_one_day_is_drawn_among_the_days_around_it(asked, empty, runtime):
    runtime.infer("shop", request(5.0))
    runtime.close()
    empty.serving.compact()

    html = asked.get("/endpoints/shop").text
    (chart,) = re.findall(
        r'id="traffic".*?<script type="application/json">(.*?)</script>', html, re.DOTALL
    )
    assert len(json.loads(chart)["x"]) == 3


def test_an_endpoint_nobody_asks_says_so(asked):
    assert "No request was judged within the last day." in asked.get("/endpoints/shop").text


def test_the_mode_is_changed_by_a_form_with_an_event(asked, empty):
    form = {"mode": "refuse", "reason": "units were wrong"}
    changed = asked.post("/endpoints/shop/contract", data=form)
    wrong = asked.post("/endpoints/shop/contract", data={"mode": "strict"})
    foreign = asked.post(
        "/endpoints/shop/contract", data={"mode": "off"}, headers={"origin": "http://evil"}
    )

    assert (changed.status_code, changed.headers["location"]) == (303, "/endpoints/shop#contract")
    assert (wrong.status_code, foreign.status_code) == (400, 403)
    assert empty.serving.endpoint("shop").contract == "refuse"
    assert empty.log.last().kind == "endpoint.contract_mode_set"
    assert "units were wrong" in asked.get("/events").text


def test_the_event_of_what_was_broken_is_a_sentence(asked, runtime):
    runtime.infer("shop", request(99.0))
    runtime.contracts.flush()

    said = words(asked.get("/events").text)
    assert "1 of 1 rows to shop broke the contract, 0 requests refused: range price in 1" in said


def test_the_api_tells_counts_and_examples(asked, runtime):
    runtime.infer("shop", request(99.0))
    runtime.contracts.flush()

    told = asked.get("/api/v1/endpoints/shop/contract").json()
    found = asked.get(
        "/api/v1/endpoints/shop/contract/broken", params={"claim": "range price"}
    ).json()
    none = asked.get("/api/v1/endpoints/shop/contract/broken?outcome=refused").json()

    assert (told["mode"], told["contract"]["sources"]) == ("warn", {"prices": 1})
    assert told["lately"]["hour"]["claims"][0]["claim"] == "range price"
    assert found["items"][0]["values"] == {"price": 99.0}
    assert found["items"][0]["left_out"] == ["who"]
    assert none["total"] == 0
    assert asked.get("/api/v1/endpoints/shop/contract/broken?outcome=kept").status_code == 400
