"""The door itself: one table of routes, protobuf's JSON, and no body that makes it fail."""

from __future__ import annotations

import httpx2
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.server.mlflow import PREFIXES, ROUTES, limits
from treadle.server.mlflow.errors import WireError
from treadle.server.mlflow.wire import Ask, KeyValue, complaint, decoder_of

FIXED = sorted({(m, p) for m, p, _ in ROUTES if "{" not in p and p.startswith("/mlflow/")})
WORDS = st.sampled_from(
    [
        *("experiment_id", "experiment_ids", "run_id", "key", "value", "timestamp", "step"),
        *("metrics", "params", "tags", "models", "name", "filter", "order_by"),
        *("max_results", "page_token"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def client(our_server):
    address = f"{our_server}/t/door"
    with httpx2.Client(base_url=address, trust_env=False, timeout=30) as made:
        yield made


def create(client, name):
    answer = client.post("/api/2.0/mlflow/experiments/create", json={"name": name})
    return answer.json()["experiment_id"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_prefix_answers_the_same(client, prefix):
    answer = client.get(f"{prefix}/mlflow/experiments/get", params={"experiment_id": "0"})

    assert answer.json()["experiment"]["name"] == "Default"


def test_an_unknown_path_is_said_in_words_the_client_reads(client):
    answer = client.get("/api/2.0/mlflow/experiments/nope")

    assert answer.status_code == 404
    assert answer.json()["error_code"] == "ENDPOINT_NOT_FOUND"


def test_a_wrong_method_is_said_to_be_one(client):
    assert client.get("/api/2.0/mlflow/runs/create").status_code == 405


def test_a_get_may_carry_its_question_in_its_body(client):
    made = create(client, "in the body")
    answer = client.request("GET", "/api/2.0/mlflow/experiments/get", json={"experiment_id": made})

    assert answer.json()["experiment"]["name"] == "in the body"


def test_a_form_of_another_site_cannot_speak_to_it(client):
    answer = client.post(
        "/api/2.0/mlflow/experiments/create",
        content=b'{"name": "sneaked in"}',
        headers={"content-type": "text/plain"},
    )

    assert answer.status_code == 400
    assert "Content-Type must be one of" in answer.json()["message"]


def test_a_body_beyond_the_limit_is_refused(client):
    answer = client.post(
        "/api/2.0/mlflow/experiments/create",
        content=b'{"name": "' + b"x" * (33 << 20) + b'"}',
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 400
    assert "larger than 32 MB" in answer.json()["message"]


def test_numbers_in_quotes_camel_case_and_nulls_are_read_as_protobuf_does(client):
    made = create(client, "protobuf")
    body = {"experimentId": made, "startTime": "5", "userId": None, "runName": "r"}
    run = client.post("/api/2.0/mlflow/runs/create", json=body).json()["run"]["info"]

    assert (run["experiment_id"], run["start_time"], run["run_name"]) == (made, 5, "r")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(WORDS, JSON, max_size=6))
@pytest.mark.parametrize(("method", "path"), FIXED)
def test_no_body_makes_a_route_fail(client, method, path, body):
    kwargs = {"json": _sayable(body)} if method == "POST" else {"params": _flat(body)}
    answer = client.request(method, f"/api/2.0{path}", **kwargs)

    assert answer.status_code < 500, answer.text


@given(st.integers(min_value=1, max_value=1 << 60))
def test_a_page_token_means_the_offset_it_was_made_of(offset):
    assert limits.offset_of(limits.token_of(offset)) == offset


@given(st.text(min_size=1))
def test_a_foreign_page_token_is_refused_or_means_an_offset(token):
    try:
        found = limits.offset_of(token)
    except WireError as error:
        found = error.code

    assert found == "INVALID_PARAMETER_VALUE" or found > 0


class Asked(Ask):
    name: str = ""
    number: int | None = None
    ratio: float | None = None
    flag: bool = False
    names: tuple[str, ...] = ()
    pairs: tuple[KeyValue, ...] = ()


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(),
            "number": st.integers(-(1 << 63), (1 << 63) - 1),
            "ratio": st.floats(allow_nan=False, allow_infinity=False),
            "flag": st.booleans(),
            "names": st.lists(st.text()),
        },
    )
)
def test_what_is_read_strictly_has_no_complaint(values):

    decoder_of(Asked).decode(msgspec.json.encode(values))

    assert complaint(Asked, dict(values)) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", 5), ("number", "x"), ("ratio", "x"), ("flag", "maybe"), ("names", "a"), ("pairs", 1)],
)
def test_a_wrong_type_names_its_field(field, value):
    refusal = complaint(Asked, {field: value})

    assert refusal is not None
    assert f"for parameter '{field}' supplied" in refusal.message


def _sayable(value):
    """JSON has no NaN, nor half a surrogate pair."""
    if isinstance(value, dict):
        return {key: _sayable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_sayable(each) for each in value]
    if isinstance(value, float) and not -1e300 < value < 1e300:
        return "NaN"
    return value


def _flat(body):
    return {key: str(value) for key, value in body.items()}
