from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.written_filters import conditions, filters
from treadle.kernel.errors import InvalidInput
from treadle.kernel.filters import (
    DEEPEST,
    EVERYTHING,
    LONGEST,
    MOST_CONDITIONS,
    MOST_VALUES,
    MOST_WILDCARDS,
    And,
    Condition,
    Not,
    Or,
    conditions_of,
    parse_filter,
    write_filter,
)


def condition(field, key, operator, value=None):
    return Condition(field=field, key=key, operator=operator, value=value)


def bare(node):
    """A filter without the places of its conditions."""
    if isinstance(node, Condition):
        return msgspec.structs.replace(node, at=0, written="")
    if isinstance(node, Not):
        return Not(bare(node.part))
    return type(node)(tuple(map(bare, node.parts)))


A, B, C = (condition(name, "", "=", number) for number, name in enumerate("abc", 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.log_loss < 0.5", condition("metrics", "log_loss", "<", 0.5)),
        ("metrics.a.b>=-1e-3", condition("metrics", "a.b", ">=", -0.001)),
        ("metrics.val/loss:1-2 <> 1", condition("metrics", "val/loss:1-2", "!=", 1)),
        ("metrics.`two words` = 1", condition("metrics", "two words", "=", 1)),
        ("params.\"two words\" = '6'", condition("params", "two words", "=", "6")),
        ("params.`a``b` = '6'", condition("params", "a`b", "=", "6")),
        ("`run name` = 'x'", condition("run name", "", "=", "x")),
        ('name != "it\'s"', condition("name", "", "!=", "it's")),
        ("name = 'it''s'", condition("name", "", "=", "it's")),
        ("name = 'a\\'", condition("name", "", "=", "a\\")),
        ("tags.t = ''", condition("tags", "t", "=", "")),
        ("tags.in iLIKE 'a%'", condition("tags", "in", "ILIKE", "a%")),
        ("tags.t not  like 'a%'", condition("tags", "t", "NOT LIKE", "a%")),
        ("id IN ('a', \"b\",)", condition("id", "", "IN", ("a", "b"))),
        ("id not in ('a')", condition("id", "", "NOT IN", ("a",))),
        ("params.p is null", condition("params", "p", "IS NULL")),
        ("params.p IS NOT NULL", condition("params", "p", "IS NOT NULL")),
        ("start_time > 1357000000123", condition("start_time", "", ">", 1357000000123)),
        ("a = 9223372036854775807", condition("a", "", "=", 9223372036854775807)),
    ],
)
def test_a_condition_reads_as_it_is_written(text, expected):
    assert bare(parse_filter(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", EVERYTHING),
        ("  \n ", EVERYTHING),
        ("a = 1 AND  b=2 and c = 3", And((A, B, C))),
        ("a = 1 and b = 2 or c = 3", Or((And((A, B)), C))),
        ("a = 1 and (b = 2 or c = 3)", And((A, Or((B, C))))),
        ("not a = 1 and b = 2", And((Not(A), B))),
        ("NOT (a = 1 OR b = 2)", Not(Or((A, B)))),
        ("not not a = 1", Not(Not(A))),
        ("((a = 1))", A),
        ("notes = 1", condition("notes", "", "=", 1)),
    ],
)
def test_and_binds_closer_than_or_and_not_closest(text, expected):
    assert bare(parse_filter(text)) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("metrics.auc", "character 12: nothing more"),
        ("metrics.auc > ", "character 15: nothing more"),
        ("metrics.auc > 0.7 and", "character 22: nothing more"),
        ("metrics.auc > 0.7 an b = 1", "Did you mean 'and'?"),
        ("a = 1 && b = 2", "Did you mean 'and'?"),
        ("metrics.auc == 1", "Did you mean '='?"),
        ("name LKE 'a%'", "Did you mean 'LIKE'?"),
        ("a is nul", "Did you mean 'NULL'?"),
        ("name = 'open", "character 8: “'open” stands there. Expected the quote that ends"),
        ("1 = 1", "character 1"),
        ("a = 1; DROP TABLE runs", "character 6: “; DROP TABLE runs”"),
        ("a = 1 -- b", "character 7"),
        ("(a = 1", "character 7: nothing more"),
        ("a = 1)", "character 6: “)”"),
        ("a in ()", "character 7"),
        ("a in ('x' 'y')", "character 11"),
        ("metrics. = 1", "a name behind the dot"),
        ("a = 1.5.2", "character 5"),
        ("a = 5x", "a number, or a text in quotes"),
        ("a = nan", "a number, or a text in quotes"),
        ("a = '\x00'", "NUL"),
        ("a = '\ud800'", "half a character"),
    ],
)
def test_a_filter_that_cannot_be_read_names_the_place(text, says):
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text)

    assert says in str(caught.value)


def test_a_condition_knows_where_it_stands():
    found = list(conditions_of(parse_filter("a = 1 and (not bcd = 2.50)")))

    assert [(c.field, c.at, c.written) for c in found] == [("a", 1, "1"), ("bcd", 16, "2.50")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = '" + "x" * LONGEST + "'", "at most 200000 characters"),
        ("a = 'x' or " * 100_000, "at most 200000 characters"),
        ("(" * 190_000, f"deeper than {DEEPEST} levels"),
        ("not " * 49_000, f"deeper than {DEEPEST} levels"),
        ("a = 1 and " * 15_000, f"at most {MOST_CONDITIONS} conditions"),
        (f"a in ({'1,' * 90_000})", "a text in quotes"),
        ("a in (" + "'x'," * (MOST_VALUES + 1) + "'x')", f"at most {MOST_VALUES} values"),
        ("a like '" + "%_" * (MOST_WILDCARDS + 1) + "'", "too long"),
        ("a = " + "'" * 199_991, "cannot be read"),
        ("`" * 199_999, "cannot be read"),
        ("a" * 199_999, "cannot be read"),
        (" " * 199_999 + "=", "cannot be read"),
        ("a = 1" + " " * 199_000 + "x", "cannot be read"),
    ],
)
def test_a_filter_without_end_is_refused_at_once(text, says):
    began = time.process_time()

    with pytest.raises(InvalidInput) as caught:
        parse_filter(text)

    assert says in str(caught.value)
    assert len(str(caught.value)) < 300
    assert time.process_time() - began < 1


def test_as_deep_and_as_wide_as_allowed_is_read():
    deep = "(" * DEEPEST + "a = 1" + ")" * DEEPEST
    wide = " or ".join(["a = 1"] * MOST_CONDITIONS)

    assert bare(parse_filter(deep)) == A
    assert len(list(conditions_of(parse_filter(wide)))) == MOST_CONDITIONS


@given(filters(conditions()))
def test_a_filter_reads_as_the_same_after_it_was_written(node):
    assert bare(parse_filter(write_filter(node))) == node


@given(st.text(max_size=60))
def test_no_text_does_anything_but_read_or_be_refused(text):
    try:
        parse_filter(text)
    except InvalidInput:
        return


@given(st.lists(st.sampled_from(
    ["a", "not", "and", "or", "(", ")", "=", "like", "in", "is", "null", "'x'", '"y"', "`z`",
     ".", ",", "1", "-2.5", " "]
), max_size=25))  # fmt: skip
def test_no_words_of_the_language_do_anything_but_read_or_be_refused(words):
    try:
        node = parse_filter(" ".join(words))
    except InvalidInput:
        return
    assert bare(parse_filter(write_filter(node))) == bare(node)
