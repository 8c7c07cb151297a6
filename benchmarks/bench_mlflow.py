"""The unmodified MLflow client against its own server and against Treadle, side by side.

`./run bench mlflow` does everything on SQLite; `--postgres` too on PostgreSQL, `--minute` adds
eight processes logging for a whole minute, `--rounds N` changes the five rounds. The rounds
alternate between the servers; the limits (a bare answer through the same client, one durable
commit) are taken in the same run. The genuine server is measured with one worker for latency and
with its default workers for throughput and search, whichever is better for it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from asking import Bare, searches
from mlflow_servers import genuine, memory_mb, postgres, treadle
from seeding import seed_ours

from treadle import connect
from treadle.tracking.entities import MetricPoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow_servers import Server

HERE = Path(__file__).parent / "mlflow_client"
CALLS, BATCHES, RUNS, HISTORY, SEARCHES, MANY_S = 300, 30, 60, 100_000, 5, 10
MILLION = 1_000_000
SEEDED = 10_000


def load(
    peer: Path, address: str, work: str, told: object, *, program: Path = HERE / "load.py"
) -> dict[str, Any]:
    """Have one client do some work; what it measured."""
    command = [str(peer), str(program), address, work, str(told)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{work} at {address} failed:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def ms(times: list[float], share: float = 0.5) -> float:
    """Return a quantile of some seconds in milliseconds."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def commit_ms(folder: Path) -> float:
    """Return what one durable commit costs here: SQLite, WAL, a sync each."""
    with contextlib.closing(sqlite3.connect(folder / "commit.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("DROP TABLE IF EXISTS t")
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b REAL)")
        times = []
        for i in range(200):
            begun = time.perf_counter()
            db.execute("INSERT INTO t VALUES (?, ?)", (i, 0.5))
            times.append(time.perf_counter() - begun)
    return ms(times)


@contextlib.contextmanager
def bare() -> Iterator[str]:
    """A server that answers every request with the least the client takes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = HERE / "bare.py"
    server = subprocess.Popen([sys.executable, str(code), str(port)])
    try:
        _wait(port, "/")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _wait(port: int, path: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.01)
    sys.exit(f"Nothing answers on port {port}.")


def chart_ms(home: Path) -> float:
    """Return what the chart of a metric of a million points takes in the service, in ms."""
    with connect(home) as client:
        run = client.tracking.start_run(experiment="Default")
        for first in range(0, MILLION, 10_000):
            client.tracking.log_points(
                run.id,
                [
                    MetricPoint(key="loss", value=1 / (s + 1), step=s, at=s)
                    for s in range(first, first + 10_000)
                ],
            )
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            msgspec.json.encode(client.tracking.chart([run.id], "loss", points=1000))
            times.append(time.perf_counter() - begun)
    return ms(times)


class Table:
    """What was measured, by line and server; printed with the ratio."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, list[float]]] = {}
        self._more_is_better: set[str] = set()

    def add(self, line: str, server: str, value: float, *, more_is_better: bool = False) -> None:
        self._lines.setdefault(line, {}).setdefault(server, []).append(value)
        print(f"  {server}: {line}: {value:,.1f}", file=sys.stderr, flush=True)
        if more_is_better:
            self._more_is_better.add(line)

    def show(self, title: str) -> None:
        print(f"\n{title}\n{'':<46}{'genuine':>12}{'Treadle':>12}{'ratio':>10}")
        for line, servers in self._lines.items():
            middle = {name: statistics.median(values) for name, values in servers.items()}
            told = "".join(f"{middle.get(n, float('nan')):>12,.1f}" for n in ("genuine", "Treadle"))
            ratio = ""
            if len(middle) == 2 and all(middle.values()):
                a, b = middle["genuine"], middle["Treadle"]
                ratio = f"{(b / a if line in self._more_is_better else a / b):>8.1f} ×"
            print(f"{line:<46}{told}{ratio:>10}", flush=True)


def measure_latency(table: Table, server: str, peer: Path, address: str) -> None:
    times = load(peer, address, "metric", CALLS)["times"]
    table.add("log_metric p50, ms", server, ms(times))
    table.add("log_metric p99, ms", server, ms(times, 0.99))


def measure_bulk(table: Table, server: str, peer: Path, address: str) -> None:
    done = load(peer, address, "batch", BATCHES)
    table.add(
        "log_batch of 1,000, points/s",
        server,
        done["points"] / done["seconds"],
        more_is_better=True,
    )
    done = load(peer, address, "runs", RUNS)
    table.add(
        "runs created and ended, a second",
        server,
        done["runs"] / done["seconds"],
        more_is_better=True,
    )


def measure_many(
    table: Table, server: str, peer: Path, address: str, seconds: int, *, of: str = ""
) -> None:
    done = load(peer, address, "many", seconds)
    lost = len(done["times"]) - done["stored"]
    table.add(
        f"{of}8 processes, {seconds} s: calls/s",
        server,
        len(done["times"]) / done["seconds"],
        more_is_better=True,
    )
    table.add(f"{of}8 processes, {seconds} s: p99, ms", server, ms(done["times"], 0.99))
    table.add(f"{of}8 processes, {seconds} s: failed calls", server, done["failed"])
    table.add(f"{of}8 processes, {seconds} s: lost points", server, max(lost, 0))


def measure_reading(table: Table, name: str, peer: Path, server: Server) -> None:
    for asked, times in load(peer, server.address, "search", SEARCHES)["times"].items():
        table.add(f"{SEEDED:,} runs, {asked}: p50, ms", name, ms(times))
    for asked, answers in searches(Bare(server), runs=SEEDED).items():
        table.add(f"the server alone, {asked}: p50, ms", name, answers.ms())


def bench(peer_python: Path, *, rounds: int, dialect: str, minute: bool) -> None:
    table = Table()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treadle-bench-")))
        folder.chmod(0o755)
        if dialect == "postgresql":
            databases = stack.enter_context(postgres(folder))
            theirs, their_seeded, ours, our_seeded = (databases() for _ in range(4))
        else:
            theirs, their_seeded = (f"sqlite:///{folder / n}.db" for n in ("theirs", "seeded"))
            ours, our_seeded = (f"sqlite:///{folder / n}.db" for n in ("ours", "our-seeded"))
        command = [
            str(peer_python),
            str(HERE / "seed.py"),
            their_seeded.replace("postgresql:", "postgresql+psycopg:"),
            str(SEEDED),
        ]
        subprocess.run(command, check=True, capture_output=True, cwd=HERE)
        seed_ours(our_seeded, SEEDED)

        with genuine(peer_python, theirs, folder=folder, workers=1) as one:
            table.add("cold start to the first 200, s", "genuine", one.started_s)
            table.add("idle memory, MB", "genuine", memory_mb(one.pid))
            with treadle(ours, folder=folder / "home") as own:
                table.add("cold start to the first 200, s", "Treadle", own.started_s)
                table.add("idle memory, MB", "Treadle", memory_mb(own.pid))
                with bare() as nothing:
                    for _ in range(rounds):
                        bare_ms = ms(load(peer_python, nothing, "metric", CALLS)["times"])
                        table.add("a bare answer, p50 ms", "Treadle", bare_ms)
                        table.add("one durable commit, ms", "Treadle", commit_ms(folder))
                        measure_latency(table, "genuine", peer_python, one.address)
                        measure_latency(table, "Treadle", peer_python, own.address)
        with (
            genuine(peer_python, theirs, folder=folder, workers=4) as four,
            treadle(ours, folder=folder / "home") as own,
        ):
            for _ in range(rounds):
                measure_bulk(table, "genuine", peer_python, four.address)
                measure_bulk(table, "Treadle", peer_python, own.address)
            for _ in range(max(1, rounds // 2)):
                measure_many(table, "genuine", peer_python, four.address, MANY_S)
                measure_many(table, "Treadle", peer_python, own.address, MANY_S)
            if minute:
                measure_many(table, "Treadle", peer_python, own.address, 60)
            if dialect == "postgresql":
                # Two control processes on one database, each with a home of its own.
                with treadle(ours, folder=folder / "second") as second:
                    both = f"{own.address},{second.address}"
                    measure_many(
                        table,
                        "Treadle",
                        peer_python,
                        both,
                        60 if minute else MANY_S,
                        of="2 servers, ",
                    )
            for server, address in (("genuine", four.address), ("Treadle", own.address)):
                done = load(peer_python, address, "history", HISTORY)
                table.add("history of 100,000 points, s", server, done["seconds"])
            table.add("memory after all that, MB", "genuine", memory_mb(four.pid))
            table.add("memory after all that, MB", "Treadle", memory_mb(own.pid))
        with (
            genuine(peer_python, their_seeded, folder=folder, workers=1) as four,
            treadle(our_seeded, folder=folder / "home") as own,
        ):
            for _ in range(rounds):
                measure_reading(table, "genuine", peer_python, four)
                measure_reading(table, "Treadle", peer_python, own)
        os.environ["TREADLE_METADATA_URL"] = ours
        table.add("chart of 1,000,000 points, ms", "Treadle", chart_ms(folder / "home"))
        del os.environ["TREADLE_METADATA_URL"]
        table.show(f"{dialect}, {rounds} rounds, load {os.getloadavg()[0]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--only-postgres", action="store_true")
    parser.add_argument("--minute", action="store_true")
    asked = parser.parse_args()
    root = Path(os.environ.get("TREADLE_PEERS", Path(__file__).parents[1] / ".peers"))
    peer_python = root / "mlflow-new" / "bin" / "python"
    if not peer_python.exists():
        sys.exit(f"No MLflow at {peer_python}: ./run test makes that environment.")
    if not asked.only_postgres:
        bench(peer_python, rounds=asked.rounds, dialect="sqlite", minute=asked.minute)
    if asked.postgres or asked.only_postgres:
        bench(peer_python, rounds=asked.rounds, dialect="postgresql", minute=asked.minute)


if __name__ == "__main__":
    main()
