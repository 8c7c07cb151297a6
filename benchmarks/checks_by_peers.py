"""The checks of `bench_contracts.py` by other tools, in their environment, which knows no ours.

`python checks_by_peers.py TOOL PARQUET RUNS` prints one line of JSON: the checks asked, those that
failed, median CPU and wall seconds, the peak of memory in MB.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS, WHOLES, TEXTS = 12, 4, 3
SHOPS = [f"shop{i}" for i in range(20)]
HIGHEST, MOST = 99.9999, 999


def main() -> None:
    """Measure one tool on one file."""
    tool, path, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    check: Callable[[str], list[bool]] = {
        "polars": by_polars,
        "pandera": by_pandera,
        "great_expectations": by_great_expectations,
    }[tool]
    cpu, wall, found = [], [], []
    for _ in range(runs):
        spent, clock = time.process_time(), time.perf_counter()
        found = check(path)
        cpu.append(time.process_time() - spent)
        wall.append(time.perf_counter() - clock)
    told = {
        "checks": len(found),
        "failed": found.count(False),
        "cpu": statistics.median(cpu),
        "wall": statistics.median(wall),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


def names(letter: str) -> list[str]:
    """Return the columns of a kind."""
    return [f"{letter}{i}" for i in range({"x": NUMBERS, "n": WHOLES, "t": TEXTS}[letter])]


def by_polars(path: str) -> list[bool]:
    """Count by one lazy query, written by hand."""
    import polars as pl  # noqa: PLC0415 - each tool pays for its own

    col = pl.col
    broken = [col(n).is_null() | col(n).is_nan() for n in names("x")[:6]]
    broken += [(col(n) < 0) | (col(n) > HIGHEST) for n in names("x")]
    broken += [~col(n).is_between(0, MOST) for n in names("n")]
    broken += [~col(n).is_in(SHOPS) for n in names("t")]
    broken += [~col(n).str.contains("^shop[0-9]+$") for n in names("t")]
    broken += [col("x0") > col("x1") + 99, (col("n0") - col("n1")).abs() > MOST]
    asked = [b.sum().alias(str(i)) for i, b in enumerate(broken)]
    counts = pl.scan_parquet(path).select(asked).collect(engine="streaming").row(0)
    return [not count for count in counts]


def by_pandera(path: str) -> list[bool]:
    """Check a frame by a schema, all failures collected."""
    import pandera.polars as pa  # noqa: PLC0415 - as above
    import polars as pl  # noqa: PLC0415 - each tool pays for its own

    columns = {
        n: pa.Column(pl.Float64, pa.Check.in_range(0, HIGHEST), nullable=i >= 6)
        for i, n in enumerate(names("x"))
    }
    columns |= {n: pa.Column(pl.Int32, pa.Check.in_range(0, MOST)) for n in names("n")}
    shops = [pa.Check.isin(SHOPS), pa.Check.str_matches("^shop[0-9]+$")]
    columns |= {n: pa.Column(pl.String, shops) for n in names("t")}
    col = pl.col
    relations = [
        pa.Check(lambda d: d.lazyframe.select(col("x0") <= col("x1") + 99)),
        pa.Check(lambda d: d.lazyframe.select((col("n0") - col("n1")).abs() <= MOST)),
    ]
    schema = pa.DataFrameSchema(columns, checks=relations)
    asked = 6 + NUMBERS + WHOLES + 2 * TEXTS + len(relations)
    try:
        schema.validate(pl.read_parquet(path), lazy=True)
    except pa.errors.SchemaErrors as error:
        failed = len(error.schema_errors)
        return [False] * failed + [True] * (asked - failed)
    return [True] * asked


def by_great_expectations(path: str) -> list[bool]:
    """Check a frame by a suite; it has no expectation for the two relations."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx  # noqa: PLC0415 - as above
    import pandas as pd  # noqa: PLC0415 - as above

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas(f"p{time.monotonic_ns()}").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("whole")
    e = gx.expectations
    asked = [e.ExpectColumnValuesToNotBeNull(column=n) for n in names("x")[:6]]
    asked += [
        e.ExpectColumnValuesToBeBetween(column=n, min_value=0, max_value=HIGHEST)
        for n in names("x")
    ]
    asked += [
        e.ExpectColumnValuesToBeBetween(column=n, min_value=0, max_value=MOST) for n in names("n")
    ]
    asked += [e.ExpectColumnValuesToBeInSet(column=n, value_set=SHOPS) for n in names("t")]
    asked += [e.ExpectColumnValuesToMatchRegex(column=n, regex="^shop[0-9]+$") for n in names("t")]
    suite = gx.ExpectationSuite(name="checks", expectations=asked)
    frame = pd.read_parquet(path)
    found = batch.get_batch(batch_parameters={"dataframe": frame}).validate(suite)
    return [bool(r.success) for r in found.results]


if __name__ == "__main__":
    main()
