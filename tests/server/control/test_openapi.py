"""The description of both APIs: it leaves nothing out, and what it says is so."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
import schemathesis
from schemathesis.checks import load_all_checks
from starlette.routing import Route

from treadle.server import api, openapi
from treadle.server import mlflow as door
from treadle.server.described import OURS, STREAMED
from treadle.server.mlflow.wire import Ask

load_all_checks()


@pytest.fixture(scope="module")
def described() -> dict:
    return json.loads(json.dumps(openapi.description()))


def told(described) -> set[tuple[str, str]]:
    return {(m.upper(), path) for path, item in described["paths"].items() for m in item}


def every_kind() -> set[type[Ask]]:
    found, waiting = set(), Ask.__subclasses__()
    while waiting:
        kind = waiting.pop()
        found.add(kind)
        waiting.extend(kind.__subclasses__())
    return {kind for kind in found if kind.__module__.startswith("treadle.")}


def test_every_route_is_in_the_description_and_no_other(described):
    plain = re.compile(r":path\}")
    theirs = [(method, "/api/2.0" + path) for method, path, _ in door.ROUTES]
    theirs += [(method, path) for method, path, _ in door.ROOT_ROUTES]
    ours = [
        (method, route.path)
        for route in api.routes()
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    ]
    expected = {(m, plain.sub("}", path)) for m, path in [*theirs, *ours, ("GET", openapi.PATH)]}

    assert told(described) == expected


def test_every_other_prefix_of_mlflow_is_mentioned(described):
    said = described["info"]["description"]

    assert [prefix for prefix in door.PREFIXES if f"`{prefix}" not in said] == []


def test_no_kind_of_request_is_forgotten():
    used = {kind for _, _, handler in door.ROUTES for kind in openapi.asked_by(handler)}

    assert every_kind() - used == set()


def test_a_handler_that_reads_no_typed_request_is_described_or_takes_nothing():
    reads = re.compile(r"\b(query|query_params|read_body|stream)\b")
    silent = [
        handler.__name__
        for _, _, handler in (*door.ROUTES, *door.ROOT_ROUTES)
        if handler not in STREAMED
        and not openapi.asked_by(handler)
        and any(reads.fullmatch(name) for name in handler.__code__.co_names)
    ]

    assert silent == []


def test_every_description_by_hand_is_of_a_route():
    ours = {route.endpoint for route in api.routes()}
    theirs = {handler for _, _, handler in (*door.ROUTES, *door.ROOT_ROUTES)}

    assert set(OURS) == ours
    assert set(STREAMED) - theirs == set()


def test_every_operation_has_a_sentence_and_an_id_of_its_own(described):
    operations = [each for item in described["paths"].values() for each in item.values()]
    ids = [each["operationId"] for each in operations]

    assert sorted(set(ids)) == sorted(ids)
    assert [each["operationId"] for each in operations if not each["summary"]] == []


def test_every_reference_leads_somewhere(described):
    for ref in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(described))):
        found = described
        for name in ref.split("/"):
            found = found[name]
        assert found


def test_needed_fields_are_needed(described):
    schemas = described["components"]["schemas"]

    assert schemas["LogMetric"]["required"] == ["run_id", "key", "value", "timestamp"]
    assert schemas["CreateExperiment"]["required"] == ["name"]
    assert schemas["RunInfo"]["required"] == [
        "run_uuid", "run_id", "run_name", "experiment_id", "user_id", "status", "start_time",
        "artifact_uri", "lifecycle_stage",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "each",
    [o for o in openapi.operations() if o.handler in OURS],
    ids=lambda o: f"{o.method} {o.path}",
)
def test_our_routes_take_the_query_they_are_said_to_take(client, each):
    path = re.sub(r"\{[^}]+\}", "x", each.path)

    answer = client.request(each.method, f"{path}?qqqqqqqqqqq=1", json={})

    known = ", ".join(each.shape.query)
    expected = f"It knows: {known}." if known else "It takes none."
    assert answer.status_code == 400
    assert answer.json()["error"]["hint"] == expected


def test_the_description_is_served_here_and_in_a_tenants_home(client, described):
    for path in (openapi.PATH, f"/t/described{openapi.PATH}"):
        answer = client.get(path)

        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == described


def test_what_our_lists_and_details_answer_is_as_described(seeded, server, described):
    schema = schemathesis.openapi.from_dict(described)
    checks = [
        schemathesis.checks.CHECKS.get_one(name)
        for name in ("response_schema_conformance", "content_type_conformance")
    ]
    endpoint = seeded.app.serving.endpoints()[0].name
    version = seeded.app.registry.versions(seeded.app.registry.models()[0].name)[0]
    names = {
        "runs": {"id": seeded.run_id, "path": quote("notes/how it was.txt")},
        "datasets": {"name": "flights", "version": "latest"},
        "models": {"name": version.model, "number": str(version.number)},
        "endpoints": {"name": endpoint},
        "monitors": {"name": seeded.app.monitoring.monitors()[0].name},
        "trace": {"prediction": seeded.prediction},
    }
    asked = [
        path for path in described["paths"] if path.startswith(api.PREFIX) and "logged" not in path
    ]
    for path in asked:
        if "get" not in described["paths"][path]:
            continue
        given = names.get(path.removeprefix(api.PREFIX).split("/")[1], {})
        wanted = {name: given[name] for name in re.findall(r"\{(\w+)\}", path)}
        case = schema[path]["GET"].Case(path_parameters=wanted)

        answer = case.call(base_url=server.url)

        assert answer.status_code == 200, (path, answer.text)
        case.validate_response(answer, checks=checks)
