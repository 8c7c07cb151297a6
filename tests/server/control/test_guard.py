"""Who may ask: this machine's programs and this address's own pages."""

from __future__ import annotations

import httpx2
import pytest

from treadle.server.guard import HEADERS, host_name


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7340", "127.0.0.1.evil.example", "[::2]", "", "[bad", "0.0.0.0"],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/health", "/ui/live"])
def test_a_foreign_name_is_refused(server, host, path):
    answer = httpx2.get(server.url + path, headers={"host": host}, trust_env=False)

    assert answer.status_code in {400, 403}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:7340", "[::1]:7340"])
def test_this_machines_own_names_are_answered(server, host):
    url = f"{server.url}/api/v1/health"

    assert httpx2.get(url, headers={"host": host}, trust_env=False).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(client, seeded, headers):
    before = seeded.app.log.last().seq

    answer = client.post("/api/v1/endpoints/late/stop", json={"reason": "for fun"}, headers=headers)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "refused"
    assert seeded.app.log.last().seq == before


def test_a_page_of_this_address_may_write(client, server):
    headers = {"origin": server.url, "sec-fetch-site": "same-origin"}

    answer = client.post("/api/v1/endpoints/late/stop", json={"reason": ""}, headers=headers)

    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/", "/nope", "/api/v1/health", "/api/v1/nope"])
def test_every_answer_carries_the_policy(client, path):
    answer = client.get(path)

    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_the_answer_to_a_foreign_name_carries_the_policy_too(client):
    answer = client.get("/", headers={"host": "evil.example"})

    assert answer.status_code == 403
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "evil.example" in answer.text


@pytest.mark.parametrize(
    "host",
    ["[", "[::1]x", "127.0.0.1?x", "127.0.0.1#.evil.example", "127.0.0.1/evil", "a@127.0.0.1", ""],
)
def test_a_host_that_is_more_than_a_name_and_a_port_has_no_name(host):
    assert host_name(host) == ""
