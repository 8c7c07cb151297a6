from __future__ import annotations

import http.server
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from treadle.kernel.errors import NotFound, Unavailable
from treadle.storage.blobs.folder import FolderBlobs
from treadle.storage.blobs.probing import is_honest
from treadle.storage.blobs.web import WebBlobs
from treadle.storage.ports import Span
from treadle.storage.stores import open_blobs

if TYPE_CHECKING:
    from collections.abc import Iterator


class Blind(FolderBlobs):
    """Takes every conditional put, as `rclone serve s3` and s3rver do."""

    def create(self, key: str, data: bytes) -> bool:
        self.delete(key)
        return super().create(key, data)


class Refusing(FolderBlobs):
    """Refuses conditional puts with an error."""

    def create(self, key: str, data: bytes) -> bool:
        message = "501 Not Implemented"
        raise Unavailable(message)


class Full(Refusing):
    """Refuses whatever is put."""

    def put(self, key: str, stream: object) -> None:
        message = "No space left."
        raise Unavailable(message)


def test_a_folder_keeps_who_was_first(tmp_path: Path) -> None:
    assert is_honest(FolderBlobs(tmp_path))
    assert list(FolderBlobs(tmp_path).list("probes")) == []


@pytest.mark.parametrize("server", ["s3_url", "azure_url"])
def test_servers_that_keep_who_was_first_are_believed(
    request: pytest.FixtureRequest, server: str
) -> None:
    assert is_honest(open_blobs(request.getfixturevalue(server)))


@pytest.mark.parametrize("kind", [Blind, Refusing])
def test_a_place_that_does_not_is_found_out(tmp_path: Path, kind: type[FolderBlobs]) -> None:
    assert not is_honest(kind(tmp_path))


def test_a_place_that_takes_nothing_at_all_says_why(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No space left"):
        is_honest(Full(tmp_path))


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Python's own server: it knows no ranges."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Ranged(Quiet):
    """The same with ranges, as any other server has them."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if asked is None or not path.is_file():
            super().do_GET()
            return
        start, stop = (int(part) for part in asked.removeprefix("bytes=").split("-"))
        part = path.read_bytes()[start : stop + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


@pytest.fixture(params=[Quiet, Ranged])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WebBlobs]:
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(request.param, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield WebBlobs(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    thread.join()


def test_any_web_server_hands_out_blobs(web: WebBlobs, tmp_path: Path) -> None:
    FolderBlobs(tmp_path).create("packs/a", b"0123456789")

    with web.open("packs/a") as whole, web.open("packs/a", span=Span(2, 6)) as part:
        assert (whole.read(), part.read()) == (b"0123456789", b"2345")
    assert web.stat("packs/a").size_bytes == 10


def test_what_a_web_server_does_not_have_is_not_found(web: WebBlobs) -> None:
    assert web.stat("packs/a") is None
    with pytest.raises(NotFound, match="packs/a"):
        web.open("packs/a")


@pytest.mark.parametrize(
    ("verb", "arguments"), [("put", ("a", None)), ("create", ("a", b"")), ("delete", ("a",))]
)
def test_nothing_is_written_to_a_web_server(verb: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(Unavailable, match="can only be read"):
        getattr(WebBlobs("https://example.org/data"), verb)(*arguments)


def test_a_web_server_cannot_be_listed() -> None:
    with pytest.raises(Unavailable, match="cannot be listed"):
        WebBlobs("https://example.org/data").list("packs")


def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(Unavailable, match="Cannot read from"):
        WebBlobs("http://127.0.0.1:9/data").stat("a")
