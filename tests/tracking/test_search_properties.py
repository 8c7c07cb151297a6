"""What SQL finds on either store is what plain Python finds."""

from __future__ import annotations

import math
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from tests.kernel.written_filters import filters
from tests.tracking.asked_plainly import matches, ordered
from treadle.kernel.filters import Condition, write_filter
from treadle.tracking.store import (
    experiments,
    run_metrics,
    run_params,
    run_probes,
    run_tags,
    runs,
    search,
)

START = 1_357_000_000_000_000
LONG = "x" * 200
TEXTS = st.sampled_from(
    ["a", "A", "b", "ab", "aB", "a%", "a_", "a*", "[a]", "?", "\\", "a\\%", "é", "É", "ß", "'",
     '"', "🙂", "", " ", "10", "9", "a\nb", LONG, LONG + "a", LONG + "b"]
)  # fmt: skip
PATTERNS = st.sampled_from(
    ["a%", "A%", "%b", "_", "__", "%", "", "a\\%", "a\\_", "[a]", "*", "?", "a*%", "%é%", "%É",
     "🙂", "%x", "%xa", "%\n%", "[%", "%]", "\\", "%'%", "^a"]
)  # fmt: skip
KEYS = st.sampled_from(["k", "two words"])
NUMBERS = st.sampled_from([-1.0, 0.0, 0.5, 1e300])
VALUES = NUMBERS | st.just(math.nan) | st.sampled_from([math.inf, -math.inf])
STATUSES = st.sampled_from(["running", "finished", "failed"])
INSTANTS = st.integers(0, 4_000).map(lambda after: START + after)

RUNS = st.lists(
    st.fixed_dictionaries(
        {
            "name": TEXTS,
            "status": STATUSES,
            "started_at": INSTANTS,
            "ended_at": st.none() | INSTANTS.map(lambda at: at + 4_000),
            "experiment": st.sampled_from(["e", "É"]),
            "stage": st.sampled_from(["active", "active", "active", "deleted"]),
            "params": st.dictionaries(KEYS, TEXTS, max_size=2),
            "tags": st.dictionaries(KEYS, TEXTS, max_size=2),
            "metrics": st.dictionaries(KEYS, VALUES, max_size=2),
        }
    ),
    min_size=6,
    max_size=16,
)


def asking(field, key, operators, value):
    return st.builds(
        Condition, field=field, key=key, operator=st.sampled_from(operators), value=value
    )


NONE = st.just("")
SIGNS = ("=", "!=", "<", "<=", ">", ">=")
SAME, LIKES = ("=", "!="), ("LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE")
AMONG, MISSING = ("IN", "NOT IN"), ("IS NULL", "IS NOT NULL")
LISTS = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)
TEXT_FIELDS = st.sampled_from(["name", "run_name", "experiment"])
KEYED = st.sampled_from(["params", "tags"])
MS = st.integers(START // 1000, START // 1000 + 4) | st.just(START / 1000 + 0.5)
CONDITIONS = st.one_of(
    asking(st.just("metrics"), KEYS, SIGNS, NUMBERS | st.integers(-1, 1)),
    asking(st.just("metrics"), KEYS, MISSING, st.none()),
    asking(KEYED, KEYS, SAME, TEXTS),
    asking(KEYED, KEYS, LIKES, PATTERNS),
    asking(KEYED, KEYS, AMONG, LISTS),
    asking(KEYED, KEYS, MISSING, st.none()),
    asking(TEXT_FIELDS, NONE, SAME, TEXTS | st.just("e")),
    asking(TEXT_FIELDS, NONE, LIKES, PATTERNS),
    asking(TEXT_FIELDS, NONE, AMONG, LISTS),
    asking(st.just("status"), NONE, SAME, st.sampled_from(["FINISHED", "failed", "none"])),
    asking(st.just("status"), NONE, LIKES, st.sampled_from(["F%", "%ed", "r_nning"])),
    asking(st.just("start_time"), NONE, SIGNS, MS),
    asking(st.just("started_at"), NONE, SIGNS, INSTANTS),
    asking(st.just("start_time"), NONE, SIGNS, st.just("2013-01-01T00:26:40.002")),
    asking(st.just("ended_at"), NONE, SIGNS, INSTANTS),
    asking(st.just("ended_at"), NONE, MISSING, st.none()),
    asking(st.just("duration"), NONE, SIGNS, st.sampled_from([0, 0.004, 0.005])),
)
ORDER_FIELDS = st.one_of(
    st.tuples(st.sampled_from(["metrics", "params", "tags"]), KEYS),
    st.tuples(
        st.sampled_from(
            ["started_at", "ended_at", "name", "status", "experiment", "run_id", "duration"]
        ),
        NONE,
    ),
)
ORDERS = st.lists(
    st.tuples(ORDER_FIELDS, st.booleans()), max_size=3, unique_by=lambda order: order[0]
)


def filled(store, made):
    """Put runs, and nothing else, into a store."""
    number = count()
    rows = {table: [] for table in (runs, run_params, run_tags, run_metrics)}
    for run in made:
        run_id = f"{next(number):032x}"
        own = {name: run[name] for name in ("name", "status", "started_at", "ended_at")}
        rows[runs].append(
            own
            | {"id": run_id, "experiment_id": run["experiment"], "lifecycle_stage": run["stage"]}
            | {"actor": "ann", "error": ""}
        )
        for table, kind in ((run_params, "params"), (run_tags, "tags")):
            rows[table] += [{"run_id": run_id, "key": k, "value": v} for k, v in run[kind].items()]
        rows[run_metrics] += [
            {"run_id": run_id, "key": key, "step": 0, "at": START, "is_nan": math.isnan(value)}
            | {"value": 0.0 if math.isnan(value) else value}
            for key, value in run["metrics"].items()
        ]
    with store.write() as tx:
        for table, new in rows.items():
            tx.execute(delete(table))
            if new:
                tx.execute(insert(table), new)
        tx.execute(delete(experiments))
        named = [{"id": name, "name": name, "created_at": 0, "updated_at": 0} for name in "eÉ"]
        tx.execute(insert(experiments), named)


def written(order):
    (field, key), descending = order
    return f"{field}{f'.`{key}`' if key else ''}{' DESC' if descending else ''}"


QUESTIONS = st.lists(
    st.tuples(CONDITIONS | filters(CONDITIONS), ORDERS, st.integers(1, 17), st.integers(0, 4)),
    min_size=12,
    max_size=12,
)


@pytest.mark.parametrize(
    ("few", "easy", "stretch"),
    [(run_probes.FEW, search.EASY, search.STRETCH), (3, -1, 6), (0, -1, 0)],
    ids=["by index", "in stretches", "by walk"],
)
@given(made=RUNS, questions=QUESTIONS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_filters_and_orders_find_what_plain_python_finds(
    tracking, store, monkeypatch, few, easy, stretch, made, questions
):
    monkeypatch.setattr(run_probes, "FEW", few)
    monkeypatch.setattr(search, "EASY", easy)
    monkeypatch.setattr(search, "STRETCH", stretch)
    filled(store, made)
    everything = tracking.search_runs().items

    answers = [(question, asked(tracking, question)) for question in questions]

    assert answers == [(question, answered(everything, question)) for question in questions]


def asked(tracking, question):
    node, orders, limit, offset = question
    found = tracking.search_runs(
        where=write_filter(node),
        order_by=[written(order) for order in orders],
        limit=limit,
        offset=offset,
    )
    return [run.id for run in found.items], found.total


def answered(everything, question):
    node, orders, limit, offset = question
    keys = [(*field, descending) for field, descending in orders] or [("started_at", "", True)]
    found = ordered((run for run in everything if matches(node, run)), keys)
    return [run.id for run in found[offset : offset + limit]], len(found)
