"""The contract of a TrafficPolicy, as tests. Subclass it and supply the `policy` fixture.

class TestMyPolicy(TrafficPolicyContract):
    @pytest.fixture
    def policy(self) -> MyPolicy:
        return MyPolicy()
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from treadle.serving.entities import Variant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.serving.ports import TrafficPolicy

KEYS = tuple(f"order-{i}" for i in range(4_000))

LIVE = Variant(name="old", version="m@1", share=0.9)
CANARY = Variant(name="new", version="m@2", share=0.1, role="canary")
SHADOW = Variant(name="next", version="m@3", share=0.0, role="shadow")


def _shared(old: float, new: float) -> tuple[Variant, Variant]:
    return (
        Variant(name="old", version="m@1", share=old),
        Variant(name="new", version="m@2", share=new, role="canary"),
    )


def answered(
    policy: TrafficPolicy, variants: Sequence[Variant], keys: Sequence[str] = KEYS
) -> list[str]:
    """Return the name of the variant that answers each key."""
    return [variants[i].name for i in policy.assign(keys, variants=variants).answers]


class TrafficPolicyContract:
    """What every TrafficPolicy promises."""

    def test_the_only_live_variant_answers_every_key(self, policy: TrafficPolicy) -> None:
        only = Variant(name="old", version="m@1")

        names = answered(policy, (only,))

        assert set(names) == {"old"}

    def test_one_key_is_always_answered_by_one_variant(self, policy: TrafficPolicy) -> None:
        variants = (LIVE, CANARY)

        first = answered(policy, variants)
        again = answered(policy, variants)

        assert first == again

    def test_each_variant_gets_its_share_of_the_keys(self, policy: TrafficPolicy) -> None:
        names = answered(policy, (LIVE, CANARY))

        # Four standard deviations of a binomial with 4,000 keys and share 0.1.
        assert abs(Counter(names)["new"] - 400) < 4 * (4_000 * 0.1 * 0.9) ** 0.5

    @pytest.mark.parametrize(("low", "high"), [(0.0, 0.01), (0.05, 0.2), (0.2, 0.9), (0.9, 1.0)])
    def test_raising_a_share_only_moves_keys_toward_it(
        self, policy: TrafficPolicy, low: float, high: float
    ) -> None:
        before = answered(policy, _shared(1 - low, low))
        after = answered(policy, _shared(1 - high, high))

        moved = {(b, a) for b, a in zip(before, after, strict=True) if b != a}

        assert moved == {("old", "new")}

    def test_raising_one_of_three_shares_only_moves_keys_toward_it(
        self, policy: TrafficPolicy
    ) -> None:
        def shares(first: float) -> tuple[Variant, ...]:
            rest = 1 - first
            return (
                Variant(name="a", version="m@1", share=first),
                Variant(name="b", version="m@2", share=rest * 0.75),
                Variant(name="c", version="m@3", share=rest * 0.25),
            )

        before = answered(policy, shares(0.2))
        after = answered(policy, shares(0.5))

        assert {a for b, a in zip(before, after, strict=True) if b != a} == {"a"}

    def test_the_order_of_the_variants_does_not_matter(self, policy: TrafficPolicy) -> None:
        forward = answered(policy, (LIVE, CANARY))
        backward = answered(policy, (CANARY, LIVE))

        assert forward == backward

    def test_a_share_of_zero_never_answers(self, policy: TrafficPolicy) -> None:
        names = answered(policy, _shared(1.0, 0.0))

        assert set(names) == {"old"}

    def test_a_shadow_never_answers_and_changes_no_answer(self, policy: TrafficPolicy) -> None:
        alone = answered(policy, (LIVE, CANARY))
        shadowed = answered(policy, (SHADOW, LIVE, CANARY))

        assert shadowed == alone

    def test_choosing_one_agrees_with_assigning_many(self, policy: TrafficPolicy) -> None:
        variants = (LIVE, CANARY)

        many = answered(policy, variants, KEYS[:200])
        single = [policy.choose(key, variants=variants).answers.name for key in KEYS[:200]]

        assert single == many

    def test_no_keys_need_no_decision(self, policy: TrafficPolicy) -> None:
        assert answered(policy, (LIVE, CANARY), ()) == []

    def test_keys_may_be_any_text(self, policy: TrafficPolicy) -> None:
        names = answered(policy, (LIVE, CANARY), ("", "ключ", "a" * 10_000, "\x00"))

        assert set(names) <= {"old", "new"}
