from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from treadle.kernel.errors import Refused, Unavailable
from treadle.monitoring.notifiers import LogNotifier, WebhookNotifier
from treadle.testing.notifiers import NotifierContract, alert_of


@dataclass
class Receiver:
    """An HTTP server on loopback that answers as it is told, and keeps what it was sent."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Keep the test's output clean."""

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.bodies.append(body)
            receiver.paths.append(self.path)
            receiver.keys.append(self.headers["idempotency-key"])
            status = receiver.answers.pop(0) if receiver.answers else 200
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", f"{receiver.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

    return Handler


@pytest.fixture
def receiver():
    made = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def webhook(receiver):
    return WebhookNotifier(f"{receiver.url}/hook?team=a", allowed_hosts=("127.0.0.1",), pause_s=0)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestLog(NotifierContract):
    @pytest.fixture
    def notifier(self, tmp_path):
        return LogNotifier(tmp_path / "logs" / "alerts.jsonl")

    @pytest.fixture
    def received(self, tmp_path):
        file = tmp_path / "logs" / "alerts.jsonl"
        return lambda: [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]

    @pytest.fixture
    def unreachable(self, tmp_path):
        (tmp_path / "taken").write_text("a file where the folder should be")
        return LogNotifier(tmp_path / "taken" / "alerts.jsonl")


class TestWebhook(NotifierContract):
    @pytest.fixture
    def notifier(self, webhook):
        return webhook

    @pytest.fixture
    def received(self, receiver):
        return lambda: [json.loads(body) for body in receiver.bodies]

    @pytest.fixture
    def unreachable(self):
        url = f"http://127.0.0.1:{closed_port()}/hook"
        return WebhookNotifier(url, allowed_hosts=("127.0.0.1",), pause_s=0)


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/hook",
        "http://127.0.0.1@evil.example/hook",
        "http://127.0.0.1.evil.example/hook",
        "http://evil.example/127.0.0.1",
        "http://[::1]/hook",
    ],
)
def test_a_webhook_goes_to_allowed_hosts_only(url):
    with pytest.raises(Refused, match="may not go"):
        WebhookNotifier(url, allowed_hosts=("127.0.0.1",))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "127.0.0.1/hook", ""])
def test_what_is_no_web_address_is_refused(url):
    with pytest.raises(Refused, match="no web address"):
        WebhookNotifier(url, allowed_hosts=("127.0.0.1", ""))


def test_the_path_and_query_of_the_url_are_kept(receiver, webhook):
    webhook.send(alert_of("1"))

    assert receiver.paths == ["/hook?team=a"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_not_retried(receiver, webhook, status):
    receiver.answers = [status]

    with pytest.raises(Unavailable, match=f"status {status}"):
        webhook.send(alert_of("1"))

    assert receiver.paths == ["/hook?team=a"]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again_under_the_same_key(receiver, webhook, status):
    receiver.answers = [status, status]

    webhook.send(alert_of("1"))

    assert receiver.keys == ["1" * 32] * 3


def test_three_failures_are_unavailable(receiver, webhook):
    receiver.answers = [503, 503, 503, 200]

    with pytest.raises(Unavailable, match="status 503"):
        webhook.send(alert_of("1"))

    assert len(receiver.bodies) == 3


def test_a_refusal_is_not_tried_again(receiver, webhook):
    receiver.answers = [404]

    with pytest.raises(Unavailable, match="status 404"):
        webhook.send(alert_of("1"))

    assert len(receiver.bodies) == 1
