from __future__ import annotations

import pytest

from treadle.errors import Corrupt, InvalidInput, NotFound
from treadle.kernel.digests import digest_bytes
from treadle.storage import events
from treadle.tracking.facts import ArtifactLogged


@pytest.fixture
def run_id(tracking):
    return tracking.start_run(experiment="late").id


def read(tracking, run_id, path):
    with tracking.open_artifact(run_id, path) as stream:
        return stream.read()


def test_an_artifact_is_read_as_it_was_stored(tracking, run_id, tmp_path):
    file = tmp_path / "curve.csv"
    file.write_bytes(b"1,2\n")

    tracking.log_artifact(run_id, "plots/curve.csv", file)
    small = tracking.log_artifact(run_id, "note.txt", b"good")

    assert read(tracking, run_id, "plots/curve.csv") == b"1,2\n"
    assert read(tracking, run_id, "note.txt") == b"good"
    assert (small.digest, small.size_bytes) == (digest_bytes(b"good"), 4)


def test_a_path_logged_again_takes_the_place_of_the_first(tracking, run_id):
    tracking.log_artifact(run_id, "note.txt", b"one")
    tracking.log_artifact(run_id, "note.txt", b"two")

    assert read(tracking, run_id, "note.txt") == b"two"
    assert [a.path for a in tracking.artifacts(run_id)] == ["environment/packages.txt", "note.txt"]


def test_an_artifact_is_told_by_a_fact(tracking, store, run_id):
    artifact = tracking.log_artifact(run_id, "note.txt", b"one")

    with store.read() as tx:
        [told] = events.read(tx.connection, kinds=["artifact.logged"])
    fact = told.as_fact(ArtifactLogged)
    assert (fact.run_id, fact.path, fact.digest) == (run_id, "note.txt", artifact.digest)
    assert told.subject == f"run/{run_id}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "a\\..\\b",
        "C:/x",
        "a\x00b",
        "a\nb",
        "x" * 1001,
        "\ud800",
    ],
)
def test_a_path_that_could_leave_the_run_is_refused(solo, path):
    run = solo.start_run(experiment="late")

    with pytest.raises(InvalidInput):
        solo.log_artifact(run.id, path, b"")
    with pytest.raises(InvalidInput):
        solo.open_artifact(run.id, path)


@pytest.mark.parametrize("path", ["h#.txt", "a?b", "%2e%2e/x", "..a", "ä ö/é.txt", "'; --"])
def test_an_odd_but_safe_path_is_kept_as_it_is(solo, path):
    run = solo.start_run(experiment="late")

    solo.log_artifact(run.id, path, b"x")

    assert read(solo, run.id, path) == b"x"


def test_a_missing_artifact_suggests_the_near_miss(tracking, run_id):
    tracking.log_artifact(run_id, "note.txt", b"")

    with pytest.raises(NotFound, match=r"Did you mean 'note\.txt'"):
        tracking.open_artifact(run_id, "notes.txt")


def test_a_file_that_cannot_be_read_is_named(tracking, run_id, tmp_path):
    with pytest.raises(InvalidInput, match="Log a folder file by file"):
        tracking.log_artifact(run_id, "folder", tmp_path)
    with pytest.raises(InvalidInput, match="No such file"):
        tracking.log_artifact(run_id, "file", tmp_path / "absent")


def test_a_damaged_artifact_is_not_handed_over(tracking, run_id, objects):
    artifact = tracking.log_artifact(run_id, "note.txt", b"good")
    stored = objects._path(artifact.digest)
    stored.chmod(0o644)
    stored.write_bytes(b"evil")

    with pytest.raises(Corrupt):
        tracking.open_artifact(run_id, "note.txt")
