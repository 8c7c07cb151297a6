"""Files by owner and path, on both metadata stores."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.data.entities import FileEntry
from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from treadle.storage.objects import put_bytes
from treadle.storage.ports import Span
from treadle.storage.stores import drafts_of
from treadle.tracking.artifacts import Artifacts, Entry
from treadle.tracking.artifacts_paths import LOOSE, Owner, Place

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.kernel.clock import FrozenClock
    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore
    from treadle.storage.ports import Piece
    from treadle.tracking.service import Tracking

SIGNED = "018f0000000000000000000000000001"


@pytest.fixture
def artifacts(store: SqlMetadataStore, objects: FolderObjectStore) -> Artifacts:
    signed = put_bytes(objects, b"signed")
    files = (FileEntry(path="model/a.bin", digest=signed.digest, size_bytes=6),)

    def files_of(version_id: str) -> tuple[FileEntry, ...]:
        if version_id != SIGNED:
            raise NotFound("model version", version_id)
        return files

    return Artifacts(
        store=store, objects=objects, drafts=drafts_of(objects), version_files=files_of
    )


@pytest.fixture
def run_id(tracking: Tracking) -> str:
    return tracking.start_run(experiment="late").id


def put(artifacts: Artifacts, place: Place, data: bytes = b"x") -> None:
    artifacts.put(place, io.BytesIO(data))


def read(artifacts: Artifacts, place: Place) -> bytes:
    with artifacts.open(place) as stream:
        return stream.read()


def put_part(
    artifacts: Artifacts, upload_id: str, number: int, data: bytes, *, is_announced: bool = True
) -> Piece:
    size = len(data) if is_announced else None
    return artifacts.put_part(upload_id, number, io.BytesIO(data), size_bytes=size)


class BreaksOff(io.BytesIO):
    """A body whose client goes away."""

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        if not block:
            raise ConnectionResetError("gone")
        return block


def test_a_file_of_a_run_is_one_whichever_verb_stored_it(
    artifacts: Artifacts, tracking: Tracking, run_id: str
) -> None:
    put(artifacts, artifacts.of_run(run_id, "a/b.txt"), b"streamed")
    tracking.log_artifact(run_id, "c.txt", b"logged")

    with tracking.open_artifact(run_id, "a/b.txt") as stream:
        assert stream.read() == b"streamed"
    assert read(artifacts, artifacts.of_run(run_id, "c.txt")) == b"logged"


def test_a_level_lists_files_with_sizes_and_folders_without(
    artifacts: Artifacts, tracking: Tracking, run_id: str
) -> None:
    for path in ("b.txt", "a/one.txt", "a/deep/two.txt", "a.txt"):
        put(artifacts, artifacts.of_run(run_id, path), path.encode())

    top = artifacts.level(artifacts.of_run(run_id))
    inner = artifacts.level(artifacts.of_run(run_id, "a"))

    named = [(e.path, e.is_folder, e.size_bytes) for e in top if not e.path.startswith("env")]
    assert named == [("a", True, None), ("a.txt", False, 5), ("b.txt", False, 5)]
    assert [(e.path, e.name) for e in inner] == [("a/deep", "deep"), ("a/one.txt", "one.txt")]


def test_what_is_not_a_folder_lists_nothing(artifacts: Artifacts, run_id: str) -> None:
    put(artifacts, artifacts.of_run(run_id, "a.txt"))

    assert artifacts.level(artifacts.of_run(run_id, "a.txt")) == ()
    assert artifacts.level(artifacts.of_run(run_id, "nowhere")) == ()


@pytest.mark.parametrize("form", [
    "runs:/{run}/a/b.txt",
    "mlflow-artifacts:/0/{run}/artifacts/a/b.txt",
    "mlflow-artifacts://127.0.0.1:7340/0/{run}/artifacts/a/b.txt",
    "mlflow-artifacts:///0/{run}/artifacts/a/b.txt",
    "mlflow-artifacts:/my/own/root/{run}/artifacts/a/b.txt",
    "http://127.0.0.1:7340/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/a/b.txt",
    "0/{run}/artifacts/a/b.txt",
])  # fmt: skip
def test_every_form_names_the_same_file(artifacts: Artifacts, run_id: str, form: str) -> None:
    assert artifacts.resolve(form.format(run=run_id)) == Place(Owner("run", run_id), "a/b.txt")


def test_a_path_of_nobody_is_loose(artifacts: Artifacts) -> None:
    stranger = "0" * 32
    path = f"0/{stranger}/artifacts/a.txt"

    put(artifacts, artifacts.resolve(path), b"loose")

    assert artifacts.resolve(path) == Place(LOOSE, path)
    assert read(artifacts, artifacts.resolve(f"mlflow-artifacts:/{path}")) == b"loose"
    assert artifacts.level(Place(LOOSE, "0")) == (Entry(path=f"0/{stranger}", is_folder=True),)


def test_a_run_that_is_not_there_is_not_found_by_its_own_scheme(artifacts: Artifacts) -> None:
    with pytest.raises(NotFound, match="No run"):
        artifacts.resolve(f"runs:/{'0' * 32}/a.txt")


@pytest.mark.parametrize("uri", [
    "s3://bucket/a", "file:///etc/passwd", "file:/etc/passwd", "http://169.254.169.254/latest",
    "https://example.org/x", "gopher://x/y", "dbfs:/x", "ftp://h/x", "C:/Windows/x",
])  # fmt: skip
def test_a_place_elsewhere_is_refused(artifacts: Artifacts, uri: str) -> None:
    with pytest.raises(InvalidInput):
        artifacts.resolve(uri)


NAMES = (
    "h#.txt", "a b%20?.txt", "100%.txt", "ä/日本語 🎈.txt", "x" * 250, "..a", "a..",
    "...", "a;b", "'\"", "-rf", " ", "%", "%zz", "con", "~", "$HOME", "`id`", "<b>", "a&b=c", "a+b",
)  # fmt: skip


def test_any_name_that_stays_inside_comes_back_as_it_was(artifacts: Artifacts, run_id: str) -> None:
    for name in NAMES:
        put(artifacts, artifacts.of_run(run_id, f"names/{name}"), name.encode())

    listed = artifacts.files(artifacts.of_run(run_id, "names"))

    assert {file.path for file in listed} == {f"names/{name}" for name in NAMES}
    assert [read(artifacts, artifacts.of_run(run_id, f"names/{n}")).decode() for n in NAMES] == [
        *NAMES
    ]


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a/b/c", "a")])
def test_a_name_is_a_file_or_a_folder(
    artifacts: Artifacts, run_id: str, first: str, second: str
) -> None:
    put(artifacts, artifacts.of_run(run_id, first))

    with pytest.raises(Conflict, match="in the way"):
        put(artifacts, artifacts.of_run(run_id, second))


def test_a_neighbour_whose_name_begins_alike_is_not_in_the_folder(artifacts: Artifacts) -> None:
    for path in ("x/a.txt", "x-y/b.txt", "x0", "x.txt", "xa/c"):
        put(artifacts, Place(LOOSE, path))

    removed = artifacts.delete(Place(LOOSE, "x"))

    assert removed == 1
    assert [f.path for f in artifacts.files(Place(LOOSE))] == ["x-y/b.txt", "x.txt", "x0", "xa/c"]


def test_a_folder_goes_with_all_below_it(artifacts: Artifacts, run_id: str) -> None:
    for path in ("a/one", "a/deep/two", "b"):
        put(artifacts, artifacts.of_run(run_id, path))

    assert artifacts.delete(artifacts.of_run(run_id, "a")) == 2
    assert artifacts.delete(artifacts.of_run(run_id, "a")) == 0
    assert [f.path for f in artifacts.files(artifacts.of_run(run_id)) if "/" not in f.path] == ["b"]


def test_a_body_that_breaks_off_leaves_nothing(
    artifacts: Artifacts, objects: FolderObjectStore, run_id: str
) -> None:
    before = set(objects.iterate())

    with pytest.raises(Exception, match=r"gone|Cannot write"):
        artifacts.put(artifacts.of_run(run_id, "half.bin"), BreaksOff(b"half"))

    assert set(objects.iterate()) == before
    assert artifacts.level(artifacts.of_run(run_id, "half.bin")) == ()


def test_a_span_is_read_alone(artifacts: Artifacts, run_id: str) -> None:
    put(artifacts, artifacts.of_run(run_id, "a"), b"0123456789")
    file = artifacts.find(artifacts.of_run(run_id, "a"))

    assert b"".join(artifacts.blocks(file, span=Span(3, 7))) == b"3456"
    assert b"".join(artifacts.blocks(file)) == b"0123456789"


def test_a_damaged_file_never_comes_out_whole(
    artifacts: Artifacts, objects: FolderObjectStore, run_id: str, tmp_path
) -> None:
    put(artifacts, artifacts.of_run(run_id, "a"), b"a" * 1_000_000)
    file = artifacts.find(artifacts.of_run(run_id, "a"))
    path = tmp_path / "objects" / file.digest[:2] / file.digest
    path.chmod(0o644)
    path.write_bytes(b"b" + b"a" * 999_999)
    came = []

    with pytest.raises(Corrupt, match="damaged"):
        came.extend(artifacts.blocks(file))

    assert sum(map(len, came)) < 1_000_000


def test_a_link_planted_among_the_objects_is_not_followed(
    artifacts: Artifacts, run_id: str, tmp_path
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    put(artifacts, artifacts.of_run(run_id, "a"), b"harmless")
    file = artifacts.find(artifacts.of_run(run_id, "a"))
    path = tmp_path / "objects" / file.digest[:2] / file.digest
    path.unlink()
    path.symlink_to(tmp_path / "secret")

    with pytest.raises(Corrupt, match="cannot be read"):
        artifacts.open(artifacts.of_run(run_id, "a"))
    with pytest.raises(Corrupt, match="cannot be read"):
        list(artifacts.blocks(file, span=Span(0, 3)))


def test_the_files_of_a_version_are_read_only(artifacts: Artifacts) -> None:
    place = artifacts.resolve(f"mlflow-artifacts:/versions/{SIGNED}/model/a.bin")

    assert read(artifacts, place) == b"signed"
    assert [e.path for e in artifacts.level(artifacts.of_version(SIGNED))] == ["model"]
    with pytest.raises(Conflict, match="signed"):
        put(artifacts, place)
    with pytest.raises(Conflict, match="signed"):
        artifacts.delete(place)


def test_parts_in_any_order_become_the_file_and_leave_nothing_else(
    artifacts: Artifacts, objects: FolderObjectStore, run_id: str
) -> None:
    place = artifacts.of_run(run_id, "big.bin")
    before = len(list(objects.iterate()))
    upload = artifacts.begin_upload(place, parts=3)
    pieces = {3: b"tail", 1: b"a" * 1_500_000, 2: b"b" * 1_500_000}
    came = {n: artifacts.put_part(upload.id, n, io.BytesIO(data)) for n, data in pieces.items()}

    artifacts.complete_upload(upload.id, tokens=[came[n].token for n in (1, 2, 3)])

    assert read(artifacts, place) == pieces[1] + pieces[2] + pieces[3]
    assert len(list(objects.iterate())) == before + 1
    with pytest.raises(NotFound, match="upload"):
        artifacts.find_upload(upload.id)


def test_parts_of_one_size_are_written_once_where_they_lie(
    artifacts: Artifacts, objects: FolderObjectStore, run_id: str
) -> None:
    place = artifacts.of_run(run_id, "big.bin")
    upload = artifacts.begin_upload(place, parts=3)
    pieces = {2: b"b" * 1_500_000, 3: b"tail", 1: b"a" * 1_500_000}
    came = {n: put_part(artifacts, upload.id, n, data) for n, data in pieces.items()}
    (draft,) = (objects.drafts / upload.id).iterdir()
    written = draft.stat().st_ino

    artifacts.complete_upload(upload.id, tokens=[came[n].token for n in (1, 2, 3)])

    file = artifacts.find(place)
    assert read(artifacts, place) == pieces[1] + pieces[2] + pieces[3]
    assert (objects.drafts.parent / file.digest[:2] / file.digest).stat().st_ino == written
    assert list(objects.drafts.iterdir()) == []


@given(
    each=st.integers(1, 50),
    count=st.integers(1, 6),
    last=st.integers(0, 60),
    again=st.lists(st.integers(1, 6), max_size=4),
    order=st.randoms(use_true_random=False),
    announced=st.booleans(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_of_any_sizes_in_any_order_sent_again_or_not_become_the_file(
    artifacts: Artifacts, run_id: str, each, count, last, again, order, announced
) -> None:
    place = artifacts.of_run(run_id, "any.bin")
    upload = artifacts.begin_upload(place, parts=count)
    sizes = dict.fromkeys(range(1, count), each) | {count: last}
    sent = [*sizes, *(n for n in again if n in sizes)]
    order.shuffle(sent)
    whole: dict[int, bytes] = {}
    came: dict[int, Piece] = {}
    for number in sent:
        whole[number] = order.randbytes(sizes[number])
        came[number] = put_part(artifacts, upload.id, number, whole[number], is_announced=announced)

    artifacts.complete_upload(upload.id, tokens=[came[n].token for n in sorted(came)])

    assert read(artifacts, place) == b"".join(whole[n] for n in sorted(whole))


def test_a_part_that_broke_off_is_sent_again(
    artifacts: Artifacts, objects: FolderObjectStore, run_id: str
) -> None:
    place = artifacts.of_run(run_id, "big.bin")
    upload = artifacts.begin_upload(place, parts=2)
    first = put_part(artifacts, upload.id, 1, b"first")
    with pytest.raises((ConnectionResetError, Unavailable)):
        artifacts.put_part(upload.id, 2, BreaksOff(b"sec"), size_bytes=4)

    second = put_part(artifacts, upload.id, 2, b"2nd")
    artifacts.complete_upload(upload.id, tokens=[first.token, second.token])

    assert read(artifacts, place) == b"first2nd"
    assert list(objects.drafts.iterdir()) == []


def test_a_part_that_is_overtaken_by_itself_does_not_count(
    artifacts: Artifacts, run_id: str
) -> None:
    place = artifacts.of_run(run_id, "big.bin")
    upload = artifacts.begin_upload(place, parts=1)
    overtaking: list[Piece] = []

    class Overtaken(io.BytesIO):
        """A body that comes so slowly that its client sends it again."""

        def read(self, size: int | None = -1, /) -> bytes:
            if not overtaking:
                overtaking.append(put_part(artifacts, upload.id, 1, b"again"))
            return super().read(size)

    with pytest.raises(Conflict, match="came again"):
        artifacts.put_part(upload.id, 1, Overtaken(b"first"), size_bytes=5)
    artifacts.complete_upload(upload.id, tokens=[overtaking[0].token])

    assert read(artifacts, place) == b"again"


def test_what_a_killed_process_began_is_swept_once_it_is_a_day_old(
    artifacts: Artifacts, objects: FolderObjectStore, tmp_path: Path
) -> None:
    program = """
import io, os, pathlib, signal, sys
from treadle.storage.objects import FolderObjectStore
from treadle.storage.ports import Span
from treadle.storage.stores import drafts_of

class Killed(io.BytesIO):
    def read(self, size=-1, /):
        return super().read(3) or os.kill(os.getpid(), signal.SIGKILL)

objects = FolderObjectStore(pathlib.Path(sys.argv[1]))
if sys.argv[2] == "whole":
    objects.put(Killed(b"whole"))
drafts_of(objects).write("upload", Killed(b"part"), span=Span(0, 9))
"""
    folder = tmp_path / "objects"
    for what in ("whole", "part"):
        command = [sys.executable, "-c", program, str(folder), what]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    left = sorted(objects.drafts.iterdir())

    young = artifacts.sweep_drafts()
    for path in [*left, *objects.drafts.glob("*/*")]:
        os.utime(path, (1, 1))
    old = artifacts.sweep_drafts()

    assert (len(left), young, old) == (2, 0, 2)
    assert list(objects.drafts.iterdir()) == []


def test_an_upload_that_lacks_a_part_is_not_completed(artifacts: Artifacts, run_id: str) -> None:
    upload = artifacts.begin_upload(artifacts.of_run(run_id, "big.bin"), parts=2)
    part = artifacts.put_part(upload.id, 1, io.BytesIO(b"first"))

    with pytest.raises(Conflict, match="1 of 2 parts"):
        artifacts.complete_upload(upload.id, tokens=[part.token])


def test_a_part_sent_again_takes_the_place_of_the_first(
    artifacts: Artifacts, objects: FolderObjectStore, run_id: str
) -> None:
    place = artifacts.of_run(run_id, "big.bin")
    upload = artifacts.begin_upload(place, parts=1)
    artifacts.put_part(upload.id, 1, io.BytesIO(b"torn"))
    again = artifacts.put_part(upload.id, 1, io.BytesIO(b"whole"))

    artifacts.complete_upload(upload.id, tokens=[again.token])

    assert read(artifacts, place) == b"whole"


def test_an_aborted_or_forgotten_upload_leaves_nothing(
    artifacts: Artifacts, objects: FolderObjectStore, run_id: str, clock: FrozenClock
) -> None:
    before = set(objects.iterate())
    aborted = artifacts.begin_upload(artifacts.of_run(run_id, "a"), parts=1)
    artifacts.put_part(aborted.id, 1, io.BytesIO(b"part"))
    artifacts.abort_upload(aborted.id)
    forgotten = artifacts.begin_upload(artifacts.of_run(run_id, "b"), parts=1)
    artifacts.put_part(forgotten.id, 1, io.BytesIO(b"part"))

    clock.advance(2 * DAY_US)

    assert artifacts.sweep_uploads() == 1
    assert set(objects.iterate()) == before


def test_reachable_is_what_an_owner_needs(
    artifacts: Artifacts, objects: FolderObjectStore, run_id: str
) -> None:
    put(artifacts, artifacts.of_run(run_id, "a"), b"of a run")
    put(artifacts, Place(LOOSE, "b"), b"loose")
    orphan = put_bytes(objects, b"orphan")

    found = artifacts.reachable()

    assert artifacts.find(Place(LOOSE, "b")).digest in found
    assert orphan.digest not in found
