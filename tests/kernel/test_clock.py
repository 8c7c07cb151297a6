from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.clock import (
    DAY_US,
    FrozenClock,
    PlayedClock,
    SystemClock,
    as_datetime,
    format_day,
    format_instant,
    parse_instant,
)
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = st.integers(min_value=-60_000_000_000, max_value=250_000_000_000)
# Whole seconds: ISO 8601 has none finer, and Python takes an offset of some microseconds for UTC.
ZONES = st.integers(-14 * 3600, 14 * 3600).map(lambda seconds: dt.timedelta(seconds=seconds))


@given(SECONDS)
def test_an_instant_is_read_as_it_was_written(seconds: int) -> None:
    assert parse_instant(format_instant(seconds * 1_000_000)) == seconds * 1_000_000


@given(st.datetimes())
def test_a_time_without_a_zone_is_utc(moment: dt.datetime) -> None:
    assert parse_instant(moment.isoformat()) == parse_instant(moment.isoformat() + "+00:00")


@given(st.datetimes(min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 1, 1)), ZONES)  # noqa: DTZ001 - hypothesis draws naive times
def test_a_zone_is_taken_off(moment: dt.datetime, offset: dt.timedelta) -> None:
    zoned = moment.replace(tzinfo=dt.timezone(offset))

    assert as_datetime(parse_instant(zoned.isoformat())) == zoned


@given(SECONDS)
def test_a_day_is_where_its_instant_lies(seconds: int) -> None:
    start = parse_instant(format_day(seconds * 1_000_000))

    assert 0 <= seconds * 1_000_000 - start < DAY_US


@pytest.mark.parametrize("text", ["", "soon", "2013-13-01", "2013-07-04T25:00", "4 July 2013"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no.* time.*2013-07-04T12:00"):
        parse_instant(text)


def test_the_system_clock_goes_on() -> None:
    clock = SystemClock()

    assert clock.now() <= clock.now()
    assert as_datetime(clock.now()).year >= 2024


def test_a_frozen_clock_moves_only_when_told() -> None:
    clock = FrozenClock(5)

    clock.advance(7)

    assert clock.now() == clock.now() == 12


def test_a_played_clock_is_shared_through_its_file(tmp_path: Path) -> None:
    mover, follower = PlayedClock(tmp_path / "clock"), PlayedClock(tmp_path / "clock")

    mover.set(1)
    first = follower.now()
    mover.set(-(10**15))

    assert (first, follower.now()) == (1, -(10**15))


def test_a_played_clock_that_was_never_set_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="never set"):
        PlayedClock(tmp_path / "clock").now()


def test_a_played_clock_is_not_read_half_made(tmp_path: Path) -> None:
    (tmp_path / "clock").touch()
    follower = PlayedClock(tmp_path / "clock")

    with pytest.raises(InvalidInput, match="never set"):
        follower.now()
    PlayedClock(tmp_path / "clock").set(3)

    assert follower.now() == 3


@pytest.mark.parametrize(
    ("instant", "written"), [(1 << 62, "9999-12-31"), (-(1 << 62), "0001-01-01")]
)
def test_an_instant_beyond_the_calendar_is_written_as_its_end(instant, written):
    assert format_day(instant) == written
