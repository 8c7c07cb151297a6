from __future__ import annotations

import io
import os
import random
import re
import shutil
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from treadle.data.service import Data
from treadle.kernel.errors import NotFound
from treadle.storage.chunks import store as sql
from treadle.storage.chunks.writing import ChunkWriter, Intake
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treadle.data.trees.entities import Checked
    from treadle.storage.metadata import SqlMetadataStore


@pytest.fixture
def data(store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path) -> Data:
    return Data(store=store, objects=objects, home=tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one").write_bytes(noise(1))
    (tmp_path / "in" / "two").write_bytes(noise(2))
    return tmp_path / "in"


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(300_000)  # noqa: S311 - the same at every run


def flip_a_bit(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    rewrite(path, bytes(whole))


def cut_short(path: Path) -> None:
    rewrite(path, path.read_bytes()[:-100])


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def object_paths(tmp_path: Path) -> list[Path]:
    return [p for p in (tmp_path / "objects").glob("??/*") if p.is_file()]


def told(found: Checked) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(d.what, d.versions, d.repaired) for d in found.damage]


def test_what_is_sound_is_said_to_be(data: Data, folder: Path) -> None:
    data.commit("pets", folder)

    found = data.fsck()

    assert (found.objects, found.damage) == (1, ())
    assert found.size_bytes > 600_000


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (flip_a_bit, "damaged"),
        (cut_short, r"[\d,]+ bytes long, not [\d,]+"),
        (lambda path: path.unlink(), "gone"),
    ],
)
def test_each_kind_of_damage_is_found_and_repaired_from_a_copy(
    data: Data, folder: Path, tmp_path: Path, harm: Callable[[Path], None], what: str
) -> None:
    data.commit("pets", folder)
    (folder / "one").write_bytes(noise(3))
    data.commit("pets", folder)
    shutil.copytree(tmp_path / "objects", tmp_path / "backup")
    first, _ = sorted(object_paths(tmp_path), key=lambda path: path.stat().st_mtime_ns)
    harm(first)

    before = data.fsck()
    mended = data.fsck(repair=str(tmp_path / "backup"))
    after = data.fsck()

    assert [(v, r) for _, v, r in told(before)] == [(("pets@1", "pets@2"), False)]
    assert re.fullmatch(what, before.damage[0].what)
    assert mended.damage[0].repaired
    assert after.damage == ()
    assert data.verify("pets@1").ref == "pets@1"


def test_damage_names_only_the_versions_that_suffer(
    data: Data, folder: Path, tmp_path: Path
) -> None:
    data.commit("pets", folder)
    (folder / "one").write_bytes(noise(3))
    data.commit("pets", folder)
    _, second = sorted(object_paths(tmp_path), key=lambda path: path.stat().st_mtime_ns)
    flip_a_bit(second)

    assert told(data.fsck()) == [("damaged", ("pets@2",), False)]


def test_tables_are_checked_and_swept_too(data: Data, tmp_path: Path) -> None:
    (tmp_path / "trips.csv").write_text("a,b\n1,2\n")
    data.commit("trips", tmp_path / "trips.csv")
    swept = data.gc(older_than=0)
    whole = data.fsck()
    (pack,) = object_paths(tmp_path)
    pack.unlink()

    assert swept.packs == ()
    assert told(whole) == []
    assert told(data.fsck()) == [("gone", ("trips@1",), False)]


def test_a_chunk_that_no_pack_is_known_to_hold_is_found(
    data: Data, store: SqlMetadataStore, folder: Path
) -> None:
    data.commit("pets", folder)
    (folder / "one").write_bytes(noise(3))
    data.commit("pets", folder)
    with store.write() as tx:
        sql.forget_pack(tx, sql.all_packs(tx)[1])

    (found,) = data.fsck().damage

    assert found.versions == ("pets@2",)
    assert found.what == "list of files cannot be read"


def test_a_copy_that_is_damaged_too_repairs_nothing(
    data: Data, folder: Path, tmp_path: Path
) -> None:
    data.commit("pets", folder)
    flip_a_bit(object_paths(tmp_path)[0])
    shutil.copytree(tmp_path / "objects", tmp_path / "backup")
    shutil.rmtree(folder)

    assert told(data.fsck(repair=str(tmp_path / "backup"))) == [("damaged", ("pets@1",), False)]


def test_a_copy_that_is_not_there_is_said(data: Data, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Name a copy of the objects"):
        data.fsck(repair=str(tmp_path / "nowhere"))


def test_what_versions_need_is_never_removed(data: Data, folder: Path, tmp_path: Path) -> None:
    data.commit("pets", folder)
    (folder / "one").write_bytes(noise(3))
    data.commit("pets", folder)
    (tmp_path / "trips.csv").write_text("a,b\n1,2\n")
    data.commit("trips", tmp_path / "trips.csv")
    before = sorted(object_paths(tmp_path))

    swept = data.gc(older_than=0)

    assert swept.packs == ()
    assert sorted(object_paths(tmp_path)) == before


def left_over(store: SqlMetadataStore, objects: FolderObjectStore) -> None:
    """What a commit leaves that fails before its version is visible."""
    writer = ChunkWriter(Intake(store=store, objects=objects))
    writer.add_stream(io.BytesIO(noise(1)).readinto)
    writer.close()


def test_what_a_failed_commit_left_is_removed_when_it_is_old_enough(
    data: Data, store: SqlMetadataStore, objects: FolderObjectStore
) -> None:
    left_over(store, objects)

    young = data.gc()
    planned = data.gc(dry_run=True, older_than=0)
    swept = data.gc(older_than=0)

    assert young.packs == ()
    assert len(planned.packs) == 1
    assert swept == planned
    assert list(objects.iterate()) == []


def of_yesterday(tmp_path: Path) -> None:
    for path in object_paths(tmp_path):
        os.utime(path, (time.time() - 86_400,) * 2)


def test_a_pack_that_never_became_known_is_removed_when_it_is_old(
    data: Data, store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path
) -> None:
    left_over(store, objects)
    with store.write() as tx:
        sql.forget_pack(tx, sql.all_packs(tx)[0])

    data.gc(older_than=0)
    young = list(objects.iterate())
    of_yesterday(tmp_path)
    data.gc(older_than=0)

    assert len(young) == 1

    assert list(objects.iterate()) == []


def test_a_commit_may_lean_on_what_a_failed_one_left(
    data: Data, store: SqlMetadataStore, objects: FolderObjectStore, folder: Path
) -> None:
    left_over(store, objects)

    version = data.commit("pets", folder)

    assert (version.stored_bytes or 0) < 310_000
    assert data.gc(older_than=0).packs == ()


def sweeping_once(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a sweep run after the commit has read all files and before its version is visible."""
    real, swept = data.land, []

    def sweep_then_add(*args: object, **named: object) -> object:
        if not swept:
            swept.append(data.gc(older_than=0))
            assert swept[0].packs
        return real(*args, **named)

    monkeypatch.setattr(data, "land", sweep_then_add)


@pytest.mark.parametrize("backend", ["solo", "team"])
def test_a_commit_survives_a_sweep_of_the_chunks_it_leans_on(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
) -> None:
    url = f"sqlite:///{tmp_path / 'all.db'}"
    objects = FolderObjectStore(tmp_path / "all")
    if backend == "team":
        url = request.getfixturevalue("postgres_url")
        objects = open_objects(request.getfixturevalue("s3_url"))
    store = open_metadata(url)
    data = Data(store=store, objects=objects, home=tmp_path / "home")
    left_over(store, objects)
    sweeping_once(data, monkeypatch)

    data.commit("pets", folder)
    data.checkout("pets", tmp_path / "out")
    store.close()

    assert (tmp_path / "out" / "one").read_bytes() == noise(1)
    assert (tmp_path / "out" / "two").read_bytes() == noise(2)


COMMIT_AND_DIE = """
    import os, signal, sys
    from pathlib import Path
    from treadle.data.service import Data
    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore

    here, fatal = Path(sys.argv[1]), int(sys.argv[2])
    steps = 0

    def step(real):
        def counted(*args, **named):
            global steps
            steps += 1
            if steps == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **named)
        return counted

    for kind, name in [
        (FolderObjectStore, "put"), (FolderObjectStore, "adopt"), (os, "fsync"),
        (SqlMetadataStore, "write"), (SqlMetadataStore, "_commit"), (os, "replace"),
    ]:
        setattr(kind, name, step(getattr(kind, name)))
    store = SqlMetadataStore(f"sqlite:///{here / 'treadle.db'}")
    objects = FolderObjectStore(here / "objects")
    Data(store=store, objects=objects, home=here / "home").commit("pets", here / "in")
"""


def test_a_commit_that_is_killed_at_any_step_leaves_nothing_half(
    data: Data, store: SqlMetadataStore, folder: Path, tmp_path: Path
) -> None:
    script = textwrap.dedent(COMMIT_AND_DIE)
    codes = []
    for fatal in range(1, 40):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), str(fatal)], check=False
        )
        codes.append(done.returncode)
        if done.returncode == 0:
            break
        visible = data.datasets().items
        assert all(data.verify(d.name) for d in visible)
        assert data.fsck().damage == ()

    of_yesterday(tmp_path)
    swept = data.gc(older_than=0)
    data.checkout("pets@1", tmp_path / "out")

    assert codes[-1] == 0
    assert len(codes) > 6
    assert set(codes[:-1]) == {-9}
    assert (tmp_path / "out" / "one").read_bytes() == noise(1)
    assert data.gc(older_than=0).packs == ()
    assert len(object_paths(tmp_path)) == len(data_packs(store)), swept


def data_packs(store: SqlMetadataStore) -> list[str]:
    with store.read() as tx:
        return [pack.digest for pack in sql.all_packs(tx)]
