"""The contracts of MetadataStore, ObjectStore and Drafts, as tests.

Subclass one and supply the fixture `store` (migrated and empty) or `objects` (empty). For the
metadata contract also supply `reopened`: a second store on the same database, as another process
would open it. For the object contract supply `damage`: a callable that changes the stored bytes of
a digest behind the store's back. For that of drafts supply `objects` and `drafts`.
"""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING, ClassVar

import msgspec
import pytest

from treadle.kernel.actors import acting_as
from treadle.kernel.clock import HOUR_US
from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound, TreadleError
from treadle.storage import events
from treadle.storage.events import FIRST_LINK, Event, Fact, link
from treadle.storage.keys import keys
from treadle.storage.objects import blocks_of, put_bytes, read_bytes, stream_of
from treadle.storage.ports import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treadle.storage.ports import Drafts, MetadataStore, ObjectStore

LARGE = (1 << 20) + 17
"""More than one read's worth of bytes."""


class Noted(Fact, frozen=True, kw_only=True):
    """A note was written."""

    kind: ClassVar[str] = "note.written"

    text: str

    def subject(self) -> str:
        return f"note/{self.text}"


def write_note(store: MetadataStore, number: int, *, text: str = "a note") -> None:
    """Write one row and the fact that explains it, in one transaction.

    Any table would do; that of the signing keys is one every store has.
    """
    with store.write() as tx:
        tx.execute(keys.insert(), {"id": str(number), "public": text, "created_at": tx.at})
        tx.emit(Noted(text=text))


def write_and_fail(store: MetadataStore, number: int) -> None:
    """Write a note, then fail before the transaction ends."""
    with store.write():
        write_note(store, number, text="lost")
        raise _PlannedError


def noted(store: MetadataStore) -> list[int]:
    """Return the numbers of all notes."""
    with store.read() as tx:
        return sorted(int(row.id) for row in tx.execute(keys.select()))


def logged(store: MetadataStore) -> list[Event]:
    """Return the whole log."""
    with store.read() as tx:
        return list(events.read(tx.connection))


def assert_chained(log: list[Event]) -> None:
    """Claim that a log has no gap and every event carries the hash it must."""
    assert [e.seq for e in log] == list(range(1, len(log) + 1))
    assert [e.previous for e in log] == [FIRST_LINK, *(e.hash for e in log)][: len(log)]
    assert [e.hash for e in log] == [link(e) for e in log]


class _PlannedError(Exception):
    """What a test raises on purpose."""


class MetadataStoreContract:
    """What every MetadataStore promises."""

    def test_a_write_is_seen_by_the_next_read(self, store: MetadataStore) -> None:
        write_note(store, 1)

        assert noted(store) == [1]

    def test_a_write_is_seen_by_another_store(
        self, store: MetadataStore, reopened: MetadataStore
    ) -> None:
        write_note(store, 1)

        assert noted(reopened) == [1]
        assert logged(reopened) == logged(store)

    def test_migrating_twice_changes_nothing(self, store: MetadataStore) -> None:
        write_note(store, 1)

        store.migrate()

        assert noted(store) == [1]

    def test_an_error_rolls_back_rows_and_facts(self, store: MetadataStore) -> None:
        with pytest.raises(_PlannedError):
            write_and_fail(store, 1)

        assert noted(store) == []
        assert logged(store) == []

    def test_a_write_inside_a_write_joins_it(self, store: MetadataStore) -> None:
        with store.write() as outer:
            write_note(store, 1, text="inner")
            outer.emit(Noted(text="outer"))

        first, second = logged(store)
        assert (first.subject, second.subject) == ("note/inner", "note/outer")
        assert first.at == second.at
        assert noted(store) == [1]

    def test_a_caught_inner_error_undoes_only_the_inner_write(self, store: MetadataStore) -> None:
        with store.write():
            write_note(store, 1, text="kept")
            with pytest.raises(_PlannedError):
                write_and_fail(store, 2)
            write_note(store, 3, text="kept too")

        assert noted(store) == [1, 3]
        assert [e.subject for e in logged(store)] == ["note/kept", "note/kept too"]

    def test_a_read_inside_a_write_sees_what_it_wrote(self, store: MetadataStore) -> None:
        with store.write():
            write_note(store, 1)

            assert noted(store) == [1]

    def test_a_read_sees_one_state_to_its_end(self, store: MetadataStore) -> None:
        write_note(store, 1)

        with store.read() as tx:
            before = tx.execute(keys.select()).all()
            in_thread(lambda: write_note(store, 2))
            after = tx.execute(keys.select()).all()

        assert before == after
        assert noted(store) == [1, 2]

    def test_a_fact_in_a_read_is_refused(self, store: MetadataStore) -> None:
        with pytest.raises(Conflict, match=r"store\.write"), store.read() as tx:
            tx.emit(Noted(text="never"))

    def test_errors_of_the_body_come_out_as_they_are(self, store: MetadataStore) -> None:
        with pytest.raises(FileNotFoundError, match="mine"), store.write():
            raise FileNotFoundError("mine")

    def test_the_log_is_chained(self, store: MetadataStore) -> None:
        for number in range(3):
            write_note(store, number)

        assert_chained(logged(store))

    def test_an_event_names_its_actor_and_holds_its_fact(self, store: MetadataStore) -> None:
        with acting_as("user:ann"):
            write_note(store, 1, text="Zürich")

        (event,) = logged(store)
        assert (event.kind, event.actor) == ("note.written", "user:ann")
        assert event.as_fact(Noted) == Noted(text="Zürich")

    @pytest.mark.parametrize("field", ["at", "recorded_at", "kind", "subject", "actor", "body"])
    def test_a_changed_event_no_longer_links(self, store: MetadataStore, field: str) -> None:
        write_note(store, 1)
        (event,) = logged(store)
        value = getattr(event, field)
        changed = value + 1 if isinstance(value, int) else f"{value}x"

        tampered = msgspec.structs.replace(event, **{field: changed})

        assert link(event) == event.hash
        assert link(tampered) != event.hash

    def test_writers_in_threads_leave_no_gap(self, store: MetadataStore) -> None:
        writers = [
            threading.Thread(target=write_note, args=(store, number)) for number in range(16)
        ]

        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert noted(store) == list(range(16))
        assert_chained(logged(store))


class ObjectStoreContract:
    """What every ObjectStore promises."""

    def test_bytes_come_back_as_they_were(self, objects: ObjectStore) -> None:
        kept = put_bytes(objects, b"hello")

        assert read_bytes(objects, kept.digest) == b"hello"

    def test_an_object_is_named_by_its_digest(self, objects: ObjectStore) -> None:
        kept = put_bytes(objects, b"hello")

        assert kept.digest == digest_bytes(b"hello")
        assert kept.size_bytes == 5

    def test_nothing_is_an_object_too(self, objects: ObjectStore) -> None:
        kept = put_bytes(objects, b"")

        assert kept.size_bytes == 0
        assert read_bytes(objects, kept.digest) == b""

    def test_a_large_object_comes_back_whole(self, objects: ObjectStore) -> None:
        data = bytes(range(256)) * (LARGE // 256) + b"tail"

        kept = put_bytes(objects, data)

        assert read_bytes(objects, kept.digest) == data

    def test_a_stream_may_give_little_at_a_time(self, objects: ObjectStore) -> None:
        kept = objects.put(Trickle(b"drop by drop"))

        assert read_bytes(objects, kept.digest) == b"drop by drop"

    def test_putting_twice_stores_once(self, objects: ObjectStore) -> None:
        first, second = put_bytes(objects, b"same"), put_bytes(objects, b"same")

        assert first == second
        assert list(objects.iterate()) == [first]

    def test_all_objects_are_iterated(self, objects: ObjectStore) -> None:
        kept = {put_bytes(objects, bytes([n])) for n in range(5)}

        assert set(objects.iterate()) == kept

    def test_what_is_known_without_reading(self, objects: ObjectStore) -> None:
        kept = put_bytes(objects, b"known")

        assert objects.stat(kept.digest) == kept
        assert objects.stat(digest_bytes(b"unknown")) is None

    def test_an_absent_object_is_not_found(self, objects: ObjectStore) -> None:
        with pytest.raises(NotFound, match="object"):
            objects.open(digest_bytes(b"absent"))

    def test_a_deleted_object_is_gone(self, objects: ObjectStore) -> None:
        kept = put_bytes(objects, b"short-lived")

        objects.delete(kept.digest)

        assert objects.stat(kept.digest) is None
        assert list(objects.iterate()) == []

    def test_what_was_put_since_stays(self, objects: ObjectStore) -> None:
        kept = put_bytes(objects, b"young")
        hour_ago, in_an_hour = (time.time_ns() // 1000 + hours * HOUR_US for hours in (-1, 1))

        spared = objects.delete(kept.digest, before=hour_ago)
        old, older = list(objects.iterate(before=in_an_hour)), list(objects.iterate(before=1))
        removed = objects.delete(kept.digest, before=in_an_hour)

        assert (spared, old, older, removed) == (False, [kept], [], True)
        assert objects.delete(kept.digest) is False

    def test_bytes_that_stand_for_others_are_filed_under_those(self, objects: ObjectStore) -> None:
        other = digest_bytes(b"others")
        told: list[bytes] = []

        def blocks() -> Iterator[bytes]:
            told.append(b"stand-in")
            yield told[-1]

        kept = objects.put(stream_of(blocks()), name=lambda: other if told else "too early")

        assert kept.digest == other
        with objects.open(other, span=Span(0, 8)) as stream:
            assert stream.read() == b"stand-in"

    def test_deleting_what_is_absent_does_nothing(self, objects: ObjectStore) -> None:
        objects.delete(digest_bytes(b"absent"))

        assert list(objects.iterate()) == []

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_a_damaged_object_is_not_handed_over(
        self, objects: ObjectStore, damage: Callable[[str, bytes], None], size: int
    ) -> None:
        kept = put_bytes(objects, b"a" * size)
        damage(kept.digest, b"b" + b"a" * (size - 1))

        with pytest.raises(Corrupt, match="damaged"):
            objects.open(kept.digest)

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_blocks_are_the_object(self, objects: ObjectStore, size: int) -> None:
        kept = put_bytes(objects, bytes(n % 251 for n in range(size)))

        assert b"".join(blocks_of(objects, kept)) == read_bytes(objects, kept.digest)
        assert b"".join(blocks_of(objects, kept, skip=7)) == read_bytes(objects, kept.digest)[7:]

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_blocks_of_a_damaged_object_end_before_the_last(
        self, objects: ObjectStore, damage: Callable[[str, bytes], None], size: int
    ) -> None:
        kept = put_bytes(objects, b"a" * size)
        damage(kept.digest, b"b" + b"a" * (size - 1))
        came: list[bytes] = []

        with pytest.raises(Corrupt, match="damaged"):
            came.extend(blocks_of(objects, kept))

        assert sum(map(len, came)) < size

    @pytest.mark.parametrize(
        ("start", "stop"), [(0, LARGE), (0, 1), (5, 5), (3, 1 << 20), (LARGE - 4, LARGE)]
    )
    def test_a_span_is_read_alone(self, objects: ObjectStore, start: int, stop: int) -> None:
        data = bytes(range(256)) * (LARGE // 256) + b"0123456789abcdefg"
        kept = put_bytes(objects, data)

        with objects.open(kept.digest, span=Span(start, stop)) as stream:
            assert b"".join(iter(lambda: stream.read(1 << 16), b"")) == data[start:stop]

    def test_a_span_of_an_absent_object_is_not_found(self, objects: ObjectStore) -> None:
        with pytest.raises(NotFound, match="object"):
            objects.open(digest_bytes(b"absent"), span=Span(0, 1))

    def test_an_object_of_many_pieces_comes_back_whole(self, objects: ObjectStore) -> None:
        data = bytes(range(256)) * (10 << 12)

        kept = put_bytes(objects, data)

        assert (kept.digest, kept.size_bytes) == (digest_bytes(data), len(data))
        assert read_bytes(objects, kept.digest) == data
        assert list(objects.iterate()) == [kept]

    def test_an_object_is_put_from_others(self, objects: ObjectStore) -> None:
        kept = put_bytes(objects, bytes(range(256)) * (10 << 12))

        joined = objects.put(stream_of(iter([b"head", *blocks_of(objects, kept)])))
        lazily = objects.put(stream_of(blocks_of(objects, kept)))

        assert joined.size_bytes == kept.size_bytes + 4
        assert lazily == kept

    @pytest.mark.parametrize("size", [10, 10 << 20])
    def test_a_stream_that_breaks_late_leaves_nothing(
        self, objects: ObjectStore, size: int
    ) -> None:
        with pytest.raises((OSError, TreadleError)):
            objects.put(Broken(b"x" * size))

        assert list(objects.iterate()) == []

    @pytest.mark.parametrize("verb", ["open", "stat", "delete"])
    @pytest.mark.parametrize(
        "name", ["", "../secret", "ab/../../secret", "/etc/passwd", "A" * 64, "g" * 64, "a" * 63]
    )
    def test_only_a_digest_names_an_object(
        self, objects: ObjectStore, name: str, verb: str
    ) -> None:
        with pytest.raises(InvalidInput, match="no digest"):
            getattr(objects, verb)(name)

    def test_a_stream_that_breaks_leaves_nothing(self, objects: ObjectStore) -> None:
        with pytest.raises((OSError, TreadleError)):
            objects.put(Broken(b"half of it"))

        assert list(objects.iterate()) == []

    def test_writers_in_threads_store_once(self, objects: ObjectStore) -> None:
        writers = [threading.Thread(target=put_bytes, args=(objects, b"same")) for _ in range(8)]

        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

        assert [o.digest for o in objects.iterate()] == [digest_bytes(b"same")]

    def test_a_link_reads_the_object_where_there_are_links(self, objects: ObjectStore) -> None:
        kept = put_bytes(objects, b"linked")

        link = objects.presign(kept.digest, seconds=60)

        assert link is None or kept.digest in link


class DraftsContract:
    """What every Drafts promises; `drafts` are those of `objects`."""

    @pytest.mark.parametrize("placed", ["all", "some", "none"])
    def test_pieces_in_any_order_become_the_object(
        self, drafts: Drafts, objects: ObjectStore, placed: str
    ) -> None:
        data = [b"a" * LARGE, b"b" * LARGE, b"tail"]
        spans = [Span(n * LARGE, n * LARGE + len(piece)) for n, piece in enumerate(data)]
        given = {"all": {0, 1, 2}, "some": {0, 2}, "none": set()}[placed]
        pieces = {
            n: drafts.write("d", Trickle(data[n], 70_001), span=spans[n] if n in given else None)
            for n in (2, 0, 1)
        }

        kept = drafts.join("d", [pieces[n] for n in range(3)])
        drafts.drop("d")

        assert kept.digest == digest_bytes(b"".join(data))
        assert read_bytes(objects, kept.digest) == b"".join(data)
        assert list(objects.iterate()) == [kept]

    def test_what_a_longer_piece_left_that_broke_off_is_no_part_of_it(
        self, drafts: Drafts, objects: ObjectStore
    ) -> None:
        first = drafts.write("d", io.BytesIO(b"first"), span=Span(0, 5))
        with pytest.raises((OSError, TreadleError)):
            drafts.write("d", Broken(b"much longer"), span=Span(5, 100))
        last = drafts.write("d", io.BytesIO(b"last"), span=Span(5, 9))

        kept = drafts.join("d", [first, last])

        assert read_bytes(objects, kept.digest) == b"firstlast"

    def test_nothing_is_a_piece_too(self, drafts: Drafts, objects: ObjectStore) -> None:
        piece = drafts.write("d", io.BytesIO(b""))

        assert read_bytes(objects, drafts.join("d", [piece]).digest) == b""

    @pytest.mark.parametrize("data", [b"short", b"much too long"])
    def test_a_piece_fills_its_span(self, drafts: Drafts, data: bytes) -> None:
        with pytest.raises(InvalidInput, match="7 bytes"):
            drafts.write("d", io.BytesIO(data), span=Span(0, 7))

    def test_a_piece_that_breaks_is_no_piece(self, drafts: Drafts, objects: ObjectStore) -> None:
        with pytest.raises((OSError, TreadleError)):
            drafts.write("d", Broken(b"half of it"))

        assert list(objects.iterate()) == []

    def test_what_is_dropped_or_removed_is_gone(self, drafts: Drafts) -> None:
        dropped, removed = (drafts.write(name, io.BytesIO(b"x")) for name in ("d", "e"))
        drafts.drop("d")
        drafts.drop("never there")
        drafts.remove("e", removed)
        drafts.remove("e", removed)

        with pytest.raises(NotFound, match="draft"):
            drafts.join("d", [dropped])
        with pytest.raises(NotFound, match="draft"):
            drafts.join("e", [removed])

    def test_only_what_nobody_writes_to_is_swept(self, drafts: Drafts) -> None:
        piece = drafts.write("d", io.BytesIO(b"still coming"))
        soon = time.time_ns() // 1000 + 3_600_000_000

        young = drafts.sweep(before=soon - 7_200_000_000)
        kept = drafts.join("d", [piece])
        old = drafts.sweep(before=soon)

        assert (young, old) == (0, 1)
        assert kept.size_bytes == len(b"still coming")
        with pytest.raises(NotFound, match="draft"):
            drafts.join("d", [piece])


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time, as a socket may."""

    def __init__(self, data: bytes, most: int = 3) -> None:
        super().__init__(data)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._most if size is None or size < 0 else min(self._most, size))


class Broken(io.BytesIO):
    """A stream that breaks after its first bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        if not block:
            raise OSError("the source went away")
        return block


def in_thread(work: Callable[[], None]) -> None:
    """Do something in another thread and wait for it."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
