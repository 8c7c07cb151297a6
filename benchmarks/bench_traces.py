"""Traces of the unmodified MLflow client: its own server and Treadle, side by side.

`./run bench traces`: on SQLite, the genuine server with one worker, the rounds alternate. Measured
are a call of ten spans that waits until its trace is stored, traces a second of one process with
the client's own queue, and two searches among 10,000 traces. `--rounds N` changes the three rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mlflow_servers import genuine, treadle

from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.tracing.entities import Trace

HERE = Path(__file__).parent
CLIENT = HERE / "mlflow_client" / "traces.py"
PEER = HERE.parent / ".peers" / "mlflow-new" / "bin" / "python"
SEEDED, CALLS, MANY, SEARCHES = 10_000, 60, 150, 15
WORKS = (("call", CALLS), ("many", MANY), ("search", SEARCHES))


def ask(peer: Path, where: str, work: str, count: int) -> dict[str, Any]:
    """Have one client do some work; what it measured."""
    command = [str(peer), str(CLIENT), where, work, str(count)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
    if done.returncode:
        sys.exit(f"{work} at {where} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def seed_ours(home: Path, url: str) -> None:
    """Fill our database with the traces that the genuine one has."""
    home.mkdir()
    with App(Settings(home=home, metadata_url=url)) as app, app.store.write():
        experiment = app.tracking.create_experiment("seeded").id
        for number in range(SEEDED):
            app.tracing.log_trace(
                Trace(
                    id=f"tr-{number:032x}",
                    experiment_id=experiment,
                    name="seeded",
                    status="ok" if number % 10 else "error",
                    started_at=(1_700_000_000_000 + number) * 1000,
                    duration_us=number % 1000 * 1000,
                    request_preview=f"question {number}",
                    response_preview=f"answer {number}",
                    finalized=True,
                    tags={f"t{n}": str(number % 7) for n in range(5)},
                    metadata={f"m{n}": str(number) for n in range(5)},
                )
            )


def medians(found: dict[str, Any]) -> dict[str, float]:
    """Return what a round measured: milliseconds, and traces a second."""
    return {
        "call": statistics.median(found["call"]["times"]) * 1000,
        "many": MANY / found["many"]["seconds"],
        "newest": statistics.median(found["search"]["newest"]) * 1000,
        "tag": statistics.median(found["search"]["tag"]) * 1000,
    }


def main() -> None:
    """Measure both in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=Path, default=PEER, help="Python of a genuine MLflow")
    asked = parser.parse_args()
    rounds: dict[str, list[dict[str, float]]] = {"genuine": [], "ours": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        theirs, ours = f"sqlite:///{folder}/mlflow.db", f"sqlite:///{folder}/treadle.db"
        ask(asked.peer, theirs, "seed", SEEDED)
        seed_ours(folder / "home", ours)
        with (
            genuine(asked.peer, theirs, folder=folder, workers=1) as one,
            treadle(ours, folder=folder / "home") as other,
        ):
            for _ in range(asked.rounds):
                for who, server in (("genuine", one), ("ours", other)):
                    found = {work: ask(asked.peer, server.address, work, n) for work, n in WORKS}
                    rounds[who].append(medians(found))
                    print(who, json.dumps(rounds[who][-1]), file=sys.stderr)
    _print(rounds)


def _print(rounds: dict[str, list[dict[str, float]]]) -> None:
    rows = (
        ("call", "a call of 10 spans, stored when it returns, p50 (ms)"),
        ("many", "traces of 10 spans a second, one process"),
        ("newest", f"newest 100 of {SEEDED:,} traces, p50 (ms)"),
        ("tag", f"100 of {SEEDED:,} traces by a tag, p50 (ms)"),
    )
    print("| traces, SQLite | MLflow | Treadle | ratio |\n|---|---|---|---|")
    for key, label in rows:
        theirs, ours = (
            statistics.median(each[key] for each in rounds[who]) for who in ("genuine", "ours")
        )
        ratio = ours / theirs if key == "many" else theirs / ours
        print(f"| {label} | {theirs:,.1f} | {ours:,.1f} | {ratio:.1f} × |")


if __name__ == "__main__":
    main()
