from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import Corrupt, Unavailable
from treadle.storage.events import checkpoint_message
from treadle.storage.keys import Signer
from treadle.storage.log import EventLog
from treadle.testing.stores import Noted

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.kernel.clock import FrozenClock
    from treadle.storage.metadata import SqlMetadataStore


@pytest.fixture
def signer(tmp_path: Path, store: SqlMetadataStore) -> Signer:
    return Signer(tmp_path / "keys", store=store)


@pytest.fixture
def log(store: SqlMetadataStore, signer: Signer, clock: FrozenClock) -> EventLog:
    """Four notes, a day apart: a, b, a, b."""
    for text in "abab":
        with store.write() as tx:
            tx.emit(Noted(text=text))
        clock.advance(DAY_US)
    return EventLog(store, signer=signer)


def test_events_are_read_in_log_order(log: EventLog) -> None:
    assert [e.seq for e in log.read()] == [1, 2, 3, 4]


def test_events_are_read_about_one_subject(log: EventLog) -> None:
    assert [e.seq for e in log.read(subject="note/b")] == [2, 4]


def test_events_are_read_of_one_kind(log: EventLog) -> None:
    assert len(log.read(kinds=["note.written"])) == 4
    assert log.read(kinds=["model.registered"]) == []


def test_events_are_read_up_to_an_instant(log: EventLog, clock: FrozenClock) -> None:
    third = log.read()[2]

    assert [e.seq for e in log.read(until=third.at)] == [1, 2, 3]


def test_events_are_read_after_a_place(log: EventLog) -> None:
    assert [e.seq for e in log.read(after=1, limit=2)] == [2, 3]


def test_the_newest_come_first_in_pages(log: EventLog) -> None:
    page = log.newest(limit=2, offset=1)

    assert [e.seq for e in page.items] == [3, 2]
    assert (page.total, page.next_offset) == (4, 3)


def test_the_last_event_is_the_newest(log: EventLog) -> None:
    last = log.last()

    assert last is not None
    assert last.seq == 4


def test_a_new_log_has_no_last_event(store: SqlMetadataStore, signer: Signer) -> None:
    log = EventLog(store, signer=signer)

    assert log.last() is None
    assert log.seal() is None


def test_a_seal_signs_where_the_log_stands(log: EventLog, signer: Signer) -> None:
    checkpoint = log.seal()

    assert checkpoint is not None
    assert checkpoint.hash == log.read()[-1].hash
    signer.check(
        checkpoint_message(checkpoint.seq, checkpoint.hash, checkpoint.recorded_at),
        signature=checkpoint.signature,
        key_id=checkpoint.key,
    )


def test_nothing_new_is_sealed_once(log: EventLog) -> None:
    first = log.seal()

    assert log.seal() is None
    assert log.checkpoints() == [first]


def test_a_signature_does_not_fit_another_message(signer: Signer) -> None:
    signature = signer.sign(b"yes")

    signer.check(b"yes", signature=signature, key_id=signer.key_id)
    with pytest.raises(Corrupt, match="signature does not match"):
        signer.check(b"no", signature=signature, key_id=signer.key_id)


@pytest.mark.parametrize("signature", ["", "zz", "00" * 64, "ab"])
def test_a_broken_signature_is_corrupt(signer: Signer, signature: str) -> None:
    with pytest.raises(Corrupt, match="signature does not match"):
        signer.check(b"yes", signature=signature, key_id=signer.key_id)


def test_a_strangers_key_is_not_trusted(signer: Signer) -> None:
    with pytest.raises(Corrupt, match="does not know"):
        signer.check(b"yes", signature=signer.sign(b"yes"), key_id="0" * 16)


def test_a_home_keeps_its_key(signer: Signer, tmp_path: Path, store: SqlMetadataStore) -> None:
    again = Signer(tmp_path / "keys", store=store)

    assert again.public == signer.public
    assert (tmp_path / "keys" / "signing.key").stat().st_mode & 0o777 == 0o600


def test_homes_of_one_project_trust_each_other(
    signer: Signer, tmp_path: Path, store: SqlMetadataStore
) -> None:
    other = Signer(tmp_path / "other", store=store)

    other.check(b"yes", signature=signer.sign(b"yes"), key_id=signer.key_id)
    assert other.key_id != signer.key_id


def test_a_key_that_cannot_be_kept_is_said(tmp_path: Path, store: SqlMetadataStore) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Unavailable, match="Cannot keep a signing key"):
        Signer(tmp_path / "file" / "keys", store=store)


def test_a_damaged_key_is_said(tmp_path: Path, store: SqlMetadataStore) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "signing.key").write_bytes(b"short")

    with pytest.raises(Corrupt, match="no signing key"):
        Signer(tmp_path / "keys", store=store)


def test_events_are_read_about_several_subjects(log: EventLog) -> None:
    page = log.newest(limit=2, subject=["note/a", "note/b", "note/c"])

    assert (page.total, [e.seq for e in page.items]) == (4, [4, 3])
    assert log.newest(limit=2, subject=[]).total == 0
