"""Instants: UTC, integer microseconds since 1970; and who says what time it is."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import struct
import time
from typing import TYPE_CHECKING, Protocol

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST = (dt.datetime.min.replace(tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1)
_LAST = (dt.datetime.max.replace(tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1)


class Clock(Protocol):
    """Says what time it is, in microseconds UTC."""

    def now(self) -> int:
        """Return the present instant."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """Return the present instant."""
        return time.time_ns() // 1000


class FrozenClock:
    """Stands still until it is moved; for tests."""

    def __init__(self, instant: int) -> None:
        self.instant = instant

    def now(self) -> int:
        """Return the instant it was set to."""
        return self.instant

    def advance(self, microseconds: int) -> None:
        """Move the clock on."""
        self.instant += microseconds


class PlayedClock:
    """Shows the instant written in a file, so that all processes of a home replay the same past.

    The file holds one little-endian int64; a replay moves it with `set`. Until it is written the
    clock refuses to answer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def now(self) -> int:
        """Return the instant the replay has reached."""
        if self._file < 0:
            with contextlib.suppress(FileNotFoundError):
                self._file = os.open(self._path, os.O_RDONLY)
        # The one who sets it first makes the file and then writes it: between, it is empty.
        found = b"" if self._file < 0 else os.pread(self._file, 8, 0)
        if not found:
            raise InvalidInput(
                f"This home replays the past, but {self._path} was never set.",
                hint="Start the replay (treadle demo flights) or remove clock from settings.",
            )
        return int(struct.unpack("<q", found)[0])

    def set(self, instant: int) -> None:
        """Move every process that shares this file to an instant."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Eight aligned bytes are written at once: a reader sees the old instant or the new one.
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(handle, struct.pack("<q", instant), 0)
        finally:
            os.close(handle)


def parse_instant(text: str) -> int:
    """Read `2013-07-04`, `2013-07-04T12:00` or any ISO 8601 text; without a zone it is UTC.

    Raises InvalidInput when the text is no time.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"{text!r} is not a time.", hint="Write it like 2013-07-04 or 2013-07-04T12:00."
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def format_instant(instant: int) -> str:
    """Write an instant as ISO 8601 in UTC, to the second (`2013-07-04T12:00:00Z`)."""
    return as_datetime(instant).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def format_day(instant: int) -> str:
    """Write the UTC day of an instant (`2013-07-04`)."""
    return as_datetime(instant).date().isoformat()


def as_datetime(instant: int) -> dt.datetime:
    """Return an instant as an aware datetime in UTC; beyond the calendar, as its nearest end.

    A client that takes nanoseconds for milliseconds logs such instants.
    """
    return _EPOCH + dt.timedelta(microseconds=min(max(instant, _FIRST), _LAST))
