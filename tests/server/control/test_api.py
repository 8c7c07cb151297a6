"""The JSON API as a program meets it: answers, paging, one shape of error."""

from __future__ import annotations

import httpx2
import pytest

from tests.release.world import GOOD, ROUGH, World
from treadle.kernel import errors
from treadle.server.control import ControlServer
from treadle.server.errors import STATUS

LISTS = [
    "/runs",
    "/datasets",
    "/datasets/outcomes/versions",
    "/datasets/outcomes/versions/main/log",
    "/datasets/outcomes/branches",
    "/models",
    "/models/late/versions",
    "/endpoints",
    "/monitors",
    "/monitors/late/windows",
    "/alerts",
    "/events",
]
THINGS = [
    "/datasets/outcomes/versions/1",
    "/datasets/outcomes/versions/latest",
    "/models/late/versions/2",
    "/models/late/versions/champion",
    "/endpoints/late",
    "/endpoints/late/at",
    "/endpoints/late/at?time=2013-03-20",
    "/status",
    "/health",
]


@pytest.fixture(scope="module")
def api(server):
    base = f"{server.url}/api/v1"
    with httpx2.Client(base_url=base, trust_env=False, timeout=20) as made:
        yield made


@pytest.mark.parametrize("path", LISTS)
def test_a_list_says_how_long_it_is_and_where_it_goes_on(api, path):
    whole = api.get(path).json()

    first = api.get(path, params={"limit": 1}).json()

    assert set(whole) == {"items", "total", "next_offset"}
    assert first["items"] == whole["items"][:1]
    assert first["total"] == whole["total"] >= 1
    assert first["next_offset"] == (1 if whole["total"] > 1 else None)


@pytest.mark.parametrize("path", THINGS)
def test_a_thing_is_shown(api, path):
    answer = api.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"


def test_a_run_comes_with_its_metrics_and_files(api, seeded):
    whole = api.get(f"/runs/{seeded.run_id[:12]}").json()

    assert whole["run"]["params"]["depth"] == "6"
    assert {m["key"]: m["points"] for m in whole["metrics"]}["log_loss"] == 50
    assert "notes/how it was.txt" in [a["path"] for a in whole["artifacts"]]


def test_runs_are_narrowed_and_ordered(api):
    found = api.get(
        "/runs", params={"filter": "metrics.log_loss < 0.5", "order": "metric.log_loss"}
    ).json()

    losses = [run["metrics"]["log_loss"] for run in found["items"]]
    assert losses == sorted(losses)
    assert max(losses) < 0.5
    assert found["total"] == len(losses) == 2


def test_who_served_at_a_time_is_told(api):
    then = api.get("/endpoints/late/at", params={"time": "2013-03-20"}).json()
    now = api.get("/endpoints/late/at").json()

    assert [v["version"] for v in then["variants"]] == ["late@1"]
    assert "late@2" in [v["version"] for v in now["variants"]]


def test_a_prediction_is_followed_to_its_model(api, seeded):
    node = api.get(f"/trace/{seeded.prediction}").json()

    assert node["kind"] == "prediction"
    assert node["made_from"][0]["made_from"][0]["name"] == "late@1"


def test_newer_events_are_found_by_kind_and_subject(api):
    found = api.get(
        "/events", params={"kind": "release.moved", "subject": "endpoint/late", "limit": 2}
    ).json()

    assert [event["kind"] for event in found["items"]] == ["release.moved"] * 2
    assert found["items"][0]["seq"] > found["items"][1]["seq"]


@pytest.mark.parametrize(
    ("path", "status", "code", "says"),
    [
        ("/runs?experimnt=late", 400, "invalid_input", "Did you mean 'experiment'?"),
        ("/health?x=1", 400, "invalid_input", "It takes none."),
        ("/runs?limit=0", 400, "invalid_input", "1 to 1000"),
        ("/runs?limit=many", 400, "invalid_input", "1 to 1000"),
        ("/runs?limit=99999999999999999999", 400, "invalid_input", "1 to 1000"),
        ("/runs?offset=-1", 400, "invalid_input", "0 to"),
        ("/runs?order=metricz.auc", 400, "invalid_input", "ordered by"),
        ("/runs?filter=metrics.auc+0.7", 400, "invalid_input", "character 1"),
        ("/runs?status=done", 400, "invalid_input", "finished"),
        ("/alerts?state=opened", 400, "invalid_input", "open, closed"),
        ("/endpoints/late/at?time=yesterday", 400, "invalid_input", "2013-07-04"),
        ("/endpoints/late/at?time=1999-01-01", 404, "not_found", "began to serve"),
        ("/models/lates/versions", 404, "not_found", "Did you mean 'late'?"),
        ("/models/late/versions/9", 404, "not_found", "The newest is late@"),
        ("/endpoints/lat", 404, "not_found", "Did you mean 'late'?"),
        ("/monitors/lat/windows", 404, "not_found", "Did you mean 'late'?"),
        ("/datasets/flight/versions", 404, "not_found", "Did you mean 'flights'?"),
        ("/datasets/flights/versions/99", 404, "not_found", "flights has one version: flights@1"),
        ("/trace/abc", 400, "invalid_input", "32 hex digits"),
        ("/evnts", 404, "not_found", "Did you mean /api/v1/events"),
    ],
)
def test_an_error_has_one_shape_and_says_what_to_do(api, path, status, code, says):
    answer = api.get(path)

    error = answer.json()["error"]
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert set(error) == {"code", "message", "hint"}
    assert error["code"] == code
    assert says in f"{error['message']} {error['hint']}"


def test_a_method_that_is_not_there_is_told(api):
    answer = api.post("/runs", json={})

    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert "GET" in answer.headers["allow"]


def test_every_code_that_has_a_status_of_its_own_is_one_of_ours():
    known = {e.code for e in vars(errors).values() if isinstance(e, type) and hasattr(e, "code")}

    assert set(STATUS) <= known


# --- writing ---


@pytest.fixture
def loop(tmp_path):
    """A small home of its own, to be changed."""
    world = World(tmp_path)
    world.release(ROUGH, why="first")
    world.week(0)
    with ControlServer(world.app, port=0) as server:
        base = f"{server.url}/api/v1/endpoints/late"
        with httpx2.Client(base_url=base, trust_env=False, timeout=20) as made:
            yield made, world, GOOD
    world.app.close()


def test_labels_are_taken_in_once(loop):
    client, world, _ = loop
    rows = world.ask(1)
    body = {
        "labels": [{"key": key, "label": 1} for key in rows["flight"].to_pylist()[:20]],
        "source": "outcomes feed",
    }

    first = client.post("/labels", json=body)
    again = client.post("/labels", json=body)

    assert first.status_code == 201
    assert first.json()["rows"] == 20
    assert again.json()["id"] == first.json()["id"]


def test_labels_that_break_their_contract_are_held_and_the_answer_says_why(loop):
    client, world, _ = loop
    rows = world.ask(1)
    body = {"labels": [{"key": key, "label": 0} for key in rows["flight"].to_pylist()]}

    answer = client.post("/labels", json=body)

    found = answer.json()
    assert (answer.status_code, found["state"]) == (201, "quarantined")
    assert found["problem"].startswith("rate: ")
    assert [c["check"] for c in found["checks"] if c["verdict"] == "fail"] == ["rate"]


def test_a_release_is_stopped_and_the_reason_kept(loop):
    client, world, good = loop
    world.release(good, why="better")

    answer = client.post("/stop", json={"reason": "the weather report is wrong"})

    assert answer.json()["state"] == "stopped"
    assert answer.json()["reason"] == "the weather report is wrong"
    assert world.traffic() == [("late@1", "live", 1.0)]


def test_an_endpoint_is_rolled_back(loop):
    client, world, good = loop
    world.release(good, why="better")
    for week in range(1, 5):
        world.week(week)

    answer = client.post("/rollback", json={"reason": "complaints"})

    assert (answer.status_code, answer.json()["candidate"]) == (200, "late@1")
    assert world.traffic() == [("late@1", "live", 1.0)]


def test_what_becomes_of_requests_that_break_the_contract_is_set(loop):
    client, world, _ = loop

    answer = client.post("/contract", json={"mode": "refuse", "reason": "units were wrong"})

    assert (answer.status_code, answer.json()["contract"]) == (200, "refuse")
    assert world.app.serving.endpoint("late").contract == "refuse"


@pytest.mark.parametrize(
    ("path", "sent", "status", "says"),
    [
        ("/contract", {"json": {"mode": "strict"}}, 400, "mode"),
        ("/labels", {"json": {"labels": []}}, 400, "no label"),
        ("/labels", {"json": {"labels": [{"key": "a", "label": "yes"}]}}, 400, "labels[0].label"),
        ("/labels", {"json": {"labels": [{"key": "a", "value": 1}]}}, 400, "value"),
        ("/labels", {"content": b"{"}, 400, "application/json"),
        ("/labels", {"data": {"labels": "a"}}, 400, "application/json"),
        ("/stop", {"json": {"reason": "  "}}, 400, "The reason is empty."),
        ("/stop", {"json": {"reason": "x"}}, 409, "No release is under way"),
        ("/rollback", {"json": {"reason": "x"}}, 403, "nothing before"),
        ("/rollback?now=1", {"json": {"reason": "x"}}, 400, "knows no argument"),
    ],
)
def test_a_wrong_body_changes_nothing(loop, path, sent, status, says):
    client, world, _ = loop
    before = world.app.log.last().seq

    answer = client.post(path, **sent)

    assert answer.status_code == status
    assert says in str(answer.json()["error"])
    assert world.app.log.last().seq == before


def test_a_body_without_end_is_cut_off(loop, monkeypatch):
    client, _, _ = loop
    monkeypatch.setattr("treadle.server.asked.BODY_MOST_BYTES", 1000)

    answer = client.post("/labels", json={"labels": [{"key": "k" * 2000, "label": 1}]})

    assert answer.status_code == 400
    assert "in pieces" in answer.json()["error"]["hint"]
