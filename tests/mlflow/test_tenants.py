"""A tenant is a home of its own behind `/t/NAME`."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import httpx2
import pytest
from sqlalchemy import create_engine, text

from treadle.app import App
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer
from treadle.server.tenants import Tenants

CREATE = "/api/2.0/mlflow/experiments/create"
SEARCH = "/api/2.0/mlflow/experiments/search"
NAMES = ["team", "a", "0", "a-b_c", "x" * 50]
NO_NAMES = ["", "..", "A", "-a", "a b", "a.b", "x" * 51, "ä", "%2e%2e", "a\x00"]


@contextmanager
def serving(settings: Settings):
    with (
        App(settings) as app,
        ControlServer(app, port=0) as server,
        httpx2.Client(base_url=server.url, trust_env=False, timeout=30) as client,
    ):
        yield client


@pytest.fixture
def client(tmp_path):
    with serving(Settings(home=tmp_path / "home")) as made:
        yield made


def names(client, prefix=""):
    answer = client.post(prefix + SEARCH, json={"max_results": 10})
    return sorted(found["name"] for found in answer.json()["experiments"])


def test_tenants_and_the_home_itself_do_not_see_each_other(client):
    client.post("/t/red" + CREATE, json={"name": "of red"})
    client.post("/t/blue" + CREATE, json={"name": "of blue"})

    assert names(client, "/t/red") == ["Default", "of red"]
    assert names(client, "/t/blue") == ["Default", "of blue"]
    assert names(client) == ["Default"]


def test_our_own_api_answers_behind_the_prefix_too(client):
    run = client.post(
        "/t/red/api/2.0/mlflow/runs/create", json={"experiment_id": "0", "run_name": "mine"}
    )

    found = client.get("/t/red/api/v1/runs").json()

    assert run.status_code == 200
    assert [each["name"] for each in found["items"]] == ["mine"]
    assert client.get("/api/v1/runs").json()["items"] == []


def test_a_tenant_keeps_rows_and_files_below_the_home(client, tmp_path):
    client.put(
        "/t/red/api/2.0/mlflow-artifacts/artifacts/loose/a.txt", content=b"of red, and only of red"
    )

    folder = tmp_path / "home" / "tenants" / "red"
    assert (folder / "treadle.db").exists()
    assert any(path.is_file() for path in (folder / "objects").rglob("*"))


def test_a_closed_server_makes_no_tenant_and_serves_those_there_are(tmp_path):
    home = tmp_path / "home"
    with serving(Settings(home=home)) as client:
        client.post("/t/old" + CREATE, json={"name": "kept"})

    with serving(Settings(home=home, tenants="closed")) as client:
        refused = client.post("/t/new" + CREATE, json={"name": "x"})
        page = client.get("/t/new/api/v1/runs")
        kept = names(client, "/t/old")

    assert (refused.status_code, refused.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert page.status_code == 404
    assert kept == ["Default", "kept"]
    assert not (home / "tenants" / "new").exists()


def test_a_page_of_another_site_makes_no_tenant(client, tmp_path):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = client.get("/t/theirs/health", headers=link)

    assert answer.status_code == 404
    assert not (tmp_path / "home" / "tenants").exists()


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_could_leave_the_home_is_refused(tmp_path, name):
    with pytest.raises(InvalidInput):
        App(Settings(home=tmp_path / "home")).tenant(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_name_makes_a_tenant(tmp_path, name):
    with App(Settings(home=tmp_path / "home")).tenant(name) as tenant:
        assert tenant.home == tmp_path / "home" / "tenants" / name


def test_a_wrong_name_is_told_in_the_shape_of_the_api_that_was_asked(client):
    of_mlflow = client.post("/t/NO" + CREATE, json={"name": "x"})
    of_ours = client.get("/t/NO/api/v1/runs")

    assert of_mlflow.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert of_ours.status_code == 400


def test_a_closed_home_says_that_a_tenant_is_not_there(tmp_path):
    with pytest.raises(NotFound, match="tenant"):
        App(Settings(home=tmp_path / "home", tenants="closed")).tenant("red")


def test_on_postgresql_each_tenant_has_a_schema(postgres_url, tmp_path):
    settings = Settings(home=tmp_path / "home", metadata_url=postgres_url)
    with serving(settings) as client:
        client.post("/t/red-1" + CREATE, json={"name": "of red"})
        client.post("/t/blue" + CREATE, json={"name": "of blue"})
        found = [names(client, prefix) for prefix in ("/t/red-1", "/t/blue", "")]

    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        query = text("SELECT schema_name FROM information_schema.schemata")
        schemas = set(connection.execute(query).scalars())
    engine.dispose()
    assert found == [["Default", "of red"], ["Default", "of blue"], ["Default"]]
    assert {"tenant_red-1", "tenant_blue"} <= schemas


def test_the_least_lately_used_is_closed_and_opens_again(tmp_path):
    served = []

    async def answer(scope, _receive, send):
        served.append(scope["treadle"].tracking.default_experiment().name)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask_each():
        for name in ["a", "b", "c", "a", "a", "b"]:
            scope = {"type": "http", "path": f"/t/{name}/x", "root_path": "", "headers": []}
            await tenants(scope, nothing, nowhere)
            opened.append(sorted(tenants.open_names))

    async def nothing():
        return {"type": "http.request", "body": b""}

    async def nowhere(_message):
        return None

    opened = []
    with App(Settings(home=tmp_path / "home")) as app:
        tenants = Tenants(answer, app, most_open=2)
        asyncio.run(ask_each())

    assert opened == [["a"], ["a", "b"], ["b", "c"], ["a", "c"], ["a", "c"], ["a", "b"]]
    assert served == ["Default"] * 6


def test_requests_that_come_at_once_open_a_tenant_once(tmp_path):
    opened = []

    async def answer(scope, _receive, _send):
        opened.append(scope["treadle"])

    async def ask_at_once():
        scope = {"type": "http", "path": "/t/red/x", "root_path": "", "headers": []}
        await asyncio.gather(*(tenants(dict(scope), None, None) for _ in range(10)))

    with App(Settings(home=tmp_path / "home")) as app:
        tenants = Tenants(answer, app)
        asyncio.run(ask_at_once())
        opened[0].close()

    assert len(opened) == 10
    assert len({id(each) for each in opened}) == 1
