from __future__ import annotations

import subprocess
import sys

import msgspec
import pyarrow.csv as pacsv
import pytest

from tests.release.world import GOOD, ROUGH, at, flights, trained
from treadle import dataset, pipeline, step
from treadle.governance import verify_log
from treadle.governance.entities import Candidate, GateRules
from treadle.kernel.actors import acting_as
from treadle.kernel.errors import Conflict, NotFound, Unavailable
from treadle.serving.entities import Variant


@step
def known(rows):
    return rows.filter(rows["late"].is_valid())


@step
def fit(rows):
    assert rows.num_rows
    return trained(GOOD)


@pipeline
def train():
    return fit(known(dataset("history")))


def from_raw_bytes(world, tmp_path):
    """Commit a file, train on it in a pipeline, serve the model; returns the file's digest."""
    path = tmp_path / "history.csv"
    pacsv.write_csv(flights(-1).drop_columns(["at"]), path)
    version = world.app.data.commit("history", path)
    run = world.app.pipelines.run(train)
    made = world.app.loop.candidate(
        world.policy, world.app.pipelines.value(run), name="first", origin=run
    )
    world.app.loop.propose(world.policy, made.version, why="first")
    return version.files[0].digest, run


def newest_prediction(world):
    return world.app.serving.predictions("late", columns=["id"])["id"][-1].as_py()


def kinds_on_the_way(node):
    return [node.kind] if not node.made_from else [node.kind, *kinds_on_the_way(node.made_from[-1])]


def leaves(node):
    return [node] if not node.made_from else [n for m in node.made_from for n in leaves(m)]


def test_a_prediction_is_traced_to_the_digests_of_the_files_it_was_made_from(world, tmp_path):
    raw, run = from_raw_bytes(world, tmp_path)
    world.ask(0)

    node = world.app.governance.trace(newest_prediction(world))

    assert kinds_on_the_way(node)[:5] == [
        "prediction",
        "variant",
        "model version",
        "run",
        "pipeline run",
    ]
    files = {n.digest: n.name for n in leaves(node) if n.kind == "file"}
    assert files[raw] == "history.csv"
    steps = node.made_from[0].made_from[0].made_from[-1].made_from[0].made_from
    assert {(s.name, bool(s.digest)) for s in steps} == {("known", True), ("fit", True)}
    assert f"pipeline run {run.id}" in "\n".join(node.lines())
    model_files = {f.digest for f in world.app.registry.version("late@1").files}
    assert model_files <= set(files)


def test_a_version_is_traced_by_its_alias(world, tmp_path):
    raw, _ = from_raw_bytes(world, tmp_path)

    node = world.app.governance.trace_version("late@champion")

    assert node.name == "late@1"
    assert raw in {n.digest for n in leaves(node)}


def test_a_run_without_pipeline_is_traced_to_its_inputs(solo):
    solo.app.data.commit("history", flights(-1).select(["flight", "late"]))
    made = solo.candidate(GOOD)
    digest = solo.app.data.version("history").digest
    run = solo.app.tracking.start_run(experiment="late", name="by hand")
    solo.app.tracking.log_input(run.id, kind="dataset", ref="history@1", digest=digest)
    version = solo.app.registry.register(
        "late", GOOD, run_id=run.id, example=flights(0).select(["heat", "wind"])
    )

    node = solo.app.governance.trace_version(version.ref)

    assert made.version == "late@1"
    assert "dataset version" in kinds_on_the_way(node)


def test_data_that_was_removed_is_named_in_the_trace_of_what_was_made_from_it(solo):
    data = solo.app.data
    data.commit("history", flights(-1).select(["flight", "late"]))
    digest = data.commit("history", flights(0).select(["flight", "late"])).digest
    data.branch("history", "main", at="history@1", force=True)
    run = solo.app.tracking.start_run(experiment="late", name="by hand")
    solo.app.tracking.log_input(run.id, kind="dataset", ref="history@2", digest=digest)
    version = solo.app.registry.register(
        "early", GOOD, run_id=run.id, example=flights(0).select(["heat", "wind"])
    )

    with pytest.raises(Conflict, match="by hand needs history@2; model early@1 needs history@2"):
        data.remove("history@2")
    with acting_as("user:ann"):
        data.remove("history@2", force=True)
    node = solo.app.governance.trace_version(version.ref)

    used = node.made_from[-1].made_from[0]
    assert (used.name, used.digest) == ("history@2", digest)
    assert "by user:ann. Bring it back: treadle data restore history@2" in used.detail


def test_data_behind_what_an_endpoint_answers_with_is_not_removed_even_by_force(world):
    world.release(GOOD)
    world.app.data.commit("history", flights(-1).select(["flight", "late"]))
    digest = world.app.data.commit("history", flights(0).select(["flight", "late"])).digest
    live = world.app.serving.endpoints()[0].variants[0].version
    run_id = world.app.registry.version(live).run_id
    world.app.tracking.log_input(run_id, kind="dataset", ref="history@1", digest=digest)

    with pytest.raises(Conflict, match="endpoint late, which answers with late@1, needs history@1"):
        world.app.data.remove("history@1", force=True)


def test_a_prediction_nobody_made_cannot_be_traced(solo):
    with pytest.raises(NotFound):
        solo.app.governance.trace("0" * 32)


def test_who_served_at_each_instant_is_known_with_why_and_by_whom(world):
    before = at(0)
    world.now(at(1))
    with acting_as("user:ann"):
        world.release(ROUGH, why="first version")
    world.now(at(2))
    world.release(GOOD, why="knows more")
    for week in (2, 3):
        world.week(week)

    asked = {week: world.app.governance.at(at(week, day=2), "late") for week in (1, 2, 3, 5)}

    with pytest.raises(NotFound, match="traffic"):
        world.app.governance.at(before, "late")
    assert [asked[w].version for w in (1, 2, 3, 5)] == ["late@1", "late@1", "late@1", "late@2"]
    assert [v.role for v in asked[2].variants] == ["live", "shadow"]
    assert [v.role for v in asked[3].variants] == ["live", "canary"]
    assert (asked[1].actor, asked[1].since) == ("user:ann", at(1))
    assert asked[1].reason == "live: first version"
    assert (asked[5].actor, asked[5].since) == ("policy:late", at(3, day=8))
    assert asked[5].release_id == world.app.releases.releases("late")[0].id
    assert world.app.log.read(after=asked[5].event - 1)[0].kind == "endpoint.traffic_set"


def test_traffic_that_a_person_set_belongs_to_no_release(solo):
    solo.release(GOOD)
    solo.app.serving.set_traffic("late", [Variant(name="v", version="late@1")], reason="by hand")

    answer = solo.app.governance.at(at(1), "late")

    assert (answer.reason, answer.release_id) == ("by hand", None)


def test_an_endpoint_nobody_made_is_said_with_the_near_miss(solo):
    with pytest.raises(NotFound, match="Did you mean 'late'"):
        solo.app.governance.at(at(1), "lates")


def test_the_log_of_a_whole_life_verifies(world):
    world.release(ROUGH)
    world.release(GOOD)
    for week in range(3):
        world.week(week)
        world.app.log.seal()

    verdict = world.app.governance.verify()

    assert verdict.ok, verdict.message
    assert (verdict.checkpoints, verdict.unsealed) == (3, 0)
    assert verdict.events == world.app.log.last().seq


def test_a_change_of_one_event_in_the_database_is_found(solo):
    solo.release(GOOD)
    solo.app.log.seal()
    with solo.app.store.write() as tx:
        tx.connection.exec_driver_sql(
            "UPDATE events SET body = replace(body, 'late@1', 'late@9') "
            "WHERE kind = 'endpoint.traffic_set'"
        )

    verdict = solo.app.governance.verify()

    assert not verdict.ok
    assert solo.app.log.read(after=verdict.bad_seq - 1)[0].kind == "endpoint.traffic_set"


def test_the_export_is_checked_by_the_file_alone(world, tmp_path):
    world.release(GOOD)
    world.week(0)
    world.app.log.seal()
    export = tmp_path / "events.jsonl"

    count = world.app.governance.export_log(export)
    done = subprocess.run(
        [sys.executable, "-I", "-S", verify_log.__file__, str(export)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert count == world.app.log.last().seq
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("ok: ")


def test_an_export_to_where_nobody_may_write_says_so(solo, tmp_path):
    with pytest.raises(Unavailable, match="Cannot write"):
        solo.app.governance.export_log(tmp_path / "nowhere" / "events.jsonl")


RULES = GateRules(leak=False)


def judged_on(world, *refs):
    run = world.app.tracking.start_run(experiment="late")
    candidate = Candidate(run_id=run.id, model="late", metrics={}, datasets=refs)
    return world.app.governance.judge(candidate, RULES)


def test_a_gate_blocks_data_in_quarantine_and_a_person_can_let_it_through(world):
    world.app.data.commit("history", flights(-1).select(["flight", "late"]))
    held = world.app.data.quarantine("history@1", reason="the feed was dead", evidence={})

    blocked = judged_on(world, "history@1")
    world.app.data.release_quarantine(held.id)
    passed = judged_on(world, "history@1")

    assert (blocked.passed, passed.passed) == (False, True)
    assert "quarantined: the feed was dead" in blocked.reason


def test_a_gate_checks_the_contract_of_data_nobody_has_checked(world):
    rows = flights(-1).select(["flight", "late"])
    world.app.data.commit("history", rows)
    world.app.data.infer_contract("history@1", roles={"flight": "id", "late": "target"})
    world.app.data.commit("history", rows.slice(0, 3))

    good, bad = judged_on(world, "history@1"), judged_on(world, "history@2")

    assert good.passed
    assert not bad.passed
    assert "breaks contract 1" in bad.reason
    assert [v.verdict for v in world.app.data.validations("history@2")] == ["fail"]


def test_every_gate_report_is_kept_newest_first(world):
    world.app.data.commit("history", flights(-1).select(["flight", "late"]))
    run = world.app.tracking.start_run(experiment="late")
    candidate = Candidate(run_id=run.id, model="late", metrics={"auc": 0.7})

    first = world.app.governance.judge(candidate, GateRules(leak=False, minimum={"auc": 0.8}))
    second = world.app.governance.judge(candidate, GateRules(leak=False, minimum={"auc": 0.6}))

    assert world.app.governance.gate_reports(run.id) == (second, first)
    assert (first.passed, second.passed) == (False, True)
    facts = [e.facts()["report"] for e in world.app.log.read(kinds=["gate.evaluated"])]
    assert [msgspec.convert(f["passed"], bool) for f in facts] == [False, True]
