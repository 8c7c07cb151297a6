"""Sources, locations and planted models: this server connects to nobody and unpickles nothing."""

from __future__ import annotations

import json
import os
import pickle
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.attacks.raw import Answer, ask
from treadle.kernel.errors import TreadleError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.attacks.conftest import Target

AS_JSON = {"Content-Type": "application/json"}


class Canary:
    """A port of this machine that nobody has a reason to connect to."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.visits = 0
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _count(self) -> None:
        while True:
            try:
                visitor, _ = self._listening.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    made = Canary()
    # Whoever asked a cloud's library for a foreign bucket would come by here.
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    yield made
    made.close()


def post(target: Target, path: str, **body: Any) -> Answer:
    return ask(
        target.url,
        "POST",
        f"/api/2.0/mlflow/{path}",
        headers=AS_JSON,
        body=json.dumps(body).encode(),
    )


def get(target: Target, path: str) -> Answer:
    return ask(target.url, "GET", path)


@pytest.fixture(scope="module")
def model(target: Target) -> str:
    post(target, "registered-models/create", name="planted")
    return "planted"


def test_the_canary_counts_its_visitors(canary: Canary) -> None:
    with socket.create_connection(("127.0.0.1", canary.port)) as visitor:
        visitor.recv(1)

    assert canary.visits == 1


PLACES = [
    "http://127.0.0.1:{port}/x", "https://127.0.0.1:{port}/x", "http://localhost:{port}",
    "ftp://127.0.0.1:{port}/x", "http://[::ffff:127.0.0.1]:{port}/", "http://2130706433:{port}/",
    "http://0x7f.1:{port}/", "s3://bucket/key", "sftp://127.0.0.1:{port}/x",
    "hdfs://127.0.0.1:{port}/x", "viewfs://127.0.0.1:{port}/x", "gs://bucket/x",
    "wasbs://c@127.0.0.1:{port}/x", "abfss://c@127.0.0.1:{port}/x", "dbfs:/x",
    "mlflow-artifacts://127.0.0.1:{port}/x",
    "mlflow-artifacts://127.0.0.1:{port}/api/2.0/mlflow-artifacts/artifacts/x",
    "gopher://127.0.0.1:{port}/x", "models://127.0.0.1:{port}/m/1", "runs://127.0.0.1:{port}/x",
    "r2://127.0.0.1:{port}/x", "uc://127.0.0.1:{port}/x",
    "http://127.0.0.1:{port}\\@example.org/", "http://example.org@127.0.0.1:{port}/",
    "jdbc:x:127.0.0.1:{port}", "file://127.0.0.1:{port}/etc/passwd", "\\\\127.0.0.1\\share",
    "//127.0.0.1:{port}/x", "s3://bucket@127.0.0.1:{port}/",
]  # fmt: skip
LOCAL = [
    "/etc/passwd", "file:///etc/passwd", "file:/etc/passwd", "FILE:///etc/passwd",
    "file://localhost/etc/passwd", "../../etc/passwd", "./secret.txt", "C:\\Windows",
    "c:/windows", "file:%2f%2f%2fetc/passwd", "%2fetc%2fpasswd", "~", "runs:/{run}/../../../etc",
    "runs:/{run}/%2e%2e/%2e%2e", "runs:/{run}/a%252f..%252f..", "runs:/{run}/..%5c..",
    "mlflow-artifacts:/../../secret.txt", "mlflow-artifacts:/%2e%2e/secret.txt",
    "mlflow-artifacts:/x/%00", "models:/../../etc/passwd", "models:/planted/../../x",
    "\x00/etc/passwd", "runs:/{run}/a#/../..", "runs:/{run}?/../..",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_nobody_is_visited_for_the_source_of_a_version(
    target: Target, model: str, canary: Canary, place: str
) -> None:
    source = place.format(port=canary.port)

    made = post(target, "model-versions/create", name=model, source=source, run_id=target.run_id)
    version = json.loads(made.body).get("model_version", {}).get("version", "1")
    for path in (
        f"/api/2.0/mlflow/model-versions/get-download-uri?name={model}&version={version}",
        f"/model-versions/get-artifact?name={model}&version={version}&path=MLmodel",
        f"/api/2.0/mlflow/model-versions/get?name={model}&version={version}",
        f"/models/{model}",
        f"/models/{model}/{version}",
    ):
        assert get(target, path).status in {200, 400, 404}, path

    assert made.status in {200, 400}, made
    assert canary.visits == 0


@pytest.mark.parametrize("place", PLACES)
def test_nobody_is_visited_for_the_location_of_an_experiment(
    target: Target, canary: Canary, place: str
) -> None:
    location = place.format(port=canary.port)
    name = f"at {location}"
    post(target, "experiments/create", name=name, artifact_location=location)
    found = target.app.tracking.experiment_by_name(name) if made(target, name) else None
    run_id = "0" * 32 if found is None else started(target, found.id)

    for path in (
        f"/api/2.0/mlflow/artifacts/list?run_id={run_id}",
        f"/get-artifact?run_id={run_id}&path=a.txt",
        f"/api/v1/runs/{run_id}/artifacts",
        f"/runs/{run_id}",
    ):
        assert get(target, path).status in {200, 400, 404}, path

    assert canary.visits == 0


def made(target: Target, name: str) -> bool:
    answer = ask(
        target.url,
        "POST",
        "/api/2.0/mlflow/experiments/search",
        headers=AS_JSON,
        body=json.dumps({"max_results": 1000}).encode(),
    )
    return any(each["name"] == name for each in json.loads(answer.body).get("experiments", []))


def started(target: Target, experiment_id: str) -> str:
    answer = post(target, "runs/create", experiment_id=experiment_id, start_time=1)
    run_id: str = json.loads(answer.body)["run"]["info"]["run_id"]
    return run_id


@pytest.mark.parametrize("source", LOCAL)
def test_no_file_of_this_machine_becomes_a_version(
    target: Target, model: str, source: str, log_stays: None
) -> None:
    answer = post(
        target,
        "model-versions/create",
        name=model,
        source=source.replace("{run}", target.run_id),
        run_id=target.run_id,
    )

    assert answer.status == 400, answer


@pytest.mark.parametrize("where", ["/srv/x", "file:///srv/x", "../x", "file:/srv/x", "C:\\x"])
def test_no_file_of_this_machine_is_listed_through_an_experiment(
    target: Target, where: str
) -> None:
    name = f"in {where}"
    post(target, "experiments/create", name=name, artifact_location=where)
    if not made(target, name):
        return
    run_id = started(target, target.app.tracking.experiment_by_name(name).id)

    listed = get(target, f"/api/2.0/mlflow/artifacts/list?run_id={run_id}")

    assert "files" not in json.loads(listed.body)


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://169.254.169.254/latest",
    "http://[::1]:{port}/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/",
    "https://evil.example/hook", "http://127.0.0.1:{port}@evil.example/",
])  # fmt: skip
def test_no_webhook_goes_where_nobody_allowed(target: Target, canary: Canary, url: str) -> None:
    answer = post(
        target,
        "webhooks",
        name="hook",
        url=url.format(port=canary.port),
        events=[{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    )

    assert 400 <= answer.status < 500, answer
    assert canary.visits == 0


class Exploit:
    """What runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._marker}",)


MLMODEL = """\
artifact_path: model
flavors:
  python_function:
    loader_module: {loader}
    model_path: model.pkl
    python_version: 3.11.7
    env: {{conda: conda.yaml, virtualenv: python_env.yaml}}
    code: code
  sklearn:
    code: code
    pickled_model: model.pkl
    serialization_format: {form}
    sklearn_version: 1.9.0
model_uuid: 0123456789abcdef0123456789abcdef
run_id: {run}
utc_time_created: '2026-01-01 00:00:00.000000'
"""
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(20)
)
PLANTED = {
    "a pickle": MLMODEL.format(loader="mlflow.sklearn", form="cloudpickle", run="x"),
    "a loader of the attacker's": MLMODEL.format(loader="evil", form="pickle", run="x"),
    "a loader of the standard library": MLMODEL.format(loader="os", form="pickle", run="x"),
    "an object in the description": "flavors: !!python/object/apply:os.system ['touch {marker}']\n",
    "aliases that multiply": BOMB,
    "no description": "",
    "nothing that can be read": "\x00\xff: [",
    "a list": "- 1\n- 2\n",
    "flavors that are none": "flavors: 7\n",
    "a thousand levels": "{a: " * 3000 + "1" + "}" * 3000,
}


def planted(target: Target, marker: Path, what: str) -> str:
    folder = f"planted {what}"
    text = PLANTED[what].replace("{marker}", str(marker))
    files = {
        "MLmodel": text.encode("utf-8", "surrogateescape"),
        "model.pkl": pickle.dumps(Exploit(marker)),
        "python_model.pkl": pickle.dumps(Exploit(marker)),
        "code/evil.py": f"import os\nos.system('touch {marker}')\n".encode(),
        "requirements.txt": b"evil @ http://127.0.0.1/evil.tar.gz\n",
    }
    for path, data in files.items():
        target.app.tracking.log_artifact(target.run_id, f"{folder}/{path}", data)
    return f"runs:/{target.run_id}/{folder}"


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_model_is_registered_and_shown_but_never_run(
    target: Target, model: str, tmp_path: Path, what: str
) -> None:
    marker = tmp_path / "ran"
    source = planted(target, marker, what)
    begun = time.monotonic()

    answer = post(target, "model-versions/create", name=model, source=source, run_id=target.run_id)
    version = json.loads(answer.body).get("model_version", {}).get("version")
    for path in (f"/models/{model}", f"/models/{model}/{version}", f"/runs/{target.run_id}"):
        assert get(target, path).status in {200, 404}, path

    assert answer.status in {200, 400}, answer
    assert time.monotonic() - begun < 10
    assert not marker.exists()
    if version is not None:
        with pytest.raises(TreadleError):
            target.app.registry.load(f"{model}@{version}")
        target.app.registry.verify(f"{model}@{version}")
        assert not marker.exists()


def test_no_route_makes_the_server_load_a_planted_model(
    target: Target, model: str, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    source = planted(target, marker, "a pickle")
    made = post(target, "model-versions/create", name=model, source=source, run_id=target.run_id)
    number = json.loads(made.body)["model_version"]["version"]

    for path in (
        f"/api/v1/models/{model}",
        f"/api/v1/models/{model}@{number}",
        f"/models/{model}/{number}",
        f"/model-versions/get-artifact?name={model}&version={number}&path=model.pkl",
        f"/runs/{target.run_id}?artifact=planted+a+pickle/model.pkl",
        f"/api/v1/runs/{target.run_id}/artifacts/planted%20a%20pickle/model.pkl",
    ):
        get(target, path)

    assert not marker.exists()


def test_a_pickle_stored_over_a_signed_model_is_not_loaded(target: Target, model: str) -> None:
    source = planted(target, target.folder / "never", "a pickle")
    made = post(target, "model-versions/create", name=model, source=source, run_id=target.run_id)
    version = target.app.registry.version(
        f"{model}@{json.loads(made.body)['model_version']['version']}"
    )

    put = ask(
        target.url,
        "PUT",
        f"/api/2.0/mlflow-artifacts/artifacts/versions/{version.id}/model.pkl",
        body=b"another",
    )
    gone = ask(target.url, "DELETE", f"/api/2.0/mlflow-artifacts/artifacts/versions/{version.id}")

    assert 400 <= put.status < 500
    assert 400 <= gone.status < 500
    assert target.app.registry.verify(version.ref) == version
