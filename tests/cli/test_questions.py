"""`treadle trace`, `at`, `audit`, `report`: questions to the log."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import treadle
from treadle.kernel.clock import as_datetime


def test_a_prediction_is_followed_to_the_files_it_was_made_from(cli, seed, prediction):
    said = cli("trace", prediction, cwd=seed)

    kinds = ["prediction", "variant", "model version", "run", "pipeline run", "step", "file"]
    assert said.code == 0
    assert all(f"{kind} " in said.out for kind in kinds)
    assert "dataset version flights@1" in said.out


def test_a_model_version_is_followed_by_its_alias(cli, seed):
    node = cli("trace", "late@champion", "--json", cwd=seed).json

    assert (node["kind"], node["name"]) == ("model version", "late@1")


def test_a_prediction_that_is_not_there_is_a_user_error(cli, seed):
    assert cli("trace", "0" * 32, cwd=seed).code == 1
    assert cli("trace", "nothing", cwd=seed).code == 1


def test_who_served_at_a_time_is_said_with_the_reason(cli, seed):
    with treadle.connect(seed / ".treadle") as client:
        live = client.releases.releases("late")[-1]
    time = as_datetime(live.ended_at).isoformat()

    said = cli("at", time, "late", cwd=seed)

    assert "late@1  live  100%" in said.out
    assert "live: treadle run" in said.out
    assert "UTC" in said.out


def test_before_it_served_there_is_no_answer(cli, seed):
    assert cli("at", "2001-01-01", "late", cwd=seed).code == 1


def test_what_is_no_time_is_explained(cli, seed):
    said = cli("at", "noon", "late", cwd=seed)

    assert said.code == 1
    assert "2013-07-04T12:00" in said.err


def test_the_log_verifies_is_sealed_and_there_is_nothing_more_to_seal(cli, project):
    sealed = cli("audit", "seal", cwd=project)
    again = cli("audit", "seal", cwd=project)
    verdict = cli("audit", "verify", "--json", cwd=project).json

    assert sealed.out.startswith("sealed event ")
    assert again.out == "nothing new to seal\n"
    assert (verdict["ok"], verdict["unsealed"], verdict["checkpoints"]) == (True, 0, 1)


def test_the_log_of_an_empty_home_verifies(cli):
    assert cli("audit", "verify").out.startswith("ok: 0 events")


def test_a_log_that_was_tampered_with_is_broken_and_exits_1(cli, project):
    tamper(project / ".treadle" / "treadle.db")

    said = cli("audit", "verify", cwd=project)

    assert said.code == 1
    assert said.out.startswith("BROKEN: event 3:")


def tamper(database):
    import sqlite3  # noqa: PLC0415 - what an intruder would use

    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE events SET actor = 'nobody' WHERE seq = 3")
    connection.close()


def test_an_exported_log_is_checked_by_the_file_beside_it_alone(cli, seed, tmp_path):
    said = cli("audit", "export", tmp_path / "events.jsonl", cwd=seed)

    checked = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "verify_log.py", tmp_path / "events.jsonl"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.code == 0
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.startswith("ok")


def test_the_report_is_one_file_that_names_the_versions(cli, seed, tmp_path):
    said = cli("report", "late", "--out", tmp_path / "late.html", cwd=seed)

    text = (tmp_path / "late.html").read_text()
    assert said.out.startswith(f"wrote {tmp_path / 'late.html'}")
    assert "late@1" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


ELSEWHERE = {
    "report": ("report", "late", "--out"),
    "audit export": ("audit", "export"),
}


@pytest.mark.parametrize("words", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_file_that_cannot_be_written_is_a_user_error(cli, seed, tmp_path, words):
    said = cli(*words, tmp_path / "nowhere" / "file", cwd=seed)

    assert said.code == 1
    assert "Cannot write" in said.err


def test_an_error_with_json_is_read_as_json(cli, seed):
    said = cli("at", "noon", "late", "--json", cwd=seed)

    assert json.loads(said.err)["error"]["code"] == "invalid_input"
