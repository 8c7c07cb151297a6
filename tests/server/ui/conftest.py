"""A small site of rendered samples, served with the real policy: what a browser test walks."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.server.ui.samples import SAMPLES
from treadle.server.ui.render import CONTENT_SECURITY_POLICY, STATIC, render

TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
PALETTE = [
    {"label": "Home", "group": "Page", "href": "/"},
    {"label": "flights", "group": "Dataset", "href": "/datasets"},
    {"label": "late@4", "group": "Model version", "href": "/model_version"},
]


@dataclass
class Site:
    """Where it answers; what it serves (a test may change a page); whom it tells of events."""

    url: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    listeners: list[queue.SimpleQueue[str | None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def tell(self, kind: str) -> None:
        """Send one event to everybody who listens."""
        for listener in self.listeners:
            listener.put(f"event: fact\ndata: {json.dumps({'kind': kind})}\n\n")


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Keep the test's output clean."""

        def do_GET(self):
            path = urlsplit(self.path).path
            if path == "/ui/live":
                return self.stream()
            if path.startswith("/ui/static/"):
                file = STATIC / path.removeprefix("/ui/static/")
                return self.answer(file.read_bytes(), TYPES[file.suffix])
            if path == "/ui/palette.json":
                return self.answer(json.dumps(PALETTE).encode(), "application/json")
            site.asked.append(self.path)
            name = path.strip("/") or "home"
            if name not in site.pages:
                return self.answer(b"", "text/plain", status=404)
            html = site.pages[name].replace(
                "FILTER", parse_qs(urlsplit(self.path).query).get("filter", [""])[0]
            )
            return self.answer(html.encode(), "text/html; charset=utf-8")

        def answer(self, body, kind, status=200):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            self.end_headers()
            self.wfile.write(body)

        def stream(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            mine: queue.SimpleQueue[str | None] = queue.SimpleQueue()
            self.wfile.write(b": open\n\n")
            site.listeners.append(mine)
            while (message := mine.get()) is not None:
                self.wfile.write(message.encode())

    return Handler


@pytest.fixture
def site():
    site = Site(
        pages={
            name.removesuffix(".html"): render(name, makers[0]())
            for name, makers in SAMPLES.items()
        }
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(site))
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    for listener in site.listeners:
        listener.put(None)
    server.shutdown()
    thread.join()
    server.server_close()
