"""A small CSV of flights: an id, numbers and names with holes, and an outcome that they explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def rows_of(count: int = 600, *, seed: int = 1) -> dict[str, list[object]]:
    """Rows with an id, numbers and names with holes, and an outcome that depends on both."""
    rng = np.random.default_rng(seed)
    heat, load = rng.normal(size=count), rng.normal(size=count)
    city = rng.choice(["Bern", "Genf", "Basel"], size=count)
    late = rng.random(count) < 1 / (1 + np.exp(-(heat + load + (city == "Bern"))))
    return {
        "id": list(range(count)),
        "heat": ["" if i % 13 == 0 else f"{heat[i]:.3f}" for i in range(count)],
        "load": [f"{v:.3f}" for v in load],
        "city": ["NA" if i % 17 == 0 else city[i] for i in range(count)],
        "stops": [int(v) for v in rng.integers(0, 5, size=count)],
        "late": ["yes" if v else "no" for v in late],
    }


def write_csv(path: Path, rows: dict[str, list[object]]) -> Path:
    lines = [",".join(rows), *(",".join(map(str, row)) for row in zip(*rows.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path
