"""Sticky weighted choice by hash, with canaries and shadows.

Weighted rendezvous hashing: variant v scores `-ln(u) / share` for a key, where u in (0, 1) is drawn
by hashing the key and v's name; the smallest score answers. Scores are exponential with rate
`share`, hence each variant wins in proportion to its share, and changing one share leaves the order
of all the others as it was. (Thaler and Ravishankar 1998; the weights are Schindelhauer's, 2005.)
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from treadle.serving.ports import Assignment, TrafficPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from treadle.serving.entities import Variant

_HASH_BYTES = 8
# The mixing constants of SplitMix64's finaliser (Steele, Lea and Flood 2014).
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class WeightedSticky(TrafficPolicy):
    """Every variant that answers gets its share of the keys."""

    def assign(self, keys: Sequence[str], *, variants: Sequence[Variant]) -> Assignment:
        """Decide for many keys at once."""
        answering = [i for i, v in enumerate(variants) if v.answers and v.share > 0]
        return Assignment(answers=_rendezvous(keys, variants=variants, among=answering))


class Canary(TrafficPolicy):
    """Canaries take their share first; what is left is split among the live variants.

    Which keys a canary takes depends on the canary alone: it goes up and down without reshuffling
    the keys of several live variants, and the next candidate meets other keys.
    """

    def assign(self, keys: Sequence[str], *, variants: Sequence[Variant]) -> Assignment:
        """Decide for many keys at once."""
        live = [i for i, v in enumerate(variants) if v.role == "live" and v.share > 0]
        canary = [i for i, v in enumerate(variants) if v.role == "canary" and v.share > 0]
        if not live or not canary:
            return WeightedSticky().assign(keys, variants=variants)
        salt = "\n".join(sorted(f"{variants[i].name} {variants[i].version}" for i in canary))
        taken = _uniform(_seeds(keys), salt=salt) < sum(variants[i].share for i in canary)
        return Assignment(
            answers=np.where(
                taken,
                _rendezvous(keys, variants=variants, among=canary),
                _rendezvous(keys, variants=variants, among=live),
            )
        )


class Shadow(TrafficPolicy):
    """Somebody else decides who answers; every shadow sees the request too."""

    def __init__(self, answering: TrafficPolicy) -> None:
        self._answering = answering

    def assign(self, keys: Sequence[str], *, variants: Sequence[Variant]) -> Assignment:
        """Decide for many keys at once."""
        shadows = tuple(i for i, v in enumerate(variants) if not v.answers)
        answers = self._answering.assign(keys, variants=variants).answers
        return Assignment(answers=answers, shadows=shadows)


ROUTE = Shadow(Canary())
"""How endpoints route: canaries first, then live variants by share, shadows beside them."""


def _rendezvous(
    keys: Sequence[str], *, variants: Sequence[Variant], among: list[int]
) -> NDArray[np.intp]:
    if len(among) == 1:
        return np.full(len(keys), among[0], dtype=np.intp)
    seeds = _seeds(keys)
    # Scores are compared in the order of names, so that even a tie does not depend on the list's.
    by_name = sorted(among, key=lambda i: variants[i].name)
    scores = np.stack(
        [-np.log(_uniform(seeds, salt=variants[i].name)) / variants[i].share for i in by_name]
    )
    answers: NDArray[np.intp] = np.asarray(by_name, dtype=np.intp)[scores.argmin(axis=0)]
    return answers


def _seeds(keys: Sequence[str]) -> NDArray[np.uint64]:
    digests = (blake2b(key.encode(), digest_size=_HASH_BYTES).digest() for key in keys)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _uniform(seeds: NDArray[np.uint64], *, salt: str) -> NDArray[np.float64]:
    mixed = seeds ^ _seeds([salt])[0]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    mixed ^= mixed >> np.uint64(31)
    # 53 bits fill a double; the half keeps it off 0, whose logarithm is infinite.
    drawn: NDArray[np.float64] = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return drawn
