"""Run call scripts with MLflow's own client against several servers; print what they answered.

Runs in the Python of a peer's environment: `runner.py OUT NAME=ADDRESS … -- CALLS.py …`. In an
address `{file}` becomes the name of the call file. OUT gets
`{file: {"cases": {case: {server: [step, …]}}, "differences": {case: reason}}}`.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import sys
import traceback
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.proto_json_utils import message_to_json

sys.path.insert(0, str(Path(__file__).parent))
import steps


def main(out: str, servers: dict[str, str], files: list[str]) -> None:
    """Run every case of every file against every server."""
    answers = {}
    for file in files:
        module = _load(Path(file))
        cases = {name: fn for name, fn in vars(module).items() if _is_case(module, fn)}
        answers[Path(file).stem] = {
            "cases": {
                name: {
                    server: _run(fn, name, address.format(file=Path(file).stem))
                    for server, address in servers.items()
                }
                for name, fn in cases.items()
            },
            "differences": _differences(module),
        }
    Path(out).write_text(json.dumps(answers))


def _differences(module: object) -> dict[str, str]:
    """Return what may differ: what ours does in the newest way may differ from an older server."""
    newest = getattr(module, "DIFFERENCES", {})
    older = getattr(module, "DIFFERENCES_36", {})
    return {**older, **newest} if mlflow.__version__.startswith("3.6.") else newest


def _load(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _is_case(module: object, value: object) -> bool:
    return (
        callable(value)
        and getattr(value, "__module__", "") == module.__name__
        and not value.__name__.startswith("_")
    )


def _run(case: object, name: str, address: str) -> list:
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    client = mlflow.MlflowClient(tracking_uri=address, registry_uri=address)
    steps.ADDRESS = address
    try:
        found = case(client, f"{Path(case.__code__.co_filename).stem}.{name}")
    except Exception as error:  # noqa: BLE001 - what a script did not expect is an answer too
        lines = [] if isinstance(error, MlflowException) else traceback.format_exc().splitlines()
        found = [[*steps.raised(error), *lines[-6:]]]
    finally:
        while mlflow.active_run():
            mlflow.end_run()
    return [plain(each) for each in (found if isinstance(found, (list, tuple)) else [found])]


def plain(value: object) -> object:
    """Return a value as JSON, entities as the fields that the client shows."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if hasattr(value, "to_proto"):
        return json.loads(message_to_json(value.to_proto()))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


if __name__ == "__main__":
    split = sys.argv.index("--")
    os.environ["MLFLOW_ENABLE_ASYNC_LOGGING"] = "false"
    pairs = dict(each.split("=", 1) for each in sys.argv[2:split])
    main(sys.argv[1], pairs, sys.argv[split + 1 :])
