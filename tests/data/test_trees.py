from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.data.service import Data
from treadle.data.trees import walking
from treadle.data.trees.entities import Renamed, TreeEntry, check_tree, folders_of, is_inside
from treadle.data.trees.opening import OpenFile, content_of, read_whole
from treadle.data.trees.walking import walk
from treadle.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.storage.metadata import SqlMetadataStore

OLD = 1_600_000_000


@pytest.fixture
def data(store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path) -> Data:
    return Data(store=store, objects=objects, home=tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of every kind, none of them changed just now."""
    root = tmp_path / "images"
    write(root / "cats" / "one.png", noise(30_000))
    write(root / "cats" / "two.png", noise(40_000))
    write(root / "large.bin", noise(3_000_000))
    write(root / "empty", b"")
    write(root / "run.sh", b"echo\n").chmod(0o755)
    (root / "nothing" / "here").mkdir(parents=True)
    (root / "newest").symlink_to("cats/two.png")
    return root


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - the same at every run


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (OLD, OLD))
    return path


def picture(root: Path) -> dict[str, object]:
    """What a folder holds: bytes, links, the bit to execute, empty folders."""
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_file():
            found[name] = (bool(path.stat().st_mode & stat.S_IXUSR), path.read_bytes())
        elif not any(path.iterdir()):
            found[name] = "empty"
    return found


def test_a_folder_comes_back_as_it_was(data: Data, folder: Path, tmp_path: Path) -> None:
    version = data.commit("images", folder)

    data.checkout("images", tmp_path / "out")

    assert picture(tmp_path / "out") == picture(folder)
    assert (version.ref, version.file_count, version.size_bytes) == ("images@1", 6, 3_070_005)


def test_files_go_wherever_the_home_is(everywhere: Data, folder: Path, tmp_path: Path) -> None:
    everywhere.commit("images", folder)

    everywhere.checkout("images@1", tmp_path / "out")

    assert picture(tmp_path / "out") == picture(folder)


def test_neighbours_of_many_megabytes_are_read_whole(everywhere: Data, tmp_path: Path) -> None:
    write(tmp_path / "in" / "large.bin", noise(9_000_000))
    everywhere.commit("large", tmp_path / "in")

    everywhere.checkout("large", tmp_path / "out")

    assert (tmp_path / "out" / "large.bin").read_bytes() == noise(9_000_000)


NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8
).filter(lambda name: name not in {".", "..", ".treadle-checkout"} and len(name.encode()) < 200)
TREES = st.recursive(
    st.one_of(
        st.sampled_from([0, 1, 300, 200_000, 1_300_000]),
        st.tuples(st.just("link"), NAMES),
    ),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict))


def make(root: Path, tree: dict[str, object]) -> None:
    root.mkdir()
    for name, node in tree.items():
        match node:
            case dict():
                make(root / name, node)
            case ("link", target):
                (root / name).symlink_to(target)
            case _:
                (root / name).write_bytes(noise(node))


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(tree=TREES, copy=st.booleans())
def test_checkout_after_commit_gives_the_same_folder(tree, copy) -> None:
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        make(here / "in", tree)
        store = open_metadata(f"sqlite:///{here / 'treadle.db'}")
        data = Data(store=store, objects=FolderObjectStore(here / "objects"), home=here / "home")

        data.commit("anything", here / "in")
        data.checkout("anything", here / "out", copy=copy)
        again = data.commit("anything", here / "out")
        store.close()

        assert picture(here / "out") == picture(here / "in")
        assert again.ref == "anything@1"


def test_the_same_folder_is_the_same_version(data: Data, folder: Path, tmp_path: Path) -> None:
    first = data.commit("images", folder)
    shutil.copytree(folder, tmp_path / "copy", symlinks=True)

    again = data.commit("images", tmp_path / "copy")

    assert again == first


def test_a_changed_file_stores_little_anew(data: Data, folder: Path) -> None:
    data.commit("images", folder)
    write(folder / "cats" / "one.png", noise(30_001))

    second = data.commit("images", folder)

    assert second.ref == "images@2"
    assert 30_000 < (second.stored_bytes or 0) < 33_000


def test_a_byte_inserted_into_a_large_file_stores_little_anew(data: Data, folder: Path) -> None:
    data.commit("images", folder)
    write(folder / "large.bin", noise(3_000_000)[:1_000_000] + b"!" + noise(3_000_000)[1_000_000:])

    second = data.commit("images", folder)

    assert 0 < (second.stored_bytes or 0) < 1_500_000


def test_the_row_and_the_event_do_not_grow_with_the_files(data: Data, tmp_path: Path) -> None:
    for number in range(500):
        write(tmp_path / "many" / f"{number}.txt", b"%d" % number)

    version = data.commit("many", tmp_path / "many")

    assert (version.files, version.file_count) == ((), 500)
    assert len(data.files("many")) == 500


def test_several_paths_are_committed_under_their_names(data: Data, folder: Path) -> None:
    data.commit("some", [folder / "cats", folder / "run.sh"])

    paths = [entry.path for entry in data.files("some")]

    assert paths == ["cats/one.png", "cats/two.png", "run.sh"]


def test_paths_of_different_folders_have_no_common_names(data: Data, folder: Path) -> None:
    with pytest.raises(InvalidInput, match="lie in different folders"):
        data.commit("some", [folder / "cats" / "one.png", folder / "run.sh"])


def test_a_file_that_is_no_table_is_committed_as_it_is(data: Data, folder: Path) -> None:
    data.commit("weights", folder / "large.bin")

    (entry,) = data.files("weights")

    assert (entry.path, entry.size_bytes, entry.kind) == ("large.bin", 3_000_000, "file")


def test_a_table_stays_a_table_unless_files_are_asked_for(data: Data, tmp_path: Path) -> None:
    table = write(tmp_path / "trips.csv", b"a,b\n1,2\n")

    rows = data.commit("rows", table)
    files = data.commit_files("files", [table])

    assert (rows.rows, rows.is_table, files.is_table) == (1, True, False)
    assert (files.rows, [e.path for e in data.files("files")]) == (0, ["trips.csv"])


def test_files_have_no_rows(data: Data, folder: Path) -> None:
    data.commit("images", folder)

    with pytest.raises(InvalidInput, match="images@1 holds files, not a table"):
        data.table("images")


def test_a_table_is_files_too(data: Data, tmp_path: Path) -> None:
    data.commit("rows", write(tmp_path / "trips.csv", b"a,b\n1,2\n"))
    write(tmp_path / "trips.csv", b"a,b\n1,3\n")
    data.commit("rows", tmp_path / "trips.csv")

    diff = data.diff_files("rows@1", "rows@2")

    assert [e.path for e in data.files("rows")] == ["part-00000.parquet", "source/trips.csv"]
    assert diff.changed == ("part-00000.parquet", "source/trips.csv")


def test_links_are_kept_and_never_followed(data: Data, tmp_path: Path) -> None:
    write(tmp_path / "secret" / "key", b"secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "out").symlink_to(tmp_path / "secret")

    data.commit("links", tmp_path / "in")

    assert [(e.path, e.kind, e.target) for e in data.files("links")] == [
        ("out", "link", str(tmp_path / "secret"))
    ]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    # The address of a socket is short, a path below a folder for tests need not be.
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(path.parent):
        server.bind(path.name)


@pytest.mark.parametrize(("make_it", "told"), [(pipe, "a pipe"), (listener, "a socket")])
def test_what_is_no_file_is_refused_by_its_name(
    data: Data, folder: Path, make_it: Callable[[Path], None], told: str
) -> None:
    make_it(folder / "cats" / "odd")

    with pytest.raises(InvalidInput, match=f"cats/odd is {told}"):
        data.commit("images", folder)


def test_a_name_that_is_not_utf8_is_refused(data: Data, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")).touch()

    with pytest.raises(InvalidInput, match=r"xff\.png' is not UTF-8"):
        data.commit("images", folder)


def test_a_home_within_the_folder_is_left_out(store: SqlMetadataStore, folder: Path) -> None:
    home = folder / ".treadle"
    data = Data(store=store, objects=FolderObjectStore(home / "objects"), home=home)

    data.commit("images", folder)

    assert [e.path for e in data.files("images") if e.path.startswith(".")] == []


def test_a_file_that_changes_while_it_is_read_is_named(folder: Path) -> None:
    found = next(f for f in walk(folder) if f.path == "large.bin")

    def read_half_and_change_it() -> None:
        with OpenFile(str(folder), found) as file:
            file.read_into(memoryview(bytearray(1000)))
            write(folder / "large.bin", noise(3_000_000)[::-1])

    with pytest.raises(Conflict, match=r"large\.bin changed while it was read"):
        read_half_and_change_it()


@pytest.mark.parametrize("now", [b"shorter", b"longer than it was when it was found"])
def test_a_small_file_of_another_size_than_was_found_is_named(folder: Path, now: bytes) -> None:
    write(folder / "small.txt", b"some thirteen")
    found = next(f for f in walk(folder) if f.path == "small.txt")
    write(folder / "small.txt", now)

    with pytest.raises(Conflict, match=r"small\.txt changed while it was read"):
        read_whole(str(folder), found, room=memoryview(bytearray(100)))


def test_a_small_file_is_read_whole_though_it_comes_in_parts(folder: Path, monkeypatch) -> None:
    write(folder / "small.txt", b"some thirteen")
    found = next(f for f in walk(folder) if f.path == "small.txt")
    read = os.readv
    monkeypatch.setattr(os, "readv", lambda file, rooms: read(file, [rooms[0][:5]]))

    assert read_whole(str(folder), found, room=memoryview(bytearray(14))) == b"some thirteen"


def test_a_file_that_went_away_since_it_was_found_is_named(folder: Path) -> None:
    found = next(f for f in walk(folder) if f.path == "large.bin")
    (folder / "large.bin").unlink()

    with pytest.raises(Conflict, match=r"large\.bin changed while it was read"):
        content_of(str(folder), found)


def test_a_file_is_read_in_parts(data: Data, folder: Path) -> None:
    data.commit("images", folder)
    whole = noise(3_000_000)

    with data.open("images", "large.bin") as stream:
        stream.seek(-100_000, os.SEEK_END)
        end = stream.read()
        stream.seek(1_234_567)
        part = stream.read(500_000)

    assert end == whole[-100_000:]
    assert part == whole[1_234_567:1_734_567]


def test_a_file_that_no_version_has_gets_near_misses(data: Data, folder: Path) -> None:
    data.commit("images", folder)

    with pytest.raises(NotFound, match=r"Did you mean 'large\.bin'"):
        data.open("images", "lage.bin")


def test_versions_are_compared_by_file(data: Data, folder: Path) -> None:
    data.commit("images", folder)
    (folder / "cats" / "two.png").rename(folder / "dog.png")
    write(folder / "cats" / "one.png", b"other")
    write(folder / "added", b"new")
    (folder / "run.sh").unlink()
    data.commit("images", folder)

    diff = data.diff_files("images@1", "images@2")

    assert diff.added == ("added",)
    assert diff.removed == ("run.sh",)
    assert diff.changed == ("cats/one.png",)
    assert diff.renamed == (Renamed("cats/two.png", "dog.png"),)


@pytest.mark.parametrize("path", ["../up", "/root", "a//b", "a/./b", "", "a/", "nul\0"])
def test_a_list_with_a_path_out_of_its_root_is_refused(path: str) -> None:
    with pytest.raises(Corrupt, match="which none can have"):
        check_tree((TreeEntry(path, "file", 0),))


def test_a_folder_that_becomes_a_link_while_it_is_walked_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "inner").mkdir(parents=True)
    write(tmp_path / "root" / "file", b"seen first")
    write(tmp_path / "outside" / "secret", b"never seen")

    def swap(path: str, status: os.stat_result) -> walking.Found:
        (tmp_path / "root" / "inner").rmdir()
        (tmp_path / "root" / "inner").symlink_to(tmp_path / "outside")
        return walking.Found(path, "file", status.st_size, 0, 0, 0)

    monkeypatch.setattr(walking, "describe", swap)

    with pytest.raises(Unavailable, match=r"Cannot read .*inner"):
        walk(tmp_path / "root")


@given(st.lists(st.text("a.!/\0", max_size=5), unique=True, max_size=4))
def test_a_list_of_paths_is_refused_when_one_of_them_is_not_inside(paths: list[str]) -> None:
    entries = tuple(TreeEntry(path, "file", 0) for path in sorted(paths))
    is_sound = all(map(is_inside, paths)) and not folders_of(paths) & set(paths)

    told = contextlib.nullcontext() if is_sound else pytest.raises(Corrupt)

    with told:
        assert check_tree(entries) == entries


@pytest.mark.parametrize("paths", [["b", "a"], ["a", "a"]])
def test_a_list_out_of_order_is_refused(paths: list[str]) -> None:
    with pytest.raises(Corrupt, match="'a', which none can have"):
        check_tree(tuple(TreeEntry(path, "file", 0) for path in paths))


def test_a_list_with_a_file_below_a_link_is_refused() -> None:
    with pytest.raises(Corrupt, match="which none can have"):
        check_tree((TreeEntry("a", "link", 4, b"/etc"), TreeEntry("a/passwd", "file", 0)))


def test_the_plan_of_a_commit_writes_nothing(
    data: Data, folder: Path, objects: FolderObjectStore
) -> None:
    plan = data.plan_commit("images", [folder])

    assert (plan.file_count, plan.size_bytes, plan.new_bytes) == (6, 3_070_005, 3_070_005)
    assert list(objects.iterate()) == []
    with pytest.raises(NotFound):
        data.version("images")


class Reads:
    """Counts the files that are opened to be read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        real = os.open

        def counted(path: str, flags: int, *args: object, **named: object) -> int:
            if flags & os.O_NONBLOCK:
                self.paths.append(path)
            return real(path, flags, *args, **named)

        monkeypatch.setattr(os, "open", counted)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


@pytest.fixture
def settled(data: Data, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed folder whose files changed long before they were read."""
    monkeypatch.setattr("treadle.data.trees.places.TICK_NS", -10_000_000_000)
    monkeypatch.setattr("treadle.data.trees.places.COARSE_NS", -10_000_000_000)
    data.commit("images", folder)
    monkeypatch.undo()
    return folder


def test_a_clean_folder_is_seen_without_reading_a_file(
    data: Data, settled: Path, reads: Reads
) -> None:
    status = data.status(settled)

    assert (status.ref, status.files, status.diff.is_empty) == ("images@1", 6, True)
    assert reads.paths == []


def test_a_file_changed_just_before_it_was_read_is_read_again(
    data: Data, folder: Path, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treadle.data.trees.places.TICK_NS", 60_000_000_000)
    write(folder / "cats" / "one.png", noise(30_000))
    data.commit("images", folder)
    reads.paths.clear()

    data.status(folder)

    assert str(folder / "cats" / "one.png") in reads.paths


def test_a_change_within_the_same_size_and_mtime_is_seen(data: Data, settled: Path) -> None:
    write(settled / "cats" / "one.png", noise(30_000)[::-1])

    assert data.status(settled).diff.changed == ("cats/one.png",)


def test_the_status_names_what_differs(data: Data, settled: Path) -> None:
    write(settled / "cats" / "one.png", b"other")
    write(settled / "new.png", b"new")
    (settled / "run.sh").unlink()
    (settled / "newest").unlink()
    (settled / "newest").symlink_to("elsewhere")

    diff = data.status(settled).diff

    assert diff.added == ("new.png",)
    assert diff.removed == ("run.sh",)
    assert diff.changed == ("cats/one.png", "newest")


def test_a_touched_file_is_read_once_and_clean(data: Data, settled: Path, reads: Reads) -> None:
    os.utime(settled / "large.bin", (OLD + 5, OLD + 5))

    assert data.status(settled).diff.is_empty
    assert reads.paths == [str(settled / "large.bin")]


def test_an_unknown_folder_has_no_status(data: Data, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Commit the folder"):
        data.status(tmp_path)


def test_committing_again_reads_only_what_changed(data: Data, settled: Path, reads: Reads) -> None:
    write(settled / "cats" / "one.png", b"other")

    data.commit("images", settled)

    assert [p for p in reads.paths if "/images/" in p] == [str(settled / "cats" / "one.png")]
