"""A small site of rendered samples, served with the real policy: what a browser test walks."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import SplitResult, parse_qs, urlsplit

import pytest

from tests.server.ui.samples import SAMPLES, facets
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
    points: int = 50
    """How many points each curve has by now."""

    def tell(self, kind: str) -> None:
        """Send one event to everybody who listens."""
        for listener in self.listeners:
            listener.put(f"event: fact\ndata: {json.dumps({'kind': kind})}\n\n")


def served(site: Site, url: SplitResult) -> tuple[bytes, str, int, str]:
    """Return what stands at an address: body, type, status and tag."""
    given = parse_qs(url.query)
    if url.path.startswith("/ui/static/"):
        file = STATIC / url.path.removeprefix("/ui/static/")
        return file.read_bytes(), TYPES[file.suffix], 200, ""
    if url.path == "/ui/palette.json":
        return json.dumps(PALETTE).encode(), "application/json", 200, ""
    if url.path == "/ui/curves.json":
        return curves(site, given), "application/json", 200, f'"{site.points}"'
    site.asked.append(url.path)
    name = url.path.strip("/") or "home"
    if name not in site.pages:
        return b"", "text/plain", 404, ""
    html = site.pages[name].replace("FILTER", given.get("filter", [""])[0])
    return html.encode(), "text/html; charset=utf-8", 200, ""


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Keep the test's output clean."""

        def do_GET(self):
            url = urlsplit(self.path)
            if url.path == "/ui/live":
                return self.stream()
            return self.answer(*served(site, url))

        def answer(self, body, kind, status, etag):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            if etag:
                self.send_header("ETag", etag)
            self.end_headers()
            self.wfile.write(body)

        def stream(self):
            mine: queue.SimpleQueue[str | None] = queue.SimpleQueue()
            # Before the browser can say "live": a test tells as soon as it reads that.
            site.listeners.append(mine)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b": open\n\n")
            while (message := mine.get()) is not None:
                self.wfile.write(message.encode())

    return Handler


def curves(site: Site, given: dict[str, list[str]]) -> bytes:
    """Return falling curves, thinned from more points."""
    steps = list(range(site.points))
    shape = {
        "step": steps,
        "at": [1_795_180_800_000_000 + 1_000_000 * step for step in steps],
        "value": [1 / (1 + step) for step in steps],
        "is_thinned": True,
    }
    found = [
        {"run": run, "key": key, **shape}
        for run in given["runs"][0].split(",")
        for key in given["key"]
    ]
    return json.dumps({"curves": found}).encode()


@pytest.fixture
def site():
    site = Site(
        pages={
            name.removesuffix(".html"): render(name, makers[0]())
            for name, makers in SAMPLES.items()
        }
        | {"runs/facets": render("runs_facets.html", facets())}
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
