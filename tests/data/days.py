"""A table of days, with holes: what is counted day by day is tried on it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

ROWS = 3_000
RNG = np.random.default_rng(3)
DAY = RNG.integers(0, 45, ROWS)
TIMES = pa.array([None if RNG.random() < 0.02 else int(d) for d in DAY], pa.date32())
TABLE = pa.table(
    {
        "at": TIMES,
        "level": DAY / 3.0 + RNG.normal(size=ROWS),
        "holes": np.where(RNG.random(ROWS) < 0.3, np.nan, RNG.normal(size=ROWS)),
        "step": RNG.integers(0, 50, ROWS) * 0.25,
        "whole": RNG.integers(-40, 900, ROWS),
    }
)
