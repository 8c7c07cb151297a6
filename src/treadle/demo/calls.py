"""Ask the real endpoint over HTTP, as any client of the Open Inference Protocol would."""

from __future__ import annotations

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pyarrow as pa

from treadle.demo.features import CATEGORIES, FEATURES
from treadle.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

THREADS = 4
PATIENCE_S = 20.0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back for one flight."""

    status: int
    prediction: str
    version: str
    value: float
    milliseconds: float


class Caller:
    """Sends flights one by one over a few kept-alive connections, and counts what failed."""

    def __init__(self, url: str, *, endpoint: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._path = f"/v2/models/{endpoint}/infer"
        self._local = threading.local()
        self.url = url + self._path
        self.sent = 0
        self.failed = 0
        self.reconnected = 0
        self._counting = threading.Lock()

    def send(self, rows: pa.Table) -> list[Reply]:
        """Send every row as its own request and return the replies in order."""
        bodies = [body(row) for row in rows.to_pylist()]
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self._post, bodies))

    def _post(self, data: bytes) -> Reply:
        begun = time.perf_counter()
        status, answer = self._patiently(data)
        with self._counting:
            self.sent += 1
            self.failed += status != http.client.OK
        parameters = answer.get("parameters", {})
        return Reply(
            status=status,
            prediction=(parameters.get("prediction_ids") or [""])[0],
            version=str(parameters.get("version", "")),
            value=answer["outputs"][0]["data"][0] if status == http.client.OK else float("nan"),
            milliseconds=(time.perf_counter() - begun) * 1000,
        )

    def _patiently(self, data: bytes) -> tuple[int, dict[str, Any]]:
        # A process that was killed is started again by its supervisor: the request waits for it.
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._once(data)
            except (OSError, http.client.HTTPException) as error:
                self._local.connection = None
                if time.monotonic() > deadline:
                    raise Unavailable(f"{self.url} does not answer: {error}.") from error
                with self._counting:
                    self.reconnected += 1
                time.sleep(0.05)

    def _once(self, data: bytes) -> tuple[int, dict[str, Any]]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(*self._address, timeout=PATIENCE_S)
            self._local.connection = connection
        connection.request("POST", self._path, data, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, msgspec.json.decode(response.read())


def body(row: dict[str, Any], *, features: Sequence[str] = FEATURES) -> bytes:
    """Return the request for one flight: a tensor of one value per input, its key and its time."""
    inputs = [_tensor(name, row[name]) for name in features]
    parameters = {"key": row["flight_id"], "time": row["departs_at"].isoformat()}
    return msgspec.json.encode({"inputs": inputs, "parameters": parameters})


def curl(url: str, row: dict[str, Any], *, file: Path) -> str:
    """Write the request for one flight to a file and return the command line that sends it."""
    file.write_bytes(msgspec.json.format(body(row)))
    return f"curl -s {url} -H 'content-type: application/json' -d @{file}"


def spread(rows: pa.Table, count: int) -> pa.Table:
    """Return about so many rows, evenly from all."""
    step = max(1, rows.num_rows // max(1, count))
    return rows.take(pa.array(range(0, rows.num_rows, step)))


def without(rows: pa.Table, keys: Iterable[str]) -> pa.Table:
    """Return the rows whose flight is not among the keys."""
    known = set(keys)
    keep = pa.array([k not in known for k in rows["flight_id"].to_pylist()])
    return rows.filter(keep)


def _tensor(name: str, value: float | str | None) -> dict[str, Any]:
    kind = "BYTES" if name in CATEGORIES else "FP64"
    return {"name": name, "shape": [1], "datatype": kind, "data": [value]}
