"""Which params a trial tries."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.tuning.space import Space


def sample(space: Space, *, seed: int, number: int) -> dict[str, Any]:
    """Return the params of a trial: random, and the same for the same space, seed and number.

    Each param has a stream of its own, so that another param in the space does not change it.
    """
    return {name: dimension.at(_share(seed, number, name)) for name, dimension in space.items()}


def _share(seed: int, number: int, name: str) -> float:
    # Seeding by text goes through SHA-512 and is the same in every version and on every machine.
    return random.Random(f"{seed}/{number}/{name}").random()  # noqa: S311 - nothing secret is drawn
