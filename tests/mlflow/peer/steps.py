"""What call scripts use: attempt a call that may fail, and speak HTTP past the client."""

from __future__ import annotations

import requests
from mlflow.exceptions import MlflowException

ADDRESS = ""
"""The server that the case runs against; the runner sets it."""


def attempt(call, *args, **kwargs):
    """Return what a call returns, or what it raised."""
    try:
        return call(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - any answer is compared
        return raised(error)


def raised(error: Exception) -> list:
    """Return an exception as values."""
    code = error.error_code if isinstance(error, MlflowException) else ""
    return ["raised", type(error).__name__, code, str(error)]


def http(method: str, path: str, **kwargs) -> dict:
    """Return status and JSON of a request; of what is not JSON only the status."""
    prefix = "" if path.startswith("/") else "/api/2.0/mlflow/"
    answer = requests.request(method, ADDRESS + prefix + path, timeout=30, **kwargs)
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        # The newest servers add two fields to errors that no client reads.
        for name in ("sqlstate", "error_class"):
            body.pop(name, None)
    return {"status": answer.status_code, "json": body}


def post(path: str, body=None, **kwargs) -> dict:
    """Return the answer to a POST of JSON."""
    return http("POST", path, json=body, **kwargs)


def get(path: str, **query) -> dict:
    """Return the answer to a GET."""
    return http("GET", path, params=query)


def points(history) -> list:
    """Return points of a metric as (value, time, step)."""
    return [[repr(point.value), point.timestamp, point.step] for point in history]
