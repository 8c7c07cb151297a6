"""Many seeded runs in a Treadle database, by the drivers' own bulk paths.

`python seeding.py URL RUNS` fills an empty store; a hundred thousand runs, which are five million
values, take about a minute.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mlflow_client.runs_like import rows_of_run

from treadle.storage.metadata import open_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

EXPERIMENT = "f" * 32
PER_BATCH = 2_000
COLUMNS = {
    "runs": ("id", "experiment_id", "name", "status", "actor", "started_at", "ended_at"),
    "run_params": ("run_id", "key", "value"),
    "run_tags": ("run_id", "key", "value"),
    "run_metrics": ("run_id", "key", "value", "is_nan", "step", "at"),
}


def seed_ours(url: str, count: int) -> None:
    """Insert the seeded runs into an empty Treadle database."""
    store = open_metadata(url)
    with store.write() as tx:
        columns = ("id", "name", "created_at", "updated_at")
        _insert(tx.connection, "experiments", columns, [(EXPERIMENT, "seeded", 1, 1)])
    for first in range(0, count, PER_BATCH):
        made = [rows_of_run(number) for number in range(first, min(first + PER_BATCH, count))]
        with store.write() as tx:
            for table, columns in COLUMNS.items():
                rows = [row for run in made for row in _rows(table, run)]
                _insert(tx.connection, table, columns, rows)
    with store.write() as tx:
        tx.connection.exec_driver_sql("ANALYZE")
    store.close()


def _rows(table: str, run: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    run_id, at = run["id"], run["started_ms"] * 1000
    if table == "runs":
        yield run_id, EXPERIMENT, run["name"], "finished", "seed", at, at + 10**6
    elif table == "run_metrics":
        for key, value in run["metrics"].items():
            yield run_id, key, value, False, 0, at
    else:
        for key, value in run[table.removeprefix("run_")].items():
            yield run_id, key, value


def _insert(
    connection: Connection, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> None:
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        # The indexes of five million values are written all over: they should stay in memory.
        connection.exec_driver_sql("PRAGMA cache_size = -1000000")
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our own names
        connection.exec_driver_sql(insert, rows)
        return
    # What the driver does alone begins no transaction of SQLAlchemy's, and none would be committed.
    connection.exec_driver_sql("SELECT 1")
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


if __name__ == "__main__":
    seed_ours(sys.argv[1], int(sys.argv[2]))
