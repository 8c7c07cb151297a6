from __future__ import annotations

import subprocess

import pytest

from treadle.kernel.digests import digest_bytes
from treadle.tracking import capture as capturing
from treadle.tracking.capture import DIFF_PATH, PACKAGES_PATH, capture, capture_process


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", *identity, "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "sub").mkdir()
    for name in ("train.py", "sub/.env", "sub/server.key"):
        (tmp_path / name).write_text("first\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    return tmp_path, git("rev-parse", "HEAD")


def test_a_clean_checkout_gives_its_commit_and_no_diff(repository):
    folder, commit = repository

    found = capture(folder)

    assert found.tags["treadle.code.commit"] == commit
    assert "treadle.code.diff" not in found.tags
    assert DIFF_PATH not in found.files


def test_what_is_not_committed_is_kept_as_a_diff_also_from_a_folder_below(repository):
    folder, _ = repository
    (folder / "train.py").write_text("second\n")

    found = capture(folder / "sub")

    diff = found.files[DIFF_PATH]
    assert b"-first\n+second" in diff
    assert found.tags["treadle.code.diff"] == digest_bytes(diff)


def test_files_named_like_secrets_are_left_out_of_the_diff(repository):
    folder, _ = repository
    for name in ("train.py", "sub/.env", "sub/server.key"):
        (folder / name).write_text("password\n")

    diff = capture(folder).files[DIFF_PATH]

    assert b"train.py" in diff
    assert b".env" not in diff
    assert b"server.key" not in diff


def test_a_diff_that_is_too_large_is_named_but_not_kept(repository, monkeypatch):
    folder, _ = repository
    (folder / "train.py").write_text("second\n")
    monkeypatch.setattr(capturing, "DIFF_LIMIT_BYTES", 10)

    found = capture(folder)

    assert len(found.tags["treadle.code.diff"]) == 64
    assert DIFF_PATH not in found.files


def test_a_program_configured_in_the_repository_is_not_run(repository):
    folder, _ = repository
    (folder / "train.py").write_text("second\n")
    (folder / ".git/config").write_text(
        f"[core]\n\tfsmonitor = touch {folder}/ran\n[diff]\n\texternal = touch {folder}/ran\n"
    )

    capture(folder)

    assert not (folder / "ran").exists()


def test_a_folder_without_a_repository_gives_the_environment_alone(tmp_path):
    found = capture(tmp_path)

    assert "treadle.code.commit" not in found.tags
    assert list(found.files) == [PACKAGES_PATH]


def test_packages_are_listed_with_their_versions_and_no_environment_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "hunter2")

    found = capture(tmp_path)

    lines = found.files[PACKAGES_PATH].decode().splitlines()
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(names)
    assert any(line.startswith("numpy==") for line in lines)
    assert "hunter2" not in repr(found)


def test_the_process_is_looked_at_once():
    assert capture_process() is capture_process()
