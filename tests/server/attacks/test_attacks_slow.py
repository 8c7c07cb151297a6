"""Clients that hardly say anything, or far too much: nobody else is kept waiting."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import pytest
from starlette.requests import Request

from tests.server.attacks.raw import ask
from treadle.errors import InvalidInput
from treadle.server.bodies import GATHERED_BYTES, TRANSFERS, received

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.attacks.conftest import Target

API = "/api/2.0/mlflow"
ROUTE = "/api/2.0/mlflow-artifacts/artifacts"
AS_JSON = {"Content-Type": "application/json"}
PROMPT_S = 5.0


@contextlib.contextmanager
def held(target: Target, request: bytes, *, times: int) -> Iterator[None]:
    """Send the beginning of a request by many clients, and nothing more while it lasts."""
    parts = urlsplit(target.url)
    with contextlib.ExitStack() as stack:
        for _ in range(times):
            wire = socket.create_connection((parts.hostname, parts.port), timeout=20)
            stack.enter_context(contextlib.closing(wire)).sendall(request)
        yield


def begun(method: str, path: str, *, sent: bytes, of: int) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {of}\r\n"
    return f"{head}Content-Type: application/json\r\n\r\n".encode() + sent


@pytest.mark.parametrize("sent", [b"x", b"x" * (GATHERED_BYTES + 1000)], ids=["byte", "block"])
def test_uploads_that_never_end_keep_nobody_waiting(target: Target, sent: bytes) -> None:
    slow = begun("PUT", f"{ROUTE}/slow/a", sent=sent, of=100_000_000)
    stored = f"{ROUTE}/{target.experiment_id}/{target.run_id}/artifacts/a.txt"

    with held(target, slow, times=TRANSFERS + 8):
        start = time.monotonic()
        put = ask(target.url, "PUT", f"{ROUTE}/slow/quick.txt", body=b"quick")
        got = ask(target.url, "GET", stored)
        asked = ask(target.url, "GET", f"{API}/runs/get?run_id={target.run_id}")
        took = time.monotonic() - start

    assert (put.status, got.body, asked.status) == (200, b"harmless", 200)
    assert took < PROMPT_S


@pytest.mark.parametrize("path", [f"{API}/runs/search", "/api/2.0/mlflow-artifacts/mpu/create/a"])
def test_bodies_that_never_end_keep_nobody_waiting(target: Target, path: str) -> None:
    with held(target, begun("POST", path, sent=b"{", of=1000), times=100):
        start = time.monotonic()
        asked = ask(target.url, "GET", f"{API}/runs/get?run_id={target.run_id}")
        took = time.monotonic() - start

    assert asked.status == 200
    assert took < PROMPT_S


def test_heads_that_never_end_keep_nobody_waiting(target: Target) -> None:
    with held(target, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", times=200):
        start = time.monotonic()
        asked = ask(target.url, "GET", f"{API}/runs/get?run_id={target.run_id}")
        took = time.monotonic() - start

    assert asked.status == 200
    assert took < PROMPT_S


@pytest.mark.parametrize("sent", [b"x", b"x" * (GATHERED_BYTES + 1)], ids=["byte", "block"])
def test_a_body_that_stalls_is_given_up(sent: bytes) -> None:
    messages = iter([{"type": "http.request", "body": sent, "more_body": True}])
    kept: list[bytes] = []

    async def receive() -> dict[str, object]:
        for message in messages:
            return message
        await anyio.sleep_forever()
        raise AssertionError

    async def upload() -> None:
        request = Request({"type": "http", "method": "PUT", "headers": []}, receive)
        await received(request, lambda stream: kept.append(stream.read()), stall_s=0.05)

    with pytest.raises(InvalidInput, match=r"bytes of the body came within 0\.05 s"):
        anyio.run(upload)
    assert kept == []


@pytest.mark.parametrize("headers", [
    [("X-Long", "y" * 1_000_000)], [(f"X-{n}", "y" * 200) for n in range(2_000)],
], ids=["long", "many"])  # fmt: skip
def test_a_flood_of_headers_is_refused(target: Target, headers: list[tuple[str, str]]) -> None:
    answer = ask(target.url, "GET", f"{API}/runs/get?run_id={target.run_id}", headers=headers)

    assert answer.status in {0, 400, 431}


@pytest.mark.parametrize("ranges", [1_000, 6_000])
def test_a_thousand_ranges_are_one_answer(target: Target, ranges: int) -> None:
    stored = f"{ROUTE}/{target.experiment_id}/{target.run_id}/artifacts/a.txt"
    asked = "bytes=" + ",".join(["0-1"] * ranges)

    answer = ask(target.url, "GET", stored, headers={"Range": asked})

    assert (answer.status, answer.body) == (200, b"harmless")


@pytest.mark.parametrize(("path", "asked"), [
    ("runs/search", {"experiment_ids": ["x"] * 20_001}),
    ("runs/search", {"experiment_ids": [str(n) for n in range(1_000_000)]}),
    ("logged-models/search", {"experiment_ids": ["x"] * 300_000}),
    ("runs/create", {"experiment_id": "0", "tags": [{"key": "a", "value": "b"}] * 20_001}),
    ("registered-models/create", {"name": "x", "tags": [{"key": "a"}] * 200_000}),
    ("runs/outputs", {"run_id": "0" * 32, "models": [{"model_id": "m"}] * 20_001}),
    ("registered-models/get-latest-versions", {"name": "x", "stages": ["None"] * 20_001}),
])  # fmt: skip
def test_no_request_names_more_than_a_transaction_holds(
    target: Target, path: str, asked: dict[str, object], log_stays: None
) -> None:
    body = json.dumps(asked).encode()

    answer = ask(target.url, "POST", f"{API}/{path}", headers=AS_JSON, body=body)

    assert answer.status == 400
    assert "at most 20000" in answer.text
    assert "sqlite" not in answer.text


def test_as_much_as_a_request_may_name_is_written_soon(target: Target) -> None:
    tags = [{"key": f"k{n}", "value": "v"} for n in range(20_000)]
    body = json.dumps({"name": "much-tagged", "tags": tags}).encode()
    start = time.process_time()

    answer = ask(target.url, "POST", f"{API}/registered-models/create", headers=AS_JSON, body=body)

    assert answer.status == 200
    assert len(target.app.registry.model("much-tagged").tags) == 20_000
    assert time.process_time() - start < PROMPT_S
