from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import InvalidInput
from treadle.serving.entities import Variant, check_traffic
from treadle.serving.traffic import ROUTE, Canary, Shadow, WeightedSticky
from treadle.testing.traffic import CANARY, KEYS, LIVE, SHADOW, TrafficPolicyContract, answered


class TestWeightedSticky(TrafficPolicyContract):
    @pytest.fixture
    def policy(self):
        return WeightedSticky()


class TestCanary(TrafficPolicyContract):
    @pytest.fixture
    def policy(self):
        return Canary()


class TestShadow(TrafficPolicyContract):
    @pytest.fixture
    def policy(self):
        return Shadow(WeightedSticky())


class TestRoute(TrafficPolicyContract):
    @pytest.fixture
    def policy(self):
        return ROUTE


def test_shadows_see_every_request():
    chosen = ROUTE.choose("order-1", variants=(LIVE, CANARY, SHADOW))

    assert chosen.shadows == (SHADOW,)


def test_a_canary_takes_keys_from_live_variants_without_moving_keys_between_them():
    def variants(canary):
        return (
            Variant(name="a", version="m@1", share=(1 - canary) * 0.5),
            Variant(name="b", version="m@2", share=(1 - canary) * 0.5),
            Variant(name="c", version="m@3", share=canary, role="canary"),
        )

    before = answered(ROUTE, variants(0.0))
    after = answered(ROUTE, variants(0.3))

    assert {(b, a) for b, a in zip(before, after, strict=True) if b != a} == {
        ("a", "c"),
        ("b", "c"),
    }


def test_another_candidate_meets_other_keys():
    def taken(version):
        canary = Variant(name="new", version=version, share=0.1, role="canary")
        names = answered(ROUTE, (LIVE, canary))
        return {key for key, name in zip(KEYS, names, strict=True) if name == "new"}

    first, second = taken("m@2"), taken("m@3")

    assert len(first & second) < len(first) / 2


@given(st.lists(st.text(), max_size=30), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_keys_never_leave_a_variant_whose_share_was_raised(keys, one, other):
    def shares(share):
        return (
            Variant(name="a", version="m@1", share=1 - share),
            Variant(name="b", version="m@2", share=share),
        )

    low, high = sorted((one, other))
    before = answered(ROUTE, shares(low), keys)
    after = answered(ROUTE, shares(high), keys)

    assert all(a == "b" for b, a in zip(before, after, strict=True) if b == "b")


def test_shares_that_do_not_sum_to_one_are_refused_with_their_sum():
    with pytest.raises(
        InvalidInput, match=r"must sum to 1, not 0\.9 \(old 0\.5 \+ new 0\.4\)"
    ) as e:
        check_traffic(
            [
                Variant(name="old", version="m@1", share=0.5),
                Variant(name="new", version="m@2", share=0.4, role="canary"),
            ],
            model="m",
        )

    assert e.value.data["total"] == pytest.approx(0.9)


def test_thirds_sum_to_one():
    check_traffic([Variant(name=n, version="m@1", share=1 / 3) for n in "abc"], model="m")


@pytest.mark.parametrize(
    ("variants", "told"),
    [
        ([], "no variant"),
        ([SHADOW], "no variant"),
        ([Variant(name="a", version="m@1", share=1.0, role="canary")], "No variant is live"),
        ([Variant(name="a", version="m@1"), Variant(name="a", version="m@2")], "called 'a'"),
        ([Variant(name="a", version="m@1", share=1.5)], "is 1.5"),
        ([Variant(name="a", version="m@1", share=float("nan"))], "is nan"),
        ([Variant(name="a", version="other@1")], "serves 'other@1', the endpoint serves 'm'"),
    ],
)
def test_traffic_that_makes_no_sense_is_refused_with_the_reason(variants, told):
    with pytest.raises(InvalidInput, match=told):
        check_traffic(variants, model="m")
