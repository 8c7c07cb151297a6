"""Tracking: MLflow's semantics underneath.

Metric points are named by a number instead of run and key, and blocks hold their extremes; the rows
of the first schema are carried over.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_EARLIER_BLOCKS = """
    INSERT INTO metric_blocks
    SELECT n.series_id, n.block, n.points, l.value, l.step, l.at, h.value, h.step, h.at
    FROM (
        SELECT series_id, step >> 6 AS block, count(*) AS points
        FROM metric_points GROUP BY series_id, step >> 6
    ) n
    LEFT JOIN (
        SELECT series_id, step, at, value, row_number() OVER (
            PARTITION BY series_id, step >> 6 ORDER BY value, step, at
        ) AS place FROM metric_points WHERE NOT is_nan
    ) l ON l.series_id = n.series_id AND l.step >> 6 = n.block AND l.place = 1
    LEFT JOIN (
        SELECT series_id, step, at, value, row_number() OVER (
            PARTITION BY series_id, step >> 6 ORDER BY value DESC, step, at
        ) AS place FROM metric_points WHERE NOT is_nan
    ) h ON h.series_id = n.series_id AND h.step >> 6 = n.block AND h.place = 1
"""


def upgrade() -> None:
    _experiments_and_runs()
    _metrics()
    _datasets()
    _logged_models()
    _parents()


def _empty(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def _experiments_and_runs() -> None:
    op.add_column("experiments", _empty("artifact_location"))
    _texts("experiment_tags", "experiment_id")
    op.add_column("runs", _empty("user_id"))
    op.add_column("runs", sa.Column("deleted_at", sa.BigInteger(), nullable=True))
    op.drop_index("ix_runs_experiment_started", table_name="runs")
    op.drop_index("ix_runs_started", table_name="runs")
    op.create_index(
        "ix_runs_experiment_stage_started",
        "runs",
        ["experiment_id", "lifecycle_stage", "started_at", "id"],
    )
    op.create_index("ix_runs_stage_started", "runs", ["lifecycle_stage", "started_at", "id"])
    head = sa.text("substr(value, 1, 200)")
    op.create_index("ix_run_params_key_value", "run_params", ["key", head, "run_id"])
    op.create_index("ix_run_tags_key_value", "run_tags", ["key", head, "run_id"])
    op.drop_index("ix_run_metrics_key_value", table_name="run_metrics")
    op.create_index("ix_run_metrics_key_value", "run_metrics", ["key", "value", "run_id"])


def _metrics() -> None:
    op.create_table(
        "metric_series",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metric_series")),
        sa.UniqueConstraint("run_id", "key", name=op.f("uq_metric_series_run_id_key")),
    )
    op.execute("CREATE TABLE earlier_points AS SELECT * FROM metric_points")
    op.drop_table("metric_points")
    op.create_table(
        "metric_points",
        sa.Column("series_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("is_nan", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint(
            "series_id", "step", "at", "value", "is_nan", name=op.f("pk_metric_points")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metric_blocks",
        sa.Column("series_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("low_step", sa.BigInteger(), nullable=True),
        sa.Column("low_at", sa.BigInteger(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("high_step", sa.BigInteger(), nullable=True),
        sa.Column("high_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("series_id", "block", name=op.f("pk_metric_blocks")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO metric_series (run_id, key)"
        " SELECT DISTINCT run_id, key FROM earlier_points ORDER BY run_id, key"
    )
    op.execute(
        "INSERT INTO metric_points (series_id, step, at, value, is_nan)"
        " SELECT s.id, p.step, p.at, p.value, p.is_nan FROM earlier_points p"
        " JOIN metric_series s ON s.run_id = p.run_id AND s.key = p.key"
    )
    op.execute(_EARLIER_BLOCKS)
    op.drop_table("earlier_points")


def _datasets() -> None:
    op.create_table(
        "logged_datasets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logged_datasets")),
        sa.UniqueConstraint(
            "experiment_id",
            "name",
            "digest",
            name=op.f("uq_logged_datasets_experiment_id_name_digest"),
        ),
    )
    op.create_index("ix_logged_datasets_name", "logged_datasets", ["name"])
    op.create_index("ix_logged_datasets_digest", "logged_datasets", ["digest"])
    op.create_table(
        "run_datasets",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("logged_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "dataset_id", name=op.f("pk_run_datasets")),
    )
    op.create_index("ix_run_datasets_dataset_id", "run_datasets", ["dataset_id"])


def _logged_models() -> None:
    op.create_table(
        "logged_models",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model_type", sa.Text(), nullable=False),
        sa.Column("source_run_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_message", sa.Text(), nullable=False),
        sa.Column("lifecycle_stage", sa.Text(), nullable=False),
        sa.Column("artifact_location", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logged_models")),
    )
    op.create_index(
        "ix_logged_models_experiment_created",
        "logged_models",
        ["experiment_id", "lifecycle_stage", "created_at", "id"],
    )
    op.create_index("ix_logged_models_source_run_id", "logged_models", ["source_run_id"])
    _texts("logged_model_params", "model_id")
    _texts("logged_model_tags", "model_id")
    op.create_table(
        "logged_model_metrics",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("is_nan", sa.Boolean(), nullable=False),
        sa.Column("dataset_name", sa.Text(), nullable=False),
        sa.Column("dataset_digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "model_id", "key", "at", "step", "run_id", name=op.f("pk_logged_model_metrics")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_logged_model_metrics_key_value", "logged_model_metrics", ["key", "value"])
    op.create_table(
        "run_models",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("logged_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "direction", "model_id", name=op.f("pk_run_models")),
    )
    op.create_index("ix_run_models_model_id", "run_models", ["model_id"])


def _texts(table: str, owner: str) -> None:
    op.create_table(
        table,
        sa.Column(owner, sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(owner, "key", name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )


def _parents() -> None:
    # Names and parents are tags too, where MLflow's clients look for them.
    op.execute(
        "INSERT INTO run_tags (run_id, key, value)"
        " SELECT id, 'mlflow.runName', name FROM runs WHERE name <> '' ON CONFLICT DO NOTHING"
    )
    op.execute(
        "INSERT INTO run_tags (run_id, key, value)"
        " SELECT id, 'mlflow.parentRunId', parent_id FROM runs WHERE parent_id IS NOT NULL"
        " ON CONFLICT DO NOTHING"
    )
