from __future__ import annotations

import json
import subprocess
import sys
from typing import ClassVar

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.governance import verify_log
from treadle.kernel.digests import canonical_json
from treadle.storage import events
from treadle.storage.events import Fact
from treadle.storage.keys import Signer
from treadle.storage.log import EventLog
from treadle.storage.metadata import open_metadata


class Named(Fact, frozen=True, kw_only=True):
    kind: ClassVar[str] = "thing.named"
    name: str

    def subject(self):
        return f"thing/{self.name}"


@pytest.fixture
def log(tmp_path):
    store = open_metadata(f"sqlite:///{tmp_path}/treadle.db")
    signer = Signer(tmp_path / "keys", store=store)
    log = EventLog(store, signer=signer)
    for name in ("a", "ü", 'quote"\\', "line\nbreak", "e"):
        with store.write() as tx:
            tx.emit(Named(name=name))
    log.seal()
    with store.write() as tx:
        tx.emit(Named(name="after the seal"))
    yield log, signer
    store.close()


def records(log):
    return (
        [msgspec.structs.asdict(e) for e in log.read()],
        [msgspec.structs.asdict(c) for c in log.checkpoints()],
    )


def test_a_whole_log_verifies_and_says_what_is_not_sealed_yet(log):
    chain, seals = records(log[0])

    verdict = verify_log.verify(chain, seals, log[1].known())

    assert verdict.ok
    assert (verdict.events, verdict.checkpoints, verdict.unsealed) == (6, 1, 1)


@pytest.mark.parametrize("field", ["at", "recorded_at", "kind", "subject", "actor", "body"])
def test_a_change_of_any_field_is_found_where_it_is(log, field):
    chain, seals = records(log[0])
    value = chain[2][field]
    chain[2][field] = value + 1 if isinstance(value, int) else value + "x"

    verdict = verify_log.verify(chain, seals, log[1].known())

    assert (verdict.ok, verdict.bad_seq) == (False, 3)


def test_a_changed_event_with_its_hash_made_anew_breaks_the_next_link(log):
    chain, seals = records(log[0])
    chain[2]["body"] = '{"name":"evil"}'
    chain[2]["hash"] = verify_log.link(chain[2])

    verdict = verify_log.verify(chain, seals, log[1].known())

    assert (verdict.ok, verdict.bad_seq) == (False, 4)


def test_a_chain_made_anew_to_its_end_breaks_at_the_checkpoint(log):
    chain, seals = records(log[0])
    chain[2]["body"] = '{"name":"evil"}'
    for before, event in zip([{"hash": verify_log.FIRST_LINK}, *chain], chain, strict=False):
        event["previous"] = before["hash"]
        event["hash"] = verify_log.link(event)

    verdict = verify_log.verify(chain, seals, log[1].known())

    assert (verdict.ok, verdict.bad_seq) == (False, 5)


def test_a_removed_event_is_missed(log):
    chain, seals = records(log[0])
    del chain[1]

    assert verify_log.verify(chain, seals, log[1].known()).bad_seq == 3


def test_a_log_cut_before_its_checkpoint_is_missed(log):
    chain, seals = records(log[0])

    verdict = verify_log.verify(chain[:4], seals, log[1].known())

    assert not verdict.ok
    assert "removed" in verdict.message


def test_a_checkpoint_signed_by_a_stranger_is_refused(log):
    chain, seals = records(log[0])
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()

    verdict = verify_log.verify(chain, seals, {log[1].key_id: stranger})

    assert "signature" in verdict.message


def test_the_file_alone_checks_a_database_and_an_export(log, tmp_path):
    chain, seals = records(log[0])
    export = tmp_path / "events.jsonl"
    lines = [{"key": {"id": k, "public": p}} for k, p in log[1].known().items()]
    lines += [{"checkpoint": s} for s in seals] + [{"event": e} for e in chain]
    export.write_text("\n".join(json.dumps(line) for line in lines) + "\n", encoding="utf-8")

    # -I: no environment, no working folder, no site: nothing but the standard library.
    run = [sys.executable, "-I", "-S", verify_log.__file__]
    done = [
        subprocess.run([*run, str(p)], capture_output=True, text=True, check=False)
        for p in (tmp_path / "treadle.db", export)
    ]

    assert [d.returncode for d in done] == [0, 0], done
    assert done[0].stdout == done[1].stdout


def test_the_file_alone_exits_1_when_an_event_was_changed(log, tmp_path):
    chain, _ = records(log[0])
    chain[0]["actor"] = "user:nobody"
    export = tmp_path / "events.jsonl"
    export.write_text("\n".join(json.dumps({"event": e}) for e in chain) + "\n", encoding="utf-8")

    assert verify_log.main([str(export)]) == 1


def test_the_standalone_link_is_the_logs_own(log):
    assert [verify_log.link(msgspec.structs.asdict(e)) for e in log[0].read()] == [
        events.link(e) for e in log[0].read()
    ]


@given(st.lists(st.text() | st.integers(-(2**53), 2**53)))
def test_both_canonical_forms_are_the_same_bytes(values):
    # A lone surrogate is no Unicode text and cannot reach the log.
    kept = [v for v in values if not isinstance(v, str) or v.isprintable() or v.isascii()]

    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))

    assert text.encode() == canonical_json(kept)


@settings(max_examples=15)
@given(st.binary(max_size=200), st.integers(0, 63))
def test_ed25519_agrees_with_the_library_on_good_and_broken_signatures(message, place):
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    broken = bytearray(signature)
    broken[place] ^= 1

    assert verify_log.ed25519_verify(public, message, signature)
    assert not verify_log.ed25519_verify(public, message, bytes(broken))
    assert not verify_log.ed25519_verify(public, message + b"x", signature)
