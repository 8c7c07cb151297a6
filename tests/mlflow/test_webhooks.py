"""Receivers of webhooks are told the same by ours as by the genuine server."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.mlflow.conftest import HERE, genuine_server
from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server.caretaker import Caretaker
from treadle.server.control import ControlServer

HOST = "127.0.0.1"
TOLD = 30
"""Fourteen tests of topics, and sixteen things that happened."""


@pytest.fixture
def receiver():
    """What was posted to each path, as headers and text."""
    posted = {"/genuine": [], "/ours": []}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Keep the test's output clean."""

        def do_POST(self):
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            posted[self.path].append((dict(self.headers), text))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{HOST}:{server.server_address[1]}", posted
    server.shutdown()
    server.server_close()
    thread.join()


def wait_until(holds):
    deadline = time.monotonic() + 30
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)


def bodies(posted):
    """What was told, but for when; the genuine server tells in no order."""
    told = [json.loads(text) for _, text in posted]
    assert all(body.pop("timestamp") for body in told)
    return sorted(told, key=json.dumps)


def is_signed(headers, text):
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{text}"
    digest = hmac.digest(b"hush", signed.encode(), "sha256")
    return headers["X-MLflow-Signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.timeout(180)
def test_receivers_are_told_the_same(run_peer, receiver, tmp_path, monkeypatch):
    address, posted = receiver
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http")
    settings = Settings(home=tmp_path / "home", webhook_hosts=(HOST,))
    script = HERE / "peer" / "life.py"

    with genuine_server("newest") as genuine:
        expected = run_peer("newest", script, genuine, f"{address}/genuine")
        wait_until(lambda: len(posted["/genuine"]) >= TOLD)
    with App(settings) as app, ControlServer(app, port=0) as ours:
        found = run_peer("newest", script, ours.url, f"{address}/ours")
        app.webhooks.deliver_due()

    assert found == expected
    assert len(posted["/genuine"]) == len(posted["/ours"]) == TOLD
    assert bodies(posted["/ours"]) == bodies(posted["/genuine"])
    assert all(is_signed(*each) for each in posted["/genuine"] + posted["/ours"])


@pytest.mark.timeout(180)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_receivers_of_a_tenant_are_told_too(run_peer, receiver, tmp_path, request, dialect):
    address, posted = receiver
    url = "" if dialect == "sqlite" else request.getfixturevalue("postgres_url")
    settings = Settings(home=tmp_path / "home", metadata_url=url, webhook_hosts=(HOST,))
    script = HERE / "peer" / "life.py"

    with App(settings) as app, ControlServer(app, port=0) as ours, Caretaker(app):
        run_peer("newest", script, f"{ours.url}/t/red", f"{address}/ours")
        wait_until(lambda: len(posted["/ours"]) >= TOLD)

    assert len(posted["/ours"]) == TOLD
    assert all(is_signed(*each) for each in posted["/ours"])
