"""The same pages and the same API over PostgreSQL."""

from __future__ import annotations

import httpx2

from tests.release.world import World
from tests.server.conftest import seed
from treadle.server.control import ControlServer
from treadle.server.scheduler import Scheduler

PATHS = [
    *("/", "/runs?filter=metrics.log_loss+%3C+0.5&order=metric.log_loss", "/runs/RUN"),
    *("/data", "/data/outcomes", "/data/flights/1", "/models", "/models/late", "/models/late/2"),
    *("/endpoints", "/endpoints/late", "/monitors", "/monitors/late", "/events?subject=late"),
    *("/ui/palette.json", "/api/v1/status", "/api/v1/runs", "/api/v1/events?kind=release.moved"),
    *("/api/v1/alerts?state=open", "/api/v1/endpoints/late/at?time=2013-03-20"),
]


def test_every_page_answers_over_postgresql(tmp_path, postgres_url):
    seeded = seed(World(tmp_path, metadata_url=postgres_url))
    Scheduler(seeded.app).run_due()

    with (
        ControlServer(seeded.app, port=0) as server,
        httpx2.Client(base_url=server.url, trust_env=False, timeout=20) as client,
    ):
        found = {p: client.get(p.replace("RUN", seeded.run_id)).status_code for p in PATHS}

    seeded.app.close()
    assert found == dict.fromkeys(PATHS, 200)
