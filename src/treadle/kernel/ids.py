"""Ids that sort by the time they were made (UUIDv7, RFC 9562 section 5.7)."""

from __future__ import annotations

import os
import threading
import time

_LOCK = threading.Lock()
_COUNTER_BITS = 42
_last = 0


def new_id() -> str:
    """Return a new UUIDv7 as 32 lowercase hex digits, later than every id made before it here."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """Return `count` new ids in ascending order."""
    first = _reserve(count)
    noise = os.urandom(4 * count)
    return [
        _format(first + i, int.from_bytes(noise[4 * i : 4 * i + 4], "big")) for i in range(count)
    ]


def id_time(identifier: str) -> int:
    """Return the instant (µs, UTC) that an id carries; its resolution is one millisecond."""
    return int(identifier[:12], 16) * 1000


def first_id_at(instant_us: int) -> str:
    """Return the smallest id that can be made at an instant; for range queries by time."""
    return f"{instant_us // 1000:012x}70008" + "0" * 15


def _reserve(count: int) -> int:
    # 48 bits of milliseconds and a 42-bit counter beneath them: monotonic in this process even
    # when the clock steps back or more ids than milliseconds are asked for (RFC 9562, 6.2).
    global _last  # noqa: PLW0603 - the one counter of the process
    now = (time.time_ns() // 1_000_000) << _COUNTER_BITS
    with _LOCK:
        first = max(now | int.from_bytes(os.urandom(4), "big"), _last + 1)
        _last = first + count - 1
        return first


def _format(ticks: int, noise: int) -> str:
    millis, counter = ticks >> _COUNTER_BITS, ticks & ((1 << _COUNTER_BITS) - 1)
    high, low = counter >> 30, counter & ((1 << 30) - 1)
    return f"{millis & ((1 << 48) - 1):012x}7{high:03x}{(0b10 << 30) | low:08x}{noise:08x}"


def is_id(text: str) -> bool:
    """Say whether a text has the form of an id (32 lowercase hex digits)."""
    return len(text) == 32 and all(c in "0123456789abcdef" for c in text)  # noqa: PLR2004 - the length of a UUID in hex
