from __future__ import annotations

import functools
import io
import random
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.kernel.errors import Corrupt
from treadle.storage.chunks import packs
from treadle.storage.chunks import store as sql
from treadle.storage.chunks.cutting import FILES, TREES, WINDOW_BYTES, cut
from treadle.storage.chunks.packs import pack_time, read_index
from treadle.storage.chunks.reading import ChunkReader
from treadle.storage.chunks.writing import ChunkWriter, Intake
from treadle.storage.objects import FolderObjectStore, put_bytes, read_bytes
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.ports import ObjectStore


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "s3":
        return open_objects(request.getfixturevalue("s3_url"))
    return FolderObjectStore(tmp_path / "objects")


@pytest.fixture
def folder(tmp_path: Path) -> FolderObjectStore:
    return FolderObjectStore(tmp_path / "folder")


@functools.cache
def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)  # noqa: S311 - the same at every run


def lengths(data: bytes) -> list[int]:
    return [stop - start for start, stop in cut(data, FILES)]


def stored(
    store: SqlMetadataStore, objects: ObjectStore, data: bytes
) -> tuple[Intake, list[bytes]]:
    intake = Intake(store=store, objects=objects)
    writer = ChunkWriter(intake)
    digests, size = writer.add_stream(io.BytesIO(data).readinto)
    writer.close()
    assert size == len(data)
    return intake, digests


# Chunks of another cutting are other chunks: everything would be stored anew. So these never move.
def test_random_bytes_are_cut_where_they_always_were() -> None:
    assert lengths(noise(3_000_000)) == [
        264465,
        269475,
        314278,
        285505,
        288350,
        289407,
        323042,
        262381,
        306980,
        345500,
        50617,
    ]


def test_even_bytes_are_cut_where_they_always_were() -> None:
    assert lengths(bytes(3_000_000)) == [1048576, 1048576, 902848]


def test_a_list_is_cut_where_it_always_was() -> None:
    text = b"".join(b"images/%06d.png\n" % i for i in range(3000))

    assert [stop - start for start, stop in cut(text, TREES)] == [
        11963,
        8219,
        8330,
        8387,
        8535,
        8566,
    ]


@given(st.binary(max_size=300_000), st.sampled_from([FILES, TREES]))
def test_chunks_together_are_the_data(data, bounds) -> None:
    cuts = list(cut(data, bounds))

    assert b"".join(data[start:stop] for start, stop in cuts) == data
    assert all(stop - start <= bounds.most for start, stop in cuts)
    assert all(stop - start >= bounds.least for start, stop in cuts[:-1])


@settings(max_examples=30)
@given(place=st.integers(0, 6_000_000), inserted=st.binary(min_size=1))
def test_an_insertion_moves_few_cuts(place, inserted) -> None:
    data = noise(6_000_000)

    before = {blake3(data[a:b]).digest() for a, b in cut(data, FILES)}
    longer = data[:place] + inserted + data[place:]
    new = sum(b - a for a, b in cut(longer, FILES) if blake3(longer[a:b]).digest() not in before)

    assert new <= 4 * FILES.most


def test_a_stream_is_cut_as_if_it_were_in_memory(
    store: SqlMetadataStore, folder: FolderObjectStore
) -> None:
    data = noise(2 * WINDOW_BYTES + 12_345)

    _, digests = stored(store, folder, data)

    assert digests == [blake3(data[a:b]).digest() for a, b in cut(data, FILES)]


@pytest.mark.parametrize("size", [0, 1, FILES.least, WINDOW_BYTES + FILES.most, 40_000_000])
def test_what_was_written_is_read_back(
    store: SqlMetadataStore, folder: FolderObjectStore, size: int
) -> None:
    data = noise(size)

    _, digests = stored(store, folder, data)

    assert ChunkReader(store=store, objects=folder).join(digests) == data


# What is not kept as it was read (known already, compressed, or the end of a pack) moves the rest.
@pytest.mark.parametrize("size", [3_000_000, 3_141_592])
def test_packs_hold_what_was_read_whatever_of_it_is_kept(
    store: SqlMetadataStore, folder: FolderObjectStore, monkeypatch, size: int
) -> None:
    monkeypatch.setattr(packs, "PACK_BYTES", 4 << 20)
    first, text = noise(size), b"much the same " * 100_000
    stored(store, folder, first[500_000:2_000_000])
    data = text + first + noise(5_000_000) + text + first + text[7:]

    _, digests = stored(store, folder, data)

    assert digests == [blake3(data[a:b]).digest() for a, b in cut(data, FILES)]
    assert ChunkReader(store=store, objects=folder).join(digests) == data
    assert all(read_bytes(folder, info.digest) for info in folder.iterate())
    assert len(list(folder.iterate())) > 2


def test_files_that_were_read_into_the_room_are_stored_without_what_is_there_twice(
    store: SqlMetadataStore, folder: FolderObjectStore
) -> None:
    files = [noise(50_000), b"text " * 5000, noise(50_000), noise(70_000), b"x"]
    writer = ChunkWriter(Intake(store=store, objects=folder))
    room = writer.room(sum(map(len, files)))
    stops = list(accumulate(map(len, files), initial=0))
    room[: stops[-1]] = b"".join(files)

    digests = writer.take([room[start:stop] for start, stop in pairwise(stops)])
    writer.close()

    assert ChunkReader(store=store, objects=folder).join(digests) == b"".join(files)
    (info,) = folder.iterate()
    assert [entry.raw_length for entry in read_index(folder, info)] == [50_000, 25_000, 70_000, 1]
    assert read_bytes(folder, info.digest)[24:50_024] == files[0]


def test_a_writer_takes_over_what_others_have_not_written(
    store: SqlMetadataStore, folder: FolderObjectStore
) -> None:
    intake = Intake(store=store, objects=folder)
    writer, others = ChunkWriter(intake), [ChunkWriter(intake) for _ in range(3)]
    digests = [other.add_whole([b"of number %d" % n])[0] for n, other in enumerate(others)]

    for other in others:
        writer.absorb(other)
        other.close()
    writer.close()

    assert len(list(folder.iterate())) == 1
    whole = ChunkReader(store=store, objects=folder).join(digests)
    assert whole == b"of number 0of number 1of number 2"


def test_chunks_are_written_and_read_wherever_objects_are(
    store: SqlMetadataStore, objects: ObjectStore
) -> None:
    data = noise(1_500_000) + b"much the same " * 100_000

    intake, digests = stored(store, objects, data)

    assert ChunkReader(store=store, objects=objects).join(digests) == data
    assert len(list(objects.iterate())) == 1
    assert intake.stored_bytes < 1_600_000


def test_the_same_bytes_are_stored_once(store: SqlMetadataStore, folder: FolderObjectStore) -> None:
    data = noise(2_000_000)
    stored(store, folder, data)

    again, _ = stored(store, folder, data)

    assert (again.new_bytes, again.stored_bytes) == (0, 0)
    assert len(list(folder.iterate())) == 1


def test_what_is_the_same_within_one_file_is_stored_once(
    store: SqlMetadataStore, folder: FolderObjectStore
) -> None:
    intake, digests = stored(store, folder, bytes(50_000_000))

    assert ChunkReader(store=store, objects=folder).join(digests) == bytes(50_000_000)
    assert intake.stored_bytes < 10_000


def test_many_small_chunks_share_a_pack(store: SqlMetadataStore, folder: FolderObjectStore) -> None:
    intake = Intake(store=store, objects=folder)
    writer = ChunkWriter(intake)
    wholes = [b"file %d" % i for i in range(2000)]

    digests = writer.add_whole(wholes)
    writer.close()

    assert len(list(folder.iterate())) == 1
    assert ChunkReader(store=store, objects=folder).join(digests) == b"".join(wholes)


def test_a_dry_run_counts_and_writes_nothing(
    store: SqlMetadataStore, folder: FolderObjectStore
) -> None:
    intake = Intake(store=store, objects=folder, dry_run=True)
    writer = ChunkWriter(intake)

    writer.add_whole([b"some", b"more", b"some"])
    writer.close()

    assert (intake.new_bytes, intake.stored_bytes) == (8, 0)
    assert list(folder.iterate()) == []


def test_a_pack_says_itself_what_it_holds(store: SqlMetadataStore, objects: ObjectStore) -> None:
    stored(store, objects, noise(3_000_000))
    (info,) = objects.iterate()

    with store.read() as tx:
        entries = read_index(objects, info)
        found = sql.places(tx, [entry.digest for entry in entries])

    assert {e.digest: (info.digest, *e[1:]) for e in entries} == found


def test_a_pack_knows_when_it_was_made(store: SqlMetadataStore, folder: FolderObjectStore) -> None:
    stored(store, folder, b"anything")
    (info,) = folder.iterate()

    assert (pack_time(folder, info) or 0) > 1_700_000_000_000_000


def test_what_is_no_pack_has_no_time_of_one(folder: FolderObjectStore) -> None:
    assert pack_time(folder, put_bytes(folder, b"short")) is None
    assert pack_time(folder, put_bytes(folder, b"long enough to be the head of one")) is None


@pytest.mark.parametrize("data", [b"", b"short", b"TRDLPACK" + bytes(100)])
def test_an_object_without_an_index_is_no_pack(folder: FolderObjectStore, data: bytes) -> None:
    with pytest.raises(Corrupt, match="no readable index"):
        read_index(folder, put_bytes(folder, data))


def test_two_packs_of_the_same_chunks_are_two_objects(
    store: SqlMetadataStore, folder: FolderObjectStore
) -> None:
    stored(store, folder, b"the same")
    with store.write() as tx:
        sql.forget_pack(tx, sql.all_packs(tx)[0])

    stored(store, folder, b"the same")

    assert len(list(folder.iterate())) == 2


@pytest.mark.parametrize("data", [noise(50_000), b"packed well " * 5000])
def test_a_flipped_bit_is_found_when_it_is_read(
    store: SqlMetadataStore, folder: FolderObjectStore, tmp_path: Path, data: bytes
) -> None:
    _, digests = stored(store, folder, data)
    (info,) = folder.iterate()
    path = tmp_path / "folder" / info.digest[:2] / info.digest
    whole = bytearray(read_bytes(folder, info.digest))
    whole[30] ^= 1
    path.chmod(0o644)
    path.write_bytes(whole)

    with pytest.raises(Corrupt, match="is damaged in pack"):
        ChunkReader(store=store, objects=folder).join(digests)


def test_a_pack_that_is_gone_is_said(store: SqlMetadataStore, folder: FolderObjectStore) -> None:
    _, digests = stored(store, folder, b"anything")
    (info,) = folder.iterate()
    folder.delete(info.digest)

    with pytest.raises(Corrupt, match="is gone with its pack"):
        ChunkReader(store=store, objects=folder).join(digests)


def test_a_truncated_pack_is_said(
    store: SqlMetadataStore, folder: FolderObjectStore, tmp_path: Path
) -> None:
    _, digests = stored(store, folder, noise(50_000))
    (info,) = folder.iterate()
    path = tmp_path / "folder" / info.digest[:2] / info.digest
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(Corrupt, match="is damaged in pack"):
        ChunkReader(store=store, objects=folder).join(digests)


def test_a_chunk_that_nobody_stored_is_said(
    store: SqlMetadataStore, folder: FolderObjectStore
) -> None:
    with pytest.raises(Corrupt, match="is not stored any more"):
        ChunkReader(store=store, objects=folder).join([bytes(32)])
