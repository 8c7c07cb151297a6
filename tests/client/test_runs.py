"""What every place keeps of a run: asserted once, run on each."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from treadle.errors import Conflict, InvalidInput, NotFound, TreadleError

FRAME = pa.table({"distance": [1.0, 2.0], "late": [0, 1]})


def error_of(run):
    """Why a run failed: a field of ours; over MLflow's wire, which has none, a tag."""
    return run.error or run.tags.get("treadle.error", "")


class TestRun:
    def test_what_a_block_logs_is_kept(self, tracker, home, tmp_path):
        (tmp_path / "plot.txt").write_text("a plot")

        with tracker.run("first", experiment="late", params={"depth": 6}) as run:
            run.log(loss=0.7, step=1)
            run.log({"val/loss": 0.5, "auc": np.float32(0.5)}, step=np.int64(2))
            run.params(rate=0.1)
            run.tags({"team name": "ops"}, size=2)
            run.artifact("plots/loss.txt", tmp_path / "plot.txt")

        found = home.tracking.run(run.id)
        assert (found.name, found.experiment, found.status) == ("first", "late", "finished")
        assert found.params == {"depth": "6", "rate": "0.1"}
        assert found.metrics == {"loss": 0.7, "val/loss": 0.5, "auc": 0.5}
        assert (found.tags["team name"], found.tags["size"]) == ("ops", "2")
        with home.tracking.open_artifact(run.id, "plots/loss.txt") as stream:
            assert stream.read() == b"a plot"

    def test_a_run_knows_the_code_and_packages_it_was_made_with(self, tracker, home):
        with tracker.run() as run:
            pass

        tags = home.tracking.run(run.id).tags
        assert tags["treadle.python"]
        assert tags["treadle.user"] == tags["mlflow.user"]
        paths = {artifact.path for artifact in home.tracking.artifacts(run.id)}
        assert "environment/packages.txt" in paths

    def test_a_run_without_an_experiment_is_in_the_default_one(self, tracker, home):
        with tracker.run() as run:
            pass

        assert home.tracking.run(run.id).experiment == "Default"

    def test_numbers_that_are_not_finite_are_kept(self, tracker, home):
        with tracker.run() as run:
            run.log(loss=math.nan, low=-math.inf, high=math.inf)

        metrics = home.tracking.run(run.id).metrics
        assert math.isnan(metrics["loss"])
        assert (metrics["low"], metrics["high"]) == (-math.inf, math.inf)

    def test_without_a_step_each_metric_counts_its_own(self, tracker):
        with tracker.run() as run:
            run.log(loss=3, auc=0.5)
            run.log(loss=2, step=10)
            run.log(loss=1)

            assert [(p.step, p.value) for p in run.history("loss")] == [(0, 3), (10, 2), (11, 1)]
            assert [(p.step, p.value) for p in run.history("auc")] == [(0, 0.5)]

    def test_the_points_of_a_history_are_those_logged_in_number_and_order(self, tracker):
        with tracker.run() as run:
            for step in range(2_500):
                run.log(loss=step / 7, step=step)

            assert [p.value for p in run.history("loss")] == [step / 7 for step in range(2_500)]

    @pytest.mark.parametrize("value", ["0.3", None, [1, 2]])
    def test_what_is_no_number_is_refused_where_it_is_logged(self, tracker, value):
        with tracker.run() as run, pytest.raises(InvalidInput, match="A metric is a number"):
            run.log(loss=value)

    def test_a_step_that_is_no_whole_number_is_refused(self, tracker):
        with tracker.run() as run, pytest.raises(InvalidInput, match="whole number"):
            run.log(loss=1, step=0.5)

    def test_a_name_that_cannot_be_one_is_refused_where_it_is_logged(self, tracker):
        with tracker.run() as run, pytest.raises(InvalidInput, match="cannot name a metric"):
            run.log({"loss\n": 1})

    def test_a_param_is_written_once(self, tracker):
        with tracker.run() as run:
            run.params(depth=6)
            run.params(depth=6)
            with pytest.raises(Conflict, match="depth"):
                run.params(depth=7)

    def test_an_error_in_the_block_marks_the_run_failed_and_goes_on(self, tracker, home):
        run = tracker.run("broken")
        run.log(loss=1)

        with pytest.raises(ZeroDivisionError), run:
            1 / 0  # noqa: B018 - the error is the point

        found = home.tracking.run(run.id)
        assert found.status == "failed"
        assert error_of(found) == "ZeroDivisionError: division by zero"
        assert found.metrics == {"loss": 1}

    def test_an_interrupt_marks_the_run_killed(self, tracker, home):
        with pytest.raises(KeyboardInterrupt), tracker.run() as run:
            raise KeyboardInterrupt

        assert home.tracking.run(run.id).status == "killed"

    @pytest.mark.parametrize(
        ("code", "status"), [(0, "finished"), (None, "finished"), (3, "failed")]
    )
    def test_an_exit_ends_the_run_by_its_code(self, tracker, home, code, status):
        with pytest.raises(SystemExit), tracker.run() as run:
            raise SystemExit(code)

        assert home.tracking.run(run.id).status == status

    def test_a_child_knows_its_parent(self, tracker, home):
        with (
            tracker.run("folds", experiment="late") as run,
            run.child("fold 1", params={"k": 1}) as c,
        ):
            c.log(loss=1)

        found = home.tracking.run(c.id)
        assert (found.name, found.parent_id, found.experiment) == ("fold 1", run.id, "late")
        assert found.params == {"k": "1"}

    def test_a_run_can_be_taken_up_again(self, tracker, home):
        with tracker.run("long", experiment="late") as first:
            first.log(loss=2)

        with tracker.run(id=first.id) as again:
            assert home.tracking.run(first.id).status == "running"
            again.log(loss=1)

        assert again.experiment == "late"
        assert [(p.step, p.value) for p in again.history("loss")] == [(0, 2), (1, 1)]
        assert home.tracking.run(first.id).status == "finished"

    def test_a_run_that_is_not_there_cannot_be_taken_up(self, tracker):
        with pytest.raises(NotFound):
            tracker.run(id="0" * 32)

    def test_a_run_without_a_block_is_ended_by_hand_once(self, tracker, home):
        run = tracker.run()
        run.log(loss=1)
        run.end("failed", error="by hand")
        run.end()

        found = home.tracking.run(run.id)
        assert (found.status, error_of(found)) == ("failed", "by hand")
        assert found.metrics == {"loss": 1}

    def test_what_is_logged_after_the_end_is_kept_too(self, tracker, home):
        with tracker.run() as run:
            pass

        run.log(loss=1)

        assert home.tracking.run(run.id).metrics == {"loss": 1}

    def test_what_is_flushed_is_stored(self, tracker, home):
        with tracker.run() as run:
            run.log(loss=1)
            run.flush()

            assert home.tracking.run(run.id).metrics == {"loss": 1}

    def test_a_folder_is_kept_file_by_file(self, tracker, home, tmp_path):
        (tmp_path / "out" / "deep").mkdir(parents=True)
        (tmp_path / "out" / "a.txt").write_text("a")
        (tmp_path / "out" / "deep" / "h#ü.txt").write_text("b")

        with tracker.run() as run:
            kept = run.artifacts(tmp_path / "out", under="results")

        assert [a.path for a in kept] == ["results/a.txt", "results/deep/h#ü.txt"]
        stored = {a.path: a for a in home.tracking.artifacts(run.id)}
        assert all(stored[a.path] == a for a in kept)

    def test_an_artifact_that_could_leave_its_run_is_refused(self, tracker):
        with tracker.run() as run, pytest.raises(InvalidInput, match="cannot be an artifact"):
            run.artifact("../x", b"")

    def test_a_text_is_not_taken_for_a_file_nor_for_bytes(self, tracker):
        with tracker.run() as run, pytest.raises(InvalidInput, match=r"pathlib\.Path"):
            run.artifact("x", "plot.png")

    def test_a_table_is_kept_as_a_file(self, tracker, home):
        with tracker.run() as run:
            run.table("rows.csv", FRAME)

        with home.tracking.open_artifact(run.id, "rows.csv") as stream:
            assert stream.read() == b'"distance","late"\n1,0\n2,1\n'

    def test_a_committed_dataset_is_tied_by_its_version(self, tracker, home):
        version = home.data.commit("flights", FRAME)

        with tracker.run() as run:
            used = run.dataset("flights", context="training")

        assert (used.ref, used.digest) == (version.ref, version.digest)
        assert [(i.ref, i.digest, i.context) for i in home.tracking.run(run.id).inputs] == [
            (version.ref, version.digest, "training")
        ]
        assert [r.id for r in home.tracking.runs_using(version.ref)] == [run.id]

    def test_a_frame_is_known_by_its_digest_and_columns(self, tracker):
        with tracker.run() as run:
            used = run.dataset(FRAME, name="rows", context="test")
            again = run.dataset(FRAME.slice(0), name="rows")
            other = run.dataset(FRAME.slice(1), name="rows")

        assert used.digest == again.digest != other.digest
        assert '"name":"distance"' in used.schema
        assert '"num_rows":2' in used.profile

    def test_a_dataset_nobody_committed_is_not_there(self, tracker):
        with tracker.run() as run, pytest.raises(TreadleError, match="nowhere"):
            run.dataset("nowhere")

    def test_a_model_is_registered_with_its_run_and_its_files_are_artifacts(self, tracker, home):
        model = LogisticRegression().fit([[1.0], [2.0]], [0, 1])

        with tracker.run() as run:
            version = run.model("late", model, example={"distance": [1.0, 2.0]}, description="hm")

        assert (version.ref, version.run_id, version.description) == ("late@1", run.id, "hm")
        assert home.registry.verify("late@1").run_id == run.id
        paths = {artifact.path for artifact in home.tracking.artifacts(run.id)}
        assert {f"models/late/{file.path}" for file in version.files} <= paths
        assert len(home.registry.load("late").predict(pa.table({"distance": [1.5]}))) == 1

    def test_runs_are_found_by_what_they_logged(self, tracker):
        for loss in (0.4, 0.2, 0.1):
            with tracker.run(f"run {loss}", experiment="late", params={"depth": 6}) as run:
                run.log(loss=loss)

        found = tracker.runs("metrics.loss < 0.3", order_by="metrics.loss", experiment="late")

        assert [run.name for run in found] == ["run 0.1", "run 0.2"]
        assert found.table().column("metrics.loss").to_pylist() == [0.1, 0.2]
        assert found.table().column("params.depth").to_pylist() == ["6", "6"]
