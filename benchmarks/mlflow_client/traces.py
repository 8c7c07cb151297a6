"""What one client of MLflow does with traces: `traces.py ADDRESS WORK COUNT`; prints seconds.

Runs in the Python of a genuine MLflow: `seed` fills its database, everything else asks a server.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import mlflow
from mlflow.entities import TraceInfo, TraceLocation, TraceState
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

SPANS = 10


def seed(url: str, count: int) -> dict[str, float]:
    """Fill a genuine server's database by its own store, which saves the way over HTTP."""
    store = SqlAlchemyStore(url, str(Path(url.removeprefix("sqlite:///")).parent / "files"))
    experiment = store.create_experiment("seeded")
    for number in range(count):
        store.start_trace(
            TraceInfo(
                trace_id=f"tr-{number:032x}",
                trace_location=TraceLocation.from_experiment_id(experiment),
                request_time=1_700_000_000_000 + number,
                execution_duration=number % 1000,
                state=TraceState.OK if number % 10 else TraceState.ERROR,
                request_preview=f"question {number}",
                response_preview=f"answer {number}",
                trace_metadata={f"m{n}": str(number) for n in range(5)},
                tags={"mlflow.traceName": "seeded", **{f"t{n}": str(number % 7) for n in range(5)}},
            )
        )
    return {"count": count}


def call(address: str, count: int) -> dict[str, list[float]]:
    """Call a function of ten spans; each call waits until its trace is stored."""
    traced = _traced(address)
    times = []
    for number in range(count):
        begun = time.perf_counter()
        traced(number)
        times.append(time.perf_counter() - begun)
    return {"times": times}


def many(address: str, count: int) -> dict[str, float]:
    """Call it as fast as it goes, with the client's own queue, until all are stored."""
    traced = _traced(address)
    begun = time.perf_counter()
    for number in range(count):
        traced(number)
    mlflow.flush_trace_async_logging()
    return {"seconds": time.perf_counter() - begun}


def search(address: str, count: int) -> dict[str, list[float]]:
    """Ask for the newest hundred, then for those of a tag, as often as is said."""
    client = mlflow.MlflowClient(tracking_uri=address)
    (experiment,) = client.search_experiments(filter_string="name = 'seeded'")
    found: dict[str, list[float]] = {}
    for name, where in (("newest", None), ("tag", "tags.t0 = '3'")):
        for _ in range(count):
            begun = time.perf_counter()
            traces = client.search_traces(
                [experiment.experiment_id], filter_string=where, max_results=100,
                include_spans=False,
            )  # fmt: skip
            found.setdefault(name, []).append(time.perf_counter() - begun)
            assert len(traces) == 100
    return found


def _traced(address):
    mlflow.set_tracking_uri(address)
    mlflow.set_experiment("calls")

    def outer(number):
        for step in range(SPANS - 1):
            with mlflow.start_span(f"step {step}", span_type="TOOL") as span:
                span.set_inputs({"number": number})
                span.set_outputs(number + step)
        return number

    traced = mlflow.trace(outer)
    traced(0)
    mlflow.flush_trace_async_logging()
    return traced


if __name__ == "__main__":
    where, work, how_many = sys.argv[1], sys.argv[2], int(sys.argv[3])
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false" if work == "call" else "true"
    print(
        json.dumps(
            {"seed": seed, "call": call, "many": many, "search": search}[work](where, how_many)
        )
    )
