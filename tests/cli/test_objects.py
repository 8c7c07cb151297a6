"""`treadle objects`, `treadle data fsck` and `gc`: what is stored is kept, and who may read it."""

from __future__ import annotations

import os
import time

import pytest


@pytest.fixture
def home(cli, csv, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(os.urandom(20_000))
    cli("data", "commit", csv, "--name", "flights")
    cli("data", "commit", "in", "--name", "pets")
    return tmp_path / ".treadle"


@pytest.fixture
def key(cli, tmp_path, monkeypatch):
    made = cli("objects", "keys", "new", "master.key")
    assert made.code == 0
    monkeypatch.setenv("TREADLE_OBJECTS_KEY", str(tmp_path / "master.key"))
    return tmp_path / "master.key"


def test_what_is_stored_is_counted(cli, home):
    found = cli("objects", "--json").json

    assert found["objects"] == found["plain_objects"] > 1
    assert found["master"] == ""
    assert "Not encrypted" in cli("objects").out


def test_a_remote_home_shows_no_objects(cli, tmp_path):
    refused = cli("--home", "http://127.0.0.1:9", "objects")

    assert refused.code == 1
    assert "on the machine of the home" in refused.err
    assert list(tmp_path.iterdir()) == []


def test_an_encrypted_home_is_pushed_and_pulled(cli, home, key, tmp_path):
    cli("objects", "encrypt")

    cli("data", "remote", "add", "far", tmp_path / "far", "--encrypted")
    pushed = cli("data", "push", "pets")
    pulled = cli("data", "clone", tmp_path / "far", "--as", "again")

    assert (pushed.code, pulled.code) == (0, 0), pushed.err + pulled.err


def test_a_database_that_was_at_two_places_is_told(cli, home, tmp_path):
    alone = cli("objects", "owners")
    home.rename(tmp_path / "moved")
    (tmp_path / "in" / "b").write_bytes(b"new")
    cli("--home", "moved", "data", "commit", "in", "--name", "pets")

    told = cli("--home", "moved", "objects", "owners")

    assert alone.err == ""
    assert "or these are copies, which cannot be told apart" in told.err
    assert "moved/treadle.db" in told.err


def test_without_a_key_there_are_no_keys(cli, home):
    refused = cli("objects", "keys")

    assert refused.code == 1
    assert "treadle objects keys new FILE" in refused.err


def test_what_was_plain_is_encrypted_and_read_as_before(cli, csv, home, key):
    planned = cli("objects", "encrypt", "--dry-run", "--json").json
    done = cli("objects", "encrypt", "--json").json
    after = cli("objects", "--json").json

    assert planned == done
    assert (after["plain_objects"], after["objects"]) == (0, done["objects"])
    assert cli("data", "fsck").code == 0
    assert cli("data", "checkout", "pets", "out").code == 0
    assert "nothing changed" in cli("data", "commit", csv, "--name", "flights").out


def test_keys_are_added_and_rotated(cli, home, key, monkeypatch, tmp_path):
    cli("objects", "encrypt")
    cli("objects", "keys", "new", "next.key")

    dry = [cli("objects", "keys", "add", "--dry-run").out]
    dry.append(cli("objects", "keys", "rotate", "--to", "next.key", "--dry-run").out)
    before = cli("objects", "keys", "--json").json["items"]
    cli("objects", "keys", "add")
    rotated = cli("objects", "keys", "rotate", "--to", "next.key", "--json").json
    refused = cli("data", "fsck")
    monkeypatch.setenv("TREADLE_OBJECTS_KEY", str(tmp_path / "next.key"))
    after = cli("objects", "keys", "--json").json["items"]

    assert all(line.startswith("Would ") for line in dry)
    assert rotated["data_keys"] == len(after)
    assert [k["is_current"] for k in before] == [True]
    assert [k["is_current"] for k in after] == [False, True]
    assert "under master key" in refused.err
    assert cli("data", "fsck").code == 0


def test_a_damaged_copy_of_the_keys_is_named_and_mended(cli, home, key):
    cli("objects", "encrypt")
    harmed, _ = sorted((home / "objects" / "keys").glob("??/*"))
    harmed.chmod(0o644)
    harmed.write_bytes(b"{}")

    found = cli("data", "fsck", "--json")
    cli("objects", "keys", "add")

    assert found.code == 1
    assert [d["object"] for d in found.json["damage"]] == [harmed.name]
    assert cli("data", "fsck").code == 0


def test_a_settings_file_names_the_key_seen_from_the_home(cli, home, key, monkeypatch):
    monkeypatch.delenv("TREADLE_OBJECTS_KEY")
    (home / "settings.toml").write_text('objects_key = "../master.key"\n', encoding="utf-8")

    assert "Encrypted under master key" in cli("objects").out


def test_the_key_is_never_printed(cli, home, key):
    told = cli("data", "show", "flights")

    assert told.code == 0
    assert key.read_text().strip() not in told.out + cli("status").out


def test_fsck_names_what_is_damaged_and_says_so_in_its_code(cli, home):
    harmed = max((home / "objects").glob("??/*"), key=lambda path: path.stat().st_size)
    harmed.chmod(0o644)
    harmed.write_bytes(b"not what it was")

    told, found = cli("data", "fsck"), cli("data", "fsck", "--json")

    assert (told.code, found.code) == (1, 1)
    assert [d["object"] for d in found.json["damage"]] == [harmed.name]
    assert found.json["damage"][0]["versions"]


def test_a_dry_run_of_fsck_is_for_rebuilding(cli, home):
    assert cli("data", "fsck", "--dry-run").code == 2
    assert cli("data", "fsck", "--rebuild", "--dry-run").out.startswith("Would find 0 chunks")
    assert cli("data", "fsck", "--rebuild").code == 0


def test_gc_says_what_it_frees_by_kind(cli, home):
    left = home / "objects" / "ab" / ("ab" * 32)
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"nobody's")
    os.utime(left, (time.time() - 7200,) * 2)

    planned = cli("data", "gc", "--dry-run")
    found = cli("data", "gc", "--yes", "--json").json

    assert planned.out == "Would remove 1 object (8 B).\n"
    assert found["objects"] == [left.name]
    assert cli("data", "gc").out == "Everything is needed, or too young.\n"


def test_gc_of_rows_frees_the_bytes_when_asked(cli, home):
    told = cli("gc", "--free", "--yes")

    assert told.code == 0
    assert told.err == "Freed nothing.\n"
