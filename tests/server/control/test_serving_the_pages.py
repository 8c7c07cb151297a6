"""The server in a thread: its address, its port, its files."""

from __future__ import annotations

import socket
import time

import httpx2
import pytest

from treadle.kernel.errors import Refused, Unavailable
from treadle.server.control import ControlServer, address, listen
from treadle.server.ui.render import STATIC, static_url


def test_a_port_in_use_is_named_with_the_way_out(empty):
    with listen("127.0.0.1", 0) as taken, pytest.raises(Unavailable) as caught:
        ControlServer(empty, port=taken.getsockname()[1]).start()

    assert str(taken.getsockname()[1] if taken.fileno() >= 0 else "") in caught.value.message
    assert "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])
def test_an_address_others_can_reach_is_refused(empty, host):
    with pytest.raises(Refused, match="no logins yet"):
        ControlServer(empty, host=host, port=0).start()


def test_two_servers_of_one_home_stand_beside_each_other(empty):
    with ControlServer(empty, port=0) as one, ControlServer(empty, port=0) as other:
        answers = [
            httpx2.get(f"{url}/api/v1/health", trust_env=False).json()
            for url in (one.url, other.url)
        ]

    assert answers[0] == answers[1]
    assert one.url != other.url


def test_a_port_is_free_again_once_the_server_stopped(empty):
    with ControlServer(empty, port=0) as server:
        port = int(server.url.rpartition(":")[2])

    with listen("127.0.0.1", port):
        pass


def test_a_request_under_way_is_finished(seeded, monkeypatch):
    real = seeded.app.monitoring.monitors
    monkeypatch.setattr(
        seeded.app.monitoring, "monitors", lambda: (time.sleep(0.3), real())[1], raising=True
    )
    server = ControlServer(seeded.app, port=0)
    server.start()
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as half:
        half.sendall(b"GET /monitors HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.1)

        server.stop()

        assert half.recv(100).startswith(b"HTTP/1.1 200")


def test_a_loopback_address_of_six_parts_has_brackets():
    try:
        with listen("::1", 0) as made:
            assert address(made).startswith("http://[::1]:")
    except Unavailable:
        pytest.skip("this machine has no ::1")


@pytest.mark.parametrize("path", ["app.css", "islands/live.js", "vendor/htmx.min.js", "mark.svg"])
def test_a_static_file_asked_for_by_its_digest_is_kept_for_ever(client, path):
    exact, plain = client.get(static_url(path)), client.get(f"/ui/static/{path}")

    assert exact.content == plain.content == (STATIC / path).read_bytes()
    assert "immutable" in exact.headers["cache-control"]
    assert plain.headers["cache-control"] == "no-cache"


def test_a_digest_of_another_content_is_not_kept_for_ever(client):
    answer = client.get("/ui/static/app.css?v=0123456789")

    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/ui/static/../render.py",
        "/ui/static/%2e%2e/render.py",
        "/ui/static/vendor/VENDORED.md",
        "/ui/static//etc/passwd",
    ],
)
def test_nothing_but_static_files_is_handed_out(client, path):
    assert client.get(path).status_code == 404
