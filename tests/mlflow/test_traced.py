"""Traced programs work unchanged: MLflow's decorators, and OpenTelemetry's SDK alone."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import httpx2
import pytest

SCRIPT = Path(__file__).parent / "peer" / "traced.py"


@pytest.fixture(scope="module", params=["newest", "3.6"])
def traced(request, our_server, run_peer):
    name = f"traced-{request.param.replace('.', '-')}"
    printed = run_peer(request.param, SCRIPT, f"{our_server}/t/{name}")
    return json.loads(printed.splitlines()[-1])


def test_nested_functions_come_back_as_a_tree_with_inputs_and_outputs(traced):
    found = traced["mlflow"]

    assert sorted(found["names"][1:]) == sorted(["think", "look_up", "look_up"])
    assert found["names"][0] == "answer"
    assert found["parents"] == [False, True, True, True]
    assert found["types"].count("TOOL") == 2
    assert found["outputs"] == 5
    assert (found["state"], found["of_run"]) == ("OK", True)
    assert (found["asked"], found["tags"]) == ("twice", "red")


def test_an_exception_within_a_span_is_kept_with_its_stack(traced):
    found = traced["mlflow"]

    assert found["exception"] == ["exception"]
    assert found["stack"]


def test_a_search_finds_it_as_a_table(traced):
    found = traced["mlflow"]

    assert found["found"] == 1
    assert found["columns"] == ["request", "response", "spans", "trace_id"]


def test_the_sdk_of_opentelemetry_alone_is_understood(traced):
    found = traced["opentelemetry"]

    assert found["answers"] == [200]
    assert found["names"] == ["order", "pay"]
    assert (found["service"], found["city"], found["exact"]) == ("shop", "Rome", True)


@pytest.mark.parametrize("packed", ["gzip", "deflate"])
def test_a_body_that_swells_beyond_its_bound_is_refused(our_server, packed):
    pack = {"gzip": gzip.compress, "deflate": zlib.compress}[packed]
    bomb = pack(bytes(64 << 20))
    headers = {"content-type": "application/x-protobuf", "content-encoding": packed}

    answer = httpx2.post(
        f"{our_server}/v1/traces", content=bomb, headers=headers, trust_env=False, timeout=60
    )

    assert len(bomb) < 1 << 20
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 400),
        ({"content-type": "application/x-protobuf", "content-encoding": "br"}, 400),
        ({"content-type": "application/x-protobuf", "x-mlflow-experiment-id": "nowhere"}, 404),
        ({"content-type": "application/x-protobuf", "origin": "http://elsewhere.org"}, 403),
    ],
)
def test_what_is_no_export_of_ours_is_refused(our_server, headers, status):
    # A span of sixteen and eight bytes of id, and nothing else.
    span = b"\x0a\x10" + b"\x01" * 16 + b"\x12\x08" + b"\x02" * 8
    scope = b"\x12" + bytes([len(span)]) + span
    part = b"\x12" + bytes([len(scope)]) + scope
    body = b"\x0a" + bytes([len(part)]) + part

    answer = httpx2.post(f"{our_server}/v1/traces", content=body, headers=headers, trust_env=False)

    assert answer.status_code == status
