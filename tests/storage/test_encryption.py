"""Encrypted objects: nothing plain on disk, nothing that was changed opens, keys are exchanged."""

from __future__ import annotations

import io
import itertools
import random
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import Corrupt, InvalidInput, Unavailable
from treadle.storage.encryption.format import (
    HEADER_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    DataKey,
    Opened,
    encrypted,
    plain_size,
    read_header,
    stored_size,
)
from treadle.storage.encryption.keyring import MasterKey, master_key, write_new_key
from treadle.storage.encryption.rotation import rotate
from treadle.storage.objects import FolderObjectStore, put_bytes, read_bytes
from treadle.storage.ports import Span
from treadle.storage.stores import drafts_of, open_encrypted, open_objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treadle.storage.encryption.objects import EncryptedObjectStore

KEY, OTHER = "c0ffee00" * 8, "0badcafe" * 8
MASTER = MasterKey(bytes.fromhex(OTHER))
DATA_KEY = DataKey(bytes(range(16)), bytes(range(32)))
SALT = bytes(range(100, 132))
SECRET = b"nobody may read this " * 10
SIZES = (
    0,
    1,
    1000,
    SEGMENT_BYTES - 1,
    SEGMENT_BYTES,
    SEGMENT_BYTES + 1,
    3 * SEGMENT_BYTES,
    200_000,
)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - the same at every run


def whole(plain: bytes, *, under: bytes = b"name") -> bytes:
    stream = io.BytesIO(plain)
    return b"".join(encrypted(stream, DATA_KEY, salt=SALT, filed_under=lambda: under))


def opened(stored: bytes, *, under: bytes = b"name") -> bytes:
    header = read_header(stored[:HEADER_BYTES])
    if header.key_id != DATA_KEY.id:
        raise Corrupt("no such key")
    found = Opened(header.cipher(DATA_KEY), plain_size(len(stored)))
    found.check(stored[-TAG_BYTES:], filed_under=under)
    start, stop = found.stored_span(0, found.size_bytes)
    body = io.BytesIO(stored[start:stop])
    return b"".join(found.decrypted(body, start=0, stop=found.size_bytes))


@pytest.fixture
def objects(tmp_path: Path) -> EncryptedObjectStore:
    return open_encrypted(tmp_path.as_uri(), key=KEY)


def test_the_format_is_this_one_for_ever() -> None:
    """What was stored yesterday must open tomorrow."""
    stored = whole(noise(200_000))

    assert stored[:HEADER_BYTES] == b"TRDLCRYP\x01" + DATA_KEY.id + SALT
    assert (
        digest_bytes(stored) == "4b3d4aee8c2c18c513f6570bbfef7cc41443bcfa348ba93c28ec21ade7d4f9f5"
    )


@pytest.mark.parametrize("size", SIZES)
def test_what_was_encrypted_opens(size: int) -> None:
    stored = whole(noise(size))

    assert opened(stored) == noise(size)
    assert (plain_size(len(stored)), stored_size(size)) == (size, len(stored))


STORED = {size: whole(noise(size)) for size in (0, 1000, 200_000)}


@given(size=st.sampled_from(sorted(STORED)), where=st.data())
@settings(max_examples=200, deadline=None)
def test_any_flipped_bit_is_refused(size: int, where: st.DataObject) -> None:
    stored = bytearray(STORED[size])
    stored[where.draw(st.integers(0, len(stored) - 1))] ^= 1 << where.draw(st.integers(0, 7))

    with pytest.raises(Corrupt):
        opened(bytes(stored))


@given(size=st.sampled_from(sorted(STORED)), where=st.data())
@settings(max_examples=100, deadline=None)
def test_any_other_length_is_refused(size: int, where: st.DataObject) -> None:
    stored = STORED[size]
    cut = stored[: where.draw(st.integers(0, len(stored) - 1))]

    for other in (cut, stored + b"\0", stored[: -TAG_BYTES - 1] + stored[-TAG_BYTES:]):
        with pytest.raises(Corrupt):
            opened(other)


def segments(stored: bytes) -> list[bytes]:
    body = stored[HEADER_BYTES:-TAG_BYTES]
    step = SEGMENT_BYTES + TAG_BYTES
    return [body[at : at + step] for at in range(0, len(body), step)]


@given(order=st.lists(st.integers(0, 3), max_size=6))
@example([1, 0, 2, 3])
@example([0, 1, 2])
@example([3])
@settings(max_examples=60, deadline=None)
def test_segments_in_any_other_order_are_refused(order: list[int]) -> None:
    stored = STORED[200_000]
    parts = segments(stored)
    other = stored[:HEADER_BYTES] + b"".join(parts[n] for n in order) + stored[-TAG_BYTES:]

    if order != [0, 1, 2, 3]:
        with pytest.raises(Corrupt):
            opened(other)


def test_a_segment_of_another_object_is_refused() -> None:
    one = whole(noise(200_000))
    salted = encrypted(
        io.BytesIO(noise(200_000)), DATA_KEY, salt=SALT[::-1], filed_under=lambda: b"name"
    )
    parts, others = segments(one), segments(b"".join(salted))
    parts[1] = others[1]

    with pytest.raises(Corrupt):
        opened(one[:HEADER_BYTES] + b"".join(parts) + one[-TAG_BYTES:])


def test_an_object_in_place_of_another_is_refused(
    objects: EncryptedObjectStore, tmp_path: Path
) -> None:
    one, two = put_bytes(objects, b"one of them"), put_bytes(objects, b"two of them")
    folder = tmp_path / "encrypted"
    target = folder / two.digest[:2] / two.digest
    target.chmod(0o644)
    target.write_bytes((folder / one.digest[:2] / one.digest).read_bytes())

    with pytest.raises(Corrupt, match="damaged"):
        objects.open(two.digest, span=Span(0, 3))


@given(start=st.integers(0, 200_100), length=st.integers(0, 200_000))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_span_is_those_bytes(objects: EncryptedObjectStore, start: int, length: int) -> None:
    data = noise(200_000)
    kept = put_bytes(objects, data)

    with objects.open(kept.digest, span=Span(start, start + length)) as stream:
        assert b"".join(iter(lambda: stream.read(70_001), b"")) == data[start : start + length]


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_nothing_plain_is_on_disk(objects: EncryptedObjectStore, tmp_path: Path) -> None:
    kept = put_bytes(objects, SECRET)

    assert read_bytes(objects, kept.digest) == SECRET
    assert b"nobody may read" not in on_disk(tmp_path)


def test_no_piece_of_a_draft_is_plain_at_any_time(
    objects: EncryptedObjectStore, tmp_path: Path
) -> None:
    drafts = drafts_of(objects)

    piece = drafts.write("d", io.BytesIO(SECRET), span=Span(0, len(SECRET)))
    before = on_disk(tmp_path)
    kept = drafts.join("d", [piece])
    joined = on_disk(tmp_path)
    drafts.drop("d")

    assert b"nobody may read" not in before
    assert b"nobody may read" not in joined
    assert read_bytes(objects, kept.digest) == SECRET
    assert not list((tmp_path / "encrypted" / "drafts").iterdir())


def test_a_writer_killed_in_mid_write_leaves_nothing_plain(tmp_path: Path) -> None:
    die_in_mid_write = textwrap.dedent(f"""
        import io, os, signal
        from pathlib import Path
        from treadle.storage.stores import open_objects

        class Killer(io.BytesIO):
            blocks = 0
            def read(self, size=-1):
                self.blocks += 1
                if self.blocks > 40:
                    os.kill(os.getpid(), signal.SIGKILL)
                return {SECRET!r} * 1000

        open_objects({tmp_path.as_uri()!r}, key={KEY!r}).put(Killer())
    """)

    child = subprocess.run([sys.executable, "-c", die_in_mid_write], check=False)

    assert child.returncode == -9
    assert b"nobody may read" not in on_disk(tmp_path)
    assert list(open_objects(tmp_path.as_uri(), key=KEY).iterate()) == []


def test_the_same_bytes_are_never_encrypted_alike(tmp_path: Path) -> None:
    stores = [open_encrypted((tmp_path / n).as_uri(), key=KEY) for n in ("a", "b")]
    (kept,) = {put_bytes(store, SECRET) for store in stores}

    one, two = ((tmp_path / n / "encrypted" / kept.digest[:2] / kept.digest) for n in ("a", "b"))

    assert one.read_bytes() != two.read_bytes()


def test_what_was_stored_before_stays_readable(tmp_path: Path) -> None:
    before = put_bytes(FolderObjectStore(tmp_path), b"from before")
    objects = open_encrypted(tmp_path.as_uri(), key=KEY)
    since = put_bytes(objects, b"since")

    assert read_bytes(objects, before.digest) == b"from before"
    assert objects.stat(before.digest) == before
    assert set(objects.iterate()) == {before, since}
    assert objects.delete(before.digest)
    assert set(objects.iterate()) == {since}


def test_what_was_stored_before_is_encrypted_when_asked(tmp_path: Path) -> None:
    before = put_bytes(FolderObjectStore(tmp_path), SECRET)
    objects = open_encrypted(tmp_path.as_uri(), key=KEY)

    done = list(objects.encrypt_what_is_plain())

    assert done == [before]
    assert list(objects.iterate()) == [before]
    assert read_bytes(objects, before.digest) == SECRET
    assert b"nobody may read" not in on_disk(tmp_path)


def test_without_the_key_it_is_said(objects: EncryptedObjectStore, tmp_path: Path) -> None:
    put_bytes(objects, SECRET)

    with pytest.raises(Unavailable, match="encrypted, and no key is set"):
        open_objects(tmp_path.as_uri())


def test_without_the_key_a_bucket_says_so(s3_url: str) -> None:
    kept = put_bytes(open_objects(s3_url, key=KEY), SECRET)

    with pytest.raises(Unavailable, match="encrypted, and no key is set"):
        open_objects(s3_url).open(kept.digest)
    with pytest.raises(Unavailable, match="encrypted, and no key is set"):
        put_bytes(open_objects(s3_url), b"plain among them")


def test_with_a_wrong_key_it_is_said(objects: EncryptedObjectStore, tmp_path: Path) -> None:
    kept = put_bytes(objects, SECRET)
    wrong = open_objects(tmp_path.as_uri(), key=OTHER)

    with pytest.raises(Unavailable, match=r"under master key [0-9a-f]{16}; the one that is set"):
        read_bytes(wrong, kept.digest)
    with pytest.raises(Unavailable, match="under master key"):
        put_bytes(wrong, b"with another")


@pytest.mark.parametrize("told", ["", "c0ffee", "/nowhere/key", "x" * 64])
def test_what_is_no_key_is_refused_and_not_repeated(told: str) -> None:
    with pytest.raises(InvalidInput, match="objects_key") as caught:
        master_key(told)

    assert not told or told not in str(caught.value)


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    made = write_new_key(tmp_path / "key")

    assert master_key(str(tmp_path / "key")) == made
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InvalidInput, match="there already"):
        write_new_key(tmp_path / "key")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("??/*")}


def test_another_master_opens_the_same_objects(
    objects: EncryptedObjectStore, tmp_path: Path
) -> None:
    kept = put_bytes(objects, SECRET)
    before, keys = files(tmp_path / "encrypted"), files(tmp_path / "keys")

    objects.keys.rotate(MasterKey(bytes.fromhex(OTHER)))
    other = open_objects(tmp_path.as_uri(), key=OTHER)

    assert read_bytes(other, kept.digest) == SECRET
    assert read_bytes(objects, kept.digest) == SECRET
    assert files(tmp_path / "encrypted") == before
    assert not keys.keys() & files(tmp_path / "keys").keys()
    with pytest.raises(Unavailable, match="under master key"):
        read_bytes(open_objects(tmp_path.as_uri(), key=KEY), kept.digest)


class Killed(BaseException):
    """What ends a process that is killed."""


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("fatal", range(1, 5))
def test_an_exchange_that_is_killed_is_done_by_the_next(
    objects: EncryptedObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fatal: int,
    is_done: bool,
) -> None:
    kept = put_bytes(objects, SECRET)
    calls = itertools.count(1)

    def until_then(real: Callable[..., object]) -> Callable[..., object]:
        def called(*args: object, **named: object) -> object:
            number = next(calls)
            if number == fatal and not is_done:
                raise Killed
            answer = real(*args, **named)
            if number == fatal:
                raise Killed
            return answer

        return called

    with monkeypatch.context() as patch:
        patch.setattr(FolderObjectStore, "put", until_then(FolderObjectStore.put))
        patch.setattr(FolderObjectStore, "delete", until_then(FolderObjectStore.delete))
        with pytest.raises(Killed):
            rotate(objects.keys, MASTER)

    opens = [key for key in (KEY, OTHER) if reads(tmp_path, key, kept.digest)]
    done = rotate(open_encrypted(tmp_path.as_uri(), key=KEY).keys, MASTER)
    again = rotate(open_encrypted(tmp_path.as_uri(), key=KEY).keys, MASTER)

    assert opens
    assert (done.data_keys, again.data_keys, again.before) == (1, 1, "")
    assert reads(tmp_path, OTHER, kept.digest)
    assert not reads(tmp_path, KEY, kept.digest)
    assert len(files(tmp_path / "keys")) == 2


def reads(place: Path, key: str, digest: str) -> bool:
    try:
        return read_bytes(open_encrypted(place.as_uri(), key=key), digest) == SECRET
    except Unavailable:
        return False


def test_a_data_key_that_is_added_meanwhile_comes_along(
    objects: EncryptedObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_bytes(objects, b"first")
    beside = open_encrypted(tmp_path.as_uri(), key=KEY)
    real, added = FolderObjectStore.put, []

    def put(self: FolderObjectStore, *args: object, **named: object) -> object:
        if not added:
            added.append(0)
            added[0] = beside.keys.add().id.hex()
        return real(self, *args, **named)

    monkeypatch.setattr(FolderObjectStore, "put", put)
    rotate(objects.keys, MASTER)
    late = put_bytes(beside, SECRET)

    other = open_encrypted(tmp_path.as_uri(), key=OTHER)
    assert added[0] in {key.id for key in other.keys.listed()}
    assert read_bytes(other, late.digest) == SECRET
    assert other.keys.masters() == {MASTER.id}


def test_a_data_key_that_is_added_under_the_next_master_stays(
    objects: EncryptedObjectStore, tmp_path: Path
) -> None:
    put_bytes(objects, b"first")
    old = files(tmp_path / "keys")
    rotate(objects.keys, MASTER)
    ahead = open_encrypted(tmp_path.as_uri(), key=OTHER)
    ahead.keys.add()
    kept = put_bytes(ahead, SECRET)
    for name, body in old.items():  # as if it had been killed before it removed these
        path = tmp_path / "keys" / name[:2] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    done = rotate(open_encrypted(tmp_path.as_uri(), key=KEY).keys, MASTER)

    assert done.before
    assert reads(tmp_path, OTHER, kept.digest)
    assert len(files(tmp_path / "keys")) == 2


def test_a_plan_of_an_exchange_changes_nothing(
    objects: EncryptedObjectStore, tmp_path: Path
) -> None:
    put_bytes(objects, SECRET)
    before = files(tmp_path / "keys")

    planned = rotate(objects.keys, MASTER, dry_run=True)

    assert (planned.data_keys, planned.after) == (1, MASTER.id)
    assert files(tmp_path / "keys") == before
    with pytest.raises(Unavailable, match="if it was exchanged, to the new one"):
        rotate(open_encrypted(tmp_path.as_uri(), key="0a" * 32).keys, MASTER)


def test_a_new_data_key_is_for_new_objects(objects: EncryptedObjectStore, tmp_path: Path) -> None:
    old = put_bytes(objects, b"old")
    before = files(tmp_path / "encrypted")

    made = objects.keys.add()
    new = put_bytes(objects, b"new")
    again = open_encrypted(tmp_path.as_uri(), key=KEY)

    headers = {n: read_header(b[:HEADER_BYTES]) for n, b in files(tmp_path / "encrypted").items()}
    assert headers[new.digest].key_id == made.id != headers[old.digest].key_id
    assert files(tmp_path / "encrypted")[old.digest] == before[old.digest]
    assert (read_bytes(again, old.digest), read_bytes(again, new.digest)) == (b"old", b"new")
    assert [key.is_current for key in again.keys.listed()] == [False, True]


def test_a_process_that_runs_learns_of_a_key_that_another_made(tmp_path: Path) -> None:
    one, two = (open_encrypted(tmp_path.as_uri(), key=KEY) for _ in range(2))
    put_bytes(one, b"old")
    put_bytes(two, b"older")
    two.keys.add()

    kept = put_bytes(two, b"new")

    assert read_bytes(one, kept.digest) == b"new"


def test_keys_that_two_make_at_once_are_both_kept(tmp_path: Path) -> None:
    one, two = (open_encrypted(tmp_path.as_uri(), key=KEY) for _ in range(2))

    kept = [put_bytes(one, b"one"), put_bytes(two, b"two")]  # each makes the first key
    one.keys.add()
    two.keys.add()
    again = open_encrypted(tmp_path.as_uri(), key=KEY)

    assert [read_bytes(again, each.digest) for each in kept] == [b"one", b"two"]
    assert len(again.keys.listed()) >= 3


def test_one_copy_of_the_keys_may_be_damaged(objects: EncryptedObjectStore, tmp_path: Path) -> None:
    kept = put_bytes(objects, SECRET)
    first, second = sorted((tmp_path / "keys").glob("??/*"))
    first.chmod(0o644)
    first.write_bytes(b"{}")
    again = open_encrypted(tmp_path.as_uri(), key=KEY)

    one_left = read_bytes(again, kept.digest)
    second.chmod(0o644)
    second.write_bytes(b"{}")

    assert one_left == SECRET
    assert sorted(again.keys.damaged()) == [first.name, second.name]
    with pytest.raises(Corrupt, match="keys of the objects are damaged"):
        read_bytes(open_objects(tmp_path.as_uri(), key=KEY), kept.digest)


def test_new_keys_take_the_place_of_a_damaged_copy(
    objects: EncryptedObjectStore, tmp_path: Path
) -> None:
    put_bytes(objects, SECRET)
    first, _ = sorted((tmp_path / "keys").glob("??/*"))
    first.chmod(0o644)
    first.write_bytes(b"{}")

    objects.keys.add()

    assert objects.keys.damaged() == ()
    assert len(files(tmp_path / "keys")) == 2


def test_an_object_put_again_by_another_process_opens(
    objects: EncryptedObjectStore, tmp_path: Path
) -> None:
    kept = put_bytes(objects, SECRET)
    with objects.open(kept.digest, span=Span(0, 5)) as stream:
        stream.read()
    other = open_objects(tmp_path.as_uri(), key=KEY)
    other.delete(kept.digest)
    put_bytes(other, SECRET)

    with objects.open(kept.digest, span=Span(0, 6)) as stream:
        assert stream.read() == b"nobody"
