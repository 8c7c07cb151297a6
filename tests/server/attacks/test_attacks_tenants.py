"""Nothing of one tenant is reached from another, or from the home around them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.attacks.conftest import SECRET
from tests.server.attacks.raw import Answer, ask

if TYPE_CHECKING:
    from tests.server.attacks.conftest import Target

AS_JSON = {"Content-Type": "application/json"}
FILES = "/api/2.0/mlflow-artifacts"
FROM = ["/t/thief", ""]
"""Another tenant, and the home that all of them lie in."""


@dataclass(frozen=True)
class Victim:
    """What another tenant has."""

    run_id: str
    upload_id: str
    model_id: str


def post(target: Target, path: str, asked: dict[str, Any]) -> Answer:
    return ask(target.url, "POST", path, headers=AS_JSON, body=json.dumps(asked).encode())


@pytest.fixture(scope="module")
def victim(target: Target) -> Victim:
    home = "/t/victim/api/2.0/mlflow"
    run = json.loads(post(target, f"{home}/runs/create", {"experiment_id": "0"}).body)["run"]
    run_id = run["info"]["run_id"]
    files = f"/t/victim{FILES}"
    ask(target.url, "PUT", f"{files}/artifacts/0/{run_id}/artifacts/model/MLmodel", body=SECRET)
    ask(target.url, "PUT", f"{files}/artifacts/loose/secret.txt", body=SECRET)
    begun = post(target, f"{files}/mpu/create/loose", {"path": "big", "num_parts": 1})
    made = post(target, f"{home}/logged-models", {"experiment_id": "0", "name": "m"})
    post(target, f"{home}/registered-models/create", {"name": "m"})
    asked = {"name": "m", "source": f"runs:/{run_id}/model", "run_id": run_id}
    version = post(target, f"{home}/model-versions/create", asked)
    assert version.status == 200
    for thief in FROM:
        post(target, f"{thief}/api/2.0/mlflow/registered-models/create", {"name": "stolen"})
    return Victim(
        run_id=run_id,
        upload_id=json.loads(begun.body)["upload_id"],
        model_id=json.loads(made.body)["model"]["info"]["model_id"],
    )


@pytest.mark.parametrize("thief", FROM)
@pytest.mark.parametrize("source", [
    "runs:/{run}/model", "runs://x/{run}/model", "models:/m/1", "models:/m@best", "models:/{model}",
    "mlflow-artifacts:/0/{run}/artifacts/model", "mlflow-artifacts://127.0.0.1/0/{run}/artifacts",
    "mlflow-artifacts:/../victim/0/{run}/artifacts/model", "mlflow-artifacts:/loose/../loose",
    "mlflow-artifacts://127.0.0.1/t/victim/0/{run}/artifacts/model",
    "{url}/t/victim/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/model",
    "{url}/t/victim/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/%2e%2e/artifacts/model",
])  # fmt: skip
def test_no_source_reaches_into_another_tenant(
    target: Target, victim: Victim, thief: str, source: str
) -> None:
    place = source.format(run=victim.run_id, model=victim.model_id, url=target.url)
    create = f"{thief}/api/2.0/mlflow/model-versions/create"
    asked = {"name": "stolen", "source": place}

    made = post(target, create, asked)
    # The genuine server believes in any run that is named; so do we, but it has no files here.
    post(target, create, {**asked, "run_id": victim.run_id})
    read = ask(
        target.url, "GET", f"{thief}/model-versions/get-artifact?name=stolen&version=1&path=MLmodel"
    )

    assert 400 <= made.status < 500, made
    assert read.status == 404, read


@pytest.mark.parametrize("thief", FROM)
def test_no_name_of_another_tenant_means_anything(
    target: Target, victim: Victim, thief: str
) -> None:
    api, run, model = f"{thief}/api/2.0/mlflow", victim.run_id, victim.model_id
    for path in (
        f"{api}/runs/get?run_id={run}", f"{api}/artifacts/list?run_id={run}",
        f"{api}/logged-models/{model}",
        f"{api}/logged-models/{model}/artifacts/directories",
        f"{api}/logged-models/{model}/artifacts/files?artifact_file_path=MLmodel",
        f"{thief}/get-artifact?run_id={run}&path=model/MLmodel", f"{thief}/runs/{run}",
        f"{thief}/model-versions/get-artifact?name=m&version=1&path=MLmodel",
        f"{thief}/api/v1/runs/{run}", f"{thief}/api/v1/runs/{run}/artifacts/model/MLmodel",
        f"{thief}{FILES}/artifacts/0/{run}/artifacts/model/MLmodel",
        f"{thief}{FILES}/artifacts/loose/secret.txt",
        f"{thief}{FILES}/artifacts/t/victim/loose/secret.txt",
        f"{thief}{FILES}/artifacts/..%2fvictim/loose/secret.txt",
        f"{thief}{FILES}/presigned/loose/secret.txt",
        f"{thief}/t/victim{FILES}/artifacts/loose/secret.txt" if thief else "/t/t/victim",
    ):  # fmt: skip
        answer = ask(target.url, "GET", path)

        assert 400 <= answer.status < 500, (path, answer)
        assert SECRET not in answer.body


@pytest.mark.parametrize("thief", FROM)
def test_no_upload_of_another_tenant_is_filled_completed_or_aborted(
    target: Target, victim: Victim, thief: str
) -> None:
    files, upload = f"{thief}{FILES}/mpu", victim.upload_id
    asked = {"path": "big", "upload_id": upload}

    filled = ask(target.url, "PUT", f"{files}/parts/{upload}/1", body=b"planted")
    completed = post(target, f"{files}/complete/loose", {**asked, "parts": [{"part_number": 1}]})
    aborted = post(target, f"{files}/abort/loose", asked)
    own = ask(target.url, "PUT", f"/t/victim{FILES}/mpu/parts/{upload}/1", body=b"own")

    assert [a.status for a in (filled, completed, aborted, own)] == [404, 404, 404, 200]


@pytest.mark.parametrize("name", [
    "..", ".", "%2e%2e", "..%2f..%2fx", "a%00", "%5c..%5cx", "a" * 300, "", "A%0aB",
    "~", "-rf", "con%3a", "%c0%ae%c0%ae", " ",
])  # fmt: skip
def test_no_name_of_a_tenant_makes_a_folder_elsewhere(target: Target, name: str) -> None:
    before = {path for path in target.folder.rglob("*") if "objects" not in path.parts}

    answer = ask(target.url, "GET", f"/t/{name}/health".replace(" ", "%20"))

    made = {path for path in target.folder.rglob("*") if "objects" not in path.parts} - before
    assert 400 <= answer.status < 500
    assert made == set()
