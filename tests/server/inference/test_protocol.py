"""The protocol, asked in this process through the application's ASGI side."""

from __future__ import annotations

import asyncio
import json

import httpx2 as httpx
import pytest

from tests.server.inference.samples import EXAMPLE, Asked, made_home, request, tensors
from treadle.server.inference import app as door
from treadle.server.inference.app import InferenceApp
from treadle.serving.entities import Variant
from treadle.serving.runtime import Runtime

INFER = "/v2/models/late/infer"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The application over a home whose endpoint has a live variant, a canary and a shadow."""
    home = tmp_path_factory.mktemp("home")
    with made_home(home) as serving:
        yield from serve_all_roles(serving, home)


def serve_all_roles(serving, home):
    wider = EXAMPLE.append_column("wind", [[1.0, 2.0]])
    serving.registry.register("late", lambda t: t["wind"].to_numpy(), example=wider)
    serving.set_traffic(
        "late",
        [
            Variant(name="champion", version="late@1", share=0.5),
            Variant(name="canary", version="late@2", share=0.5, role="canary"),
            Variant(name="shadow", version="late@4", share=0, role="shadow"),
        ],
        reason="all roles",
    )
    serving.create_endpoint("idle", "late")

    def fail(table):
        if table.num_rows > 2:
            raise ZeroDivisionError("by nothing")
        return table["seats"].to_numpy()

    serving.registry.register("frail", fail, example=EXAMPLE)
    serving.create_endpoint("frail", "frail")
    serving.set_traffic("frail", [Variant(name="a", version="frail@1")], reason="")
    runtime = Runtime(serving, home=home)
    runtime.refresh()
    app = InferenceApp(runtime)
    yield app, serving
    app.close()
    runtime.close()


@pytest.fixture
def ask(served):
    app, _ = served

    def send(path, body=None, *, method="", headers=None):
        async def sent():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                verb = method or ("GET" if body is None else "POST")
                return await client.request(verb, path, content=body, headers=headers)

        got = asyncio.run(sent())
        return Asked(got.status_code, got.json())

    return send


def infer(ask, **changed):
    return ask(INFER, request(inputs=changed))


# --- answers ---


def test_an_answer_has_the_form_of_the_protocol(ask, served):
    status, body = ask(INFER, request(id="r-1", parameters={"key": "k"}))

    (identifier,) = body["parameters"]["prediction_ids"]
    prediction = served[1].prediction(identifier)
    assert status == 200
    assert body == {
        "model_name": "late",
        "model_version": prediction.version[-1],
        "id": "r-1",
        "parameters": {
            "prediction_ids": [identifier],
            "variant": prediction.variant,
            "version": prediction.version,
        },
        "outputs": [{"name": "late", "datatype": "FP64", "shape": [1], "data": [prediction.value]}],
    }


def test_key_and_time_are_logged(ask, served):
    _, body = ask(INFER, request(parameters={"key": "k1", "time": "2013-07-04T12:00"}))

    found = served[1].prediction(body["parameters"]["prediction_ids"][0])

    assert (found.key, found.at) == ("k1", 1_372_939_200_000_000)


def test_each_row_may_have_its_own_key_and_time(ask, served):
    parameters = {"keys": [f"k{n}" for n in range(20)], "times": list(range(20))}

    _, body = ask(INFER, request(20, parameters=parameters))

    found = [served[1].prediction(i) for i in body["parameters"]["prediction_ids"]]
    assert [p.key for p in found] == parameters["keys"]
    assert [p.at for p in found] == parameters["times"]
    assert [p.version for p in found] == body["parameters"]["versions"]
    assert set(body["parameters"]["variants"]) == {"champion", "canary"}


def test_every_input_is_logged_as_it_was_read(ask, served):
    _, body = infer(ask)

    found = served[1].prediction(body["parameters"]["prediction_ids"][0])

    assert found.inputs == {
        "temp": 71.5,
        "seats": 120,
        "carrier": "UA",
        "holiday": False,
        "origin": "LGA",
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"temp": {"data": [[71.5]], "shape": [1, 1]}},
        {"temp": {"data": [71.5], "shape": [1, 1]}},
        {"temp": {"data": [71], "datatype": "INT32"}},
        {"temp": {"data": [71.5], "datatype": "FP32"}},
        {"temp": {"data": [None]}},
        {"seats": {"datatype": "INT32"}},
    ],
    ids=["nested", "flat of two dimensions", "int for float", "FP32", "missing value", "INT32"],
)
def test_tensors_may_be_written_in_any_way_that_keeps_their_meaning(ask, changed):
    status, body = infer(ask, **changed)

    assert (status, body["outputs"][0]["shape"]) == (200, [1])


def test_a_version_can_be_asked_by_number(ask):
    status, body = ask("/v2/models/late/versions/2/infer", request(20))

    assert (status, body["model_version"]) == (200, "2")
    assert "versions" not in body["parameters"]


def test_an_input_only_a_shadow_takes_may_be_sent(ask):
    extra = {"name": "wind", "datatype": "FP64", "shape": [1], "data": [3.0]}

    status, _ = ask(INFER, json.dumps({"inputs": [*tensors(), extra]}))

    assert status == 200


def test_the_output_may_be_asked_for_by_name(ask):
    assert ask(INFER, request(outputs=[{"name": "late"}])).status == 200


def test_metadata_tells_inputs_outputs_and_who_serves(ask):
    status, body = ask("/v2/models/late")

    assert status == 200
    assert body["versions"] == ["1", "2"]
    assert body["platform"] == "treadle_callable"
    assert {t["name"]: t["datatype"] for t in body["inputs"]} == {
        "temp": "FP64",
        "seats": "INT64",
        "carrier": "BYTES",
        "holiday": "BOOL",
        "origin": "BYTES",
    }
    assert body["outputs"] == [{"name": "late", "datatype": "FP64", "shape": [-1]}]
    assert body["parameters"]["revision"] == 2


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/v2/health/live", 200, {"live": True}),
        ("/v2/health/ready", 200, {"ready": True}),
        ("/v2/models/late/ready", 200, {"name": "late", "ready": True}),
        ("/v2/models/late/versions/1/ready", 200, {"name": "late", "ready": True}),
    ],
)
def test_health_is_told(ask, path, status, body):
    assert ask(path) == (status, body)


def test_the_server_says_who_it_is(ask):
    status, body = ask("/v2")

    assert (status, body["name"], body["extensions"]) == (200, "treadle", [])


# --- refusals ---


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"temp": None}, "Input 'temp' is missing: expected FP64"),
        ({"temp": {"name": "tmp"}}, "Input 'temp' is missing: expected FP64. Is it 'tmp'?"),
        ({"temp": {"datatype": "BYTES"}}, "Input 'temp': expected FP64, found BYTES"),
        ({"carrier": {"datatype": "FP64"}}, "Input 'carrier': expected BYTES, found FP64"),
        ({"seats": {"datatype": "FP64"}}, "Input 'seats': expected INT64, found FP64"),
        ({"seats": {"datatype": "UINT8"}}, "found UINT8"),
        ({"temp": {"data": ["warm"]}}, "Input 'temp': expected FP64 data: Expected `float"),
        ({"seats": {"data": [1.5]}}, "Input 'seats': expected INT64 data: Expected `int"),
        ({"seats": {"data": [2**70]}}, "Input 'seats'"),
        ({"temp": {"data": [["warm"]]}}, "Input 'temp': expected FP64 data"),
        ({"holiday": {"data": [1]}}, "Input 'holiday': expected BOOL data"),
        ({"temp": {"shape": [2]}}, "says 2 values, found 1"),
        ({"temp": {"shape": [1, 2]}}, "Input 'temp' has shape [1, 2]"),
        ({"temp": {"shape": []}}, "Input 'temp' has shape []"),
        ({"temp": {"shape": [-1]}}, "Input 'temp' has shape [-1]"),
        ({"temp": {"shape": [2], "data": [1, 2]}}, "different numbers of rows: temp 2, seats 1"),
    ],
)
def test_a_wrong_input_is_named_with_what_was_expected_and_found(ask, changed, told):
    status, body = infer(ask, **changed)

    assert status == 400
    assert told in body["error"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("\xff", "not JSON"),
        ("[]", "Not an Open Inference V2 request"),
        ("{}", "missing required field `inputs`"),
        ('{"inputs": [{"name": "temp"}]}', "missing required field `shape`"),
        (request(0), "no rows"),
        (json.dumps({"inputs": tensors() + tensors()}), "given twice"),
        (
            json.dumps({"inputs": [*tensors(), {**tensors()[0], "name": "temq"}]}),
            "no input 'temq'. Did you mean 'temp'?",
        ),
        (request(outputs=[{"name": "delay"}]), "no output 'delay'. It has 'late'"),
        (request(parameters={"keys": "k"}), "'keys' must be a list"),
        (request(parameters={"keys": ["k", "l"]}), "1 row came with 2 keys"),
        (request(parameters={"time": "soon"}), "'soon' is not a time"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_the_reason(ask, body, told):
    status, answer = ask(INFER, body)

    assert status == 400
    assert told in answer["error"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v2/models/lat/infer", "No model 'lat'. Did you mean 'late'?"),
        ("/v2/models/idle/infer", "no traffic yet"),
        ("/v2/models/late/versions/9/infer", "No version of model 'late' '9'. There is: 1, 2."),
        ("/v2/models/late/versions/4/infer", "There is: 1, 2."),
        ("/v2/models/late/predict", "No route 'POST /v2/models/late/predict'"),
    ],
)
def test_what_is_not_there_is_404_with_the_near_miss(ask, path, told):
    status, body = ask(path, request())

    assert status == 404
    assert told in body["error"]


@pytest.mark.parametrize("path", ["/v2/models/lat", "/v2/models/lat/ready", "/", "/v1"])
def test_getting_what_is_not_there_is_404(ask, path):
    assert ask(path).status == 404


def test_binary_tensors_are_refused_clearly(ask):
    status, body = ask(INFER, request(), headers={"Inference-Header-Content-Length": "10"})

    assert (status, body["error"].split(".")[0]) == (400, "Binary tensor data is not spoken here")


def test_a_body_that_is_too_large_is_413(ask):
    status, body = ask(INFER, b" " * (door.MAX_BODY_BYTES + 1))

    assert status == 413
    assert "larger than 16 MB" in body["error"]


def test_a_model_that_fails_is_500_and_says_what_it_said(ask, served):
    status, body = ask("/v2/models/frail/infer", request(3))

    assert status == 500
    assert "frail@1 failed on 3 rows: ZeroDivisionError: by nothing" in body["error"]
    assert "Traceback" not in body["error"]
    assert served[1].predictions("frail")["status"].to_pylist() == ["error"] * 3


def test_refused_requests_leave_no_prediction(ask, served):
    before = served[1].predictions("late").num_rows

    infer(ask, temp=None)

    assert served[1].predictions("late").num_rows == before


def test_another_model_under_the_same_name_and_number_answers_at_once(home):
    with made_home(home) as serving:
        serving.set_traffic("late", [Variant(name="champion", version="late@2")], reason="second")
        runtime = Runtime(serving, home=home)
        runtime.refresh()
        app = InferenceApp(runtime)
        before = one_answer(app)

        # Faster than the desired state is looked at, as a script does it.
        serving.set_traffic("late", [Variant(name="champion", version="late@1")], reason="away")
        serving.registry.delete_version("late", 2)
        serving.registry.create_version("late", source="models:/late/3", number=2)
        serving.set_traffic("late", [Variant(name="champion", version="late@2")], reason="back")
        runtime.refresh()
        after = one_answer(app)
        app.close()
        runtime.close()

    assert (before, after) == (pytest.approx(2.12), pytest.approx(3.12))


def one_answer(app):
    async def sent():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.post(INFER, content=request())

    return asyncio.run(sent()).json()["outputs"][0]["data"][0]
