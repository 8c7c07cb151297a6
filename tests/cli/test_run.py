"""`treadle run`: what it says, does a second time, and does when something is off."""

from __future__ import annotations

import os
import subprocess
import sys

import treadle
from tests.cli.rows import rows_of, write_csv

FAILS = """

@step
def fit(rows, held_out, seed):
    return undefined_name
"""


def test_a_second_run_takes_every_step_from_the_cache_and_registers_nothing(cli, project):
    said = cli("run", cwd=project)

    steps = [line for line in said.out.splitlines() if line.startswith("step ")]
    assert len(steps) == 3
    assert all("from cache" in line for line in steps)
    assert "nothing changed: late@1 serves already" in said.out
    assert "data flights@1: 600 rows" in said.out
    assert cli("models", "--json", cwd=project).json["items"][0]["latest"] == 2


def test_the_candidate_that_is_in_shadow_is_named_when_nothing_changed(cli, project):
    said = cli("run", "--param", "seed=8", cwd=project)

    assert said.code == 0
    assert "nothing changed: late@2 is in shadow on late" in said.out


def test_a_candidate_waits_while_another_is_in_shadow_and_walks_when_that_has_ended(cli, project):
    waiting = cli("run", "--param", "seed=9", cwd=project)
    cli("endpoints", "stop", "late", "--reason", "make room", "--yes", cwd=project)
    walking = cli("run", "--param", "seed=9", cwd=project)

    assert "late@3 waits: late@2 is in shadow on late" in waiting.out
    assert "late@3 is in shadow on late" in walking.out
    assert cli("models", "--json", cwd=project).json["items"][0]["latest"] == 3


def test_a_stopped_candidate_is_not_proposed_again(cli, project):
    cli("endpoints", "stop", "late", "--reason", "not now", "--yes", cwd=project)

    said = cli("run", "--param", "seed=8", cwd=project)

    assert "late@2 was stopped on late" in said.out
    assert "not now" in said.out


def test_the_outcome_as_json_says_whether_anything_is_new(cli, project):
    outcome = cli("run", "--json", cwd=project).json

    assert set(outcome) == {"data", "contract", "pipeline", "made", "release", "is_new"}
    assert outcome["is_new"] is False
    assert outcome["made"]["version"] == "late@1"


def test_it_works_from_below_the_project_and_from_afar(cli, project, tmp_path):
    below = cli("run", cwd=project / "data")
    afar = cli("run", "--project", "late", cwd=tmp_path)

    assert "late@1 serves already" in below.out
    assert "late@1 serves already" in afar.out
    assert not (project / "data" / ".treadle").exists()
    assert not (tmp_path / ".treadle").exists()


def test_changed_data_makes_a_version_and_a_candidate(cli, project):
    cli("endpoints", "stop", "late", "--reason", "make room", "--yes", cwd=project)
    write_csv(project / "data" / "flights.csv", rows_of(700))

    said = cli("run", cwd=project)

    assert "data flights@2: 700 rows" in said.out
    assert "late@3 is in shadow on late" in said.out


def test_data_that_breaks_its_contract_is_held_and_mended_data_takes_its_place(cli, project):
    good = (project / "data" / "flights.csv").read_text()
    write_csv(project / "data" / "flights.csv", rows_of() | {"stops": [10_000] * 600})
    broken, again = cli("run", cwd=project), cli("run", cwd=project)
    (project / "data" / "flights.csv").write_text(good)
    mended = cli("run", cwd=project)

    assert broken.code == again.code == 1
    assert "flights@2 breaks its contract" in broken.err
    assert "flights@2 is held: breaks its contract" in again.err
    assert "treadle data quarantines release flights@2" in again.err
    assert mended.code == 0
    assert "nothing changed: late@1 serves already" in mended.out


def test_data_that_is_accepted_after_all_is_trained_on(cli, project):
    cli("endpoints", "stop", "late", "--reason", "make room", "--yes", cwd=project)
    shifted = rows_of() | {"stops": [10_000 + i % 5 for i in range(600)]}
    write_csv(project / "data" / "flights.csv", shifted)
    cli("run", cwd=project)

    cli("data", "infer", "flights@2", cwd=project)
    cli("data", "quarantines", "release", "flights@2", "--yes", cwd=project)
    said = cli("run", cwd=project)

    assert said.code == 0, said
    assert "contract 2: pass" in said.out


def test_a_file_that_went_back_in_time_is_what_the_pipeline_reads(cli, project):
    good = (project / "data" / "flights.csv").read_text()
    write_csv(project / "data" / "flights.csv", rows_of(700))
    cli("run", cwd=project)
    (project / "data" / "flights.csv").write_text(good)

    said = cli("run", cwd=project)

    assert said.code == 0, said.err
    assert "data flights@3: " in said.out
    assert "nothing changed: late@1" in said.out


def test_a_file_that_was_held_back_comes_again_and_is_not_passed_over_in_silence(cli, project):
    path = project / "data" / "flights.csv"
    good = path.read_text()
    write_csv(path, rows_of(700))
    cli("run", cwd=project)
    cli("data", "quarantines", "hold", "flights@2", "--reason", "typed in", cwd=project)
    path.write_text(good)
    cli("run", cwd=project)
    write_csv(path, rows_of(700))

    said = cli("run", cwd=project)

    assert said.code == 1
    assert "flights@4 is the same as flights@2. flights@2 is held: typed in." in said.err


def test_a_candidate_that_a_gate_refuses_is_a_run_and_exits_1(cli, project):
    late = [1 + int(v == "yes") for v in rows_of()["late"]]
    write_csv(project / "data" / "flights.csv", rows_of() | {"load": late})
    text = (project / "policy.toml").read_text()
    (project / "policy.toml").write_text(text.replace("contract = true", "contract = false"))

    said = cli("run", cwd=project)

    assert said.code == 1
    assert "gate leak: FAIL" in said.out
    assert "not registered: load is implausibly good" in said.err
    assert "KNOWN_BEFORE" in said.err
    assert cli("models", "--json", cwd=project).json["items"][0]["latest"] == 2


def test_an_error_in_a_step_shows_the_users_code_and_nothing_of_ours_after_it(cli, project):
    path = project / "pipeline.py"
    path.write_text(path.read_text().replace("\n\n@pipeline", FAILS + "\n\n@pipeline"))

    said = cli("run", cwd=project)

    assert said.code == 1
    assert "return undefined_name" in said.err
    assert "error: Step 'fit' of pipeline 'train' failed: NameError" in said.err
    with treadle.connect(project / ".treadle") as client:
        assert client.tracking.search_runs(status="running").total == 0


def test_outside_of_a_project_it_says_how_to_make_one(cli):
    said = cli("run")

    assert said.code == 1
    assert "treadle init my-project" in said.err


def test_a_param_that_is_none_is_a_usage_error(cli, project):
    assert cli("run", "--param", "seed", cwd=project).code == 2


def test_an_unknown_param_gets_the_near_miss(cli, project):
    said = cli("run", "--param", "sed=3", cwd=project)

    assert said.code == 1
    assert "Did you mean 'seed'?" in said.err


def test_a_wrong_key_in_the_policy_is_named_with_its_near_miss(cli, project):
    text = (project / "policy.toml").read_text()
    (project / "policy.toml").write_text(text.replace("canary_share", "canary_shar"))

    said = cli("run", cwd=project)

    assert said.code == 1
    assert "policy.toml" in said.err
    assert "Did you mean 'canary_share'?" in said.err


def test_on_a_terminal_a_spinner_turns_and_each_step_has_a_line_of_its_own(project):
    terminal, other_end = os.openpty()
    with os.fdopen(other_end, "w") as screen:
        done = subprocess.run(
            [sys.executable, "-c", "from treadle.cli import main; main()", "run"],
            cwd=project,
            stdout=screen,
            stderr=subprocess.PIPE,
            check=False,
            env=os.environ | {"TERM": "xterm"},
        )
        shown = os.read(terminal, 1_000_000).decode()
    os.close(terminal)

    assert done.returncode == 0, done.stderr
    assert "pipeline.py:train runs" in shown
    assert "\x1b[2Kstep split: from cache" in shown
    assert "nothing changed: late@1 serves already\r\n" in shown
