"""Fill a genuine MLflow database with runs: `seed.py SQLALCHEMY_URL RUNS`, by mlflow's own tables.

By SQL and not by calls, which would take its server minutes; the same numbers as `runs_like` gives
ours.
"""

from __future__ import annotations

import sys

import sqlalchemy as sa
from mlflow.store.tracking.dbmodels import models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from runs_like import rows_of_run

BATCH = 1_000


def main() -> None:
    url, count = sys.argv[1], int(sys.argv[2])
    store = SqlAlchemyStore(url, "mlflow-artifacts:/")
    experiment = int(store.create_experiment("seeded"))
    tables = {
        "params": models.SqlParam.__table__,
        "metrics": models.SqlLatestMetric.__table__,
        "tags": models.SqlTag.__table__,
    }
    for first in range(0, count, BATCH):
        runs, rows = [], {name: [] for name in tables}
        for number in range(first, min(first + BATCH, count)):
            run = rows_of_run(number)
            runs.append(
                {
                    "run_uuid": run["id"],
                    "name": run["name"],
                    "source_type": "LOCAL",
                    "status": "FINISHED",
                    "user_id": "seed",
                    "start_time": run["started_ms"],
                    "end_time": run["started_ms"] + 1000,
                    "lifecycle_stage": "active",
                    "experiment_id": experiment,
                    "artifact_uri": f"mlflow-artifacts:/{experiment}/{run['id']}/artifacts",
                }
            )
            for name in ("params", "tags"):
                rows[name] += [
                    {"run_uuid": run["id"], "key": key, "value": value}
                    for key, value in run[name].items()
                ]
            rows["metrics"] += [
                {
                    "run_uuid": run["id"],
                    "key": key,
                    "value": value,
                    "timestamp": run["started_ms"],
                    "step": 0,
                    "is_nan": False,
                }
                for key, value in run["metrics"].items()
            ]
        with store.engine.begin() as connection:
            connection.execute(sa.insert(models.SqlRun.__table__), runs)
            for name, table in tables.items():
                connection.execute(sa.insert(table), rows[name])
    store.engine.dispose()


if __name__ == "__main__":
    main()
