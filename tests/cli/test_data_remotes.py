"""`treadle data remote`, `push`, `pull`, `clone`."""

from __future__ import annotations

import pytest


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "one.png").write_bytes(b"one" * 100)
    return folder


@pytest.fixture
def pushed(cli, images):
    cli("data", "commit", images, "--name", "images", "-m", "the first")
    cli("data", "remote", "add", "origin", "far")
    return cli("data", "push", "images")


def test_a_remote_is_named_listed_and_forgotten(cli, tmp_path):
    named = cli("data", "remote", "add", "nas", "far")
    listed = cli("data", "remote")
    asked = cli("data", "remote", "list", "--json")
    gone = cli("data", "remote", "remove", "nas")

    assert named.out == f"nas is {(tmp_path / 'far').as_uri()}\n"
    assert listed.out.splitlines()[1].startswith(f"nas     {(tmp_path / 'far').as_uri()}")
    assert [r["name"] for r in asked.json["items"]] == ["nas"]
    assert gone.out.startswith("Forgot nas")
    assert cli("data", "remote").out.startswith("No remotes yet. Name one:")


def test_a_push_says_what_travelled_and_then_that_nothing_does(cli, pushed, tmp_path):
    again = cli("data", "push", "images", "--to", "origin")

    assert pushed.out.startswith("Sent images@1: 3 chunks, ")
    assert again.out == f"images: {(tmp_path / 'far').as_uri()} has it all\n"


def test_a_dry_run_sends_nothing(cli, images, tmp_path):
    cli("data", "commit", images, "--name", "images")

    said = cli("data", "push", "images", "--to", "./far", "--dry-run", "--json")

    (moved,) = said.json
    assert (moved["versions"], moved["chunks"]) == (["images@1"], 3)
    assert not (tmp_path / "far").exists()


def test_a_clone_has_every_dataset(cli, pushed, images, tmp_path):
    cli("data", "commit", images / "one.png", "--name", "single")
    cli("data", "push", "--all")

    cloned = cli("--home", "other", "data", "clone", "far")
    back = cli("--home", "other", "data", "checkout", "images", "out")

    assert [line.split(":")[0] for line in cloned.out.splitlines()] == [
        "Fetched images@1",
        "Fetched single@1",
    ]
    assert back.code == 0
    assert (tmp_path / "out" / "one.png").read_bytes() == b"one" * 100
    assert "the first" in cli("--home", "other", "data", "versions", "images").out
    assert [
        r["name"] for r in cli("--home", "other", "data", "remote", "--json").json["items"]
    ] == ["origin"]


def test_a_pull_brings_what_is_new(cli, pushed, images):
    cli("--home", "other", "data", "clone", "far")
    (images / "two.png").write_bytes(b"two")
    cli("data", "commit", images, "--name", "images")
    cli("data", "push", "images")

    planned = cli("--home", "other", "data", "pull", "images", "--dry-run")
    pulled = cli("--home", "other", "data", "pull", "--all")
    again = cli("--home", "other", "data", "pull", "images")

    assert planned.out.startswith("Would fetch images@2: ")
    assert pulled.out.startswith("Fetched images@2: ")
    assert again.out.endswith("has nothing that is not here\n")


def test_what_is_asked_wrongly_is_said(cli, images):
    cli("data", "commit", images, "--name", "images")

    neither = cli("data", "push")
    both = cli("data", "pull", "images", "--all")
    nowhere = cli("data", "push", "images")
    unknown = cli("data", "push", "image", "--to", "./far")
    missing = cli("data", "clone", "./nowhere")

    assert (neither.code, both.code) == (2, 2)
    assert "Name a dataset, or say --all" in neither.err
    assert "treadle data remote add origin URL" in nowhere.err
    assert "Did you mean 'images'" in unknown.err
    assert "Nothing was ever pushed there" in missing.err
    assert cli("data", "remote").out.startswith("No remotes yet")


def test_who_is_behind_is_told_to_pull(cli, pushed, images):
    cli("--home", "other", "data", "clone", "far")
    (images / "two.png").write_bytes(b"two")
    cli("data", "commit", images, "--name", "images")
    cli("data", "push", "images")
    (images / "two.png").write_bytes(b"another")
    cli("--home", "other", "data", "commit", images, "--name", "images")

    refused = cli("--home", "other", "data", "push", "images")
    pulled = cli("--home", "other", "data", "pull", "images")
    apart = cli("--home", "other", "data", "push", "images")
    forced = cli("--home", "other", "data", "push", "images", "--force")

    assert refused.code == 1
    assert "Pull it first: treadle data pull images" in refused.err
    assert "Note: images@2 of the remote is images@3 here.\n" in pulled.err
    assert "Merge it first: treadle data merge images@3 --into main" in apart.err
    assert forced.out.startswith("Sent images@2: ")


def test_a_tag_alone_moves(cli, pushed):
    cli("data", "tag", "images@1", "v1")

    said = cli("data", "push", "images")

    assert said.out.startswith("Moved v1 of images  file://")


def test_an_encrypted_home_shares_plainly_only_when_told_to(cli, images, tmp_path, monkeypatch):
    monkeypatch.setenv("TREADLE_OBJECTS_KEY", "ab" * 32)
    cli("data", "commit", images, "--name", "images")
    refused = cli("data", "push", "images", "--to", "./far")
    cli("data", "remote", "add", "far", "./far", "--plain")
    pushed = cli("data", "push", "images", "--to", "./far")
    monkeypatch.delenv("TREADLE_OBJECTS_KEY")

    cli("--home", "other", "data", "clone", "far")
    cli("--home", "other", "data", "checkout", "images", "out")

    assert "would hold it plain" in refused.err
    assert pushed.code == 0
    assert (tmp_path / "out" / "one.png").read_bytes() == b"one" * 100
