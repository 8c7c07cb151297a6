"""Relations, patterns and keys: read, refused, learned."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.data.contracts import ColumnRule, RelationRule
from treadle.data.pairs import learn_key, learn_relations
from treadle.data.patterns import compiled
from treadle.data.relations import parse_relation
from treadle.errors import InvalidInput

ROWS = 4_000
RNG = np.random.default_rng(7)
BASE = RNG.normal(50.0, 10.0, ROWS)


def claims(**columns: np.ndarray) -> list[str]:
    return [rule.claim for rule in learn_relations(columns)]


def test_a_claim_is_brought_to_one_side() -> None:
    found = parse_relation('2 * a + 3 >= "b c" - a')

    assert found.terms == (("b c", 1.0), ("a", -3.0))
    assert (found.constant, found.sign) == (-3.0, "<=")


@pytest.mark.parametrize(
    "claim",
    ["", "a", "a <= ", "a < b < c", "a b <= c", "a * b = c", "1 <= 2", "a = a", "a <= b; DROP"],
)
def test_what_is_no_linear_claim_is_refused(claim: str) -> None:
    with pytest.raises(InvalidInput):
        RelationRule(name="r", claim=claim)


@pytest.mark.parametrize(
    "pattern",
    [r"\s+", "^a", "a$", r"a\b", "(?=a)", "(a+)+", "(a|b)*", "a*b*c*d*", "[[:alpha:]]", "a{1001}"],
)
def test_a_pattern_that_is_read_two_ways_or_takes_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInput, match=r"columns\.x\.pattern"):
        ColumnRule(name="x", type="text", pattern=pattern)


@settings(deadline=None, max_examples=100)
@given(
    pattern=st.sampled_from([r"[A-Z]\d{1,3}", r"(a|b)c?", r"\w+-\w*", ".", "é+", r"[^\d]{2}", ""]),
    text=st.text(max_size=5) | st.sampled_from(["A1", "ac", "ab-", "a\n", "é", "ü", "٣", "xy"]),
)
def test_re2_and_python_match_alike(pattern: str, text: str) -> None:
    ColumnRule(name="x", type="text", pattern=pattern)

    with duckdb.connect() as own:
        found = own.execute("SELECT regexp_full_match($1, $2)", [text, pattern]).fetchone()

    assert found == (compiled(pattern).fullmatch(text) is not None,)


def test_an_identity_is_found_with_its_factors() -> None:
    minute = RNG.integers(0, 60, ROWS).astype(float)
    hour = RNG.integers(0, 24, ROWS).astype(float)

    assert "at = 100 * hour + minute" in claims(at=100 * hour + minute, hour=hour, minute=minute)


def test_an_identity_is_claimed_of_one_of_its_columns() -> None:
    net, tax = RNG.gamma(2.0, 10.0, ROWS), RNG.gamma(2.0, 3.0, ROWS)

    found = claims(net=net, tax=tax, total=net + tax)

    assert [claim for claim in found if "=" in claim and "<" not in claim] == ["net = total - tax"]


def test_an_identity_of_the_first_half_alone_is_not_claimed() -> None:
    other = np.where(np.arange(ROWS) < ROWS // 2, BASE * 2.0, BASE * -2.0)

    assert claims(x=BASE, y=other) == []


def test_an_order_that_is_touched_is_claimed() -> None:
    gap = np.where(RNG.random(ROWS) < 0.1, 0.0, RNG.exponential(15.0, ROWS))

    assert "low <= high" in claims(low=BASE - gap, high=BASE)


def test_an_order_that_the_season_keeps_is_not_claimed() -> None:
    assert claims(cold=BASE, warm=RNG.normal(100.0, 1.0, ROWS)) == []


def test_a_key_is_the_columns_that_it_takes() -> None:
    codes = {
        "day": np.repeat(np.arange(100), 40),
        "shop": np.tile(np.arange(40), 100),
        "colour": RNG.integers(0, 3, ROWS),
    }

    assert learn_key(codes) == ("day", "shop")


def test_rows_that_repeat_have_no_key() -> None:
    assert learn_key({"day": np.repeat(np.arange(100), 40)}) == ()
