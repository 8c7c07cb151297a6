"""Tables as versions: what an insertion and an append store, what a commit costs in CPU and memory.

A table of 20 columns (804 MB of Arrow's bytes), as Parquet and as CSV. Each commit is a process of
its own (`treadle data commit`); CPU seconds are its and its children's, memory is its peak. What is
stored is what its packs hold, the change is by how much the committed file grew.

`--small` takes a twentieth. Numbers are printed as ratios to their goals.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet as pq

ROWS = 4_840_000
# A child begins with its parent's peak by `getrusage`: it says its own.
TREADLE = """
import sys
from pathlib import Path
from treadle.cli import main
try:
    main()
finally:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    sys.stderr.write(status.partition("VmHWM:")[2].split()[0])
"""
INSERTED = 100
APPENDED = 0.02
MOST_INSERTED = 0.02
MOST_APPENDED = 1.5
MOST_MEMORY = 300e6


class Commit(NamedTuple):
    """What a commit cost and stored."""

    stored_bytes: int
    cpu_s: float
    peak_bytes: int


class Shares(NamedTuple):
    """What an insertion stores of all, and an append of its change."""

    inserted: float
    appended: float


def make_table(rows: int, *, seed: int, start: int = 0) -> pa.Table:
    """Return rows of numbers, times, texts with few and many values, flags and nulls."""
    drawn = np.random.default_rng(seed)
    number = np.arange(start, start + rows)
    columns: dict[str, object] = {
        "id": number,
        "at": pa.array(number * 61_000_000 + drawn.integers(0, 1000, rows), pa.timestamp("us")),
        "city": _texts("city", 300, drawn.integers(0, 300, rows)),
        "tail": _texts("N", 4000, drawn.integers(0, 4000, rows)),
        "token": pa.array(drawn.integers(0, 1 << 62, rows)).cast(pa.string()),
        "paid": drawn.integers(0, 2, rows).astype(bool),
        "seats": pa.array(drawn.integers(0, 50, rows), mask=drawn.random(rows) < 0.3),
    }
    columns |= {f"measured{i}": drawn.normal(size=rows) for i in range(6)}
    columns |= {f"rounded{i}": np.round(drawn.normal(size=rows) * 100, 1) for i in range(3)}
    columns |= {f"count{i}": drawn.integers(0, 10 ** (i * 3 + 1), rows) for i in range(4)}
    return pa.table(columns)


def _texts(word: str, count: int, chosen: np.ndarray) -> pa.Array:
    return pa.array([f"{word}{n:05}" for n in range(count)]).take(pa.array(chosen))


def with_insertion(table: pa.Table) -> pa.Table:
    """Return a table with rows inserted in the middle."""
    middle = table.num_rows // 2
    # Of the same kind as the others: a time beyond 2262 would make texts of all in a CSV.
    inserted = make_table(INSERTED, seed=2, start=2 * table.num_rows)
    return pa.concat_tables([table.slice(0, middle), inserted, table.slice(middle)])


def with_append(table: pa.Table) -> pa.Table:
    """Return a table with rows at its end."""
    rows = int(table.num_rows * APPENDED)
    return pa.concat_tables([table, make_table(rows, seed=3, start=table.num_rows)])


def shares(first: Commit, inserted: Commit, appended: Commit, *, change: int) -> Shares:
    """Return what was stored anew against what there was, and against the change."""
    return Shares(inserted.stored_bytes / first.stored_bytes, appended.stored_bytes / change)


def commit(path: Path) -> Commit:
    """Commit a file in a process of its own."""
    arguments = ["data", "commit", str(path), "--name", path.suffix[1:], "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", TREADLE, *arguments], check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Commit(json.loads(done.stdout)["stored_bytes"], cpu_s, int(done.stderr) * 1024)


def measure(kind: str, table: pa.Table, folder: Path) -> None:
    """Commit a table, then with rows inserted, then with rows appended; print ratios."""
    write = pq.write_table if kind == "parquet" else arrow_csv.write_csv
    path = folder / f"table.{kind}"
    commits, sizes = [], []
    for made in (table, with_insertion(table), with_append(table)):
        write(made, path)
        sizes.append(path.stat().st_size)
        commits.append(commit(path))
    found = shares(*commits, change=sizes[2] - sizes[0])
    gigabytes = sizes[0] / 1e9
    print(f"\n{kind}: {sizes[0] / 1e6:,.0f} MB, stored {commits[0].stored_bytes / 1e6:,.0f} MB")
    line("100 rows inserted, stored anew", f"{found.inserted:.2%}", found.inserted / MOST_INSERTED)
    line("2 % appended, stored / change", f"{found.appended:.2f} ×", found.appended / MOST_APPENDED)
    line("commit, CPU s a GB of file", f"{commits[0].cpu_s / gigabytes:.1f}", None)
    line("commit, CPU s a GB of Arrow", f"{commits[0].cpu_s / table.nbytes * 1e9:.1f}", None)
    peak = max(c.peak_bytes for c in commits)
    line("peak memory", f"{peak / 1e6:.0f} MB", peak / MOST_MEMORY)


def line(what: str, value: str, of_goal: float | None) -> None:
    """Print a number and how much of its limit it is."""
    print(f"{what:<36}{value:>12}{'' if of_goal is None else f'{of_goal:>9.2f} of the limit'}")


def main() -> None:
    """Measure both kinds."""
    rows = ROWS // 20 if "--small" in sys.argv else ROWS
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    with tempfile.TemporaryDirectory(
        prefix="treadle-tables-", dir=os.environ.get("TMPDIR")
    ) as name:
        os.environ["TREADLE_HOME"] = f"{name}/home"
        table = make_table(rows, seed=1)
        print(f"{rows:,} rows × {table.num_columns}, {table.nbytes / 1e6:,.0f} MB of Arrow's bytes")
        print(f"{os.cpu_count()} cores, load {load}")
        for kind in ("parquet", "csv"):
            measure(kind, table, Path(name))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    print(f"\nmaking the tables took {own:.0f} CPU s")


if __name__ == "__main__":
    main()
