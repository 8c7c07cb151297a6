"""Bad input and bad disks: a clear error, and nothing lost and nothing half-written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

import treadle
from tests.cli.rows import rows_of, write_csv

MAIN = "from treadle.cli import main; main()"


def counts(home):
    """What a home lists, after its log was checked."""
    with treadle.connect(home) as client:
        assert client.governance.verify().ok
        return {
            "versions": {
                d.name: [v.ref for v in client.data.versions(d.name).items]
                for d in client.data.datasets().items
            },
            "models": [(m.name, m.latest) for m in client.registry.models()],
            "runs": client.tracking.search_runs(limit=1).total,
        }


def test_a_csv_with_a_broken_row_is_named_and_nothing_is_listed(cli, project):
    before = counts(project / ".treadle")
    (project / "broken.csv").write_text("a,b\n1,2\n3\n5,6\n")

    said = cli("data", "commit", "broken.csv", "--name", "broken", cwd=project)

    assert said.code == 1
    assert "line 3: expected 2 fields, found 1" in said.err
    assert counts(project / ".treadle") == before


def test_a_project_whose_csv_broke_says_the_line_and_loses_nothing(cli, project):
    before = counts(project / ".treadle")
    with (project / "data" / "flights.csv").open("a") as file:
        file.write("1,2\n")

    said = cli("run", cwd=project)

    assert said.code == 1
    assert "flights.csv has 1 broken row: line 602" in said.err
    assert counts(project / ".treadle") == before


def test_a_home_below_a_file_is_explained_and_nothing_is_made(cli, csv, tmp_path):
    said = cli("--home", csv / "home", "data")

    assert said.code == 1
    assert "Cannot write in" in said.err
    assert "--home" in said.err
    assert list(tmp_path.iterdir()) == [csv]


def test_settings_that_are_wrong_are_named(cli, tmp_path):
    (tmp_path / ".treadle").mkdir()
    (tmp_path / ".treadle" / "settings.toml").write_text("prot = 80\n")

    said = cli("status")

    assert said.code == 1
    assert "Did you mean 'port'?" in said.err


def small_files(limit):
    """Let the child write no file beyond some bytes, as a disk that is full would."""

    def before_exec():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return before_exec


def on_a_full_disk(*words, cwd, limit):
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        cwd=cwd,
        preexec_fn=small_files(limit),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_a_disk_too_full_for_the_bytes_loses_nothing_and_the_same_command_then_works(cli, project):
    before = counts(project / ".treadle")
    rows = {name: values * 40 for name, values in rows_of().items()}
    # What is repeated is stored once, so some of it must not be.
    rows["noise"] = [sha256(bytes(str(n), "ascii")).hexdigest()[:20] for n in range(24_000)]
    csv = write_csv(project / "more.csv", rows)
    words = ("data", "commit", "more.csv", "--name", "more")

    full = on_a_full_disk(*words, cwd=project, limit=csv.stat().st_size // 5)
    left = [p for p in (project / ".treadle").rglob("*") if ".draft" in str(p) and p.is_file()]
    after = counts(project / ".treadle")
    again = cli(*words, cwd=project)

    assert full.returncode == 1
    assert "error: " in full.stderr
    assert "Traceback" not in full.stderr
    assert after == before
    assert left == []
    assert again.out.startswith("more@1  24,000 rows")


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_disk_too_full_for_the_tables_loses_nothing_and_the_same_command_then_works(
    cli, project, share
):
    """The database may grow by nothing, by a little, or not beyond its own size."""
    before = counts(project / ".treadle")
    size = (project / ".treadle" / "treadle.db").stat().st_size

    full = on_a_full_disk("run", "--param", "seed=9", cwd=project, limit=int(size * share))
    after = counts(project / ".treadle")
    again = cli("run", "--param", "seed=9", cwd=project)

    assert "Traceback" not in full.stderr, full.stderr
    assert full.returncode in {0, 1}
    assert after["models"] in (before["models"], [("late", 3)])
    assert after["versions"] == before["versions"]
    assert again.code == 0, again
    assert counts(project / ".treadle")["models"] == [("late", 3)]


FULL = {"report": ("report", "late", "--out"), "audit export": ("audit", "export")}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has a full device")
@pytest.mark.parametrize("words", FULL.values(), ids=FULL)
def test_a_file_on_a_full_disk_is_explained(cli, seed, words):
    said = cli(*words, "/dev/full", cwd=seed)

    assert said.code == 1
    assert "Cannot write /dev/full: No space left on device." in said.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has a full device")
def test_an_output_on_a_full_disk_is_explained(tmp_path):
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            [sys.executable, "-c", MAIN, "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    assert said.returncode == 1
    assert said.stderr.startswith("error: No space left on device.")


def test_a_reader_who_goes_away_is_no_failure(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)

    said = subprocess.run(
        [sys.executable, "-c", MAIN, "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    os.close(writing)

    assert (said.returncode, said.stderr) == (0, "")


def test_a_name_that_no_file_can_have_is_explained(cli):
    said = cli("data", "commit", "n" * 300, "--name", "flights")

    assert said.code == 1
    assert "nnn: File name too long." in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("data", "push"), 2, ("usage", "Name a dataset, or say --all.")),
        (("data", "show", "nix"), 1, ("not_found", "No dataset 'nix'.")),
        (("data", "shwo"), 2, ("usage", "No command 'shwo'. Did you mean show?")),
    ],
)
def test_every_error_is_json_where_json_was_asked_for(cli, words, code, told):
    said = cli(*words, "--json")

    error = msgspec.json.decode(said.err)["error"]
    assert (said.code, said.out) == (code, "")
    assert (error["code"], error["message"]) == told


def test_a_spreadsheet_is_kept_as_a_file_and_said_to_be(cli, tmp_path):
    (tmp_path / "sales.xlsx").write_bytes(b"PK")

    said = cli("data", "commit", "sales.xlsx", "--name", "sales")

    assert said.out.startswith("sales@1  1 file")
    assert said.err.startswith("Note: sales.xlsx is kept as a file.")


@pytest.mark.parametrize("verb", [("hold", "--reason", "odd"), ("reject",)], ids=["hold", "reject"])
def test_what_would_happen_is_json_where_json_was_asked_for(cli, project, verb):
    version = {"hold": "flights@1", "reject": "late-outcomes@1"}[verb[0]]
    words = ("data", "quarantines", verb[0], version, *verb[1:])

    said = cli(*words, "--dry-run", "--json", cwd=project)

    assert said.json["version"] == version
    assert said.json["rows"] > 0


def test_a_command_that_had_the_table_engine_ends_without_a_word(tmp_path):
    said = subprocess.run(
        [sys.executable, "-c", f"import duckdb; {MAIN}", "--version"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert (said.returncode, said.stderr) == (0, "")


def test_a_folder_below_a_file_is_explained(cli, csv):
    cli("data", "commit", csv, "--name", "flights")

    said = cli("export", "dvc", "flights", csv / "out")

    assert said.code == 1
    assert "Not a directory." in said.err
    assert "Traceback" not in said.err


def test_a_wrong_type_in_a_contract_is_told_with_those_there_are(cli, tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "c.toml").write_text('[columns.x]\ntype = "int"\n')
    cli("data", "commit", "a.csv", "--name", "a")

    said = cli("data", "contract", "a", "--set", "c.toml")

    assert said.code == 1
    assert "There is: integer, number, boolean, text," in said.err


def test_nothing_is_held_without_a_reason(cli, tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    cli("data", "commit", "a.csv", "--name", "a")

    said = cli("data", "quarantines", "hold", "a@1", "--reason", " ")

    assert said.code == 1
    assert "without a reason" in said.err


def test_a_folder_that_cannot_be_made_is_told_plainly(cli, tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    cli("data", "commit", "a.csv", "--name", "a")

    said = cli("export", "dvc", "a", "/proc/x")

    assert said.code == 1
    assert said.err.startswith("error: /proc/x")


def test_one_dataset_and_all_of_them_exclude_each_other(cli):
    said = cli("data", "push", "pets", "--all")

    assert said.code == 2
    assert "pets and --all exclude each other" in said.err


def test_a_contract_that_is_learned_is_told_as_json(cli, tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    cli("data", "commit", "a.csv", "--name", "a")

    said = cli("data", "infer", "a", "--json").json

    assert said["number"] == 1
    assert [column["name"] for column in said["body"]["columns"]] == ["x"]
