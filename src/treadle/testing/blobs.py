"""The contract of Blobs, as tests.

Subclass it and supply the fixture `blobs` (empty) and `reopened`: a second store on the same place,
as another process would open it.
"""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import pytest

from treadle.kernel.errors import InvalidInput, NotFound, TreadleError
from treadle.storage.ports import BlobInfo, Span

if TYPE_CHECKING:
    from treadle.storage.ports import Blobs

LARGE = (41 << 20) + 17
"""More than a store sends at once."""


def read(blobs: Blobs, key: str, *, span: Span | None = None) -> bytes:
    """Read a whole blob, or a span of it."""
    with blobs.open(key, span=span) as stream:
        return b"".join(iter(lambda: stream.read(1 << 20), b""))


class BlobsContract:
    """What every store of blobs promises."""

    def test_what_was_put_comes_back(self, blobs: Blobs, reopened: Blobs) -> None:
        blobs.put("packs/4a/4a3d", io.BytesIO(b"bytes"))

        assert read(reopened, "packs/4a/4a3d") == b"bytes"
        assert timeless(blobs.stat("packs/4a/4a3d")) == BlobInfo("packs/4a/4a3d", 5)

    def test_a_put_takes_the_place_of_what_was_there(self, blobs: Blobs) -> None:
        blobs.put("a", io.BytesIO(b"first"))
        blobs.put("a", io.BytesIO(b"second"))

        assert read(blobs, "a") == b"second"

    def test_a_large_blob_comes_back_whole(self, blobs: Blobs) -> None:
        data = bytes(range(256)) * (LARGE // 256)

        blobs.put("large", io.BytesIO(data))

        assert read(blobs, "large") == data

    def test_nothing_is_a_blob_too(self, blobs: Blobs) -> None:
        blobs.put("nothing", io.BytesIO())

        assert read(blobs, "nothing") == b""
        assert timeless(blobs.stat("nothing")) == BlobInfo("nothing", 0)

    @pytest.mark.parametrize(("start", "stop"), [(0, 3), (2, 6), (9, 10), (4, 4), (8, 99)])
    def test_a_span_is_read_alone(self, blobs: Blobs, start: int, stop: int) -> None:
        blobs.put("digits", io.BytesIO(b"0123456789"))

        assert read(blobs, "digits", span=Span(start, stop)) == b"0123456789"[start:stop]

    def test_only_the_first_creates(self, blobs: Blobs, reopened: Blobs) -> None:
        first = blobs.create("refs/a/1", b"first")
        second = reopened.create("refs/a/1", b"second")

        assert (first, second) == (True, False)
        assert read(blobs, "refs/a/1") == b"first"

    def test_of_many_who_create_at_once_one_wins(self, blobs: Blobs, reopened: Blobs) -> None:
        won: list[bytes] = []

        def create(store: Blobs, data: bytes) -> None:
            if store.create("refs/a/1", data):
                won.append(data)

        stores = [blobs, reopened] * 4
        threads = [
            threading.Thread(target=create, args=(store, b"%d" % number))
            for number, store in enumerate(stores)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [read(blobs, "refs/a/1")] == won

    def test_what_is_deleted_can_be_created_again(self, blobs: Blobs) -> None:
        blobs.create("a", b"first")
        blobs.delete("a")

        assert blobs.stat("a") is None
        assert blobs.create("a", b"second")

    def test_what_is_absent_is_not_found(self, blobs: Blobs) -> None:
        blobs.delete("absent")

        assert blobs.stat("absent") is None
        with pytest.raises(NotFound, match="absent"):
            read(blobs, "absent")

    def test_blobs_are_listed_by_folder(self, blobs: Blobs) -> None:
        for key in ("refs/a/1", "refs/a/2", "refs/ab/1", "packs/1"):
            blobs.create(key, b"x")

        assert {info.key for info in blobs.list("refs")} == {"refs/a/1", "refs/a/2", "refs/ab/1"}
        assert {timeless(info) for info in blobs.list("refs/a")} == {
            BlobInfo("refs/a/1", 1),
            BlobInfo("refs/a/2", 1),
        }
        assert list(blobs.list("nowhere")) == []

    def test_when_a_blob_was_put_is_told_and_a_put_makes_it_young(self, blobs: Blobs) -> None:
        blobs.create("refs/a", b"x")
        blobs.put("refs/b", io.BytesIO(b"x"))
        listed = [info.put_at for info in blobs.list("refs")]
        before = blobs.stat("refs/a")
        blobs.put("refs/a", io.BytesIO(b"y"))
        after = blobs.stat("refs/a")

        assert before
        assert after
        assert 0 < before.put_at <= after.put_at
        assert len(listed) == 2
        assert min(listed) > 0

    def test_what_breaks_off_leaves_no_blob(self, blobs: Blobs) -> None:
        with pytest.raises((OSError, TreadleError), match="broken"):
            blobs.put("broken", Breaking())

        assert blobs.stat("broken") is None
        assert list(blobs.list("broken")) == []

    @pytest.mark.parametrize("verb", ["stat", "open", "delete", "create"])
    @pytest.mark.parametrize("key", ["", "../up", "/root", "a//b", "a/../b", ".hidden", "a\0", "ü"])
    def test_only_a_plain_name_is_a_key(self, blobs: Blobs, verb: str, key: str) -> None:
        arguments = (key, b"") if verb == "create" else (key,)

        with pytest.raises(InvalidInput, match="key of a blob"):
            getattr(blobs, verb)(*arguments)


def timeless(info: BlobInfo | None) -> BlobInfo | None:
    """Return what is known of a blob but for when it was put."""
    return info and BlobInfo(info.key, info.size_bytes)


class Breaking(io.BytesIO):
    """A stream that gives something, then fails."""

    def __init__(self) -> None:
        super().__init__(b"x" * (9 << 20))

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, but not the end."""
        block = super().read(size)
        if not block or len(block) < (size or 0):
            message = "broken"
            raise OSError(message)
        return block
