from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.servers import absent
from treadle.tracking.code_state import code_state, without_credentials

SECRET_FILES = ("sub/.env", "sub/Server.KEY", ".netrc")


def call(folder, *command):
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return done.stdout.strip()


def program(name, *, package):
    if shutil.which(name) is None:
        absent(name, package=package)


def fill(folder):
    (folder / "sub").mkdir()
    for name in ("train.py", *SECRET_FILES):
        (folder / name).write_text("first\n")


@pytest.fixture
def git(tmp_path):
    program("git", package="git")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    call(tmp_path, "git", "init", "-q", "-b", "trunk")
    fill(tmp_path)
    call(tmp_path, "git", "add", "-A")
    call(tmp_path, "git", *who, "commit", "-qm", "first")
    return tmp_path, "git", call(tmp_path, "git", "rev-parse", "HEAD")


@pytest.fixture
def mercurial(tmp_path):
    program("hg", package="mercurial")
    call(tmp_path, "hg", "init")
    fill(tmp_path)
    call(tmp_path, "hg", "commit", "-qA", "-u", "a", "-m", "first")
    return tmp_path, "hg", call(tmp_path, "hg", "log", "-r", ".", "-T", "{node}")


@pytest.fixture
def subversion(tmp_path):
    program("svn", package="subversion")
    call(tmp_path, "svnadmin", "create", "store")
    call(tmp_path, "svn", "checkout", "-q", f"file://{tmp_path}/store", "checkout")
    folder = tmp_path / "checkout"
    fill(folder)
    call(folder, "svn", "add", "-q", "--force", ".")
    call(folder, "svn", "commit", "-qm", "first")
    call(folder, "svn", "update", "-q")
    return folder, "svn", "r1"


@pytest.fixture(params=["git", "mercurial", "subversion"])
def checkout(request):
    return request.getfixturevalue(request.param)


def test_a_clean_checkout_has_its_commit_and_no_diff(checkout):
    folder, system, commit = checkout

    found = code_state(folder)

    assert (found.system, found.commit) == (system, commit)
    assert (found.diff, found.untracked) == (b"", ())


def test_what_is_not_committed_is_the_diff_also_from_a_folder_below(checkout):
    folder, _, commit = checkout
    (folder / "train.py").write_text("second\n")

    found = code_state(folder / "sub")

    assert b"-first\n+second" in found.diff
    assert found.commit == commit


def test_files_named_like_secrets_are_left_out_of_the_diff(checkout):
    folder, _, _ = checkout
    for name in ("train.py", *SECRET_FILES):
        (folder / name).write_text("hunter2\n")

    found = code_state(folder)

    assert found.diff.count(b"+hunter2") == 1
    assert not any(name.encode() in found.diff for name in SECRET_FILES)


def test_files_unknown_to_the_version_control_are_named_and_not_stored(checkout):
    folder, _, _ = checkout
    (folder / "sub" / "new.py").write_text("unknown\n")

    found = code_state(folder)

    assert found.untracked == ("sub/new.py",)
    assert found.diff == b""


def test_the_branch_is_known_where_there_are_branches(git):
    folder, _, _ = git

    assert code_state(folder).branch == "trunk"


def test_where_a_checkout_came_from_is_told_without_the_password(git):
    folder, _, _ = git
    call(folder, "git", "remote", "add", "origin", "https://me:hunter2@example.org/a.git")

    assert code_state(folder).repository == "https://example.org/a.git"


def test_a_checkout_without_a_commit_has_no_state(tmp_path):
    program("git", package="git")
    call(tmp_path, "git", "init", "-q")

    assert code_state(tmp_path) is None


def test_a_program_configured_in_a_mercurial_repository_is_not_run(mercurial):
    folder, _, _ = mercurial
    (folder / "train.py").write_text("second\n")
    (folder / ".hg" / "hgrc").write_text(f"[hooks]\npre-diff = touch {folder}/ran\n")

    found = code_state(folder)

    assert b"+second" in found.diff
    assert not (folder / "ran").exists()


def test_a_version_control_that_is_not_installed_tells_nothing(git, monkeypatch):
    folder, _, _ = git
    monkeypatch.setenv("PATH", str(folder))

    assert code_state(folder) is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://token@example.org/a", "https://example.org/a"),
        ("git@example.org:a.git", "git@example.org:a.git"),
        ("/srv/a", "/srv/a"),
    ],
)
def test_an_address_is_told_without_its_credentials(url, told):
    assert without_credentials(url) == told
