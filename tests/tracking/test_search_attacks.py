"""Filters and orders made to break the store, to read what they should not, or never to end."""

from __future__ import annotations

import contextlib
import time

import pytest

from treadle.kernel.errors import InvalidInput
from treadle.kernel.filters import DEEPEST, MOST_CONDITIONS, MOST_VALUES, MOST_WILDCARDS


@pytest.fixture
def victim(tracking):
    """A run whose param, tag and metric are there to be hurt."""
    run = tracking.start_run(experiment="late", name="victim", tags={"t": "a" * 5000})
    tracking.log(run.id, metrics={"m": 1.0}, params={"p": "x"})
    return run


INJECTED = (
    "' OR '1'='1",
    "x' OR 1=1 --",
    "'; DROP TABLE runs; --",
    "x'); DELETE FROM run_params; --",
    '" OR ""="',
    "\\' OR 1=1 --",
    "%s %(key)s :key ? {0} $1",
    "`; SELECT 1",
)


@pytest.mark.parametrize(
    ("before", "quote", "after"),
    [
        ("name = ", "", ""),
        ("params.", "", " = 'x'"),
        ("params.`", "`", "` = 'x'"),
        ("params.p = '", "'", "'"),
        ("tags.t LIKE '", "'", "'"),
        ("status IN ('", "'", "')"),
    ],
)
def test_nothing_in_a_filter_becomes_sql(tracking, victim, before, quote, after):
    written = [before + (t.replace(quote, quote * 2) if quote else t) + after for t in INJECTED]

    assert [found(tracking, where) for where in written] == [0] * len(written)
    assert tracking.search_runs(where="params.p = 'x'").items[0].params == {"p": "x"}


def found(tracking, where):
    try:
        return tracking.search_runs(where=where).total
    except InvalidInput:
        return 0


def test_nothing_in_an_order_becomes_sql(tracking, victim):
    for order_by in (
        "params.`p`; DROP TABLE runs",
        "params.p) DESC; DELETE FROM runs; --",
        "metrics.`m' OR 1=1 --`",
        'tags."t) UNION SELECT 1 --"',
        "metrics.%s desc",
    ):
        with contextlib.suppress(InvalidInput):
            tracking.search_runs(order_by=order_by)

    assert [run.id for run in tracking.search_runs().items] == [victim.id]


WIDEST = [
    ("tags.t LIKE '" + "%a" * (MOST_WILDCARDS - 1) + "%b'", 0),
    ("tags.t ILIKE '" + "%a_" * (MOST_WILDCARDS - 1) + "%B'", 0),
    ("tags.t LIKE '" + "%a" * MOST_WILDCARDS + "'", 1),
    ("tags.t LIKE '" + "_" * 1999 + "%'", 1),
    ("tags.t LIKE '" + "[" * 2000 + "'", 0),
    (" and ".join(["metrics.m > 0"] * MOST_CONDITIONS), 1),
    (" or ".join(["params.p = 'y'"] * MOST_CONDITIONS), 0),
    ("params.p IN (" + ", ".join(f"'{i}'" for i in range(MOST_VALUES)) + ")", 0),
    ("not " * (DEEPEST - 1) + "params.p = 'x'", 0),
    (
        "not (params.p = 'y' or (metrics.m > 0 and " * (DEEPEST // 3)
        + "params.p = 'x'"
        + "))" * (DEEPEST // 3),
        0,
    ),
    ("metrics.m < 1" + "0" * 400, 1),
    ("started_at < 1" + "0" * 400, 1),
    ("duration < 1e308", 0),
    ("params.p = '" + "x" * 190_000 + "'", 0),
]


def test_the_widest_filters_are_answered_soon(tracking, victim):
    began = time.monotonic()

    answers = [(where, tracking.search_runs(where=where).total) for where, _number in WIDEST]

    assert answers == WIDEST
    assert time.monotonic() - began < 30
