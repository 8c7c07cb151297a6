"""Searching and looking at many runs, of 20 params, 20 metrics and 10 tags each.

`./run bench search` does everything on SQLite, with 10,000 runs and with 100,000; `--postgres` too
on PostgreSQL, `--runs N` with as many as that. Three things are told apart: what the server takes
(a bare connection), what the unmodified MLflow client makes of it, and what that client takes for
the same answers when they are canned, which no server can be below. Then the runs page in
Chromium, and `treadle runs --where` from start to end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asking import Bare, searches
from mlflow_servers import Server, environment, free_port, healthy, postgres, treadle
from seeding import seed_ours

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
CLIENT = HERE / "mlflow_client"
MANY, FEWER = 100_000, 10_000
SEARCHES, COMMANDS = 5, 3
COMPARED = 50
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
WHERE = "metrics.m3 > 0.5 and tags.t2 LIKE '%7%'"


@contextlib.contextmanager
def canned(server: Server) -> Iterator[str]:
    """A copy of a server that answers from memory what it has been asked once."""
    port, target = free_port(), server.address.rpartition(":")[2]
    copy = subprocess.Popen([sys.executable, str(CLIENT / "replay.py"), str(port), target])
    try:
        deadline = time.monotonic() + 60
        while not healthy(port):
            assert time.monotonic() < deadline, "The canned copy does not answer."
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        copy.terminate()
        copy.wait()


def at_the_server(server: Server, *, runs: int) -> None:
    heads = f"{'p50, ms':>24}{'p95, ms':>10}{'cpu, ms':>10}{'kB':>8}"
    print(f"\nThe server alone, {runs:,} runs{heads}")
    bare = Bare(server)
    found = searches(bare, runs=runs)
    page = bare.once("/api/2.0/mlflow/runs/search", {"experiment_ids": ["f" * 32]})
    ids = [run["info"]["run_id"] for run in json.loads(page)["runs"][:COMPARED]]
    for name, path in (
        ("the runs page", "/runs"),
        ("the runs page, filtered", "/runs?filter=metrics.m3+%3E+0.5"),
        ("its facets", "/runs/facets"),
        (f"the comparison of {COMPARED}", "/compare?runs=" + ",".join(ids)),
    ):
        found[name] = bare.ask(path)
    for name, asked in found.items():
        told = f"{asked.ms():>10.1f}{asked.ms(0.95):>10.1f}{asked.cpu_ms:>10.1f}"
        print(f"{name:<46}{told}{asked.size / 1000:>8.0f}", flush=True)


def through_the_client(peer: Path, server: Server, *, runs: int, rounds: int) -> None:
    alone = searches(Bare(server), runs=runs)
    times: dict[str, dict[str, list[float]]] = {}
    with canned(server) as copy:
        _search(peer, copy)
        for _ in range(rounds):
            for who, address in (("canned", copy), ("ours", server.address)):
                found = _search(peer, address)
                for name, seconds in found["times"].items():
                    times.setdefault(name, {}).setdefault(who, []).extend(seconds)
                for name, seconds in found["cpu"].items():
                    times[name].setdefault("cpu", []).extend(seconds)
    heads = f"{'its cpu':>10}{'canned':>10}{'ours':>10}{'above':>10}{'server':>10}"
    print(f"\nThe MLflow client, {runs:,} runs, p50, ms{'':<8}{heads}")
    for name, by in times.items():
        cpu, floor, ours = (statistics.median(by[who]) * 1000 for who in ("cpu", "canned", "ours"))
        told = f"{cpu:>10.1f}{floor:>10.1f}{ours:>10.1f}{ours - floor:>10.1f}"
        print(f"{name:<46}{told}{alone[name].ms():>10.1f}", flush=True)


def _search(peer: Path, address: str) -> dict[str, dict[str, list[float]]]:
    command = [str(peer), str(CLIENT / "load.py"), address, "search", str(SEARCHES)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"The client at {address} failed:\n{done.stderr[-3000:]}")
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def in_the_browser(server: Server, *, runs: int, rounds: int) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only who looks at pages pays

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        rows, sizes = [], []
        for _ in range(rounds):
            # A context of its own each time: nothing is in its cache.
            with browser.new_context() as context:
                row, size = _first_row(context.new_page(), f"{server.address}/runs")
            rows.append(row)
            sizes.append(size)
        browser.close()
    first, size = statistics.median(rows), statistics.median(sizes)
    print(f"\nThe runs page in Chromium, {runs:,} runs, nothing cached")
    print(
        f"its first row on screen after {first:,.0f} ms; {size / 1000:,.0f} kB in all", flush=True
    )


def _first_row(page: Any, address: str) -> tuple[float, float]:
    """Return after how many ms the first row is on screen, and how many bytes came until idle."""
    received: list[float] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator("#selection tbody tr").first.wait_for(state="visible")
    shown = (time.perf_counter() - begun) * 1000
    page.wait_for_load_state("load")
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    return shown, sum(received)


def by_the_command(url: str, home: Path, *, runs: int) -> None:
    command = [str(Path(sys.executable).with_name("treadle")), "--home", str(home), "runs"]
    times = []
    for _ in range(COMMANDS):
        begun = time.perf_counter()
        extra = environment({"TREADLE_METADATA_URL": url})
        subprocess.run(
            [*command, "--where", WHERE], check=True, capture_output=True, env=extra, timeout=120
        )
        times.append(time.perf_counter() - begun)
    print(f"\ntreadle runs --where, {runs:,} runs: {statistics.median(times):.2f} s", flush=True)


def bench(peer: Path, *, dialect: str, runs: int, rounds: int) -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="treadle-search-")))
        folder.chmod(0o755)
        if dialect == "postgresql":
            url = stack.enter_context(postgres(folder))()
        else:
            url = f"sqlite:///{folder / 'runs.db'}"
        seed_ours(url, runs)
        print(f"\n{dialect}, {runs:,} runs, load {os.getloadavg()[0]:.1f}")
        home = folder / "home"
        with treadle(url, folder=home) as server:
            at_the_server(server, runs=runs)
            if runs == FEWER:
                through_the_client(peer, server, runs=runs, rounds=rounds)
            if Path(CHROMIUM).exists():
                in_the_browser(server, runs=runs, rounds=rounds)
        by_the_command(url, home, runs=runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--only-postgres", action="store_true")
    asked = parser.parse_args()
    root = Path(os.environ.get("TREADLE_PEERS", Path(__file__).parents[1] / ".peers"))
    peer = root / "mlflow-new" / "bin" / "python"
    if not peer.exists():
        sys.exit(f"No MLflow at {peer}: ./run test makes that environment.")
    dialects = [] if asked.only_postgres else ["sqlite"]
    dialects += ["postgresql"] if asked.postgres or asked.only_postgres else []
    for dialect in dialects:
        for runs in asked.runs or [FEWER, MANY]:
            bench(peer, dialect=dialect, runs=runs, rounds=asked.rounds)


if __name__ == "__main__":
    main()
