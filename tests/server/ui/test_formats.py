"""How values read."""

from __future__ import annotations

import math

import pytest

from treadle.server.ui import formats


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (0, "0"),
        (336776, "336,776"),
        (-5, "−5"),
        (0.0, "0"),
        (0.48917, "0.4892"),
        (0.05, "0.05"),
        (1.0312, "1.031"),
        (12.3456, "12.35"),
        (999.96, "999.96"),
        (123456.7, "123,457"),
        (1e12, "1.00e12"),
        (0.0000123, "1.23e−5"),
        (-0.0234, "−0.0234"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        ("late@4", "late@4"),
    ],
)
def test_a_number_shows_the_digits_that_matter(value, said):
    assert formats.number(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0, "0"), (0.0234, "+0.0234"), (-0.0234, "−0.0234")],
)
def test_a_difference_shows_its_sign(value, said):
    assert formats.signed(value) == said


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        ((1.62, 1.48, 1.77), ("1.62", "1.48", "1.77")),
        ((0.4892, 0.4841, 0.4943), ("0.489", "0.484", "0.494")),
        ((1204.0, 1100.0, 1300.0), ("1,204", "1,100", "1,300")),
        ((0.5, 0.5, 0.5), ("0.5000", "0.5000", "0.5000")),
    ],
)
def test_an_estimate_and_its_interval_have_the_same_decimals(estimate, said):
    assert formats.estimate(*estimate) == said


def test_an_estimate_of_a_difference_shows_its_sign():
    assert formats.estimate(0.0043, -0.0021, 0.0107, "+") == ("+0.004", "−0.002", "+0.011")


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0, "0 %"), (1.0, "100 %"), (0.1234, "12.3 %"), (0.0075, "0.75 %")],
)
def test_a_share_is_said_in_per_cent(value, said):
    assert formats.percent(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0, "0 B"), (803, "803 B"), (31_250_322, "31.3 MB"), (2 * 10**15, "2,000.0 TB")],
)
def test_a_size_is_said_in_its_unit(value, said):
    assert formats.size(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (85, "85 µs"),
        (340_000, "340 ms"),
        (12_345_678, "12.3 s"),
        (133_000_000, "2 min 13 s"),
        (3_840_000_000, "1 h 04 min"),
        (180_000_000_000, "2 d 02 h"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(value, said):
    assert formats.duration(value) == said


def test_an_instant_keeps_its_microseconds_for_machines():
    assert formats.iso(1_795_180_800_000_001) == "2026-11-20T13:20:00.000001Z"


def test_an_instant_before_1970_is_said_too():
    assert formats.instant(-1_000_000) == "1969-12-31 23:59:59 UTC"


def test_a_day_is_the_day_in_utc():
    assert formats.day(1_362_355_200_000_000.0) == "2013-03-04"
