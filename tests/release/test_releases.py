from __future__ import annotations

import subprocess
import sys
import textwrap

import msgspec
import pyarrow as pa
import pytest
from sqlalchemy import select

from tests.release.world import GOOD, HARMFUL, POLICY, ROUGH, World, at, trained
from treadle.governance.entities import GateRules
from treadle.kernel.actors import acting_as
from treadle.kernel.errors import Conflict, NotFound, Refused
from treadle.kernel.ids import new_ids
from treadle.registry import store as registry_store
from treadle.release import store as release_store
from treadle.serving import store as serving_store

ONLY = [("late@1", "live", 1.0)]


def champion_alias(world):
    return world.app.registry.aliases("late").get("champion")


def look_on(world, first, weeks=1):
    """Play weeks, then let the open release look at them."""
    for week in range(first, first + weeks):
        world.week(week)
    return world.app.releases.current("late") or world.app.releases.releases("late")[0]


def test_the_first_version_goes_live_at_once(world):
    release = world.release(GOOD, why="first version")

    assert (release.state, release.candidate, release.champion) == ("live", "late@1", "")
    assert [s.name for s in release.stages] == ["gates", "live"]
    assert world.traffic() == ONLY
    assert champion_alias(world) == 1


def test_a_better_candidate_walks_from_shadow_over_canary_to_live(world):
    world.release(ROUGH)

    shadow = world.release(GOOD, why="knows more")
    in_shadow = world.traffic()
    canary = look_on(world, 0)
    in_canary = world.traffic()
    live = look_on(world, 1)

    assert (shadow.state, canary.state, live.state) == ("shadow", "canary", "live")
    assert in_shadow == [("late@1", "live", 1.0), ("late@2", "shadow", 0.0)]
    assert in_canary == [("late@1", "live", 0.75), ("late@2", "canary", 0.25)]
    assert world.traffic() == [("late@2", "live", 1.0)]
    assert champion_alias(world) == 2
    assert [s.name for s in live.stages] == ["gates", "shadow", "canary", "live"]
    assert all(s.ended_at is not None for s in live.stages[:-1])
    (look,) = live.stages[1].evidence["looks"]
    assert (look["after_days"], look["outcome"]) == (6, "superior")
    assert live.stages[2].evidence["errors"] == 0
    assert world.app.releases.release(live.id) == live
    assert world.app.releases.current("late") is None


def test_a_candidate_without_a_proven_gain_is_refused_after_the_last_look(world):
    world.release(GOOD)
    world.release(GOOD, why="retrained")

    after_one = look_on(world, 0)
    after_two = look_on(world, 1)

    assert after_one.state == "shadow"
    assert [look["after_days"] for look in after_one.stage.evidence["looks"]] == [6]
    assert (after_two.state, after_two.ended_at) == ("refused", at(1, day=8))
    assert [look["after_days"] for look in after_two.stage.evidence["looks"]] == [6, 13]
    assert "not proven" in after_two.reason
    assert world.traffic() == ONLY
    assert champion_alias(world) == 1


def test_a_harmful_candidate_is_stopped_and_was_never_shown(world):
    world.release(GOOD)
    world.release(HARMFUL)

    stopped = look_on(world, 0)

    assert stopped.state == "stopped"
    assert stopped.stage.name == "shadow"
    assert world.traffic() == ONLY
    shown = world.app.serving.predictions("late", role="live")
    assert set(shown["version"].to_pylist()) == {"late@1"}


def test_a_candidate_whose_gates_say_no_is_refused_before_anybody_sees_it(world):
    world.release(GOOD)
    strict = msgspec.structs.replace(world.policy, gates=GateRules(maximum={"log_loss": 0.01}))
    evidence = trained(GOOD)
    run = world.app.tracking.start_run(experiment="late")
    version = world.app.registry.register("late", GOOD, run_id=run.id, example=evidence.example).ref
    made = world.app.loop.candidate(strict, evidence, name="too weak")

    unjudged = world.app.loop.propose(world.policy, version, why="forced")

    assert made.version is None
    assert unjudged.state == "refused"
    assert "never judged" in unjudged.reason
    assert world.traffic() == ONLY


def test_only_one_release_at_a_time(world):
    world.release(ROUGH)
    first = world.release(GOOD)
    other = world.candidate(GOOD)

    again = world.app.releases.propose("late", first.candidate, why="again")

    assert again == first
    with pytest.raises(Conflict, match="late@2 is in shadow") as caught:
        world.app.releases.propose("late", other.version, why="impatient")
    assert "treadle endpoints stop late" in caught.value.hint


def test_what_serves_cannot_be_proposed(world):
    world.release(GOOD)

    with pytest.raises(Conflict, match="late@1 serves late already"):
        world.app.releases.propose("late", "late@champion", why="again")


def test_an_alias_is_pinned_when_it_is_proposed(solo):
    solo.release(ROUGH)
    solo.candidate(GOOD)
    solo.app.registry.set_alias("late", "challenger", 2)

    release = solo.app.releases.propose("late", "late@challenger", why="by alias")

    assert release.candidate == "late@2"


def test_an_endpoint_without_policy_says_so(solo):
    made = solo.candidate(GOOD)

    with pytest.raises(NotFound, match="Did you mean 'late'"):
        solo.app.releases.propose("lates", made.version, why="typo")


def test_a_person_stops_a_release_and_the_champion_takes_all(world):
    world.release(ROUGH)
    world.release(GOOD)

    with acting_as("user:ann"):
        stopped = world.app.releases.stop("late", reason="holiday")

    assert (stopped.state, stopped.reason) == ("stopped", "holiday")
    assert world.traffic() == ONLY
    assert world.app.log.read(kinds=["release.moved"])[-1].actor == "user:ann"
    with pytest.raises(Conflict, match="No release is under way"):
        world.app.releases.stop("late", reason="again")


def test_a_rollback_puts_the_version_before_back_and_again_the_one_before_that(world):
    world.release(ROUGH)
    for model in (GOOD, ROUGH):
        world.release(model)
        promote(world)

    first = world.app.releases.rollback("late", reason="smells")
    after_first = world.traffic()
    second = world.app.releases.rollback("late", reason="still smells")

    assert (first.candidate, second.candidate) == ("late@2", "late@1")
    assert first.is_rollback
    assert after_first == [("late@2", "live", 1.0)]
    assert world.traffic() == ONLY
    assert champion_alias(world) == 1
    with pytest.raises(Refused, match="has served nothing before late@1"):
        world.app.releases.rollback("late", reason="once more")


def promote(world):
    """Bring the open release live without waiting for weeks of evidence."""
    release = world.app.releases.current("late")
    with world.app.store.write() as tx:
        world.app.releases._promote(tx, release)


def test_a_rollback_stops_what_is_under_way(world):
    world.release(ROUGH)
    world.release(GOOD)
    promote(world)
    open_release = world.release(ROUGH)

    world.app.releases.rollback("late", reason="alarm")

    assert world.app.releases.release(open_release.id).state == "stopped"
    assert world.traffic() == ONLY


def test_a_day_that_is_not_over_or_waits_for_its_labels_is_no_evidence(world):
    world.release(ROUGH)
    world.release(GOOD)
    world.now(at(0, day=6.9))
    rows = world.ask(0)
    world.deliver(rows)
    world.app.monitoring.take_deliveries("late", dataset="outcomes", key="flight", label="late")
    world.now(at(0, day=7) - 1)

    release = world.app.releases.advance("late")

    assert release.stage.evidence["days"] == 5
    assert release.state == "shadow"


def test_progress_is_told_and_not_written_until_a_look_is_taken(world):
    world.release(GOOD)
    world.release(GOOD)
    world.now(at(0, day=6.9))
    world.deliver(world.ask(0))
    world.app.monitoring.take_deliveries("late", dataset="outcomes", key="flight", label="late")
    before = world.kinds()

    progress = world.app.releases.advance("late")
    quiet = world.kinds()
    world.now(at(0, day=8))
    world.app.releases.advance("late")
    looked = world.kinds()
    world.app.releases.advance("late")

    assert "paired labels on 5 days; the next look comes after 6 days" in progress.stage.verdict
    assert quiet == before
    assert looked == [*before, "release.moved"]
    assert world.kinds() == looked
    (look,) = world.app.releases.current("late").stage.evidence["looks"]
    assert look["after_days"] == 6


def test_without_a_canary_share_shadow_leads_straight_to_live(tmp_path):
    rules = msgspec.structs.replace(POLICY.release, canary_share=0.0)
    world = World(tmp_path, policy=msgspec.structs.replace(POLICY, release=rules))
    world.release(ROUGH)
    world.release(GOOD)

    live = look_on(world, 0)

    assert [s.name for s in live.stages] == ["gates", "shadow", "live"]
    world.app.close()


def test_a_canary_that_fails_is_stopped_and_the_champion_takes_all(solo):
    solo.release(ROUGH)
    solo.release(GOOD)
    look_on(solo, 0)
    solo.now(at(1, day=1))
    broken = solo.app.serving.predictions("late", role="live").slice(0, 60)
    solo.app.serving.log.log_table(as_failed_canary(broken), endpoint="late", source="broken")
    solo.now(at(1, day=2))

    stopped = solo.app.releases.advance("late")

    assert (stopped.state, stopped.stage.name) == ("stopped", "canary")
    assert stopped.stage.evidence["errors"] == 60
    assert solo.traffic() == ONLY


def as_failed_canary(rows):
    count = rows.num_rows
    changed = {
        "id": pa.array(new_ids(count)),
        "at": pa.array([at(1, day=1.2)] * count),
        "version": pa.array(["late@2"] * count),
        "role": pa.array(["canary"] * count),
        "value": pa.nulls(count, pa.float64()),
        "status": pa.array(["error"] * count),
    }
    for name, values in changed.items():
        rows = rows.set_column(rows.column_names.index(name), name, values)
    return rows


def test_the_same_policy_again_writes_nothing(world):
    before = world.kinds()

    world.app.loop.start(world.policy)

    assert world.kinds() == before
    assert world.app.releases.policies() == (world.policy,)


def test_an_endpoint_of_another_model_is_not_taken_over(solo):
    stolen = msgspec.structs.replace(solo.policy, model="other")

    with pytest.raises(Conflict, match="serves the model 'late', not 'other'"):
        solo.app.loop.start(stolen)


TABLES = {
    "registry": [
        registry_store.models,
        registry_store.model_versions,
        registry_store.model_aliases,
    ],
    "serving": [serving_store.endpoints],
    "releases": [release_store.releases, release_store.policies],
}


def contents(world, noun):
    with world.app.store.read() as tx:
        return {
            table.name: sorted(repr(sorted(row.items())) for row in mapped(tx, table))
            for table in TABLES[noun]
        }


def mapped(tx, table):
    return [dict(row) for row in tx.execute(select(table)).mappings()]


@pytest.mark.parametrize("noun", list(TABLES))
def test_rebuilding_the_tables_from_the_log_gives_the_originals(world, noun):
    world.release(ROUGH)
    world.release(GOOD)
    world.week(0)
    world.week(1)
    world.app.registry.set_alias("late", "old", 1)
    world.app.registry.remove_alias("late", "old")
    world.now(at(3))
    world.app.releases.begin_retrain("late", world.app.releases.should_retrain("late"))
    world.now(at(3, day=1))
    world.app.releases.end_retrain("late", version="", outcome="blocked")
    world.app.releases.rollback("late", reason="smells")
    changed = msgspec.structs.replace(
        world.policy, release=msgspec.structs.replace(world.policy.release, looks=(14, 28))
    )
    world.now(at(4))
    world.app.releases.set_policy(changed)
    before = contents(world, noun)

    getattr(world.app, noun).rebuild(world.app.log.read())

    assert contents(world, noun) == before
    assert all(rows for rows in before.values())


KILLED = textwrap.dedent(
    """
    import os, sys
    from pathlib import Path
    from treadle.app import App
    from treadle.kernel.settings import Settings

    app = App(Settings(home=Path(sys.argv[1]), clock="played", metadata_url=sys.argv[2]))
    after = sys.argv[3]
    verbs = {"alias": (app.registry, "set_alias"), "traffic": (app.serving, "set_traffic")}
    noun, name = verbs[after]
    verb = getattr(noun, name)

    def killed(*args, **kwargs):
        verb(*args, **kwargs)
        os.kill(os.getpid(), 9)

    setattr(noun, name, killed)
    app.releases.advance("late")
    """
)


@pytest.mark.parametrize("after", ["alias", "traffic"])
def test_a_promotion_killed_between_alias_and_traffic_has_moved_neither(world, after):
    world.release(ROUGH)
    world.release(GOOD)
    world.week(0)
    world.now(at(1, day=6.9))
    world.ask(1)
    before = (world.kinds(), world.traffic(), champion_alias(world))
    url = world.app.settings.metadata_url

    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(world.folder), url, after],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == -9, done.stderr
    assert (world.kinds(), world.traffic(), champion_alias(world)) == before
    assert world.app.releases.current("late").state == "canary"
    assert world.app.releases.advance("late").state == "live"
    assert champion_alias(world) == 2
