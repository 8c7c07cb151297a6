"""Work of one unmodified MLflow client; run by the Python of an environment that has mlflow.

`load.py ADDRESS WORK [NUMBER]` prints one line of JSON. Nothing here knows whose server answers.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time

os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"  # an error is to be seen, not tried again

from mlflow import MlflowClient
from mlflow.entities import Metric
from queries import QUERIES

POINTS = 1_000


def metric(client: MlflowClient, calls: int) -> dict:
    """Log single points; each call's seconds."""
    run = client.create_run("0").info.run_id
    times = []
    for step in range(calls):
        begun = time.perf_counter()
        client.log_metric(run, "loss", 1 / (step + 1), step=step)
        times.append(time.perf_counter() - begun)
    return {"times": times}


def batch(client: MlflowClient, calls: int) -> dict:
    """Log batches of 1,000 points; the seconds of all."""
    run = client.create_run("0").info.run_id
    now = int(time.time() * 1000)
    batches = [
        [Metric(f"m{i % 10}", i / 7, now, call * POINTS + i) for i in range(POINTS)]
        for call in range(calls)
    ]
    begun = time.perf_counter()
    for points in batches:
        client.log_batch(run, metrics=points)
    return {"seconds": time.perf_counter() - begun, "points": calls * POINTS}


def runs(client: MlflowClient, count: int) -> dict:
    """Create runs and end them; the seconds of all."""
    begun = time.perf_counter()
    for _ in range(count):
        client.set_terminated(client.create_run("0").info.run_id)
    return {"seconds": time.perf_counter() - begun, "runs": count}


def history(client: MlflowClient, points: int) -> dict:
    """Write the points of one metric, then read them back; the seconds of reading."""
    run = client.create_run("0").info.run_id
    now = int(time.time() * 1000)
    for first in range(0, points, POINTS):
        steps = range(first, first + POINTS)
        client.log_batch(run, metrics=[Metric("loss", 1 / (s + 1), now + s, s) for s in steps])
    begun = time.perf_counter()
    found = client.get_metric_history(run, "loss")
    seconds = time.perf_counter() - begun
    assert len(found) == points, f"{len(found)} of {points} points came back"
    return {"seconds": seconds}


def search(client: MlflowClient, times: int) -> dict:
    """Ask the seeded experiment for pages of 100 runs; the seconds of each question, and of CPU."""
    where = [client.get_experiment_by_name("seeded").experiment_id]
    took: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}

    def ask(name: str, **query) -> None:
        for _ in range(times):
            begun, spent = time.perf_counter(), time.process_time()
            page = client.search_runs(where, max_results=100, **query)
            took.setdefault(name, []).append(time.perf_counter() - begun)
            cpu.setdefault(name, []).append(time.process_time() - spent)
            assert len(page) == 100, f"{name}: {len(page)} runs"

    for name, query in QUERIES.items():
        ask(name, **query)
    token = None
    for _ in range(20):
        token = client.search_runs(where, max_results=400, page_token=token).token
    ask("page after 8,000 runs", page_token=token)
    return {"times": took, "cpu": cpu}


def many(address: str, seconds: int) -> dict:
    """Eight processes log single points at once; calls, errors, and every point counted.

    Of several addresses, with commas between, each process takes one in turn.
    """
    addresses = address.split(",")
    client = MlflowClient(addresses[0])
    ids = [client.create_run("0").info.run_id for _ in range(8)]
    work = [(addresses[i % len(addresses)], run, seconds) for i, run in enumerate(ids)]
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        parts = pool.starmap(_one_of_many, work)
    stored = sum(len(client.get_metric_history(run, "loss")) for run in ids)
    times = [t for part in parts for t in part["times"]]
    errors = [e for part in parts for e in part["errors"]]
    return {
        "times": times,
        "errors": errors[:3],
        "failed": len(errors),
        "stored": stored,
        "seconds": max(part["seconds"] for part in parts),
    }


def _one_of_many(address: str, run: str, seconds: int) -> dict:
    client = MlflowClient(address)
    client.log_metric(run, "ready", 1.0)
    times, errors, step = [], [], 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        try:
            client.log_metric(run, "loss", 0.5, step=step)
            times.append(time.perf_counter() - begun)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            errors.append(str(error)[:200])
        step += 1
    return {"times": times, "errors": errors, "seconds": time.perf_counter() - started}


def main() -> None:
    address, work, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if work == "many":
        result = many(address, number)
    else:
        result = globals()[work](MlflowClient(address), number)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
