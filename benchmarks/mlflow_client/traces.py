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
from mlflow.store.tracking.dbmodels import models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

SPANS = 10


def seed(url: str, count: int) -> dict[str, float]:
    """Fill a genuine server's database with the rows that its store would write, in one commit."""
    store = SqlAlchemyStore(url, str(Path(url.removeprefix("sqlite:///")).parent / "files"))
    experiment = int(store.create_experiment("seeded"))
    with store.ManagedSessionMaker(read_only=False) as session:
        session.add_all(row for number in range(count) for row in _rows(experiment, number))
    return {"count": count}


def _rows(experiment: int, number: int):
    trace_id = f"tr-{number:032x}"
    yield models.SqlTraceInfo(
        request_id=trace_id,
        experiment_id=experiment,
        timestamp_ms=1_700_000_000_000 + number,
        execution_time_ms=number % 1000,
        status="OK" if number % 10 else "ERROR",
        request_preview=f"question {number}",
        response_preview=f"answer {number}",
        trace_name="seeded",
    )
    for n in range(5):
        yield models.SqlTraceTag(request_id=trace_id, key=f"t{n}", value=str(number % 7))
        yield models.SqlTraceMetadata(request_id=trace_id, key=f"m{n}", value=str(number))


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
