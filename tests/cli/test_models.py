"""`treadle models` changes what may be changed, and says before it deletes."""

from __future__ import annotations

import shutil

import pytest

import treadle


@pytest.fixture
def home(seed, tmp_path):
    """A copy of the project that may be changed: two versions of `late`, the first serves."""
    folder = tmp_path / "late"
    shutil.copytree(seed, folder)
    return folder


def registry_of(home):
    with treadle.connect(home / ".treadle") as client:
        model = client.registry.model("late")
        return model, [v.number for v in client.registry.versions("late")]


def test_an_alias_is_set_and_taken_away(cli, home):
    would = cli("models", "alias", "late@2", "next", "--dry-run", cwd=home)
    done = cli("models", "alias", "late@2", "next", cwd=home)
    moved = cli("models", "alias", "late@1", "next", cwd=home)
    gone = cli("models", "alias", "late", "next", "--remove", cwd=home)

    assert would.out == "would be: next is late@2\n"
    assert (done.code, done.out) == (0, "next is late@2\n")
    assert moved.out == "next is late@1, was late@2\n"
    assert gone.out == "late has no next, was late@1\n"
    assert "next" not in registry_of(home)[0].aliases


def test_models_and_versions_are_tagged_and_described(cli, home):
    cli("models", "tag", "late", "team=ops", "old=x", cwd=home)
    tagged = cli("models", "tag", "late", "--remove", "old", "--json", cwd=home)
    cli("models", "tag", "late@2", "checked=yes=no", cwd=home)
    cli("models", "describe", "late", "how late", cwd=home)
    cli("models", "describe", "late@2", "the second", cwd=home)

    assert tagged.json["tags"] == {"team": "ops"}
    shown = cli("models", "show", "late@2", cwd=home).out
    assert "checked=yes" not in shown
    assert "tag checked" in shown
    assert "the second" in shown
    assert registry_of(home)[0].description == "how late"


def test_a_word_without_an_equals_sign_is_no_tag(cli, home):
    said = cli("models", "tag", "late", "team", cwd=home)

    assert said.code != 0
    assert "KEY=VALUE" in said.err


def test_what_serves_is_neither_deleted_nor_renamed(cli, home):
    for words in (("delete", "late@1"), ("delete", "late"), ("rename", "late", "delays")):
        said = cli("models", *words, "--yes", cwd=home)
        assert said.code != 0
        assert "answers with it" in said.err
    assert registry_of(home)[1] == [2, 1]


def test_a_version_is_deleted_when_it_is_confirmed(cli, home):
    with treadle.connect(home / ".treadle") as client:
        for _ in range(2):
            client.registry.create_version("late", source="s3://bucket/late")

    would = cli("models", "delete", "late@3", "--dry-run", cwd=home)
    no = cli("models", "delete", "late@3", cwd=home, stdin="n\n")
    yes = cli("models", "delete", "late@3", cwd=home, stdin="y\n")

    assert would.out == "would delete late@3\n"
    assert no.code != 0
    assert "deleted late@3" in yes.out
    assert registry_of(home)[1] == [4, 2, 1]


def test_a_model_is_renamed_and_deleted(cli, home):
    with treadle.connect(home / ".treadle") as client:
        client.registry.create_model("other")
        client.registry.create_version("other", source="s3://bucket/x")

    would = cli("models", "rename", "other", "another", "--dry-run", cwd=home)
    renamed = cli("models", "rename", "other", "another", "--yes", cwd=home)
    deleted = cli("models", "delete", "another", "--yes", cwd=home)

    assert would.out == "would rename other to another, 1 version signed again\n"
    assert renamed.out == "other is another\n"
    assert deleted.out == "deleted another with 1 version\n"
    assert "another" not in cli("models", cwd=home).out


def test_the_lineage_of_a_version_without_a_model_to_load_is_shown(cli, home):
    with treadle.connect(home / ".treadle") as client:
        run = client.tracking.start_run(experiment="by mlflow", name="linked")
        client.registry.create_model("linked")
        client.registry.create_version("linked", source="s3://bucket/x", run_id=run.id)

    for words in (("models",), ("models", "versions", "linked"), ("models", "show", "linked@1")):
        said = cli(*words, cwd=home)
        assert said.code == 0, said.err
        assert "linked" in said.out
    traced = cli("trace", "linked@1", cwd=home)
    assert traced.code == 0, traced.err
    assert run.id[:12] in traced.out
