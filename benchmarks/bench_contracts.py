"""All checks of a contract in one scan, beside the same checks written by hand for DuckDB.

`./run bench contracts`: 10 million rows of 20 columns under 30 checks about rows. CPU seconds and
wall, median of three. The query by hand only counts; ours also brings five failing rows of each
check. Polars by hand, Pandera (polars) and Great Expectations (pandas; it has none for the two
relations, and is measured once) check the same file in an environment of their own, where that is
there (`.peers/checks`). `ROWS` in the environment makes it smaller.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow as pa
from pyarrow import parquet as pq

from treadle.data.checks import check_table
from treadle.data.contracts import ColumnRule, ContractBody, RelationRule
from treadle.data.rows import compile_row

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = int(os.environ.get("ROWS", "10000000"))
NUMBERS, WHOLES, TEXTS = 12, 4, 3
SHOPS = tuple(f"shop{i}" for i in range(20))
MOST_RATIO, MOST_FIXED = 1.3, 1.0
PEERS = Path(os.environ.get("TREADLE_PEERS", Path(__file__).parents[1] / ".peers"))
RUNS = {"polars": 3, "pandera": 3, "great_expectations": 1}


class Spent(NamedTuple):
    """CPU and wall seconds."""

    cpu: float
    wall: float


def main() -> None:
    """Print the table; exit 1 when a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "rows.parquet", Path(folder) / "one.parquet"
        write(path, rows=ROWS)
        write(small, rows=1)
        by_hand = spent(lambda: duckdb.sql(hand_written(path)).fetchall())
        ours = spent(lambda: check_table(path, contract()))
        fixed = spent(lambda: check_table(small, contract()))
        peers = by_peers(path, small)
    row = dict.fromkeys(names("x"), 1.0) | dict.fromkeys(names("n"), 5)
    row |= dict.fromkeys(names("t"), SHOPS[0])
    check = compile_row(contract(), inputs=row.keys())
    a_row = spent(lambda: [check(row) for _ in range(10_000)])
    print(f"{ROWS:,} rows × 20 columns, {len(conditions())} checks about rows")
    print(f"written by hand   {by_hand.cpu:6.2f} CPU s  {by_hand.wall:6.2f} s")
    print(f"the contract      {ours.cpu:6.2f} CPU s  {ours.wall:6.2f} s")
    print(f"of one row table  {fixed.cpu:6.2f} CPU s  {fixed.wall:6.2f} s")
    print(f"one request       {a_row.cpu * 100:6.2f} µs")
    for tool, (whole, one) in peers.items():
        print(
            f"{tool:<18}{whole['cpu']:6.2f} CPU s  {whole['wall']:6.2f} s  "
            f"{whole['cpu'] / ours.cpu:4.1f} × ours, {whole['wall'] / ours.wall:4.1f} × in wall; "
            f"{whole['checks']} checks, {whole['failed']} failed, {whole['memory_mb']:,.0f} MB; "
            f"of one row {one['wall']:.2f} s"
        )
    ratio = ours.cpu / by_hand.cpu
    met = ratio <= MOST_RATIO and fixed.cpu < MOST_FIXED
    print(f"ratio {ratio:.2f} (goal ≤ {MOST_RATIO}): {'met' if met else 'missed'}")
    raise SystemExit(0 if met else 1)


def spent(work: Callable[[], object]) -> Spent:
    """Return the median of three."""
    found = []
    for _ in range(3):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append(Spent(time.process_time() - cpu, time.perf_counter() - wall))
    return Spent(statistics.median(f.cpu for f in found), statistics.median(f.wall for f in found))


def by_peers(path: Path, small: Path) -> dict[str, tuple[dict[str, float], dict[str, float]]]:
    """Return what each peer spent on the file and on one row, each in a process of its own."""
    python = PEERS / "checks" / "bin" / "python"
    if not python.exists():
        print("peers are left out: ./run bench makes .peers/checks")
        return {}
    script = str(Path(__file__).with_name("checks_by_peers.py"))

    def asked(tool: str, file: Path, runs: int) -> dict[str, float]:
        command = [str(python), script, tool, str(file), str(runs)]
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        found: dict[str, float] = json.loads(said.stdout.splitlines()[-1])
        return found

    return {tool: (asked(tool, path, runs), asked(tool, small, 1)) for tool, runs in RUNS.items()}


def write(path: Path, *, rows: int) -> None:
    """Write the table in DuckDB's own Parquet, its rows without order."""
    columns = ["range AS id"]
    columns += [f"random() * 100 AS {n}" for n in names("x")]
    columns += [f"(random() * 1000)::INT AS {n}" for n in names("n")]
    columns += [f"'shop' || (random() * 19.4)::INT AS {n}" for n in names("t")]
    duckdb.sql(
        f"COPY (SELECT setseed(0.5) IS NULL AS seeded, {', '.join(columns)} FROM range({rows})) "  # noqa: S608
        f"TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
    )
    file = pq.ParquetFile(path)
    assert file.schema_arrow.field("x0").type == pa.float64()


def names(letter: str) -> list[str]:
    """Return the columns of a kind."""
    count = {"x": NUMBERS, "n": WHOLES, "t": TEXTS}[letter]
    return [f"{letter}{i}" for i in range(count)]


def conditions() -> list[str]:
    """Return what a person would count."""
    shops = ", ".join(f"'{s}'" for s in SHOPS)
    found = [f"{n} IS NULL OR isnan({n})" for n in names("x")[:6]]
    found += [f"{n} < 0 OR {n} > 99.9999" for n in names("x")]
    found += [f"{n} NOT BETWEEN 0 AND 999" for n in names("n")]
    found += [f"{n} NOT IN ({shops})" for n in names("t")]
    found += [f"NOT regexp_full_match({n}, 'shop[0-9]+')" for n in names("t")]
    return [*found, "x0 > x1 + 99", "abs(n0 - n1) > 999"]


def hand_written(path: Path) -> str:
    """Return one query that counts them."""
    counts = ", ".join(f"count(*) FILTER ({c})" for c in conditions())
    return f"SELECT count(*), {counts} FROM read_parquet('{path}')"  # noqa: S608


def contract() -> ContractBody:
    """Return the same claims; types and the nulls of every column come on top."""
    rules = [ColumnRule(name="seeded", type="boolean"), ColumnRule(name="id", type="integer")]
    rules += [ColumnRule(name=n, type="number", low=0, high=99.9999) for n in names("x")]
    rules += [ColumnRule(name=n, type="integer", low=0, high=999) for n in names("n")]
    rules += [
        ColumnRule(name=n, type="text", categories=SHOPS, pattern="shop[0-9]+") for n in names("t")
    ]
    relations = (
        RelationRule(name="near", claim="x0 <= x1 + 99"),
        RelationRule(name="apart", claim="n0 = n1", tolerance=999),
    )
    return ContractBody(columns=tuple(rules), relations=relations)


if __name__ == "__main__":
    main()
