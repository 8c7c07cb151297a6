"""Bodies: as large as they like where files come in, bounded elsewhere, never unpacked."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest

from tests.server.attacks.raw import ask, send
from treadle.server.asked import BODY_MOST_BYTES

if TYPE_CHECKING:
    from tests.server.attacks.conftest import Target

ROUTE = "/api/2.0/mlflow-artifacts/artifacts"
PARTS = "/api/2.0/mlflow-artifacts/mpu/parts"
AS_JSON = {"Content-Type": "application/json"}
CREATE = "/api/2.0/mlflow/experiments/create"


def there(target: Target, path: str) -> str:
    return f"{ROUTE}/{target.experiment_id}/{target.run_id}/artifacts/{quote(path)}"


@pytest.fixture
def stored(target: Target) -> str:
    """The address of a file of ten digits."""
    address = there(target, "bodies/digits.txt")
    ask(target.url, "PUT", address, body=b"0123456789")
    return address


@pytest.mark.parametrize(("asked", "status", "body", "which"), [
    ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
    ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
    ("bytes=7-", 206, b"789", "bytes 7-9/10"),
    ("bytes=-3", 206, b"789", "bytes 7-9/10"),
    ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
    ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
    ("bytes=10-", 416, b"", "bytes */10"),
    ("bytes=-0", 416, b"", "bytes */10"),
    ("bytes=99999999999999999-", 416, b"", "bytes */10"),
    ("bytes=4-2", 200, b"0123456789", None),
    ("bytes=0-1,4-5", 200, b"0123456789", None),
    ("bytes=" + "9" * 400 + "-", 200, b"0123456789", None),
    ("bytes=a-b", 200, b"0123456789", None),
    ("lines=1-2", 200, b"0123456789", None),
    ("bytes=-", 200, b"0123456789", None),
])  # fmt: skip
def test_a_range_is_answered_or_left_aside(
    target: Target, stored: str, asked: str, status: int, body: bytes, which: str | None
) -> None:
    answer = ask(target.url, "GET", stored, headers={"Range": asked})

    assert (answer.status, answer.body) == (status, body)
    assert answer.headers.get("content-range") == which
    assert answer.headers["content-length"] == str(len(body))


def test_a_head_says_what_a_get_would(target: Target, stored: str) -> None:
    head, got = ask(target.url, "HEAD", stored), ask(target.url, "GET", stored)
    kept = ("content-length", "etag", "content-type", "accept-ranges", "content-disposition")

    assert head.body == b""
    assert [head.headers[name] for name in kept] == [got.headers[name] for name in kept]


def test_what_is_known_is_not_sent_again(target: Target, stored: str) -> None:
    etag = ask(target.url, "GET", stored).headers["etag"]

    known = ask(target.url, "GET", stored, headers={"If-None-Match": f'"x", W/{etag}'})
    part = ask(target.url, "GET", stored, headers={"If-Range": etag, "Range": "bytes=1-2"})
    changed = ask(target.url, "GET", stored, headers={"If-Range": '"x"', "Range": "bytes=1-2"})

    assert (known.status, known.body) == (304, b"")
    assert (part.status, part.body) == (206, b"12")
    assert (changed.status, changed.body) == (200, b"0123456789")


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_an_upload_that_breaks_off_leaves_nothing(target: Target, framing: str) -> None:
    address = there(target, f"bodies/broken-{framing}.bin")
    frame = "Content-Length: 50000000" if framing == "length" else "Transfer-Encoding: chunked"
    sent = b"x" * 3_000_000 if framing == "length" else b"2DC6C0\r\n" + b"x" * 2_999_999
    head = f"PUT {address} HTTP/1.1\r\nHost: 127.0.0.1\r\n{frame}\r\n\r\n".encode()
    parts = urlsplit(target.url)

    with socket.create_connection((parts.hostname, parts.port), timeout=20) as wire:
        wire.sendall(head + sent)

    drafts = target.app.home / "objects" / "drafts"
    deadline = time.monotonic() + 20
    while list(drafts.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(drafts.iterdir()) == []
    assert ask(target.url, "GET", address).status == 404


@pytest.mark.parametrize(("number", "announced"), [
    ("1", 5_000_000_000), ("9999", 999_999_999_999_999_999), ("9999", 1 << 30),
])  # fmt: skip
def test_a_part_that_is_only_announced_takes_no_room(
    target: Target, number: str, announced: int
) -> None:
    upload = begin_upload(target, parts=9999)
    head = f"PUT {PARTS}/{upload}/{number} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    parts = urlsplit(target.url)

    with socket.create_connection((parts.hostname, parts.port), timeout=20) as wire:
        wire.sendall(f"{head}Content-Length: {announced}\r\n\r\nx".encode())
    again = ask(target.url, "PUT", f"{PARTS}/{upload}/{number}", body=b"whole")

    folder = target.app.home / "objects" / "drafts" / upload
    assert again.status == 200
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1 << 20


@pytest.mark.parametrize(
    "number", ["0", "-1", "10", "99999999999999999999", "1e0", "%201", "%d9%a1"]
)
def test_no_part_is_kept_by_a_number_that_was_not_begun(target: Target, number: str) -> None:
    upload = begin_upload(target, parts=9)

    answer = ask(target.url, "PUT", f"{PARTS}/{upload}/{quote(number, safe='%')}", body=b"x")

    assert answer.status == 400
    assert not (target.app.home / "objects" / "drafts" / upload).exists()


def begin_upload(target: Target, *, parts: int) -> str:
    body = json.dumps({"path": "huge.bin", "num_parts": parts}).encode()
    path = "/api/2.0/mlflow-artifacts/mpu/create/bodies"
    begun = ask(target.url, "POST", path, headers=AS_JSON, body=body)
    return str(json.loads(begun.body)["upload_id"])


def test_a_body_of_no_bounds_is_refused_before_it_is_read(target: Target) -> None:
    body = b'{"name": "' + b"x" * (BODY_MOST_BYTES + 1) + b'"}'

    answer = ask(target.url, "POST", CREATE, headers=AS_JSON, body=body)

    assert answer.status in {0, 400, 413}
    assert answer.status == 0 or b"larger than" in answer.body


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-gzip", "GZIP, identity"])
def test_nothing_packed_is_unpacked(target: Target, encoding: str) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    headers = {"Content-Encoding": encoding}

    as_json = ask(target.url, "POST", CREATE, headers={**AS_JSON, **headers}, body=bomb)
    as_file = ask(target.url, "PUT", there(target, "bodies/bomb"), headers=headers, body=bomb)

    assert as_json.status == 400
    assert as_file.status == 400
    assert ask(target.url, "GET", there(target, "bodies/bomb")).status == 404


def test_a_packed_file_is_kept_as_it_is(target: Target) -> None:
    bomb = zlib.compress(b"0" * 10_000_000)
    ask(target.url, "PUT", there(target, "bodies/packed.zip"), body=bomb)

    assert ask(target.url, "GET", there(target, "bodies/packed.zip")).body == bomb


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":[', b'{"tags":[{"key":'])
def test_a_body_nested_thousandfold_is_refused(target: Target, opening: bytes) -> None:
    answer = ask(target.url, "POST", CREATE, headers=AS_JSON, body=opening * 50_000)

    assert answer.status == 400


@pytest.mark.parametrize("head", [
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: -1",
    b"Content-Length: 1e3",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked, chunked",
    b"Content-Length : 5",
    b"X-A: b\x00c",
    b"X: " + b"a" * 200_000,
])  # fmt: skip
def test_a_head_that_can_be_read_in_two_ways_stores_nothing(target: Target, head: bytes) -> None:
    address = there(target, "bodies/smuggled.txt").encode()
    tail = b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    send(
        target.url,
        b"PUT " + address + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        + head + b"\r\n\r\n" + tail,
    )  # fmt: skip

    held = ask(target.url, "GET", address)
    assert b"GET /admin" not in held.body


@pytest.mark.parametrize("name", [
    'a"; filename="evil.exe', "a\u2028b.txt", "a;b.txt", "é.txt", "a%0d%0aX-Evil: 1.txt",
    "\u202etxt.exe", "a'b.html", "a\\b", "=?utf-8?q?x?=", "x" * 250 + "é",
])  # fmt: skip
def test_no_name_writes_a_header(target: Target, name: str) -> None:
    address = there(target, f"names/{name}")

    put = ask(target.url, "PUT", address, body=b"x")
    got = ask(target.url, "GET", address)

    assert put.status in {200, 400}
    assert "x-evil" not in got.headers
    said = got.headers.get("content-disposition", "attachment; ")
    assert said.isascii()
    assert said.startswith("attachment; ")
    assert said.count('"') in {0, 2}


def test_no_value_writes_a_header(target: Target) -> None:
    for value in ("a\r\nX-Evil: 1", "a\nX-Evil: 1"):
        body = json.dumps({"name": value}).encode()
        answer = ask(target.url, "POST", CREATE, headers=AS_JSON, body=body)
        asked = ask(target.url, "GET", f"/api/v1/runs/{quote(value)}?x={quote(value)}")

        assert "x-evil" not in {**answer.headers, **asked.headers}
