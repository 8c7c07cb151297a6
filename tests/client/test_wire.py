"""How requests go to a server, against a server that misbehaves on purpose."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.servers import free_port
from treadle.client import wire
from treadle.client.wire import Wire
from treadle.errors import Conflict, InvalidInput, NotFound, Refused, TreadleError, Unavailable


class Scripted(ThreadingHTTPServer):
    """Answers by a script: a status and a body each request, or a hang-up; then 200."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = []
        self.asked = []
        self.connections = set()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.asked.append((self.command, self.path, body))
        server.connections.add(self.client_address)
        status, answer = server.script.pop(0) if server.script else (200, b"{}")
        if status == 0:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST  # noqa: N815 - the standard library's names

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def scripted():
    with Scripted() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def made(scripted, monkeypatch):
    monkeypatch.setattr(wire, "PAUSES_S", (0.001, 0.001))
    wired = Wire(f"{scripted.url}/t/team/")
    yield wired
    wired.close()


def test_requests_share_a_connection_and_keep_the_prefix_of_the_url(made, scripted):
    made.get("/a", x="ä b", empty="")
    made.post("/b", {"c": 1}, is_repeatable=True)

    assert scripted.asked == [
        ("GET", "/t/team/a?x=%C3%A4+b", b""),
        ("POST", "/t/team/b", b'{"c":1}'),
    ]
    assert len(scripted.connections) == 1


@pytest.mark.parametrize("fault", [(0, b""), (503, b""), (429, b"")])
def test_what_may_be_repeated_is_repeated(made, scripted, fault):
    scripted.script = [fault, fault]

    assert made.post("/a", {}, is_repeatable=True) == b"{}"
    assert len(scripted.asked) == 3


def test_a_body_is_sent_from_its_beginning_at_every_try(made, scripted):
    scripted.script = [(503, b"")]

    made.put("/a", lambda: contextlib.nullcontext(io.BytesIO(b"x" * 70_000)), length=70_000)

    assert [len(body) for _, _, body in scripted.asked] == [70_000, 70_000]


@pytest.mark.parametrize("fault", [(0, b""), (503, b"")])
def test_what_may_not_be_repeated_is_sent_once(made, scripted, fault):
    scripted.script = [fault]

    with pytest.raises(Unavailable):
        made.post("/a", {}, is_repeatable=False)
    assert len(scripted.asked) == 1


def test_what_may_not_be_repeated_goes_over_a_fresh_connection(made, scripted, monkeypatch):
    monkeypatch.setattr(wire, "FRESH_S", 0.0)
    made.get("/a")

    made.post("/b", {}, is_repeatable=False)

    assert len(scripted.connections) == 2


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "said"}', InvalidInput),
        (400, b'{"error_code": "RESOURCE_ALREADY_EXISTS", "message": "said"}', Conflict),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "said"}', Refused),
        (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "said"}', NotFound),
        (404, b'{"error": {"code": "not_found", "message": "said", "hint": ""}}', NotFound),
        (418, b"said", InvalidInput),
        (500, b'{"error_code": "INTERNAL_ERROR", "message": "said"}', TreadleError),
        (503, b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "said"}', Unavailable),
    ],
)
def test_an_error_of_the_server_is_one_of_ours(made, scripted, status, body, kind):
    scripted.script = [(status, body)] * 3

    with pytest.raises(TreadleError, match="said") as caught:
        made.get("/a")
    assert type(caught.value) is kind


def test_a_server_that_is_not_there_says_how_to_start_one(monkeypatch):
    monkeypatch.setattr(wire, "PAUSES_S", ())

    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        Wire(f"http://127.0.0.1:{free_port()}").get("/a")

    assert "treadle up" in caught.value.hint


@pytest.mark.parametrize("url", ["ftp://a", "http://", "127.0.0.1:7340"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(InvalidInput, match="no address"):
        Wire(url)
