"""Check a Treadle event log with nothing but Python's standard library.

    python verify_log.py events.jsonl        # written by: treadle audit export events.jsonl
    python verify_log.py .treadle/treadle.db # or straight from SQLite

This file imports nothing of Treadle, so that an auditor can read it whole and run it anywhere. It
recomputes the SHA-256 chain over every event, sees that no number is missing, and checks every
checkpoint's Ed25519 signature (RFC 8032, section 5.1.7) and that the log still reaches it. What was
appended after the last checkpoint is chained but not yet sealed; the answer says how much that is.
Give the public key you trust with `--key HEX`; without it the keys named in the log are used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FIRST_LINK = "0" * 64
FIELDS = ("seq", "at", "recorded_at", "kind", "subject", "actor", "body", "previous")
KEY_ID_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class LogVerdict:
    """What a check of the log found; `bad_seq` is the first event that is wrong."""

    ok: bool
    events: int
    checkpoints: int
    unsealed: int
    bad_seq: int | None
    message: str
    head: str


def link(event: Mapping[str, Any]) -> str:
    """Return the hash an event must carry."""
    fields = [event[name] for name in FIELDS]
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def verify(
    events: Iterable[Mapping[str, Any]],
    checkpoints: Iterable[Mapping[str, Any]],
    keys: Mapping[str, str],
) -> LogVerdict:
    """Check a chain in log order against its checkpoints; `keys` holds public keys (hex) by id."""
    seals = {c["seq"]: c for c in checkpoints}
    waiting = dict(seals)
    seq, previous, sealed, problem, bad = 0, FIRST_LINK, 0, "", None
    for event in events:
        problem = _problem(event, expected=seq + 1, previous=previous)
        seal = waiting.pop(event["seq"], None)
        if not problem and seal is not None:
            problem = _seal_problem(seal, event, keys)
            sealed = event["seq"]
        if problem:
            bad = event["seq"]
            break
        seq, previous = event["seq"], event["hash"]
    if not problem and waiting:
        bad = seq + 1
        problem = (
            f"a checkpoint seals event {min(waiting)}, but the log ends at {seq}: "
            "events were removed"
        )
    well = f"{seq} events chained, {len(seals)} checkpoints signed, {seq - sealed} not yet sealed"
    return LogVerdict(
        ok=not problem,
        events=seq,
        checkpoints=len(seals),
        unsealed=seq - sealed,
        bad_seq=bad,
        message=problem or well,
        head=previous,
    )


def _problem(event: Mapping[str, Any], *, expected: int, previous: str) -> str:
    if event["seq"] != expected:
        return f"expected event {expected}, found {event['seq']}: an event is missing"
    if event["previous"] != previous:
        return f"event {expected} does not follow from the one before it"
    if link(event) != event["hash"]:
        return f"event {expected} ({event['kind']}) was changed after it was written"
    return ""


def _seal_problem(
    seal: Mapping[str, Any], event: Mapping[str, Any], keys: Mapping[str, str]
) -> str:
    seq = event["seq"]
    if seal["hash"] != event["hash"]:
        return f"event {seq} is not the one its checkpoint sealed"
    public = keys.get(seal["key"])
    if public is None:
        return f"the checkpoint at {seq} is signed by the unknown key {seal['key']}"
    message = f"treadle checkpoint\n{seq}\n{seal['hash']}\n{seal['recorded_at']}\n".encode()
    if not ed25519_verify(bytes.fromhex(public), message, bytes.fromhex(seal["signature"])):
        return f"the signature of the checkpoint at {seq} is wrong"
    return ""


# Ed25519 verification, RFC 8032 section 5.1: points on -x² + y² = 1 + d·x²·y² over the integers
# modulo P, in extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, x·y = T/Z.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
_ROOT = pow(2, (P - 1) // 4, P)
_POINT_BYTES = 32
_SIGNATURE_BYTES = 64
_Point = tuple[int, int, int, int]


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a signature of a message was made by the owner of a public key."""
    if len(public) != _POINT_BYTES or len(signature) != _SIGNATURE_BYTES:
        return False
    key, nonce = _decode(public), _decode(signature[:_POINT_BYTES])
    scalar = int.from_bytes(signature[_POINT_BYTES:], "little")
    if key is None or nonce is None or scalar >= L:
        return False
    digest = hashlib.sha512(signature[:_POINT_BYTES] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    left, right = _times(scalar, _BASE), _add(nonce, _times(challenge, key))
    same_x = (left[0] * right[2] - right[0] * left[2]) % P == 0
    same_y = (left[1] * right[2] - right[1] * left[2]) % P == 0
    return same_x and same_y


def _add(p: _Point, q: _Point) -> _Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _times(scalar: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _decode(data: bytes) -> _Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= P:
        return None
    x = _root_x(y, sign=sign)
    return None if x is None else (x, y, 1, x * y % P)


def _root_x(y: int, *, sign: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT % P
    if (x * x - square) % P:
        return None
    return P - x if (x & 1) != sign else x


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _root_x(_BASE_Y, sign=0) or 0
_BASE: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def _verify_file(path: Path, trusted: Mapping[str, str] | None) -> LogVerdict:
    with path.open("rb") as file:
        is_sqlite = file.read(15) == b"SQLite format 3"
    if is_sqlite:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        seals = [dict(row) for row in database.execute("SELECT * FROM checkpoints ORDER BY seq")]
        keys = {row["id"]: row["public"] for row in database.execute("SELECT * FROM keys")}
        chain: Iterator[Any] = iter(database.execute("SELECT * FROM events ORDER BY seq"))
        return verify(chain, seals, trusted or keys)
    seals, keys = [], {}
    for kind, record in _lines(path):
        if kind == "checkpoint":
            seals.append(record)
        elif kind == "key":
            keys[record["id"]] = record["public"]
    chain = (record for kind, record in _lines(path) if kind == "event")
    return verify(chain, seals, trusted or keys)


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            [(kind, record)] = json.loads(line).items()
            yield kind, record


def main(arguments: list[str] | None = None) -> int:
    """Check the log named on the command line; exit 0 when it holds, 1 when it does not."""
    parser = argparse.ArgumentParser(description="Check a Treadle event log.")
    parser.add_argument("log", type=Path, help="events.jsonl or treadle.db")
    parser.add_argument("--key", action="append", default=[], help="public key (hex) to trust")
    options = parser.parse_args(arguments)
    trusted = {key[:KEY_ID_LENGTH]: key for key in options.key} or None
    verdict = _verify_file(options.log, trusted)
    place = "" if verdict.bad_seq is None else f"event {verdict.bad_seq}: "
    sys.stdout.write(f"{'ok' if verdict.ok else 'BROKEN'}: {place}{verdict.message}\n")
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
