"""A check that reads everything: whatever byte is flipped is found, and who suffers is named."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle import connect
from treadle.data.service import Data
from treadle.storage.chunks import store as sql
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore, put_bytes
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.ports import ObjectStore


def noise(seed: int, size: int = 300_000) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same at every run


@pytest.fixture
def data(store: SqlMetadataStore, objects: FolderObjectStore) -> Data:
    """Without a home: no folder is known to heal from."""
    return Data(store=store, objects=objects)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(4):
        (tmp_path / "in" / str(number)).write_bytes(noise(number))
    return tmp_path / "in"


def path_of(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "objects" / digest[:2] / digest


def flip(path: Path, at: int) -> None:
    whole = bytearray(path.read_bytes())
    whole[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(whole)


def only_pack(store: SqlMetadataStore) -> sql.Pack:
    with store.read() as tx:
        (pack,) = sql.all_packs(tx)
    return pack


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Data]]:
    """A folder of objects of each kind: packs, tables, profiles, artifacts, and what is left."""
    here = tmp_path_factory.mktemp("all")
    (here / "in").mkdir()
    (here / "in" / "small").write_bytes(noise(1, 3_000))
    (here / "trips.csv").write_text("a,b\n" + "1,2\n" * 50)
    store = open_metadata(f"sqlite:///{here / 'treadle.db'}")
    objects = FolderObjectStore(here / "objects")
    data = Data(store=store, objects=objects)
    data.commit("pets", here / "in")
    data.commit("trips", here / "trips.csv")
    data.profile("trips")
    put_bytes(objects, b"nobody's")
    yield here, data
    store.close()


@given(where=st.data())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_flipped_byte_of_any_object_is_named(
    everything: tuple[Path, Data], where: st.DataObject
) -> None:
    here, data = everything
    path = where.draw(st.sampled_from(sorted((here / "objects").glob("??/*"))))
    at = where.draw(st.integers(0, path.stat().st_size - 1))
    flip(path, at)

    found = data.fsck()
    flip(path, at)

    assert path.name in [damage.object for damage in found.damage]
    assert not found.is_sound


@given(where=st.data())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_truncated_object_is_named(everything: tuple[Path, Data], where: st.DataObject) -> None:
    here, data = everything
    path = where.draw(st.sampled_from(sorted((here / "objects").glob("??/*"))))
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[: where.draw(st.integers(0, len(whole) - 1))])

    found = data.fsck()
    path.write_bytes(whole)

    assert path.name in [damage.object for damage in found.damage]


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Data]]:
    """The same, encrypted."""
    here = tmp_path_factory.mktemp("hidden")
    (here / "in").mkdir()
    (here / "in" / "small").write_bytes(noise(1, 100_000))
    store = open_metadata(f"sqlite:///{here / 'treadle.db'}")
    data = Data(store=store, objects=open_objects((here / "objects").as_uri(), key="5e" * 32))
    data.commit("pets", here / "in")
    put_bytes(data._objects, b"nobody's")
    yield here, data
    store.close()


@given(where=st.data())
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_flipped_byte_of_any_encrypted_object_is_named(
    hidden: tuple[Path, Data], where: st.DataObject
) -> None:
    here, data = hidden
    path = where.draw(st.sampled_from(sorted((here / "objects" / "encrypted").glob("??/*"))))
    at = where.draw(st.integers(0, path.stat().st_size - 1))
    flip(path, at)

    found = data.fsck()
    flip(path, at)

    assert path.name in [damage.object for damage in found.damage]


@pytest.mark.parametrize("part", [0, 20, 40, 60, 60_000, -1])
def test_an_encrypted_pack_is_repaired_from_a_plain_home(
    store: SqlMetadataStore, folder: Path, tmp_path: Path, part: int
) -> None:
    def opened(url: str) -> ObjectStore:
        return open_objects(url, key="" if url.endswith("other") else "5e" * 32)

    url = (tmp_path / "objects").as_uri()
    data = Data(store=store, objects=opened(url), open_objects=opened)
    data.commit("pets", folder)
    other_home(tmp_path, folder)
    digest = only_pack(store).digest
    path = tmp_path / "objects" / "encrypted" / digest[:2] / digest
    flip(path, part)

    mended = data.fsck(repair=str(tmp_path / "other"))

    assert [damage.repaired for damage in mended.damage] == [True]
    assert data.fsck().damage == ()
    assert data.verify("pets").ref == "pets@1"


def test_runs_and_models_that_suffer_are_named(tmp_path: Path) -> None:
    with connect(tmp_path / "home") as client:
        with client.run("first", experiment="lost") as run:
            run.artifact("note.txt", b"dear to me")
        kept = FolderObjectStore(tmp_path / "home" / "objects")
        gone = put_bytes(kept, b"dear to me").digest
        kept.delete(gone)

        (damage,) = client.data.fsck().damage

    assert (damage.what, damage.versions) == ("gone", ())
    assert damage.needed_by == (f"run {run.id}",)


def test_what_nothing_needs_is_checked_too(
    data: Data, objects: FolderObjectStore, tmp_path: Path
) -> None:
    left = put_bytes(objects, b"left")
    flip(path_of(tmp_path, left.digest), 0)

    (damage,) = data.fsck().damage

    assert (damage.object, damage.suffering) == (left.digest, ())


def test_progress_tells_all_bytes(data: Data, folder: Path) -> None:
    data.commit("pets", folder)
    told: list[int] = []

    found = data.fsck(progress=told.append)

    assert sum(told) == found.size_bytes > 0


def other_home(tmp_path: Path, folder: Path) -> None:
    """Another home that has the same files, in packs of its own."""
    store = open_metadata(f"sqlite:///{tmp_path / 'other.db'}")
    other = Data(store=store, objects=FolderObjectStore(tmp_path / "other"))
    other.commit("pets", folder)
    store.close()


@pytest.mark.parametrize("harm", ["flipped", "gone", "cut"])
def test_chunks_come_back_from_packs_of_another_home(
    data: Data, store: SqlMetadataStore, folder: Path, tmp_path: Path, harm: str
) -> None:
    data.commit("pets", folder)
    other_home(tmp_path, folder)
    pack = only_pack(store)
    path = path_of(tmp_path, pack.digest)
    match harm:
        case "flipped":
            flip(path, 400_000)
        case "gone":
            path.unlink()
        case _:
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:500_000])

    mended = data.fsck(repair=str(tmp_path / "other"))
    after = data.fsck()
    data.checkout("pets", tmp_path / "out", copy=True)

    assert [damage.repaired for damage in mended.damage] == [True]
    assert after.damage == ()
    assert pack.digest != only_pack(store).digest
    assert not path.exists()
    assert [(tmp_path / "out" / str(n)).read_bytes() for n in range(4)] == list(
        map(noise, range(4))
    )


def test_chunks_come_back_from_the_folder_that_was_committed(
    store: SqlMetadataStore, objects: FolderObjectStore, folder: Path, tmp_path: Path
) -> None:
    data = Data(store=store, objects=objects, home=tmp_path / "home")
    data.commit("pets", folder)
    (tmp_path / "nothing").mkdir()
    # In the first file; the list of files lies at the end.
    flip(path_of(tmp_path, only_pack(store).digest), 400_000)

    mended = data.fsck(repair=str(tmp_path / "nothing"))

    assert mended.is_sound
    assert data.fsck().damage == ()


def test_a_source_of_chunks_is_asked(data: Data, store: SqlMetadataStore, folder: Path) -> None:
    data.commit("pets", folder)
    pack = only_pack(store)
    with store.read() as tx:
        wanted = set(sql.chunks_of(tx, pack))
    raw = dict(data._reader.each(data._reader.find(list(wanted))))
    data._objects.delete(pack.digest)

    mended = data.fsck(sources=[lambda digests: iter([(d, raw[d]) for d in digests])])

    assert mended.is_sound
    assert data.verify("pets").ref == "pets@1"


def test_what_is_nowhere_stays_damaged_and_the_rest_is_saved(
    data: Data, store: SqlMetadataStore, folder: Path, tmp_path: Path
) -> None:
    data.commit("pets", folder)
    (tmp_path / "nothing").mkdir()
    flip(path_of(tmp_path, only_pack(store).digest), 400_000)

    mended = data.fsck(repair=str(tmp_path / "nothing"))

    assert [damage.versions for damage in mended.damage] == [("pets@1",)]
    assert not mended.is_sound
    with store.read() as tx:
        counts = [len(sql.chunks_of(tx, pack)) for pack in sql.all_packs(tx)]
    assert counts[0] == 1


def lose_rows(store: SqlMetadataStore) -> None:
    with store.write() as tx:
        for pack in sql.all_packs(tx):
            sql.forget_pack(tx, pack)


def test_lost_rows_are_found_again_in_the_packs(
    data: Data, store: SqlMetadataStore, folder: Path
) -> None:
    data.commit("pets", folder)
    with store.read() as tx:
        before = {p.digest: sorted(sql.places_in(tx, p).items()) for p in sql.all_packs(tx)}
    lose_rows(store)

    planned = data.rebuild(dry_run=True)
    lost = data.fsck()
    again = data.rebuild()
    with store.read() as tx:
        after = {p.digest: sorted(sql.places_in(tx, p).items()) for p in sql.all_packs(tx)}

    assert not lost.is_sound
    assert planned == again
    assert (again.packs, again.chunks) == (1, len(*before.values()))
    assert before == after
    assert data.fsck().damage == ()
    assert data.rebuild().packs == 0


def test_chunks_of_a_pack_that_is_known_are_found_again(
    data: Data, store: SqlMetadataStore, folder: Path
) -> None:
    data.commit("pets", folder)
    pack = only_pack(store)
    with store.write() as tx:
        sql.forget_chunks(tx, pack, sql.chunks_of(tx, pack)[:2])

    again = data.rebuild()

    assert (again.packs, again.chunks) == (1, 2)
    assert data.fsck().damage == ()


def test_a_damaged_pack_is_not_believed(
    data: Data, store: SqlMetadataStore, folder: Path, tmp_path: Path
) -> None:
    data.commit("pets", folder)
    digest = only_pack(store).digest
    lose_rows(store)
    flip(path_of(tmp_path, digest), 1000)

    again = data.rebuild()

    assert (again.packs, again.unreadable) == (0, (digest,))


def test_missing_rows_are_restored_from_a_copy(
    data: Data, store: SqlMetadataStore, folder: Path, tmp_path: Path
) -> None:
    data.commit("pets", folder)
    shutil.copytree(tmp_path / "objects", tmp_path / "backup")
    digest = only_pack(store).digest
    lose_rows(store)
    path_of(tmp_path, digest).unlink()

    mended = data.fsck(repair=str(tmp_path / "backup"))

    assert mended.is_sound
    assert data.verify("pets").ref == "pets@1"


@pytest.mark.parametrize("pusher", ["this home", "another home"])
def test_a_remote_repairs_by_its_name(
    data: Data, store: SqlMetadataStore, folder: Path, tmp_path: Path, pusher: str
) -> None:
    data.commit("pets", folder)
    data.add_remote("origin", str(tmp_path / "far"))
    if pusher == "this home":
        data.push("pets")
    else:
        other = Data(
            store=open_metadata(f"sqlite:///{tmp_path / 'other.db'}"),
            objects=FolderObjectStore(tmp_path / "other"),
        )
        other.commit("pets", folder)
        other.push("pets", to=str(tmp_path / "far"))
        other._store.close()
    flip(path_of(tmp_path, only_pack(store).digest), 400_000)

    mended = data.fsck(repair="origin")

    assert [damage.repaired for damage in mended.damage] == [True]
    assert data.fsck().damage == ()
    assert data.verify("pets").ref == "pets@1"
