"""Nonsense is answered with what is wrong about it, at every route; never with a 500."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.server.attacks.raw import ask
from tests.server.attacks.route_table import STREAMS, all_routes, filled
from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer
from treadle.server.mlflow.wire import Ask

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [
    "x", "-1", "%00", "%ff", "%F0%9F%92%A9", "0" * 32, "m-" + "0" * 32, "a" * 3000, "1e309", "..",
    "'%3B%20DROP%20TABLE%20runs%3B--", "%25s%25n", "a%2fb", "a@champion", "%0d%0aX-Evil%3A1",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, -1, 2**63, 10**400, 1e308, "", "x", "\x00", "\ud83d\ude00", "a" * 20_000, [],
    [None], [[]], {}, [{}], "\ud800", {"a": {"b": [1]}}, ["x"] * 2000,
    [{"key": None, "value": []}],
    [{"key": "\x00", "value": "\x00"}], "0" * 32, "'; DROP TABLE runs; --", "{{7*7}}",
    "../../etc/passwd", "http://169.254.169.254/",
]  # fmt: skip
BODIES = [
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"[" * 5000, b"{}", b'"{}"', b"NaN",
    b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a": NaN}', b"\x00", b'{"a":1}' * 2,
    b'{"\\ud800": "\\ud800"}', b"\xef\xbb\xbf{}",
]  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A home of its own: what nonsense may delete is nobody else's."""
    home = tmp_path_factory.mktemp("garbage")
    with App(Settings(home=home)) as app, ControlServer(app, port=0) as server:
        run = app.tracking.start_run(experiment="late")
        app.tracking.log(run.id, metrics={"loss": 0.1})
        yield server.url


def fields() -> list[str]:
    """Return the name of every field that a request of MLflow's has."""
    kinds, waiting = set(), [Ask]
    while waiting:
        kind = waiting.pop()
        kinds.add(kind)
        waiting.extend(kind.__subclasses__())
    return sorted({field.name for kind in kinds for field in msgspec.structs.fields(kind)})


def broken(url: str, asked: list[tuple[str, str, bytes]]) -> dict[tuple[str, str, bytes], Any]:
    """Return what was answered with a 500, or not at all."""
    as_json = {"Content-Type": "application/json"}
    found = {}
    for method, path, body in asked:
        answer = ask(url, method, path, headers=as_json, body=body)
        if answer.status >= 500 or answer.status == 0:
            found[method, path[:200], body[:100]] = (answer.status, answer.text[-300:])
    return found


def routes() -> list[tuple[str, str]]:
    """Return every route whose answer ends; of MLflow's under one prefix, they share handlers."""
    kept = [(m, p) for m, p in all_routes() if not p.startswith(("/ajax-api", "/api/3.0"))]
    return [(m, p) for m, p in kept if not p.endswith(STREAMS)]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_in_a_path_breaks_a_route(url: str, name: str) -> None:
    asked = [(method, filled(path, name), b"{}") for method, path in routes() if "{" in path]

    assert broken(url, asked) == {}


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_no_body_breaks_a_route(url: str, body: bytes) -> None:
    asked = [(method, filled(path, "x"), body) for method, path in routes()]

    assert broken(url, asked) == {}


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_no_value_of_a_field_breaks_a_route(url: str, value: Any) -> None:
    body = json.dumps(dict.fromkeys(fields(), value)).encode()
    asked = [(method, filled(path, "x"), body) for method, path in routes() if method != "GET"]

    assert broken(url, asked) == {}


@pytest.mark.parametrize("value", NAMES)
def test_no_value_in_a_query_breaks_a_route(url: str, value: str) -> None:
    names = {*fields(), "limit", "offset", "filter", "order", "path", "run_uuid", "name", "version"}
    every = "&".join(f"{name}={value}" for name in sorted(names))
    asked = [
        (method, f"{filled(path, 'x')}?{query}", b"")
        for method, path in routes()
        if method == "GET"
        for query in (every, f"limit={value}", f"filter={value}")
    ]

    assert broken(url, asked) == {}
