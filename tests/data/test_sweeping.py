"""What nothing needs goes, and only that: beside writers, and killed at any step."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from treadle.data.service import Data
from treadle.kernel.errors import Corrupt
from treadle.storage.chunks import store as sql
from treadle.storage.chunks.reading import ChunkReader
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore, put_bytes, read_bytes
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.trees.entities import Swept
    from treadle.storage.metadata import SqlMetadataStore

DAY_S = 86_400


@pytest.fixture
def data(store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path) -> Data:
    return Data(store=store, objects=objects, home=tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(10):
        (tmp_path / "in" / str(number)).write_bytes(noise(number))
    return tmp_path / "in"


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(30_000)  # noqa: S311 - the same at every run


def aged(tmp_path: Path) -> None:
    """Let every object be of yesterday."""
    for path in (tmp_path / "objects").glob("??/*"):
        os.utime(path, (time.time() - DAY_S,) * 2)


def digests(objects: FolderObjectStore) -> set[str]:
    return {info.digest for info in objects.iterate()}


def packs(store: SqlMetadataStore) -> list[sql.Pack]:
    with store.read() as tx:
        return list(sql.all_packs(tx))


def half_dead(data: Data, store: SqlMetadataStore, folder: Path) -> None:
    """Leave a pack of which one version needs two files of ten."""
    thrown_away = data.commit("all", folder)
    for number in range(2, 10):
        (folder / str(number)).unlink()
    data.commit("few", folder)
    with store.write() as tx:
        # What removing a version amounts to.
        tx.connection.exec_driver_sql(f"DELETE FROM dataset_versions WHERE id='{thrown_away.id}'")


def test_what_nobody_names_goes_once_it_is_old(
    data: Data, objects: FolderObjectStore, tmp_path: Path
) -> None:
    left = put_bytes(objects, b"left by one who was killed")

    young = data.gc(older_than=0)
    aged(tmp_path)
    planned = data.gc(dry_run=True)
    swept = data.gc()

    assert young.is_empty
    assert planned == swept
    assert (swept.objects, swept.object_bytes) == ((left.digest,), left.size_bytes)
    assert digests(objects) == set()


def test_what_is_put_again_is_young_again(
    data: Data, objects: FolderObjectStore, tmp_path: Path
) -> None:
    left = put_bytes(objects, b"left")
    aged(tmp_path)
    put_bytes(objects, b"left")

    assert data.gc(older_than=0).is_empty
    assert read_bytes(objects, left.digest) == b"left"


def test_what_is_put_while_it_is_swept_stays(
    data: Data, objects: FolderObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_bytes(objects, b"left")
    aged(tmp_path)
    real = objects.delete

    def put_then_delete(digest: str, *, before: int | None = None) -> bool:
        put_bytes(objects, b"left")
        return real(digest, before=before)

    monkeypatch.setattr(objects, "delete", put_then_delete)

    assert data.gc(older_than=0).is_empty
    assert len(digests(objects)) == 1


def test_what_versions_need_stays_however_old(
    data: Data, objects: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    data.commit("pets", folder)
    (tmp_path / "trips.csv").write_text("a,b\n1,2\n")
    data.commit("trips", tmp_path / "trips.csv")
    data.profile("trips")
    aged(tmp_path)
    before = digests(objects)

    assert data.gc(older_than=0).is_empty
    assert digests(objects) == before


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_pack_that_is_needed_in_part_is_written_anew(
    data: Data, store: SqlMetadataStore, folder: Path, tmp_path: Path, *, dry_run: bool
) -> None:
    half_dead(data, store, folder)
    (before, *_) = packs(store)

    swept = data.gc(dry_run=dry_run, older_than=0)
    data.checkout("few", tmp_path / "out", copy=True)

    assert swept.rewritten == (before.digest,)
    assert 8 * 30_000 < swept.rewritten_bytes < 9 * 30_000
    assert (before in packs(store)) == dry_run
    assert (tmp_path / "out" / "0").read_bytes() == noise(0)
    assert (tmp_path / "out" / "1").read_bytes() == noise(1)


def test_after_a_sweep_there_is_nothing_more_to_sweep(
    data: Data, store: SqlMetadataStore, objects: FolderObjectStore, folder: Path
) -> None:
    half_dead(data, store, folder)

    data.gc(older_than=0)

    assert data.gc(older_than=0).is_empty
    assert digests(objects) == {pack.digest for pack in packs(store)}
    assert data.fsck().damage == ()


def test_packs_above_the_share_stay(data: Data, store: SqlMetadataStore, folder: Path) -> None:
    half_dead(data, store, folder)

    assert data.gc(older_than=0, live_share=0.1).is_empty


def test_a_reader_that_holds_places_finds_what_was_moved(
    data: Data, store: SqlMetadataStore, objects: FolderObjectStore, folder: Path
) -> None:
    half_dead(data, store, folder)
    reader = ChunkReader(store=store, objects=objects)
    entries = data.files("few")
    places = reader.find([chunk for entry in entries for chunk in entry.chunks])
    stream = data.open("few", "1")

    data.gc(older_than=0)

    assert dict(reader.each(places)).keys() == places.keys()
    assert stream.read() == noise(1)


def test_a_pack_that_is_simply_gone_is_still_said(
    data: Data, store: SqlMetadataStore, objects: FolderObjectStore, folder: Path
) -> None:
    data.commit("pets", folder)
    objects.delete(packs(store)[0].digest)

    with pytest.raises(Corrupt, match="gone with its pack"):
        data.files("pets")


def test_a_damaged_pack_is_not_written_anew(
    data: Data, store: SqlMetadataStore, folder: Path, tmp_path: Path
) -> None:
    half_dead(data, store, folder)
    (before, *_) = packs(store)
    path = tmp_path / "objects" / before.digest[:2] / before.digest
    whole = bytearray(path.read_bytes())
    whole[1000] ^= 1  # in the first file, which is needed
    path.chmod(0o644)
    path.write_bytes(whole)

    swept = data.gc(older_than=0)

    assert before.digest not in swept.rewritten
    assert before in packs(store)


def test_a_version_that_appears_while_packs_are_written_keeps_its_chunks(
    data: Data,
    store: SqlMetadataStore,
    objects: FolderObjectStore,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half_dead(data, store, folder)
    (folder / "5").write_bytes(noise(5))  # dead in the pack, and leaned on again just now
    real, committed = objects.put, []

    def commit_then_put(stream: object, **named: object) -> object:
        if not committed:
            committed.append("begun")
            committed.append(data.commit("five", folder))
        return real(stream, **named)

    monkeypatch.setattr(objects, "put", commit_then_put)
    swept = data.gc(older_than=0)
    data.checkout("five", tmp_path / "out", copy=True)

    assert len(committed) == 2
    assert swept.rewritten
    assert (tmp_path / "out" / "5").read_bytes() == noise(5)
    assert data.fsck().damage == ()


def test_postgresql_and_s3_are_swept_the_same(
    request: pytest.FixtureRequest, tmp_path: Path, folder: Path
) -> None:
    store = open_metadata(request.getfixturevalue("postgres_url"))
    objects = open_objects(request.getfixturevalue("s3_url"))
    data = Data(store=store, objects=objects, home=tmp_path / "home")
    half_dead(data, store, folder)
    left = put_bytes(objects, b"young and nobody's")

    swept = data.gc(older_than=0)
    data.checkout("few", tmp_path / "out", copy=True)
    known = {pack.digest for pack in packs(store)}
    store.close()

    assert swept.rewritten
    assert (tmp_path / "out" / "1").read_bytes() == noise(1)
    assert {info.digest for info in objects.iterate()} == {*known, left.digest}


def test_no_head_of_an_object_is_read_to_sweep(
    data: Data, store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path
) -> None:
    for number in range(3):
        put_bytes(objects, b"TRDLPACK%d" % number)
    aged(tmp_path)
    opened: list[str] = []
    objects.open = lambda digest, **_: opened.append(digest)  # type: ignore[method-assign,assignment,return-value]

    swept: Swept = data.gc()

    assert len(swept.objects) == 3
    assert opened == []


SWEEP_AND_DIE = """
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
        (FolderObjectStore, "put"), (FolderObjectStore, "adopt"), (FolderObjectStore, "delete"),
        (SqlMetadataStore, "write"), (SqlMetadataStore, "_commit"), (os, "fsync"),
        (os, "replace"), (Path, "rename"), (Path, "unlink"),
    ]:
        setattr(kind, name, step(getattr(kind, name)))
    store = SqlMetadataStore(f"sqlite:///{here / 'treadle.db'}")
    objects = FolderObjectStore(here / "objects")
    Data(store=store, objects=objects, home=here / "home").gc(older_than=0)
"""


def test_a_sweep_that_is_killed_at_any_step_loses_nothing(
    data: Data, store: SqlMetadataStore, objects: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    half_dead(data, store, folder)
    left = put_bytes(objects, b"left")
    aged(tmp_path)
    script = textwrap.dedent(SWEEP_AND_DIE)
    codes = []
    for fatal in range(1, 40):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), str(fatal)], check=False
        )
        codes.append(done.returncode)
        if done.returncode == 0:
            break
        assert data.verify("few").ref == "few@1"
        assert data.fsck().damage == ()
        aged(tmp_path)

    aged(tmp_path)
    data.gc(older_than=0)
    data.checkout("few", tmp_path / "out", copy=True)

    assert codes[-1] == 0
    assert len(codes) > 10
    assert set(codes[:-1]) == {-9}
    assert (tmp_path / "out" / "0").read_bytes() == noise(0)
    assert digests(objects) == {pack.digest for pack in packs(store)}
    assert left.digest not in digests(objects)
