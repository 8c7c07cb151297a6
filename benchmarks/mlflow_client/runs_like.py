"""The seeded runs: 20 params, 20 metrics, 10 tags each, the same for both servers."""

from __future__ import annotations

import random

STARTED_MS = 1_700_000_000_000


def rows_of_run(number: int) -> dict:
    """Return what run `number` holds; the later the number, the later it started."""
    draw = random.Random(number)  # noqa: S311 - the same runs every time
    return {
        "id": f"{number:032x}",
        "name": f"run-{number}",
        "started_ms": STARTED_MS + number * 1000,
        "params": {f"p{i}": f"v{draw.randrange(10)}" for i in range(20)},
        "metrics": {f"m{i}": draw.random() for i in range(20)},
        "tags": {f"t{i}": f"tag {draw.randrange(1000)}" for i in range(10)},
    }
