"""Whatever the description of the API allows, and what it does not, is answered; never by a bug."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks

from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server import openapi
from treadle.server.control import ControlServer
from treadle.server.described import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 6
LIMIT_S = 30
load_all_checks()
CHECKS = [
    schemathesis.checks.CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
]
NUMBERS = count()
# The same examples every time, so that a red run is a change's fault; nothing is shrunk, because
# what an example has deleted stays deleted.
BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[App]:
    with App(Settings(home=tmp_path_factory.mktemp("fuzzed") / "home")) as app:
        yield app


@pytest.fixture(scope="module")
def url(home) -> Iterator[str]:
    with ControlServer(home, port=0) as server:
        yield server.url


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


@pytest.fixture
def known(home) -> dict[str, str]:
    """What there is to ask for: made anew for each test, since others may have deleted theirs."""
    tracking = home.tracking
    name = f"late-{next(NUMBERS)}"
    run = tracking.start_run(experiment=name, params={"depth": 6}, tags={"team": "a"})
    tracking.log(run.id, metrics={"loss": 0.5})
    tracking.log_artifact(run.id, "notes.txt", b"by hand")
    logged = tracking.create_logged_model(run.experiment_id, name="trees", source_run_id=run.id)
    home.registry.create_model(name)
    home.registry.create_version(name, source=f"runs:/{run.id}/model", run_id=run.id)
    return {
        **dict.fromkeys(("id", "run_id", "run_uuid", "source_run_id"), run.id),
        "experiment_id": run.experiment_id,
        "model_id": logged.id,
        "name": name,
        "version": "1",
        "metric_key": "loss",
        "path": "notes.txt",
    }


@pytest.fixture(scope="module")
def schema() -> Any:
    return schemathesis.openapi.from_dict(json.loads(json.dumps(openapi.description())))


def aimed(value: Any, known: dict[str, str]) -> Any:
    """Name what is there wherever something is named."""
    if isinstance(value, list):
        return [aimed(each, known) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: known[name] if name in known and isinstance(each, str) else aimed(each, known)
        for name, each in value.items()
    }


def can_be_wrong(each: openapi.Operation) -> bool:
    """Whether there is a type to miss: any path is text, and so is most of a query."""
    return each.shape.body not in {None, FILE} or bool(set(each.shape.query.values()) - {str})


CASES = [
    pytest.param(each, mode, id=f"{each.method} {each.key} {mode}")
    for each in openapi.operations()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or can_be_wrong(each)
]


@pytest.mark.parametrize(("each", "mode"), CASES)
def test_what_is_described_is_answered_as_described(each, mode, schema, known, url, session):
    if "/logged-models/" in each.key:
        known["id"] = known["model_id"]
    operation = schema[each.key][each.method]

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode), is_aimed=booleans())
    def every(case, is_aimed):
        for part in ("path_parameters", "query", "body") if is_aimed else ():
            setattr(case, part, aimed(getattr(case, part), known))
        answer = case.call(base_url=url, session=session, timeout=LIMIT_S)
        case.validate_response(answer, checks=CHECKS)

    every()
