"""A web server for files, in this process: it knows ETags, redirects and broken answers."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Answers from a folder; `asked` keeps each path with the headers that came."""

    folder: Path
    asked: list[tuple[str, dict[str, str]]]
    elsewhere = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append((path, {k.lower(): v for k, v in self.headers.items()}))
        if path.startswith("/hop/"):
            self.go_on(path.removeprefix("/hop"))
        elif path.startswith("/loop"):
            self.go_on("/loop")
        elif path.startswith("/away/"):
            self.go_on(self.elsewhere + path.removeprefix("/away"))
        elif path.startswith("/etc"):
            self.go_on("file:///etc/passwd")
        elif path.startswith("/cut/"):
            self.give(self.folder / path.removeprefix("/cut/"), cut=True)
        else:
            self.give(self.folder / path.lstrip("/"))

    def go_on(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def give(self, path: Path, *, cut: bool = False) -> None:
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body)))
        if not path.suffix:
            self.send_header("Content-Type", "text/csv; charset=utf-8")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(folder: Path, *, elsewhere: str = "", asked: list | None = None) -> Iterator[str]:
    kept = [] if asked is None else asked
    made = type("Made", (Handler,), {"folder": folder, "elsewhere": elsewhere, "asked": kept})
    server = ThreadingHTTPServer(("127.0.0.1", 0), made)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
