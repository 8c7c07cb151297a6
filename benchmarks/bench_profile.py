"""A profile of 1 million rows × 30 columns against DuckDB's SUMMARIZE with histograms by hand.

Ours brings more (exact quantiles, pairs, repeated rows, hints of personal data, a chart); SUMMARIZE
is approximate. CPU seconds, median of three, all in the same run; ROWS changes the size. whylogs
runs once, in an environment of its own, when `peers/bench/whylogs.txt` is installed. Prints the
most memory of a process that only profiles. Exits 1 when the goal is missed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from treadle.data.profiling import profile_table

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
PEERS = Path(os.environ.get("TREADLE_PEERS", ROOT / ".peers"))
WHYLOGS = Path(os.environ.get("TREADLE_WHYLOGS", PEERS / "whylogs" / "bin" / "python"))
ROWS = int(os.environ.get("ROWS", "1000000"))
PART_ROWS = 1_000_000
MOST_RATIO = 1.5
BINS, TOP = 20, 20
TEXTS = {"c0": 5, "c1": 20, "c2": 60, "c3": 200}
NUMBERS = [
    *(f"f{i}" for i in range(12)),
    *(f"g{i}" for i in range(4)),
    *(f"i{i}" for i in range(7)),
]
ALONE = """
import resource, sys
from pathlib import Path
from treadle.data.profiling import profile_table
profile_table([Path(path) for path in sys.argv[1:]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
OF_WHYLOGS = """
import sys, time
import pyarrow.parquet as pq, whylogs
frame = pq.read_table(sys.argv[1]).to_pandas()
began = time.process_time()
whylogs.log(frame).view().to_pandas()
print(time.process_time() - began)
"""


class Spent(NamedTuple):
    """CPU and wall seconds."""

    cpu: float
    wall: float


def main() -> None:
    """Print the table; exit 1 when the goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        paths = written(Path(folder))
        summarized = spent(lambda: summarize(paths))
        pictured = spent(lambda: histograms(paths))
        ours = spent(lambda: profile_table(paths))
        megabytes = subprocess.run(
            [sys.executable, "-c", ALONE, *map(str, paths)],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.strip()
        peer = of_whylogs(paths)
    by_hand = summarized.cpu + pictured.cpu
    print(f"{ROWS:,} rows × 30 columns")
    print(f"SUMMARIZE            {summarized.cpu:7.2f} CPU s  {summarized.wall:7.2f} s")
    print(f"histograms by hand   {pictured.cpu:7.2f} CPU s  {pictured.wall:7.2f} s")
    print(f"the profile          {ours.cpu:7.2f} CPU s  {ours.wall:7.2f} s  {megabytes} MB at most")
    print(f"whylogs              {peer}")
    met = ours.cpu <= MOST_RATIO * by_hand
    print(f"ratio {ours.cpu / by_hand:.2f} (goal ≤ {MOST_RATIO}): {'met' if met else 'missed'}")
    raise SystemExit(0 if met else 1)


def spent(work: Callable[[], object]) -> Spent:
    """Return the median of three."""
    found = []
    for _ in range(3):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append(Spent(time.process_time() - cpu, time.perf_counter() - wall))
    return Spent(statistics.median(f.cpu for f in found), statistics.median(f.wall for f in found))


def written(folder: Path) -> list[Path]:
    """Write parts of a million rows: 23 numbers, a time, a yes/no, 4 categories, an id."""
    draw, paths = np.random.default_rng(0), []
    for start in range(0, ROWS, PART_ROWS):
        paths.append(folder / f"part-{start:09}.parquet")
        pq.write_table(
            part(draw, start, min(PART_ROWS, ROWS - start)), paths[-1], compression="zstd"
        )
    return paths


def part(draw: np.random.Generator, start: int, rows: int) -> pa.Table:
    """Return some rows."""
    columns: dict[str, object] = {f"f{i}": draw.normal(size=rows) * 10 for i in range(12)}
    for i in range(4):
        values = np.round(draw.normal(size=rows), 2)
        columns[f"g{i}"] = pa.array(values, mask=draw.random(rows) < 0.05)
    columns |= {f"i{i}": draw.integers(0, 10 ** (i % 5 + 1), rows) for i in range(7)}
    instants = 1_356_998_400_000_000 + draw.integers(0, 365 * 86_400, rows) * 1_000_000
    columns["at"] = pa.array(instants).cast(pa.timestamp("us"))
    columns["b"] = draw.random(rows) < 0.3
    names = np.array([f"cat{j}" for j in range(200)])
    columns |= {name: names[draw.integers(0, n, rows)] for name, n in TEXTS.items()}
    columns["id"] = [f"user-{k:09d}" for k in draw.permutation(rows) + start]
    return pa.table(columns)


def table(paths: list[Path]) -> str:
    """Return the parts in SQL."""
    return f"read_parquet([{', '.join(repr(str(path)) for path in paths)}])"


def summarize(paths: list[Path]) -> object:
    """Ask what DuckDB itself says of each column."""
    return duckdb.sql(f"SUMMARIZE SELECT * FROM {table(paths)}").fetchall()  # noqa: S608 - names of ours


def histograms(paths: list[Path]) -> None:
    """Draw what SUMMARIZE leaves out: equal bins of numbers, counts of the commonest texts."""
    asked = ", ".join(f"min({n}), max({n})" for n in NUMBERS)
    (ends,) = duckdb.sql(f"SELECT {asked} FROM {table(paths)}").fetchall()  # noqa: S608
    for place, name in enumerate(NUMBERS):
        low, high = ends[2 * place : 2 * place + 2]
        bin_ = f"least({BINS - 1}, floor(({name} - ({low})) / ({high - low}) * {BINS}))"
        duckdb.sql(f"SELECT {bin_} AS bin, count(*) FROM {table(paths)} GROUP BY bin").fetchall()  # noqa: S608
    for name in (*TEXTS, "b", "id"):
        counts = f"SELECT {name}, count(*) AS n FROM {table(paths)} GROUP BY 1"  # noqa: S608
        duckdb.sql(f"{counts} ORDER BY n DESC LIMIT {TOP}").fetchall()


def of_whylogs(paths: list[Path]) -> str:
    """Say what whylogs takes, or why it was not asked."""
    if not WHYLOGS.exists():
        return "not installed: ./run bench makes its environment"
    if len(paths) > 1:
        return "asked at one part only"
    command = [str(WHYLOGS), "-c", OF_WHYLOGS, str(paths[0])]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}"
    return f"{float(done.stdout.split()[-1]):7.2f} CPU s, once, of a frame in memory"


if __name__ == "__main__":
    main()
