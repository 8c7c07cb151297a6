"""Questions to a server over one bare connection: what of an answer is the server's own time."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlflow_client.queries import QUERIES
from mlflow_servers import cpu_s

if TYPE_CHECKING:
    from mlflow_servers import Server

TIMES = 25
PAGE = 100
STEP = 1_000


class Asked:
    """How long each of some equal answers took, in seconds, and how large the last was.

    `cpu_ms` is what one cost the server's processes, which other work on the machine hardly moves;
    a database that is a server of its own is not in it.
    """

    def __init__(self, times: list[float], *, size: int, cpu_ms: float) -> None:
        self.times = sorted(times)
        self.size = size
        self.cpu_ms = cpu_ms

    def ms(self, share: float = 0.5) -> float:
        return self.times[min(len(self.times) - 1, int(share * len(self.times)))] * 1000


class Bare:
    """A kept-alive connection to a server."""

    def __init__(self, server: Server) -> None:
        place = urlsplit(server.address)
        self._pid = server.pid
        self._connection = http.client.HTTPConnection(place.hostname, place.port, timeout=120)

    def once(self, path: str, question: dict[str, Any] | None = None) -> bytes:
        headers = {"Content-Type": "application/json"}
        body = None if question is None else json.dumps(question)
        method = "GET" if question is None else "POST"
        self._connection.request(method, path, body=body, headers=headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content[:500]
        return content

    def ask(self, path: str, question: dict[str, Any] | None = None) -> Asked:
        times, content = [], self.once(path, question)
        cpu = cpu_s(self._pid)
        for _ in range(TIMES):
            begun = time.perf_counter()
            content = self.once(path, question)
            times.append(time.perf_counter() - begun)
        cpu_ms = (cpu_s(self._pid) - cpu) / TIMES * 1000
        return Asked(times, size=len(content), cpu_ms=cpu_ms)


def searches(bare: Bare, *, runs: int) -> dict[str, Asked]:
    """Ask for pages of 100 runs as the client would; the last lies behind four fifths of all."""
    path = "/api/2.0/mlflow/runs/search"
    named = bare.once("/api/2.0/mlflow/experiments/get-by-name?experiment_name=seeded")
    where = {"experiment_ids": [json.loads(named)["experiment"]["experiment_id"]]}
    found = {}
    rare = {"filter_string": "tags.t2 LIKE '%777%'", "order_by": None}
    for name, query in {**QUERIES, "a rare tag LIKE": rare}.items():
        asked = {"filter": query["filter_string"], "order_by": query["order_by"] or []}
        found[name] = bare.ask(path, {**where, **asked, "max_results": PAGE})
    token = ""
    for _ in range(runs * 4 // 5 // STEP):
        page = bare.once(path, {**where, "max_results": STEP, "page_token": token})
        token = json.loads(page)["next_page_token"]
    far = {**where, "max_results": PAGE, "page_token": token}
    found[f"page after {runs * 4 // 5:,} runs"] = bare.ask(path, far)
    return found
