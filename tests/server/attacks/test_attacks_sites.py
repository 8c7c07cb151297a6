"""No other site reaches this address through its reader's browser: every route, every method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.attacks.raw import ask
from tests.server.attacks.route_table import STREAMS, all_routes, filled

if TYPE_CHECKING:
    from tests.server.attacks.conftest import Target

FOREIGN = {
    "a name that was made to point here": {"Host": "rebound.example"},
    "such a name with our port": {"Host": "rebound.example:7340"},
    "a name that begins like ours": {"Host": "127.0.0.1.rebound.example"},
    "another address": {"Host": "192.168.1.1"},
    "the address of everything": {"Host": "0.0.0.0"},
    "no name": {"Host": ""},
    "a page of another site": {"Origin": "https://evil.example"},
    "a page of another program here": {"Origin": "http://127.0.0.1:1"},
    "a page without an origin": {"Origin": "null"},
    "an origin that is none": {"Origin": "http://["},
    "what another site embeds": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "what a sibling site fetches": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
}


def test_the_table_holds_what_everybody_knows() -> None:
    routes = all_routes()

    assert ("POST", "/api/2.0/mlflow/runs/create") in routes
    assert ("PUT", "/ajax-api/2.0/mlflow-artifacts/artifacts/{path:path}") in routes
    assert ("GET", "/runs") in routes
    assert len(routes) > 100


@pytest.mark.parametrize("who", FOREIGN)
def test_every_route_refuses(target: Target, who: str, log_stays: None) -> None:
    answered = {
        (method, path): answer.status
        for method, path in all_routes()
        if (answer := ask(target.url, method, filled(path, "x"), headers=FOREIGN[who])).status
        != 403
    }

    assert answered == {}


@pytest.mark.parametrize("who", FOREIGN)
def test_no_tenant_is_made_by_another_site(target: Target, who: str) -> None:
    path = "/t/by-another-site/api/2.0/mlflow/experiments/search"

    answer = ask(target.url, "GET", f"{path}?max_results=1", headers=FOREIGN[who])

    assert answer.status in {400, 403}
    assert not (target.app.home / "tenants" / "by-another-site").exists()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_form_of_another_site_changes_nothing(
    target: Target, method: str, log_stays: None
) -> None:
    sent = {
        "Origin": "https://evil.example",
        "Content-Type": "text/plain",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
    }
    answered = {
        path: answer.status
        for path in {path for _, path in all_routes()}
        if (answer := ask(target.url, method, filled(path, "x"), headers=sent, body=b"{}")).status
        != 403
    }

    assert answered == {}


def test_a_form_without_an_origin_is_no_json(target: Target, log_stays: None) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = ask(
            target.url,
            "POST",
            "/api/2.0/mlflow/experiments/create",
            headers={"Content-Type": media},
            body=b'{"name": "by a form"}',
        )

        assert answer.status == 400


def test_another_site_may_lead_its_reader_here(target: Target) -> None:
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    assert ask(target.url, "GET", "/runs", headers=sent).status == 200


def test_no_get_changes_anything(target: Target, log_stays: None) -> None:
    for method, path in all_routes():
        if method in {"GET", "HEAD"} and not path.endswith(STREAMS):
            ask(target.url, method, filled(path, target.run_id))
            ask(target.url, method, f"{filled(path, 'x')}?run_id={target.run_id}")


def test_no_answer_lets_another_site_read_it(target: Target) -> None:
    for path in ("/api/2.0/mlflow/experiments/search?max_results=1", "/api/v1/runs", "/"):
        answer = ask(target.url, "GET", path)

        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_two_names_at_once_are_refused(target: Target) -> None:
    pairs = [("Host", "127.0.0.1"), ("Host", "evil.example")]

    assert ask(target.url, "GET", "/api/v1/runs", headers=pairs).status == 400


def test_an_absolute_target_does_not_hide_the_name(target: Target) -> None:
    answer = ask(
        target.url,
        "GET",
        "http://127.0.0.1/api/v1/runs",
        headers={"Host": "evil.example"},
    )

    assert answer.status in {400, 403, 404}
