"""Predict over HTTP: our endpoint beside the same estimator behind bare frameworks, and MLflow.

`./run bench predict`: a scaled logistic regression of 20 numbers, asked for 1 and 100 rows a
request over one and eight kept-alive connections. Ours runs with the contract off and in `warn`
(40 claims), and has each answer on disk before it is given; nobody else logs anything. Measured
are requests a second, p50, p99, and the CPU of the server's processes a request, which other work
on the machine moves least. MLflow's scoring server and FastAPI come from `.peers/mlflow-new`, the
same versions of scikit-learn and NumPy; where that is not there they are left out. Contestants
take turns; each number is the median of `--rounds`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pickle
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
from mlflow_servers import cpu_s, free_port, running
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from treadle.app import App
from treadle.data.contracts import ColumnRule, ContractBody
from treadle.kernel.settings import Settings
from treadle.server.inference.process import InferenceProcess
from treadle.serving.entities import Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


COLUMNS = tuple(f"x{n}" for n in range(20))
ROWS, CONNECTIONS = (1, 100), (1, 8)
SECONDS, WARM = 2.0, 50
PEERS = Path(os.environ.get("TREADLE_PEERS", Path(__file__).parents[1] / ".peers"))
MLFLOW = PEERS / "mlflow-new" / "bin" / "python"
SCRIPT = Path(__file__).with_name("predict_peers.py")


class Target(NamedTuple):
    """Whom to ask: where, which process, and what a request of so many rows looks like."""

    url: str
    pid: int
    body: Callable[[int], bytes]


class Found(NamedTuple):
    """What one contestant did in one setting."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def main() -> None:
    """Measure all in turns and print a table for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    found: dict[tuple[int, int], dict[str, list[Found]]] = {}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        targets = started(Path(name), stack)
        for _ in range(asked.rounds):
            for rows in ROWS:
                for connections in CONNECTIONS:
                    for who, target in targets.items():
                        one = load(target, rows, connections, seconds=asked.seconds)
                        place = found.setdefault((rows, connections), {})
                        place.setdefault(who, []).append(one)
                        print(rows, connections, who, one, file=sys.stderr)
    load1 = os.getloadavg()[0]
    print(f"load of the machine at the end: {load1:.1f}; the client is one of its processes")
    for (rows, connections), by in found.items():
        tell(rows, connections, by)


def tell(rows: int, connections: int, by: dict[str, list[Found]]) -> None:
    """Print one setting; ratios are of CPU a request, theirs through ours in `warn`."""
    print(f"\n{rows} rows a request, {connections} connections")
    print("| | requests a second | p50 | p99 | CPU a request | of ours in warn |")
    print("|---|---|---|---|---|---|")
    ours = statistics.median(f.cpu_ms for f in by["Treadle, warn"])
    for who, all_found in by.items():
        median = Found(*(statistics.median(each) for each in zip(*all_found, strict=True)))
        print(
            f"| {who} | {median.rate:,.0f} | {median.p50_ms:.2f} ms | {median.p99_ms:.2f} ms "
            f"| {median.cpu_ms:.2f} ms | {median.cpu_ms / ours:.2f} × |"
        )


def started(folder: Path, stack: contextlib.ExitStack) -> dict[str, Target]:
    """Start every contestant with the same estimator."""
    model, frame = fitted()
    targets = {
        f"Treadle, {mode}": stack.enter_context(ours(folder / mode, model, mode))
        for mode in ("off", "warn")
    }
    (folder / "model.pickle").write_bytes(pickle.dumps(model))
    targets["Starlette"] = stack.enter_context(bare("starlette", Path(sys.executable), folder))
    if MLFLOW.exists():
        targets["FastAPI"] = stack.enter_context(bare("fastapi", MLFLOW, folder))
        targets["MLflow"] = stack.enter_context(mlflow(model, frame, folder))
    else:
        print("MLflow and FastAPI are left out: ./run bench makes .peers/mlflow-new")
    return targets


def fitted() -> tuple[object, pd.DataFrame]:
    """Return the estimator, fitted on a frame, and some of that frame."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame(random.uniform(0, 1, (5_000, len(COLUMNS))), columns=list(COLUMNS))
    late = frame["x0"] + frame["x1"] * random.normal(1, 0.3, len(frame)) > 1
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, late)
    return model, frame.head(5)


def open_inference(rows: int) -> bytes:
    """Return a request of Open Inference V2."""
    inputs = [
        {"name": n, "shape": [rows], "datatype": "FP64", "data": [0.25 + i / 100] * rows}
        for i, n in enumerate(COLUMNS)
    ]
    return json.dumps({"inputs": inputs}).encode()


def dataframe_split(rows: int) -> bytes:
    """Return the same for MLflow's scoring server."""
    row = [0.25 + i / 100 for i in range(len(COLUMNS))]
    return json.dumps({"dataframe_split": {"columns": COLUMNS, "data": [row] * rows}}).encode()


@contextlib.contextmanager
def ours(home: Path, model: object, mode: str) -> Iterator[Target]:
    """Our inference process, its model made from a dataset whose contract makes 40 claims."""
    example = pa.table({name: [0.5, 0.25] for name in COLUMNS})
    rules = [ColumnRule(name=n, type="number", low=0, high=1) for n in COLUMNS]
    with App(Settings(home=home)) as app:
        version = app.data.commit("rows", example)
        app.data.set_contract("rows", ContractBody(columns=tuple(rules)))
        run = app.tracking.start_run(experiment="bench")
        app.tracking.log_input(run.id, kind="dataset", ref=version.ref, digest=version.digest)
        made = app.registry.register("bench", model, example=example, run_id=run.id)
        app.serving.create_endpoint("bench", "bench")
        app.serving.set_traffic("bench", [Variant(name="a", version=made.ref)], reason="bench")
        app.serving.set_contract_mode("bench", mode, reason="bench")
    process = InferenceProcess(home, host="127.0.0.1", port=0)
    url = process.start(timeout_s=120)
    try:
        yield Target(f"{url}/v2/models/bench/infer", process.pid or 0, open_inference)
    finally:
        process.stop()


@contextlib.contextmanager
def bare(kind: str, python: Path, folder: Path) -> Iterator[Target]:
    """One of the frameworks, served by uvicorn as it comes."""
    port = free_port()
    command = [str(python), str(SCRIPT), kind, str(folder / "model.pickle"), str(port)]
    with running(command, port=port, folder=folder, extra=one_thread()) as server:
        yield Target(f"{server.address}/v2/models/bench/infer", server.pid, open_inference)


@contextlib.contextmanager
def mlflow(model: object, frame: pd.DataFrame, folder: Path) -> Iterator[Target]:
    """`mlflow models serve` with one worker, in its own environment, on a model it saved."""
    place, port = folder / "mlflow-model", free_port()
    (folder / "for-mlflow.pickle").write_bytes(pickle.dumps((model, frame)))
    save = (
        "import pickle, sys, mlflow.sklearn as m; "
        "model, frame = pickle.load(open(sys.argv[1], 'rb')); "
        "m.save_model(model, sys.argv[2], input_example=frame, pyfunc_predict_fn='predict_proba', "
        "serialization_format='cloudpickle')"
    )
    command = [str(MLFLOW), "-c", save, str(folder / "for-mlflow.pickle"), str(place)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    command = [
        str(MLFLOW.with_name("mlflow")), "models", "serve", "--model-uri", str(place),
        "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    path = f"{MLFLOW.parent}:{os.environ['PATH']}"
    extra = {"PATH": path, **one_thread()}
    with running(command, port=port, folder=folder, extra=extra) as server:
        yield Target(f"{server.address}/invocations", server.pid, dataframe_split)


def one_thread() -> dict[str, str]:
    """Return what our inference process sets for itself: no teams of threads for a few rows."""
    return {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def load(target: Target, rows: int, connections: int, *, seconds: float) -> Found:
    """Ask over kept-alive connections until the time is up, each as soon as it was answered."""
    request = whole(target, rows)
    place = urlsplit(target.url)
    address = (place.hostname or "", place.port or 0)
    times: list[list[float]] = [[] for _ in range(connections)]
    begin = threading.Barrier(connections + 1)
    clocks: list[float] = [0.0]

    def work(mine: list[float]) -> None:
        with socket.create_connection(address, timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(WARM // connections):
                ask(connection, request)
            begin.wait()
            begin.wait()
            end = clocks[0]
            while (begun := time.perf_counter()) < end:
                ask(connection, request)
                mine.append(time.perf_counter() - begun)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in times]
    for thread in threads:
        thread.start()
    begin.wait()
    cpu, begun = cpu_s(target.pid), time.perf_counter()
    clocks[0] = begun + seconds
    begin.wait()
    for thread in threads:
        thread.join()
    took, cpu = time.perf_counter() - begun, cpu_s(target.pid) - cpu
    every = sorted(t for mine in times for t in mine)
    return Found(
        rate=len(every) / took,
        p50_ms=every[len(every) // 2] * 1000,
        p99_ms=every[int(len(every) * 0.99)] * 1000,
        cpu_ms=cpu / len(every) * 1000,
    )


def whole(target: Target, rows: int) -> bytes:
    """Return a request with its head."""
    place, body = urlsplit(target.url), target.body(rows)
    head = (
        f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ask(connection: socket.socket, request: bytes) -> bytes:
    """Send a request and read its answer; fail on any that is not 200."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), data[:500]
    size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < size:
        body += connection.recv(65536)
    return body


if __name__ == "__main__":
    main()
