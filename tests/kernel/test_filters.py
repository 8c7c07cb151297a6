from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.errors import InvalidInput
from treadle.kernel.filters import Condition, parse_filter


def condition(field, key, operator, value):
    return Condition(field=field, key=key, operator=operator, value=value)


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("", []),
        ("   ", []),
        ("metrics.log_loss < 0.5", [condition("metrics", "log_loss", "<", 0.5)]),
        ("metrics.a.b>=-1e-3", [condition("metrics", "a.b", ">=", -0.001)]),
        ("metrics.`two words` = 1", [condition("metrics", "two words", "=", 1.0)]),
        ("params.depth = '6'", [condition("params", "depth", "=", "6")]),
        ('name != "it\'s"', [condition("name", "", "!=", "it's")]),
        (
            "status = 'finished' AND  metrics.auc > .7 and tags.t = ''",
            [
                condition("status", "", "=", "finished"),
                condition("metrics", "auc", ">", 0.7),
                condition("tags", "t", "=", ""),
            ],
        ),
    ],
)
def test_a_filter_reads_as_its_conditions(text, conditions):
    assert list(parse_filter(text)) == conditions


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("metrics.auc", "character 1"),
        ("metrics.auc > ", "character 1"),
        ("metrics.auc > 0.7 or metrics.auc < 0.1", "character 19"),
        ("metrics.auc > 0.7 and", "character 19"),
        ("metrics.auc > 0.7 and ", "character 23: nothing more"),
        ("name = 'open", "character 1"),
        ("1 = 1", "character 1"),
        ("a = 1; DROP TABLE runs", "character 6"),
    ],
)
def test_a_filter_that_cannot_be_read_names_the_place(text, place):
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text)

    assert place in str(caught.value)


def test_a_filter_without_end_is_refused():
    with pytest.raises(InvalidInput, match="at most 2000"):
        parse_filter("a = 1 and " * 500)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_read_or_be_refused(text):
    try:
        parse_filter(text)
    except InvalidInput:
        return
