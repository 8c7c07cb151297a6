"""The seam of serving: who answers a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treadle.serving.entities import Choice

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from treadle.serving.entities import Variant


@dataclass(frozen=True, eq=False, kw_only=True)
class Assignment:
    """Who answers many requests: positions in the list of variants.

    `answers` holds one position per key, `shadows` those of the variants that see every key.
    """

    answers: NDArray[np.intp]
    shadows: tuple[int, ...] = ()


class TrafficPolicy(ABC):
    """Decides which variant answers a request.

    **Stickiness**: the answer depends on key and variants alone, so that one key is answered by
    one variant for as long as the shares stand, on every machine. **Least movement**: when one
    share is raised at the cost of all others alike, keys move only to that variant. **Order** of
    the variants does not matter. **Shadows** never answer, nor does a share of 0. **Thread
    safety**: threads may share one.
    """

    @abstractmethod
    def assign(self, keys: Sequence[str], *, variants: Sequence[Variant]) -> Assignment:
        """Decide for many keys at once. At least one variant has a share above 0."""

    def choose(self, key: str, *, variants: Sequence[Variant]) -> Choice:
        """Decide for one key."""
        assigned = self.assign((key,), variants=variants)
        return Choice(
            answers=variants[int(assigned.answers[0])],
            shadows=tuple(variants[i] for i in assigned.shadows),
        )
