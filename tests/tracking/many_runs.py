"""Many seeded runs by the drivers' own bulk paths: 20 params, 20 metrics and 10 tags each.

`python -m tests.tracking.many_runs URL COUNT` fills an empty store and ends.
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

from treadle.storage.metadata import open_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.storage.metadata import SqlMetadataStore

FIRST = 1_357_000_000_000_000
APART = 1_000_000
PER_BATCH = 2_000
COLUMNS = {
    "runs": (
        "id", "experiment_id", "name", "status", "lifecycle_stage", "parent_id", "actor",
        "started_at", "ended_at", "error",
    ),
    "run_params": ("run_id", "key", "value"),
    "run_tags": ("run_id", "key", "value"),
    "run_metrics": ("run_id", "key", "value", "is_nan", "step", "at"),
}  # fmt: skip

Rows = dict[str, list[tuple[Any, ...]]]


def rows_of(number: int, draw: random.Random) -> Rows:
    """Return the rows of one run: p0 is its own, t0 is rare, m0 is there in half of the runs."""
    run_id, at = f"{number:032x}", FIRST + number * APART
    status = draw.choices(("finished", "failed", "running"), (90, 8, 2))[0]
    experiment = "e0" if draw.random() < 0.9 else f"e{draw.randrange(1, 5)}"
    ended = None if status == "running" else at + draw.randrange(APART)
    params = {"p0": f"u{number}"} | {f"p{i}": f"v{draw.randrange(10)}" for i in range(1, 20)}
    rare = "blue moon" if draw.random() < 0.001 else "common day"
    tags = {"t0": rare} | {f"t{i}": f"tag {draw.randrange(1000)}" for i in range(1, 10)}
    metrics = {f"m{i}": draw.random() for i in range(20) if i or draw.random() < 0.5}
    return {
        "runs": [
            (run_id, experiment, f"run {number}", status, "active", None, "ann", at, ended, "")
        ],
        "run_params": [(run_id, key, value) for key, value in params.items()],
        "run_tags": [(run_id, key, value) for key, value in tags.items()],
        "run_metrics": [(run_id, key, value, False, 1, at) for key, value in metrics.items()],
    }


def batches(count: int, *, seed: int) -> Iterator[Rows]:
    """Yield the rows of many runs, some runs at a time."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    for first in range(0, count, PER_BATCH):
        batch: Rows = {table: [] for table in COLUMNS}
        for number in range(first, min(first + PER_BATCH, count)):
            for table, rows in rows_of(number, draw).items():
                batch[table] += rows
        yield batch


def fill(store: SqlMetadataStore, count: int, *, seed: int = 7) -> None:
    """Write many runs into an empty store."""
    with store.write() as tx:
        for number in range(5):
            row = (f"e{number}", f"experiment {number}", "active", FIRST, FIRST)
            _insert(
                tx.connection,
                "experiments",
                ("id", "name", "lifecycle_stage", "created_at", "updated_at"),
                [row],
            )
    for batch in batches(count, seed=seed):
        with store.write() as tx:
            for table, columns in COLUMNS.items():
                _insert(tx.connection, table, columns, batch[table])
    with store.write() as tx:
        tx.connection.exec_driver_sql("ANALYZE")


def _insert(
    connection: Any, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> None:
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        return
    # What the driver does alone begins no transaction of SQLAlchemy's, and none would be committed.
    connection.exec_driver_sql("SELECT 1")
    driver = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


if __name__ == "__main__":
    fill(open_metadata(sys.argv[1]), int(sys.argv[2]))
