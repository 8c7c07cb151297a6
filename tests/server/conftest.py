"""A home in which everything has happened once, served on a real port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import pyarrow.csv
import pytest

from tests.release.world import GOOD, HARMFUL, POLICY, ROUGH, START, World, at, flights
from treadle.analysis.leakage import single_feature_probe
from treadle.app import App
from treadle.governance.entities import Candidate
from treadle.kernel.clock import DAY_US
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer
from treadle.tracking.entities import MetricPoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Seeded:
    """The home and the names of what is in it."""

    app: App
    run_id: str
    prediction: str
    release: str


@pytest.fixture(scope="session")
def seeded(tmp_path_factory) -> Iterator[Seeded]:
    world = World(tmp_path_factory.mktemp("seeded"))
    yield seed(world)
    world.app.close()


def seed(world: World) -> Seeded:
    app = world.app
    world.now(START - 30 * DAY_US)
    flights_seen = app.data.commit("flights", csv(world.folder), message="three months")
    app.data.infer_contract("flights", roles={"flight": "id", "late": "target"})
    app.data.validate("flights")
    run_id = logged_run(app, flights_seen.ref, digest=flights_seen.digest)
    blocked_run(app)
    world.now(at(0))
    world.release(ROUGH, why="first")
    for week in range(4):
        world.week(week)
    world.release(GOOD, why="knows the wind")
    for week in range(4, 8):
        world.week(week)
    released = app.releases.releases(limit=1)[0]
    world.candidate(HARMFUL, name="upside down")
    world.release(ROUGH, why="knows less")
    world.week(8, bias=1.0)
    world.week(9, bias=1.0, labels=False)
    held = app.data.commit("outcomes", flights(10).select(["flight", "late"]))
    app.data.quarantine(held.ref, reason="the feed says on time for everybody", evidence={})
    asked_and_expected(app)
    app.log.seal()
    rows = app.serving.predictions(POLICY.endpoint, columns=["id"])
    return Seeded(app=app, run_id=run_id, prediction=rows["id"][0].as_py(), release=released.id)


def asked_and_expected(app: App) -> None:
    app.evaluation.create("why late", experiment_ids=["0", "elsewhere"], tags={"team": "<b>ops"})
    source = {"source_type": "TRACE", "source_data": {"trace_id": "tr-1"}}
    app.evaluation.merge(
        "why late",
        [
            {"inputs": {"q": "<script>why?</script>"}, "expectations": {"a": "\ud800"}},
            {"inputs": {"q": "how?"}, "outputs": ["thus"], "source": source},
        ],
    )
    app.evaluation.freeze("why late", dataset="why-late")


def csv(folder: Path) -> Path:
    path = folder / "flights.csv"
    pyarrow.csv.write_csv(flights(-2), path)
    return path


def logged_run(app: App, ref: str, *, digest: str) -> str:
    run = app.tracking.start_run(
        experiment="late", name="trial-1", params={"depth": 6, "rate": 0.0785, "kind": "trees"}
    )
    points = [
        MetricPoint(key="log_loss", value=0.4 + 0.3 / (1 + step), step=step, at=START)
        for step in range(50)
    ]
    app.tracking.log_points(run.id, points)
    app.tracking.log(run.id, metrics={"auc": 0.71, "baseline.log_loss": 0.52}, tags={"trial": "1"})
    app.tracking.log_input(run.id, kind="dataset", ref=ref, digest=digest, context="training")
    app.tracking.log_artifact(run.id, "notes/how it was.txt", b"by hand")
    app.tracking.end_run(run.id)
    return run.id


def blocked_run(app: App) -> None:
    run = app.tracking.start_run(experiment="late", name="leaks")
    rows = flights(-3)
    probes = single_feature_probe(
        {"heat": rows["heat"], "dep_delay": rows["late"]},
        rows["late"],
        known_after=frozenset({"dep_delay"}),
    )
    candidate = Candidate(
        run_id=run.id, metrics={"log_loss": 0.1}, baseline={"log_loss": 0.5}, probes=probes
    )
    app.governance.judge(candidate, POLICY.gates)
    app.tracking.end_run(run.id, status="failed", error="ValueError: a leak")


@pytest.fixture
def empty(tmp_path) -> Iterator[App]:
    with App(Settings(home=tmp_path / "home")) as app:
        yield app


@pytest.fixture(scope="module")
def server(seeded) -> Iterator[ControlServer]:
    with ControlServer(seeded.app, port=0) as running:
        yield running


@pytest.fixture(scope="module")
def client(server) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=20) as made:
        yield made
