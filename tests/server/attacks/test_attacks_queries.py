"""Filters, orders, keys and page tokens: never SQL, never long."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.server.attacks.raw import Answer, ask

if TYPE_CHECKING:
    from tests.server.attacks.conftest import Target

AS_JSON = {"Content-Type": "application/json"}
SEARCHES = (
    "runs/search",
    "experiments/search",
    "registered-models/search",
    "model-versions/search",
)
LIMIT_S = 5.0
SQL = [
    "'; DROP TABLE runs; --", "' OR 1=1 --", "1 OR 1=1", "metrics.loss < 1 OR 1=1; --",
    "params.a = 'x' UNION SELECT", "params.`a' OR '1'='1` = 'x'", "metrics.loss < (SELECT 1)",
    "tags.\"a\"\" OR 1=1 --\" = 'x'", "name = 'a' || 'b'", "status = 'a' /* */", "name = CHAR(65)",
    "params.depth = 'x' AND (SELECT count(*) FROM runs) > 0", "name LIKE '%' ESCAPE 'a'",
    "metrics.loss < 1; ATTACH DATABASE '/tmp/x' AS x", "params.depth LIKE load_extension('x')",
    "attributes.name = 'a'; VACUUM INTO '/tmp/x'", "params.depth = '\x00'",
    "name = 'a\\' OR 1=1 --'",
]  # fmt: skip
LONG = [
    "(" * 10_000 + "metrics.a > 1" + ")" * 10_000,
    " AND ".join(["metrics.loss > 1"] * 20_000),
    " OR ".join([f"params.p{n} = 'x'" for n in range(5_000)]),
    "NOT " * 20_000 + "metrics.loss > 1",
    "params.depth LIKE '" + "%a" * 2_000 + "'",
    "params.depth ILIKE '" + "_%" * 3_000 + "'",
    "params.depth IN (" + ",".join(["'x'"] * 50_000) + ")",
    "params." + "a" * 100_000 + " = 'x'",
    "params.depth = '" + "x" * 1_000_000 + "'",
    "`" * 50_000,
    "'" * 50_001,
    "metrics.loss > " + "9" * 100_000,
    "metrics.loss > 1e" + "9" * 1_000,
    "a" * 1_000_000,
    " " * 1_000_000,
    "\\" * 100_000,
]


def search(target: Target, where: str, **asked: Any) -> Answer:
    body = {"experiment_ids": [target.experiment_id], "max_results": 10, **asked}
    path = f"/api/2.0/mlflow/{where}"
    if where.startswith(("registered", "model-versions")):
        query = "&".join(f"{k}={quote(str(v))}" for k, v in asked.items() if len(str(v)) < 40_000)
        return ask(target.url, "GET", f"{path}?max_results=10&{query}")
    return ask(target.url, "POST", path, headers=AS_JSON, body=json.dumps(body).encode())


def assert_whole(target: Target) -> None:
    """Claim that nothing was lost: the run is there, with all it logged."""
    run = target.app.tracking.run(target.run_id)
    assert (run.params["depth"], run.metrics["loss"]) == ("6", 0.3)


@pytest.mark.parametrize("text", SQL)
@pytest.mark.parametrize("where", SEARCHES)
def test_a_filter_is_never_sql(target: Target, where: str, text: str) -> None:
    answer = search(target, where, filter=text)

    assert answer.status in {200, 400}, answer
    assert not json.loads(answer.body).get("runs"), answer
    assert "sqlite" not in answer.text.lower()
    assert_whole(target)


@pytest.mark.parametrize(
    "text", [*SQL, "metrics.loss; DROP TABLE runs", "(SELECT 1)", "1", "random()"]
)
@pytest.mark.parametrize("where", SEARCHES)
def test_an_order_is_never_sql(target: Target, where: str, text: str) -> None:
    order = (
        {"order_by": text} if where.startswith(("registered", "model-v")) else {"order_by": [text]}
    )

    answer = search(target, where, **order)

    assert answer.status in {200, 400}, answer
    assert "sqlite" not in answer.text.lower()
    assert_whole(target)


@pytest.mark.parametrize("text", SQL)
def test_the_pages_and_our_api_take_no_sql_either(target: Target, text: str) -> None:
    for path in ("/api/v1/runs", "/runs"):
        for name in ("filter", "order", "experiment", "status", "parent"):
            answer = ask(target.url, "GET", f"{path}?{name}={quote(text)}")

            assert answer.status in {200, 400, 404}, (path, name, answer)
            assert "sqlite" not in answer.text.lower()
    assert_whole(target)


@pytest.mark.parametrize("which", range(len(LONG)))
@pytest.mark.parametrize("where", SEARCHES)
def test_no_filter_takes_long(target: Target, where: str, which: int) -> None:
    begun = time.monotonic()

    answer = search(target, where, filter=LONG[which])

    assert answer.status in {200, 400, 414, 431}, answer.text[:300]
    assert time.monotonic() - begun < LIMIT_S


@pytest.mark.parametrize("which", range(len(LONG)))
def test_no_order_takes_long(target: Target, which: int) -> None:
    begun = time.monotonic()

    one = search(target, "runs/search", order_by=[LONG[which]])
    many = search(target, "runs/search", order_by=["metrics.loss"] * 20_000)

    assert {one.status, many.status} <= {200, 400}
    assert time.monotonic() - begun < LIMIT_S


@pytest.mark.parametrize("raw", [
    b"{}", b'{"offset": -1}', b'{"offset": 1e400}', b'{"offset": "1; DROP TABLE runs"}', b"",
    b"[" * 10_000, b"-1", b"\xff", b"99999999999999999999999", b"runs", b"1 OR 1=1",
    b'{"offset": 9223372036854775808}',
])  # fmt: skip
@pytest.mark.parametrize("where", SEARCHES)
def test_a_page_token_of_somebody_elses_making_is_refused_or_empty(
    target: Target, where: str, raw: bytes
) -> None:
    for token in (base64.b64encode(raw).decode(), raw.decode("latin-1"), "%", "a" * 20_000):
        answer = search(target, where, page_token=token)

        assert answer.status in {200, 400}, answer
        assert "sqlite" not in answer.text.lower()
    assert_whole(target)


@pytest.mark.parametrize(
    "key", ["a'; DROP TABLE runs; --", 'a"b', "a`b", "a\x00b", "a%b_c", "a\\b", "{{7*7}}", "${x}"]
)
def test_a_key_is_never_sql(target: Target, key: str) -> None:
    body = json.dumps({"run_id": target.run_id, "key": key, "value": key}).encode()

    kept = ask(target.url, "POST", "/api/2.0/mlflow/runs/set-tag", headers=AS_JSON, body=body)
    where = quote(f"tags.`{key}` = '{key}'".replace("\x00", ""))
    found = ask(target.url, "GET", f"/api/v1/runs?filter={where}")

    assert kept.status in {200, 400}, kept
    assert found.status in {200, 400}, found
    assert_whole(target)
