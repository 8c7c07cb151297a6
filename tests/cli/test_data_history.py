"""Branches, tags, the log, merges and removals, as a user calls them."""

from __future__ import annotations

import pytest

from tests.cli.rows import rows_of, write_csv
from treadle.cli.graphs import draw


@pytest.fixture
def pets(cli, tmp_path):
    """Version 1 on main, 2 on exp and 3 on main, with a change of the cat each."""
    folder = tmp_path / "pets"
    folder.mkdir()

    def commit(branch, cat, **more):
        (folder / "cat.txt").write_text(cat)
        for name, text in more.items():
            (folder / f"{name}.txt").write_text(text)
        said = cli("data", "commit", folder, "--name", "pets", "--branch", branch, "-m", cat)
        assert said.code == 0

    commit("main", "meow")
    cli("data", "branch", "pets", "exp")
    commit("exp", "purr")
    commit("main", "hiss", dog="woof")
    return folder


def test_the_log_draws_what_descends_from_what(cli, pets):
    cli("data", "tag", "pets@1", "v1")
    said = cli("data", "log", "pets")
    every = cli("data", "log", "pets", "--all", "--json").json

    assert [line.split("  ")[:2] for line in said.out.splitlines()] == [
        ["*", "pets@3"],
        ["*", "pets@1"],
    ]
    assert "(tag v1)" in said.out
    assert [entry["version"]["number"] for entry in every["items"]] == [3, 2, 1]
    assert every["items"][1]["branches"] == ["exp"]


def test_the_log_comes_a_page_at_a_time(cli, pets):
    said = cli("data", "log", "pets", "--all", "--limit", 1, "--offset", 1)

    assert said.out.startswith("| *  pets@2  (exp)")
    assert "1 of 3; go on with --offset 2" in said.err


def test_a_commit_says_whether_it_changed_anything(cli, pets):
    (pets / "dog.txt").unlink()
    (pets / "cat.txt").write_text("meow")

    old = cli("data", "commit", pets, "--name", "pets")
    again = cli("data", "commit", pets, "--name", "pets")

    assert old.out.startswith("pets@4  1 file  4 B  stored 0 B")
    assert old.out.endswith("the same as pets@1\n")
    assert again.out.startswith("pets@4  nothing changed")
    assert "pets@4  (main)" in (log := cli("data", "log", "pets").out)
    assert "the same as 1" in log
    assert "pets@1" in cli("data", "show", "pets@4").out


def test_a_revert_is_tried_done_and_then_nothing(cli, pets):
    dry = cli("data", "revert", "pets@1", "--dry-run")
    done = cli("data", "revert", "pets@1", "-m", "no dog", "--json")
    again = cli("data", "revert", "pets@1")
    late = cli("data", "revert", "pets@3", "--expect", "pets@3")

    assert dry.out == "Would commit the content of pets@1 again, on pets@3 (pets@main).\n"
    assert done.json == {
        "kind": "reverted", "ref": "pets@1", "into": "pets@main", "was": "pets@3",
        "version": "pets@4",
    }  # fmt: skip
    assert again.out == "pets@main is pets@4, which has the content of pets@1 already.\n"
    assert (late.code, "is pets@4, not pets@3" in late.err) == (1, True)
    assert "1 file, the same as pets@1" in cli("trace", "pets@4").out


def test_conflicts_are_named_and_exit_1_and_a_side_settles_them(cli, pets):
    clash = cli("data", "merge", "pets@exp")
    dry = cli("data", "merge", "pets@exp", "--theirs", "--dry-run")
    done = cli("data", "merge", "pets@exp", "--theirs", "--json")

    assert clash.code == 1
    assert "conflict  cat.txt  changed on both, not the same" in clash.out
    assert "1 conflict since pets@1; nothing was done" in clash.err
    assert "Would merge pets@2 into pets@main: 1 path taken." in dry.out
    assert (done.json["kind"], done.json["version"]) == ("merged", "pets@4")


def test_a_branch_is_listed_moved_and_deleted_with_the_way_back(cli, pets):
    listed = cli("data", "branch", "pets", "--json").json
    refused = cli("data", "branch", "pets", "exp", "--from", "pets@1")
    moved = cli("data", "branch", "pets", "exp", "--from", "pets@1", "--force")
    gone = cli("data", "branch", "pets", "exp", "--delete")

    assert [b["name"] for b in listed["items"]] == ["main", "exp"]
    assert refused.code == 1
    assert "Move it: treadle data branch pets exp --from pets@1 --force" in refused.err
    assert "pets@exp is pets@1" in moved.out
    assert "Back again: treadle data branch pets exp --from pets@1" in gone.out


def test_a_tag_is_given_listed_and_deleted_with_the_way_back(cli, pets):
    cli("data", "tag", "pets@2", "v1")
    listed = cli("data", "tag", "pets")
    gone = cli("data", "tag", "pets", "v1", "--delete")
    none = cli("data", "tag", "pets")

    assert "v1   pets@2" in listed.out
    assert "Back again: treadle data tag pets@2 v1" in gone.out
    assert "No tags yet" in none.out


@pytest.mark.parametrize("words", ["branch pets --force", "tag pets --delete"])
def test_an_option_without_a_name_is_not_understood(cli, pets, words):
    said = cli("data", *words.split())

    assert said.code == 2
    assert "Name the" in said.err


def test_a_commit_that_expects_another_version_is_refused(cli, pets):
    said = cli("data", "commit", pets, "--name", "pets", "--expect", "pets@2")

    assert said.code == 1
    assert "Branch main of pets is pets@3, not pets@2." in said.err


def test_a_version_is_removed_after_a_yes_and_restored(cli, pets):
    dry = cli("data", "rm", "pets@1", "--dry-run")
    no = cli("data", "rm", "pets@1", stdin="n\n")
    yes = cli("data", "rm", "pets@1", stdin="y\n")
    shown = cli("data", "show", "pets@1")
    log = cli("data", "log", "pets")
    back = cli("data", "restore", "pets@1")

    assert "Would remove pets@1; gc would then free" in dry.out
    assert no.err.endswith("Stopped.\n")
    assert "Back again: treadle data restore pets@1" in yes.out
    assert "pets@1 was removed on" in shown.err
    assert "x  pets@1  (removed" in log.out
    assert back.out == "Restored pets@1.\n"
    assert cli("data", "show", "pets@1").code == 0


def test_what_a_branch_points_at_is_not_removed_and_nobody_is_asked(cli, pets):
    said = cli("data", "rm", "pets@2", "--force")

    assert said.code == 1
    assert "branch exp needs pets@2" in said.err


def test_what_a_run_was_made_from_is_removed_by_force_and_its_trace_says_so(cli, project):
    refused = cli("data", "rm", "flights", "--yes", cwd=project)
    dry = cli("data", "rm", "flights", "--dry-run", "--json", cwd=project).json

    assert refused.code == 1
    assert "needs flights@1" in refused.err
    assert {need["ref"] for need in dry["needed_by"]} == {"flights@1"}
    assert any(need["by"].startswith("endpoint late") for need in dry["needed_by"])


def test_files_of_a_version_are_traced(cli, pets):
    cli("data", "merge", "pets@exp", "--theirs")
    cli("data", "tag", "pets", "v1")
    said = cli("trace", "pets@v1")

    assert said.out.startswith("dataset version pets@4")
    assert "dataset version pets@2" in said.out
    assert "file cat.txt" in said.out


def test_a_removed_version_cannot_be_traced_and_it_is_said_who_removed_it(cli, pets):
    cli("data", "rm", "pets@1", "--yes")
    said = cli("trace", "pets@1")

    assert said.code == 1
    assert "treadle data restore pets@1" in said.err


def test_a_table_goes_on_a_branch_as_well(cli, tmp_path):
    path = write_csv(tmp_path / "rows.csv", rows_of(30))
    cli("data", "commit", path, "--name", "rows")
    cli("data", "branch", "rows", "exp")
    path = write_csv(tmp_path / "rows.csv", rows_of(40))

    said = cli("data", "commit", path, "--name", "rows", "--branch", "exp")

    assert said.out.startswith("rows@2")
    assert cli("data", "show", "rows", "--json").json["number"] == 1


def test_lines_of_descent_fork_and_join():
    drawn = draw([(6, (5, 3)), (5, (4,)), (4, (2,)), (3, (1,)), (2, (1,)), (1, ())])

    assert [line for above, mark in drawn for line in (*above, mark)] == [
        "*",
        "|\\",
        "* |",
        "* |",
        "| *",
        "* |",
        "|/",
        "*",
    ]


# --- DVC ---


def test_what_goes_to_dvc_is_said_with_the_way_to_fetch_it(cli, pets, tmp_path):
    dry = cli("export", "dvc", "pets", tmp_path / "shared", "--dry-run")
    done = cli("export", "dvc", "pets@2", tmp_path / "shared")

    assert "Would write pets@3, 2 files" in dry.out
    assert "Wrote pets@2, 1 file" in done.out
    assert "&& dvc pull" in done.out


def test_a_folder_without_dvc_is_said(cli, tmp_path):
    said = cli("import", "dvc", tmp_path)

    assert said.code == 1
    assert "Name the folder that holds .dvc." in said.err
