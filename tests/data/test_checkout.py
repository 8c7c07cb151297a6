from __future__ import annotations

import errno
import os
import random
import stat
from typing import TYPE_CHECKING

import pytest

from treadle.data.service import Data
from treadle.data.trees import service, shelf
from treadle.kernel.errors import Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore


@pytest.fixture
def data(store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path) -> Data:
    return Data(store=store, objects=objects, home=tmp_path / "home")


@pytest.fixture
def work(data: Data, tmp_path: Path) -> Path:
    """`pets@1` and, changed, `pets@2`; the first is checked out."""
    root = tmp_path / "pets"
    (root / "cats").mkdir(parents=True)
    (root / "cats" / "one").write_bytes(noise(1))
    (root / "cats" / "two").write_bytes(noise(2))
    (root / "dog").write_bytes(noise(3))
    data.commit("pets", root)
    (root / "cats" / "one").write_bytes(noise(4))
    (root / "dog").unlink()
    (root / "dog").mkdir()
    (root / "dog" / "rex").write_bytes(noise(5))
    data.commit("pets", root)
    data.checkout("pets@1", tmp_path / "work")
    return tmp_path / "work"


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(5000)  # noqa: S311 - the same at every run


def change(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def test_a_checked_out_folder_is_clean(data: Data, work: Path) -> None:
    status = data.status(work)

    assert (status.ref, status.diff.is_empty) == ("pets@1", True)


def test_a_place_where_no_folder_can_be_is_told(data: Data, work: Path) -> None:
    with pytest.raises(Unavailable, match=r"Cannot write into .*below: Not a directory"):
        data.checkout("pets@1", work / "dog" / "below")


def test_files_are_read_only_links_into_the_home(data: Data, work: Path, tmp_path: Path) -> None:
    data.checkout("pets@1", tmp_path / "second")

    first, second = (work / "dog").stat(), (tmp_path / "second" / "dog").stat()
    assert first.st_ino == second.st_ino
    assert stat.S_IMODE(first.st_mode) == 0o444
    assert data.status(work).diff.is_empty


def test_copies_are_files_of_their_own(data: Data, tmp_path: Path, work: Path) -> None:
    data.checkout("pets@1", tmp_path / "second", copy=True)

    status = (tmp_path / "second" / "dog").stat()
    assert (status.st_nlink, stat.S_IMODE(status.st_mode)) == (1, 0o644)


def test_the_files_kept_to_link_can_be_removed_at_any_time(
    data: Data, work: Path, tmp_path: Path
) -> None:
    for path in (tmp_path / "home" / "files").rglob("*"):
        path.unlink() if path.is_file() else None

    data.checkout("pets@1", tmp_path / "second")

    assert (tmp_path / "second" / "dog").read_bytes() == noise(3)


def test_a_kept_file_that_was_written_to_is_not_linked_again(
    data: Data, work: Path, tmp_path: Path
) -> None:
    (work / "dog").chmod(0o644)
    (work / "dog").write_bytes(noise(9))

    data.checkout("pets@1", tmp_path / "second")

    assert data.status(work).diff.changed == ("dog",)
    assert (tmp_path / "second" / "dog").read_bytes() == noise(3)


def test_a_kept_file_that_was_made_writable_is_not_linked_again(
    data: Data, work: Path, tmp_path: Path
) -> None:
    (work / "dog").chmod(0o644)

    data.checkout("pets@1", tmp_path / "second")

    assert stat.S_IMODE((tmp_path / "second" / "dog").stat().st_mode) == 0o444


def test_a_link_in_place_of_a_kept_file_is_not_followed(
    data: Data, work: Path, tmp_path: Path
) -> None:
    for kept in (tmp_path / "home" / "files").glob("*/*"):
        kept.unlink()
        kept.symlink_to(tmp_path / "elsewhere")

    data.checkout("pets@1", tmp_path / "second")

    assert (tmp_path / "second" / "dog").read_bytes() == noise(3)
    assert not (tmp_path / "second" / "dog").is_symlink()


def test_a_file_that_was_made_executable_is_written_again_by_force(data: Data, work: Path) -> None:
    (work / "dog").chmod(0o555)

    data.checkout("pets@1", work, force=True)

    assert stat.S_IMODE((work / "dog").stat().st_mode) == 0o444
    assert data.status(work).diff.is_empty


def test_another_version_replaces_what_was_not_changed(data: Data, work: Path) -> None:
    done = data.checkout("pets@2", work)

    assert (done.written, done.kept, done.removed) == (("cats/one", "dog/rex"), 1, ("dog",))
    assert (work / "cats" / "one").read_bytes() == noise(4)
    assert (work / "dog" / "rex").read_bytes() == noise(5)
    assert data.status(work).ref == "pets@2"


def test_a_folder_gives_way_to_a_file_again(data: Data, work: Path) -> None:
    data.checkout("pets@2", work)

    data.checkout("pets@1", work)

    assert (work / "dog").read_bytes() == noise(3)
    assert data.status(work).diff.is_empty


def test_what_was_changed_is_not_overwritten(data: Data, work: Path) -> None:
    change(work / "cats" / "one", b"mine")

    with pytest.raises(Conflict, match=r"Changed here and in no version: cats/one\."):
        data.checkout("pets@2", work)

    assert (work / "cats" / "one").read_bytes() == b"mine"
    assert (work / "dog").read_bytes() == noise(3)


def test_what_was_changed_is_overwritten_by_force(data: Data, work: Path) -> None:
    change(work / "cats" / "one", b"mine")

    data.checkout("pets@2", work, force=True)

    assert (work / "cats" / "one").read_bytes() == noise(4)


def test_a_folder_of_somebody_is_not_removed_for_a_file(data: Data, work: Path) -> None:
    (work / "dog").unlink()
    (work / "dog").mkdir()
    (work / "dog" / "mine").write_bytes(b"mine")

    with pytest.raises(Conflict, match="dog/mine"):
        data.checkout("pets@1", work)


def test_a_change_that_is_what_the_version_has_stays(data: Data, work: Path) -> None:
    change(work / "cats" / "one", noise(4))

    done = data.checkout("pets@2", work)

    assert done.written == ("dog/rex",)


def test_files_of_no_version_stay(data: Data, work: Path) -> None:
    (work / "mine").write_bytes(b"mine")

    data.checkout("pets@2", work)

    assert (work / "mine").read_bytes() == b"mine"
    assert data.status(work).diff.added == ("mine",)


def test_exact_removes_what_the_version_does_not_have_if_it_can_come_back(
    data: Data, work: Path
) -> None:
    data.checkout("pets@2", work)
    (work / "mine").write_bytes(b"mine")

    with pytest.raises(Conflict, match="mine"):
        data.checkout("pets@1", work, exact=True)
    data.checkout("pets@1", work, exact=True, force=True)

    assert not (work / "mine").exists()
    assert data.status(work).diff.is_empty


def test_a_dry_run_touches_nothing(data: Data, work: Path, tmp_path: Path) -> None:
    told = data.checkout("pets@2", work, dry_run=True)
    elsewhere = data.checkout("pets@2", tmp_path / "new", dry_run=True)

    assert told.written == ("cats/one", "dog/rex")
    assert len(elsewhere.written) == 3
    assert data.status(work).ref == "pets@1"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("only", "paths"),
    [
        ("cats", ["cats/one", "cats/two"]),
        ("cats/", ["cats/one", "cats/two"]),
        ("*/t*", ["cats/two"]),
        ("dog", ["dog"]),
    ],
)
def test_only_what_is_meant_is_written(
    data: Data, work: Path, tmp_path: Path, only: str, paths: list[str]
) -> None:
    data.checkout("pets@1", tmp_path / "part", only=only)

    found = [p.relative_to(tmp_path / "part").as_posix() for p in (tmp_path / "part").rglob("*")]
    assert sorted(p for p in found if p != "cats") == paths
    assert data.status(tmp_path / "part").diff.is_empty


def test_a_pattern_that_means_nothing_is_said(data: Data, work: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cats/onne"):
        data.checkout("pets@1", tmp_path / "part", only="cats/onne")


def test_nothing_is_written_through_a_link_that_stands_in_the_way(
    data: Data, work: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    for path in (work / "cats").iterdir():
        path.unlink()
    (work / "cats").rmdir()
    (work / "cats").symlink_to(tmp_path / "outside")

    with pytest.raises(Conflict, match="cats"):
        data.checkout("pets@1", work)
    data.checkout("pets@1", work, force=True)

    assert list((tmp_path / "outside").iterdir()) == []
    assert (work / "cats" / "one").read_bytes() == noise(1)


def test_nothing_to_do_reads_nothing_and_writes_nothing(
    data: Data, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_ctime_ns for path in work.rglob("*") if path.is_file()}
    monkeypatch.setattr(service, "content_of", lambda *_: pytest.fail("a file was read"))

    again = data.checkout("pets@1", work)

    assert (again.written, again.kept) == ((), len(before))
    assert {path: path.stat().st_ctime_ns for path in before} == before


def test_what_a_killed_checkout_left_is_no_part_of_a_version(data: Data, work: Path) -> None:
    (work / ".treadle-checkout").mkdir()
    (work / ".treadle-checkout" / "next").write_bytes(b"half")

    assert data.status(work).diff.is_empty
    assert data.files(data.commit("pets", work).ref) == data.files("pets@1")
    data.checkout("pets@2", work)
    assert not (work / ".treadle-checkout").exists()


def test_a_checkout_of_equal_files_reads_none_of_them_twice(data: Data, tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / "same" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(noise(1))
    version = data.commit("same", tmp_path / "same")

    data.checkout("same", tmp_path / "out")

    assert (version.stored_bytes or 0) < 7000
    assert {p.stat().st_ino for p in (tmp_path / "out").iterdir()} == {
        (tmp_path / "out" / "0").stat().st_ino
    }


@pytest.fixture
def cloning(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A file system that has clones, as far as who asks for one can see."""
    asked = []

    def clone(target: int, what: int, kept: int) -> int:
        asked.append(what)
        os.sendfile(target, kept, 0, os.fstat(kept).st_size)
        return 0

    monkeypatch.setattr(shelf.fcntl, "ioctl", clone)
    return asked


def test_where_there_are_clones_a_checkout_is_files_of_its_own(
    data: Data, work: Path, tmp_path: Path, cloning: list[int]
) -> None:
    data.checkout("pets@1", tmp_path / "first")
    data.checkout("pets@1", tmp_path / "second")
    file = tmp_path / "first" / "dog"

    file.write_bytes(b"edited in place")

    assert cloning, "nobody asked for a clone"
    assert stat.S_IMODE(file.stat().st_mode) & stat.S_IWUSR, "a clone is its owner's to edit"
    assert (tmp_path / "second" / "dog").read_bytes() == noise(3)
    assert data.status(tmp_path / "first").diff.changed == ("dog",)
    assert data.status(tmp_path / "second").diff.is_empty


def test_where_there_are_none_it_is_links_and_nobody_asks_again(
    data: Data, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refuse(*told: object) -> int:
        asked.append(told)
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(shelf.fcntl, "ioctl", refuse)
    data.checkout("pets@1", tmp_path / "links")

    assert len(asked) == 1
    assert (tmp_path / "links" / "dog").stat().st_nlink > 1
    assert data.status(tmp_path / "links").diff.is_empty
