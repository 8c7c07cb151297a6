from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest

from tests.release.world import GOOD, ROUGH, World, at, flights, logistic, model_of, trained
from treadle.data.contracts import ColumnRule, ContractBody
from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.monitoring.entities import MonitorRules
from treadle.release.trained import Trained
from treadle.serving.entities import Variant


def answered(world, week, *, delivered=None, **kinds):
    """A week asked and its outcomes taken in, without the loop; returns its flights."""
    world.now(at(week, day=6.9))
    rows = world.ask(week, **kinds)
    world.now(at(week, day=8))
    if delivered is not False:
        world.deliver(rows if delivered is None else delivered)
        world.app.monitoring.take_deliveries("late", dataset="outcomes", key="flight", label="late")
    return rows


def judged(world, week):
    return world.app.monitoring.evaluate("late", start=at(week), end=at(week + 1))


def silent(rows: pa.Table) -> pa.Table:
    """The same flights as a dead feed reports them: nobody was late."""
    place = rows.column_names.index("late")
    return rows.set_column(place, "late", pa.array(np.zeros(rows.num_rows, dtype=np.int8)))


def loss_of(rows: pa.Table, model=GOOD) -> float:
    value, label = model(rows), rows["late"].to_numpy()
    return float(-np.mean(np.where(label == 1, np.log(value), np.log1p(-value))))


def test_a_window_that_is_well_has_its_numbers(world):
    rows = answered(world, 0)

    report = judged(world, 0)

    assert (report.state, report.version) == ("ok", "late@1")
    assert (report.rows, report.labelled, report.quarantined) == (420, 420, 0)
    assert report.log_loss == pytest.approx(loss_of(rows))
    assert report.observed_rate == pytest.approx(rows["late"].to_numpy().mean())
    assert report.calibration.low < report.calibration.estimate < report.calibration.high
    assert {d.feature for d in report.distances} == {"heat", "wind", "prediction"}
    assert world.app.monitoring.windows("late") == (report,)


def test_labels_that_are_not_there_yet_are_no_zeros(world):
    answered(world, 0, delivered=False)

    report = judged(world, 0)

    assert (report.state, report.rows, report.labelled) == ("waiting", 420, 0)
    assert report.log_loss is report.observed_rate is report.calibration is None
    assert report.findings == ()


def test_a_part_of_the_labels_is_judged_by_that_part(solo):
    rows = flights(0)
    answered(solo, 0, delivered=rows.slice(0, 300))

    report = judged(solo, 0)

    assert (report.state, report.rows, report.labelled) == ("ok", 420, 300)
    assert report.observed_rate == pytest.approx(rows["late"].to_numpy()[:300].mean())
    assert report.log_loss == pytest.approx(loss_of(rows.slice(0, 300)))


def test_labels_of_one_day_say_nothing_yet_however_many(solo):
    rows = flights(0, rows=1400)
    first = rows.slice(0, int(np.sum(rows["at"].to_numpy() < at(0, day=1))))
    answered(solo, 0, rows=1400, delivered=first)

    report = judged(solo, 0)

    assert report.labelled >= 100
    assert report.state == "waiting"


def test_a_dead_feed_is_quarantined_and_counts_nowhere(world):
    rows = flights(0)
    answered(world, 0, delivered=silent(rows))

    report = judged(world, 0)

    assert (report.state, report.labelled, report.quarantined) == ("quarantined", 0, 420)
    assert report.log_loss is None
    assert world.app.monitoring.alerts().total == 0
    assert world.app.data.is_quarantined("outcomes@1")
    labels = world.app.serving.labelled("late", start=at(0), end=at(1))["label"]
    assert labels.null_count == 420


def test_an_alert_opens_once_and_closes_when_it_is_well_again(world):
    answered(world, 0, bias=0.4)
    judged(world, 0)
    answered(world, 1, bias=0.4)
    judged(world, 1)
    opened = world.app.monitoring.alerts(state="open").items
    answered(world, 2)
    judged(world, 2)

    alert = {a.kind: a for a in opened}["calibration"]
    assert {a.kind for a in opened} == {"calibration", "loss"}
    assert (alert.window_start, alert.window_end) == (at(0), at(1))
    assert alert.interval[0] < alert.size < alert.interval[1]
    assert "more frequent than predicted" in alert.title
    assert "observed" in alert.cause
    closed = world.app.monitoring.alerts().items
    assert {a.id for a in closed} == {a.id for a in opened}
    assert {(a.state, a.closed_at) for a in closed} == {("closed", at(2, day=8))}
    assert world.kinds().count("alert.opened") == world.kinds().count("alert.closed") == 2


def test_judging_a_window_again_changes_nothing(world):
    answered(world, 0, bias=0.4)
    first = judged(world, 0)
    before = world.kinds()
    world.now(at(0, day=9))

    again = judged(world, 0)

    assert again == first
    assert world.kinds() == before
    assert world.app.monitoring.windows("late") == (first,)


def test_late_labels_change_the_report_and_keep_its_id(world):
    rows = flights(0)
    answered(world, 0, delivered=rows.slice(0, 50))
    first = judged(world, 0)
    world.deliver(rows.slice(50))
    world.app.monitoring.take_deliveries("late", dataset="outcomes", key="flight", label="late")

    again = judged(world, 0)

    assert (first.state, again.state) == ("waiting", "ok")
    assert again.id == first.id
    assert again.log_loss == pytest.approx(loss_of(rows))
    assert len(world.app.monitoring.windows("late")) == 1


def test_an_old_window_does_not_close_what_a_newer_one_opened(solo):
    answered(solo, 0, delivered=flights(0).slice(0, 20))
    judged(solo, 0)
    answered(solo, 1, bias=0.4)
    judged(solo, 1)
    solo.deliver(flights(0).slice(20))
    solo.app.monitoring.take_deliveries("late", dataset="outcomes", key="flight", label="late")

    assert judged(solo, 0).state == "ok"
    assert solo.app.monitoring.alerts(state="open").total == 2


def test_a_person_closes_an_alert_once_and_says_why(world):
    answered(world, 0, bias=0.4)
    judged(world, 0)
    alert = world.app.monitoring.alerts(state="open").items[0]

    closed = world.app.monitoring.close_alert(alert.id, reason="a strike, known")
    world.app.monitoring.close_alert(alert.id, reason="again")

    assert closed.state == "closed"
    facts = [e.facts() for e in world.app.log.read(kinds=["alert.closed"])]
    assert [f["reason"] for f in facts] == ["a strike, known"]
    with pytest.raises(NotFound):
        world.app.monitoring.close_alert("0" * 32, reason="no such")


def test_a_distance_is_shown_with_its_effect_and_is_no_alarm(solo):
    answered(solo, 0, shift=1.0)

    report = judged(solo, 0)

    heat = next(d for d in report.distances if d.feature == "heat")
    (finding,) = [f for f in report.findings if f.kind == "distance"]
    assert heat.psi > 0.25
    assert heat.interval[0] < heat.effect < heat.interval[1]
    assert heat.effect == pytest.approx(0.2, abs=0.05)
    assert not finding.alerts
    assert finding.title.endswith("no alarm")
    assert "heat PSI" in finding.cause
    assert report.distance_max == max(d.psi for d in report.distances)


def test_an_input_that_moved_without_weight_has_no_effect(solo):
    blind = model_of((1.2, 0.0))
    made = solo.candidate(blind)
    solo.app.serving.set_traffic("late", [variant(made.version)], reason="test")
    solo.app.monitoring.set_reference("late", version=made.version, rows=trained(blind).heldout)
    windy = flights(0).to_pydict() | {"wind": flights(0)["wind"].to_numpy() + 2.0}
    ask_rows(solo, pa.table(windy))

    report = judged(solo, 0)

    wind = next(d for d in report.distances if d.feature == "wind")
    assert wind.psi > 1.0
    assert wind.effect == pytest.approx(0.0, abs=1e-9)


def variant(version):
    return Variant(name="v", version=version)


def ask_rows(world, rows, *, columns=("heat", "wind")):
    world.now(at(0, day=6.9))
    world.app.serving.score_batch(
        "late", rows.select(list(columns)), keys=rows["flight"], times=rows["at"]
    )
    world.now(at(0, day=8))


def test_names_nulls_and_whole_numbers_are_compared_and_explained(solo):
    def by_kind(table):
        wet = np.array([w == "rain" for w in table["sky"].to_pylist()])
        hour = table["hour"].fill_null(12).to_numpy()
        return 0.1 + 0.3 * wet + 0.02 * hour

    rng = np.random.default_rng(3)
    rows = rng.integers(0, 24, 2000)
    past = pa.table(
        {
            "at": pa.array(np.linspace(at(-4), at(0) - 1, 2000).astype(np.int64)),
            "sky": rng.choice(["sun", "rain", "fog"], 2000),
            "hour": pa.array(rows, mask=rows == 23),
            "flag": rng.random(2000) < 0.5,
        }
    )
    value = by_kind(past)
    label = (rng.random(2000) < value).astype(float)
    held = pa.table(
        {"at": past["at"], "value": value, "label": label}
        | {f"x_{n}": past[n] for n in ("sky", "hour", "flag")}
    )
    example = past.select(["sky", "hour", "flag"]).slice(0, 50)
    evidence = trained(GOOD)
    made = solo.app.loop.candidate(
        solo.policy,
        Trained(
            model=by_kind,
            example=example,
            metrics=evidence.metrics,
            baseline=evidence.baseline,
            heldout=held,
            probes=evidence.probes,
        ),
        name="kinds",
    )
    solo.app.serving.set_traffic("late", [variant(made.version)], reason="test")
    solo.app.monitoring.set_reference("late", version=made.version, rows=held)
    now = past.slice(0, 600).set_column(2, "hour", pa.array(np.full(600, 20)))
    now = now.set_column(1, "sky", pa.array(["rain"] * 600))
    now = now.set_column(0, "at", pa.array(np.linspace(at(0), at(1) - 1, 600).astype(np.int64)))
    now = now.append_column("flight", pa.array([str(i) for i in range(600)]))
    ask_rows(solo, now, columns=("sky", "hour", "flag"))

    report = judged(solo, 0)

    found = {d.feature: d for d in report.distances}
    assert set(found) == {"sky", "hour", "flag", "prediction"}
    assert found["sky"].psi > 0.25
    assert found["sky"].effect is None
    assert found["hour"].effect == pytest.approx(0.02 * (20 - 11.3), abs=0.02)


def test_a_window_is_measured_against_the_version_that_answered_it(solo):
    answered(solo, 0)
    made = solo.candidate(ROUGH)
    solo.app.serving.set_traffic("late", [variant(made.version)], reason="test")
    solo.app.monitoring.set_reference("late", version=made.version, rows=trained(ROUGH).heldout)

    report = judged(solo, 0)

    own = trained(GOOD).heldout
    assert report.version == "late@1"
    assert report.excess_loss.estimate == pytest.approx(
        report.log_loss - loss_of(own.rename_columns(["at", "value", "late", "heat", "wind"])),
        abs=1e-9,
    )


def test_harder_cases_that_the_model_saw_coming_are_no_alarm(solo):
    made = solo.candidate(GOOD)
    solo.app.serving.set_traffic("late", [variant(made.version)], reason="test")
    easy = flights(-1, rows=1200, bias=-1.0)
    calm = easy.filter(pa.array(np.abs(GOOD(easy) - 0.5) > 0.35))
    held = {"at": calm["at"], "value": GOOD(calm), "label": calm["late"].cast(pa.float64())}
    solo.app.monitoring.set_reference("late", version=made.version, rows=pa.table(held))
    answered(solo, 0)

    report = judged(solo, 0)

    (finding,) = [f for f in report.findings if f.kind == "loss"]
    assert report.excess_loss.estimate > 0.05
    assert report.excess_loss.low > 0
    assert (report.state, finding.alerts) == ("ok", False)
    assert "harder cases, no alarm" in finding.title


def test_a_loss_that_the_model_did_not_see_coming_alerts(solo):
    answered(solo, 0)
    rows = flights(1)
    turned = rows.set_column(4, "late", pa.array(1 - rows["late"].to_numpy(), pa.int8()))
    part = pa.concat_tables([turned.slice(0, 0), mixed(rows, turned)])
    answered(solo, 1, delivered=part)

    report = judged(solo, 1)

    (finding,) = [f for f in report.findings if f.kind == "loss"]
    assert finding.alerts
    assert report.unexpected_loss.low > 0
    assert "they did not" in finding.cause


def mixed(rows, turned):
    """Of equally many late and punctual flights the outcome is turned: the rate stays as it was."""
    label = rows["late"].to_numpy()
    late, punctual = np.flatnonzero(label == 1)[::2], np.flatnonzero(label == 0)
    swap = np.concatenate([late, punctual[: 2 * len(late) : 2]])
    out = label.copy()
    out[swap] = turned["late"].to_numpy()[swap]
    return rows.set_column(4, "late", pa.array(out, pa.int8()))


def test_without_a_reference_calibration_is_judged_all_the_same(tmp_path):
    world = World(tmp_path)
    bare = trained(GOOD)
    bare = Trained(
        model=bare.model,
        example=bare.example,
        metrics=bare.metrics,
        baseline=bare.baseline,
        probes=bare.probes,
    )
    made = world.app.loop.candidate(world.policy, bare, name="bare")
    world.app.loop.propose(world.policy, made.version, why="test")
    answered(world, 0, bias=0.4)

    report = judged(world, 0)

    assert report.distances == ()
    assert report.excess_loss is None
    assert [f.kind for f in report.findings] == ["calibration"]
    world.app.close()


def test_a_broken_notifier_stops_nothing(solo, tmp_path, caplog):
    (tmp_path / "logs").write_text("a file where the folder of alerts should be")
    answered(solo, 0, bias=0.4)

    report = judged(solo, 0)

    assert report.state == "alert"
    assert solo.app.monitoring.alerts(state="open").total == 2
    assert "notifier log failed" in caplog.text


def test_a_window_shorter_than_a_day_is_refused(solo):
    with pytest.raises(InvalidInput, match="at least a day"):
        solo.app.monitoring.evaluate("late", start=at(0), end=at(0) + DAY_US - 1)


def test_an_empty_window_waits(solo):
    report = judged(solo, 5)

    assert (report.state, report.rows, report.version) == ("waiting", 0, "")


def test_other_rules_for_a_monitor_keep_its_reference(world):
    before = world.app.monitoring.monitor("late")

    after = world.app.monitoring.create_monitor(
        "late", endpoint="late", rules=MonitorRules(minimum_labels=7)
    )

    assert after.reference == before.reference is not None
    assert world.app.monitoring.monitor("late").rules.minimum_labels == 7
    with pytest.raises(NotFound, match="Did you mean 'late'"):
        world.app.monitoring.monitor("lates")


@pytest.mark.parametrize("missing", ["at", "value", "label"])
def test_a_reference_that_lacks_a_column_is_refused_by_name(solo, missing):
    rows = trained(GOOD).heldout.drop_columns([missing])

    with pytest.raises(InvalidInput, match=missing):
        solo.app.monitoring.set_reference("late", version="late@1", rows=rows)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"window_days": 0}, "window_days"),
        ({"calibration_band": 1.0}, "band"),
        ({"level": 1}, "level"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(rules, says):
    with pytest.raises(InvalidInput, match=says):
        MonitorRules(**rules)


def wide_model(table):
    return logistic(table["f00"].to_numpy() - 1.0)


def wide(rows, *, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return pa.table({f"f{i:02d}": rng.normal(size=rows) + shift for i in range(23)})


@pytest.mark.parametrize(("shift", "budget_s"), [(0.0, 0.150), (1.0, 0.400)])
def test_a_week_of_7000_rows_and_23_inputs_is_judged_within_its_budget(solo, shift, budget_s):
    past, now = wide(20_000, seed=1), wide(7_000, seed=2, shift=shift)
    held = {"at": np.linspace(at(-4), at(0) - 1, 20_000).astype(np.int64)}
    held |= {"value": wide_model(past), "label": drawn(past)}
    held |= {f"x_{n}": past[n] for n in past.column_names}
    version = solo.app.registry.register("late", wide_model, example=past.slice(0, 20)).ref
    solo.app.serving.set_traffic("late", [variant(version)], reason="test")
    solo.app.monitoring.set_reference("late", version=version, rows=pa.table(held))
    solo.now(at(0, day=8))
    times = np.linspace(at(0), at(1) - 1, 7_000).astype(np.int64)
    solo.app.serving.score_batch("late", now, keys=[str(i) for i in range(7_000)], times=times)
    labels = {"flight": [str(i) for i in range(7_000)], "late": drawn(now)}
    solo.app.data.commit("outcomes", pa.table(labels))
    solo.app.monitoring.take_deliveries("late", dataset="outcomes", key="flight", label="late")

    seconds = [cpu_seconds(lambda: judged(solo, 0)) for _ in range(4)]

    assert judged(solo, 0).labelled == 7_000
    assert min(seconds) <= budget_s


def drawn(rows):
    return (np.random.default_rng(3).random(rows.num_rows) < wide_model(rows)).astype(float)


def cpu_seconds(work):
    begin = time.process_time()
    work()
    return time.process_time() - begin


# --- inputs under the contract of what the model was trained on ---


@pytest.fixture
def contracted(solo):
    """A champion made from a dataset whose contract bounds `heat`."""
    data, registry = solo.app.data, solo.app.registry
    version = data.commit("heats", flights(0).select(["heat", "wind"]))
    rule = ColumnRule(name="heat", type="number", low=-50, high=50)
    data.set_contract("heats", ContractBody(columns=(rule,)))
    run = solo.app.tracking.start_run(experiment="late")
    solo.app.tracking.log_input(run.id, kind="dataset", ref=version.ref, digest=version.digest)
    made = registry.register(
        "late", GOOD, example=flights(0).select(["heat", "wind"]).slice(0, 3), run_id=run.id
    )
    solo.app.serving.set_traffic(
        "late", [Variant(name="champion", version=made.ref)], reason="of a run"
    )
    return solo


def hot(rows: pa.Table) -> pa.Table:
    return rows.set_column(
        rows.column_names.index("heat"), "heat", pa.array(np.full(rows.num_rows, 900.0))
    )


def score(world, rows, *, source):
    world.app.serving.score_batch(
        "late",
        rows.select(["heat", "wind"]),
        keys=rows["flight"],
        times=rows["at"],
        source_ref=source,
    )


def test_inputs_that_keep_the_contract_are_no_finding(contracted):
    contracted.now(at(1))
    score(contracted, flights(0), source="good")

    assert [f for f in judged(contracted, 0).findings if f.kind == "contract"] == []


def test_inputs_that_break_the_contract_alert_before_labels_are_there(contracted):
    contracted.now(at(1))
    score(contracted, hot(flights(0)), source="hot")

    report = judged(contracted, 0)

    (finding,) = [f for f in report.findings if f.kind == "contract"]
    (alert,) = contracted.app.monitoring.alerts(endpoint="late", state="open").items
    assert report.state == "waiting"
    assert finding.title == "Inputs break the contract of heats: range heat"
    assert finding.size == 1.0
    assert alert.kind == "contract"
    assert contracted.app.releases.should_retrain("late").yes is False


def test_an_endpoint_that_looks_at_no_contract_has_no_finding(contracted):
    contracted.app.serving.set_contract_mode("late", "off", reason="")
    contracted.now(at(1))
    score(contracted, hot(flights(0)), source="hot")

    assert [f for f in judged(contracted, 0).findings if f.kind == "contract"] == []
