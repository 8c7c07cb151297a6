from __future__ import annotations

import pytest

from treadle.kernel.clock import parse_instant
from treadle.kernel.errors import InvalidInput
from treadle.kernel.filters import And, Condition, Or
from treadle.kernel.list_fields import (
    NEVER,
    ListField,
    ListFields,
    Order,
    check_filter,
    check_orders,
)

THINGS = ListFields(
    noun="things",
    keyed={"metric": ListField("metric", "number"), "tags": ListField("tag")},
    attributes={
        "name": ListField("name"),
        "run name": ListField("name"),
        "status": ListField("status", "caseless"),
        "size": ListField("size", "whole"),
        "start_time": ListField("started_at", "millis"),
        "started_at": ListField("started_at", "instant"),
        "ended_at": ListField("ended_at", "instant", nullable=True),
        "dataset.name": ListField("dataset_name", orders=False),
    },
)
DAY = parse_instant("2013-07-01")


def condition(field, operator, value=None, key=""):
    return Condition(field=field, key=key, operator=operator, value=value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metric.loss < 1", condition("metric", "<", 1.0, key="loss")),
        ("tags.`a b` like 'x%'", condition("tag", "LIKE", "x%", key="a b")),
        ("tags.t is null", condition("tag", "IS NULL", key="t")),
        ("attributes.`run name` = 'x'", condition("name", "=", "x")),
        ("dataset.name in ('a')", condition("dataset_name", "IN", ("a",))),
        ("status = 'FINISHED'", condition("status", "=", "finished")),
        ("status like 'FIN%'", condition("status", "ILIKE", "fin%")),
        ("status not in ('A', 'b')", condition("status", "NOT IN", ("a", "b"))),
        ("size > 2.5", condition("size", ">", 2)),
        ("size >= 2.5", condition("size", ">=", 3)),
        ("size <= 2.5", condition("size", "<=", 2)),
        ("size = '3'", condition("size", "=", 3)),
        ("size = 2.5", NEVER),
        ("size != 2.5", condition("size", "IS NOT NULL")),
        ("started_at > '2013-07-01'", condition("started_at", ">", DAY)),
        ("start_time <= '2013-07-01T02:00+02:00'", condition("started_at", "<=", DAY)),
        ("ended_at is not null", condition("ended_at", "IS NOT NULL")),
        ("start_time > 5", condition("started_at", ">=", 6000)),
        ("start_time >= 5", condition("started_at", ">=", 5000)),
        ("start_time < 5.5", condition("started_at", "<", 6000)),
        ("start_time <= 5", condition("started_at", "<", 6000)),
        (
            "start_time = 5",
            And((condition("started_at", ">=", 5000), condition("started_at", "<", 6000))),
        ),
        (
            "start_time != 5",
            Or((condition("started_at", "<", 5000), condition("started_at", ">=", 6000))),
        ),
    ],
)
def test_a_filter_speaks_of_the_fields_as_the_store_knows_them(text, expected):
    assert check_filter(text, THINGS) == expected


@pytest.mark.parametrize("text", ["started_at < 1e400", "start_time < 1" + "0" * 300])
def test_a_number_beyond_every_instant_still_fits_the_store(text):
    assert abs(check_filter(text, THINGS).value) < 2**63


def test_a_text_that_looks_like_a_number_needs_no_quotes_where_the_list_says_so():
    loose = ListFields(noun="things", attributes={"name": ListField("name")}, bare_texts=True)

    assert check_filter("name = 0.010", loose) == condition("name", "=", "0.010")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("metrc.loss < 1", "Did you mean 'metric'?"),
        ("name = '' and loss < 1", "character 15"),
        ("nane = 'x'", "Did you mean 'name'?"),
        ("dataset.nme = 'x'", "Did you mean 'dataset.name'?"),
        ("zzz = 1", "It knows metric.NAME, tags.NAME, run name"),
        ("metric = 1", "cannot ask for 'metric'"),
        ("name.x = 'a'", "cannot ask for 'name.x'"),
        ("metric.loss = 'low'", "Leave the quotes out"),
        ("metric.loss like 'low'", "is a number"),
        ("metric.loss in ('1')", "Numbers are compared by"),
        ("tags.depth = 2.50", "tags.depth = '2.50'"),
        ("tags.depth < '2'", "not by <"),
        ("name is null", "is never missing"),
        ("started_at > 'yesterday'", "'yesterday' is none"),
        ("size = 'three'", "is a number"),
    ],
)
def test_what_a_list_cannot_be_asked_is_explained(text, says):
    with pytest.raises(InvalidInput) as caught:
        check_filter(text, THINGS)

    assert says in str(caught.value)


def orders(order_by):
    return check_orders(order_by, THINGS, default="started_at desc")


def order(field, *, key="", descending=False):
    return Order(field=field, key=key, descending=descending)


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ([], [order("started_at", descending=True)]),
        ("name", [order("name")]),
        ("start_time DESC", [order("started_at", descending=True)]),
        ("attribute.start_time ASC", [order("started_at")]),
        ("`run name` desc", [order("name", descending=True)]),
        ("metric.val loss desc", [order("metric", key="val loss", descending=True)]),
        ("metric.`a, b` desc", [order("metric", key="a, b", descending=True)]),
        ('tags."desc" desc', [order("tag", key="desc", descending=True)]),
        ("tags.a.b", [order("tag", key="a.b")]),
        (
            ["metric.a DESC", "tags.b, name desc"],
            [
                order("metric", key="a", descending=True),
                order("tag", key="b"),
                order("name", descending=True),
            ],
        ),
    ],
)
def test_an_order_is_one_field_or_several(order_by, expected):
    assert list(orders(order_by)) == expected


@pytest.mark.parametrize(
    ("order_by", "says"),
    [
        ("startd_at", "Did you mean 'started_at'"),
        ("metrc.loss", "Did you mean 'metric"),
        ("metric.", "cannot be ordered"),
        ("metric", "Did you mean 'metric.NAME'"),
        ("", "Order by metric.NAME"),
        (["name", ""], "cannot be ordered"),
        ("name,", "cannot be ordered"),
        ("dataset.name", "cannot be ordered"),
        ("metric.loss dsc", "cannot end in 'dsc'"),
        ("name; DROP TABLE runs", "cannot be ordered"),
        ("metric.a, name, metric.a desc", "only once"),
        ([f"metric.m{i}" for i in range(21)], "at most 20 fields"),
        ("metric." + "x" * 10_000, "at most 10000 characters"),
        ("," * 9_000, "at most 20 fields"),
        ("`" * 9_000, "cannot be ordered"),
    ],
)
def test_an_order_that_is_none_is_refused_with_the_near_miss(order_by, says):
    with pytest.raises(InvalidInput) as caught:
        orders(order_by)

    assert says in str(caught.value)
    assert len(str(caught.value)) < 300
