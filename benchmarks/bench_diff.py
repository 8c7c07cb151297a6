"""What changed between two versions of a table: 10 million rows, 1,000 of them changed.

`./run bench diff`: the command as a user has it, each time in a process of its own, which writes
every changed row to a file. Ten columns: an id, a time, four numbers, two whole numbers, two texts.
CPU seconds and wall, and the peak of resident memory; the aim is < 15 s and < 2 GB. Then a merge
of the second version with a third that has 1,000 other changes. `ROWS` makes it smaller.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import duckdb

ROWS = int(os.environ.get("ROWS", "10000000"))
CHANGES = 1_000
MOST_WALL_S, MOST_BYTES = 15.0, 2_000_000_000
TREADLE = "from treadle.cli import main; main()"
COMMIT = """
import sys, treadle
with treadle.connect(sys.argv[1]) as client:
    for path in sys.argv[2:]:
        client.data.commit("big", path)
"""
MERGE = """
import sys, treadle
with treadle.connect(sys.argv[1]) as client:
    with client.data.merge_tables("big@1", "big@2", "big@3", key=["id"]) as merge:
        rows = sum(batch.num_rows for batch in merge.arrow())
        assert merge.counts.conflicts == 0, merge.counts
        assert rows == merge.counts.rows, rows
"""


class Spent(NamedTuple):
    """What a process took."""

    cpu: float
    wall: float
    peak_bytes: int


def main() -> None:
    """Print the table; exit 1 when the aim is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"{letter}.parquet" for letter in "abc"]
        # Elsewhere: a process begins with the peak of the one that started it.
        subprocess.run([sys.executable, __file__, "--write", *map(str, files)], check=True)
        home = str(folder / "home")
        spent(COMMIT, home, *map(str, files))
        print(f"{ROWS:,} rows × 10 columns, {CHANGES:,} changed; load {os.getloadavg()[0]:.1f}")
        print(f"{'':<28}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
        asked = ["--home", home, "data", "diff", "big@1", "big@2", "--out", str(folder / "d.csv")]
        first = told("diff, the first time", TREADLE, *asked, "--key", "id")
        told("diff again", TREADLE, *asked, "--key", "id")
        told("diff, the key found", TREADLE, *asked)
        told("merge, read to its end", MERGE, home)
    is_met = first.wall < MOST_WALL_S and first.peak_bytes < MOST_BYTES
    print(
        f"aim < {MOST_WALL_S:.0f} s, < {MOST_BYTES / 1e9:.0f} GB: {'met' if is_met else 'missed'}"
    )
    raise SystemExit(0 if is_met else 1)


def told(name: str, code: str, *args: str) -> Spent:
    """Print what a process took."""
    found = spent(code, *args)
    print(
        f"{name:<28}{found.cpu:>8.1f}{found.wall:>8.1f}{found.peak_bytes / 1e6:>9.0f}", flush=True
    )
    return found


def spent(code: str, *args: str) -> Spent:
    """Run Python in a process of its own and say what it took."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, *args], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) > 1:
        sys.exit(f"It failed: {' '.join(args)}")
    wall = time.perf_counter() - began
    return Spent(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024)


def write(files: list[Path]) -> None:
    """Write a table, and twice the same with other rows changed."""
    first, second, third = files
    made = [f"random() * 100 AS x{i}" for i in range(4)]
    made += ["(random() * 1000)::INT AS n0", "(random() * 100000)::BIGINT AS n1"]
    made += ["'shop' || (random() * 19)::INT AS t0", "'city' || (random() * 500)::INT AS t1"]
    copied = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 1048576)"
    with duckdb.connect() as connection:
        connection.execute("SELECT setseed(0.5)")
        connection.execute(
            "COPY (SELECT range AS id, TIMESTAMP '2013-01-01' + to_seconds(range) AS sold, "  # noqa: S608
            f"{', '.join(made)} FROM range({ROWS})) TO '{first}' {copied}"
        )
        for path, place in ((second, 77), (third, 78)):
            changed = f"CASE WHEN id % {ROWS // CHANGES} = {place} THEN x0 + 1 ELSE x0 END AS x0"
            connection.execute(
                f"COPY (SELECT * REPLACE ({changed}) FROM '{first}') TO '{path}' {copied}"  # noqa: S608
            )


if __name__ == "__main__":
    if "--write" in sys.argv:
        write([Path(path) for path in sys.argv[2:]])
    else:
        main()
