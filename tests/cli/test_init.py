"""`treadle init`: from a CSV and a target to a project that runs."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys

import pytest

import treadle
from tests.cli.rows import rows_of, write_csv
from treadle.release.policy import read_policy

FILES = {"pipeline.py", "policy.toml", "test_pipeline.py", ".gitignore", "data/flights.csv"}


def init(cli, csv, folder="late", target="late", *more):
    return cli("init", folder, "--from", csv, "--target", target, *more)


def files_in(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_a_project_is_written_and_said(cli, csv, tmp_path):
    said = init(cli, csv)

    assert said.code == 0
    assert files_in(tmp_path / "late") == FILES
    assert "600 rows, 4 inputs" in said.out
    assert "left out id: an id, every row has its own" in said.out
    assert said.out.endswith("next: cd late && treadle run && treadle up\n")


def test_the_policy_reads_without_errors_and_names_what_was_given(cli, csv, tmp_path):
    init(cli, csv)

    policy = read_policy(tmp_path / "late" / "policy.toml")

    assert (policy.endpoint, policy.model) == ("late", "late")
    assert policy.data == {"flights": "data/flights.csv"}
    assert policy.contract.roles == {"late": "target", "id": "id"}


def test_the_project_runs_and_its_first_version_is_live(cli, csv, tmp_path):
    init(cli, csv)

    said = cli("run", cwd=tmp_path / "late")

    assert said.code == 0, said
    assert "late@1 is live on late" in said.out
    assert "late@1 live 100%" in cli("status", cwd=tmp_path / "late").out


def test_the_loop_of_a_fresh_project_can_be_moved(seed):
    with treadle.connect(seed / ".treadle") as client:
        tick = client.loop.tick("late")

    assert tick.decision.yes is False


def test_the_scaffolded_test_passes_under_pytest_alone(cli, csv, tmp_path):
    init(cli, csv)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "late",
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert "3 passed" in done.stdout, done.stdout + done.stderr


def zero_or_one(rows):
    return rows | {"late": [int(v == "yes") for v in rows["late"]]}


def truth(rows):
    return rows | {"late": ["true" if v == "yes" else "false" for v in rows["late"]]}


def words(rows):
    return rows | {"late": ["churned" if v == "no" else "stayed" for v in rows["late"]]}


def with_holes(rows):
    return rows | {"late": ["" if i % 5 == 0 else v for i, v in enumerate(rows["late"])]}


def with_days(rows):
    first = dt.date(2026, 1, 1)
    days = [(first + dt.timedelta(days=i // 20)).isoformat() for i in range(len(rows["id"]))]
    return rows | {"day": days[::-1]}


def with_times(rows):
    first = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return rows | {"at": [(first + dt.timedelta(hours=i)).isoformat() for i in range(600)]}


def only_numbers(rows):
    return {name: rows[name] for name in ("heat", "load", "late")}


def only_names(rows):
    heat = ["hot" if v and float(v) > 0 else "cold" for v in rows["heat"]]
    return {"city": rows["city"], "heat": heat, "late": rows["late"]}


def odd_names(rows):
    renamed = {"heat": 'the "heat" (°C)', "load": "load $name {x}", "late": "is late?"}
    return {renamed.get(name, name): values for name, values in rows.items()}


def with_yes_no_inputs(rows):
    return rows | {"night": ["true" if v > 2 else "" if v == 2 else "false" for v in rows["stops"]]}


SHAPES = {
    "a target of 0 and 1": (zero_or_one, "late", "POSITIVE = 1 "),
    "a target of true and false": (truth, "late", "POSITIVE = True "),
    "a target of texts, the rarer one meant": (words, "late", 'POSITIVE = "churned" '),
    "a target with holes": (with_holes, "late", 'POSITIVE = "yes" '),
    "days, the newest first": (with_days, "late", 'TIME = "day"'),
    "times with a zone": (with_times, "late", 'tz="UTC"'),
    "numbers alone": (only_numbers, "late", "NAMES: list[str] = []"),
    "names alone": (only_names, "late", "NUMBERS: list[str] = []"),
    "columns with odd names": (odd_names, "is late?", 'TARGET = "is late?"'),
    "inputs of true and false": (with_yes_no_inputs, "late", '"night"'),
}


@pytest.mark.parametrize(("shape", "target", "written"), SHAPES.values(), ids=SHAPES)
def test_whatever_the_columns_the_project_runs(cli, tmp_path, shape, target, written):
    rows = shape(rows_of())
    quoted = {'"' + name.replace('"', '""') + '"': values for name, values in rows.items()}
    csv = write_csv(tmp_path / "flights.csv", quoted)

    made = init(cli, csv, "late", target)
    ran = cli("run", cwd=tmp_path / "late")

    assert made.code == 0, made
    assert written in (tmp_path / "late" / "pipeline.py").read_text()
    assert ran.code == 0, ran
    assert "late@1 is live" in ran.out


def test_a_folder_with_spaces_becomes_a_name_and_is_quoted_in_what_comes_next(cli, csv, tmp_path):
    said = init(cli, csv, "my late flights")

    assert "cd 'my late flights'" in said.out
    assert read_policy(tmp_path / "my late flights" / "policy.toml").model == "my-late-flights"


def test_a_dry_run_writes_nothing(cli, csv, tmp_path):
    said = init(cli, csv, "late", "late", "--dry-run")

    assert said.code == 0
    assert "would write late/pipeline.py" in said.out
    assert not (tmp_path / "late").exists()


def test_an_empty_folder_is_taken(cli, csv, tmp_path):
    (tmp_path / "late" / ".git").mkdir(parents=True)

    assert init(cli, csv).code == 0


REFUSED = {
    "an unknown target": ("lat", "No column 'lat'. | Did you mean 'late'?"),
    "a target with many values": ("stops", "The target 'stops' has 5 values: "),
    "a target with three values": ("city", "A target has two."),
}


@pytest.mark.parametrize(("target", "says"), REFUSED.values(), ids=REFUSED)
def test_a_column_that_is_no_target_is_refused(cli, csv, tmp_path, target, says):
    said = init(cli, csv, "late", target)

    assert said.code == 1
    for part in says.split(" | "):
        assert part in said.err
    assert not (tmp_path / "late").exists()


def test_an_outcome_too_rare_to_learn_is_refused(cli, tmp_path):
    rows = rows_of()
    rows["late"] = ["yes" if i < 3 else "no" for i in range(600)]

    said = init(cli, write_csv(tmp_path / "flights.csv", rows))

    assert said.code == 1
    assert "Only 3 rows have late = yes" in said.err


def test_a_table_without_inputs_is_refused_with_the_reasons(cli, tmp_path):
    rows = {"note": [f"n{i}" for i in range(600)], "late": rows_of()["late"]}

    said = init(cli, write_csv(tmp_path / "flights.csv", rows))

    assert said.code == 1
    assert "No column but 'late' can be an input." in said.err
    assert "600 different texts" in said.err


def test_a_broken_row_is_named_with_its_line(cli, csv, tmp_path):
    lines = csv.read_text().splitlines()
    lines[41] = "1,2,3"
    csv.write_text("\n".join(lines))

    said = init(cli, csv)

    assert said.code == 1
    assert "line 42: expected 6 fields, found 3" in said.err
    assert not (tmp_path / "late").exists()


def test_a_folder_that_is_not_empty_is_left_alone(cli, csv, tmp_path):
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "notes.txt").write_text("mine")

    said = init(cli, csv)

    assert said.code == 1
    assert "late is not empty: notes.txt." in said.err
    assert files_in(tmp_path / "late") == {"notes.txt"}


def test_a_folder_that_cannot_be_made_is_explained(cli, csv, tmp_path):
    said = init(cli, csv, "flights.csv/late")

    assert said.code == 1
    assert "Cannot write flights.csv/late: Not a directory." in said.err


def test_a_file_that_is_not_there_gets_the_near_miss(cli, csv):
    said = init(cli, "flihgts.csv")

    assert said.code == 1
    assert "Did you mean 'flights.csv'?" in said.err
