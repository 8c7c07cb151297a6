"""The tables of experiments, runs and what runs log."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from treadle.storage.schema import MENTIONS, Instant, Json, metadata, needs_objects

# Short values are indexed whole, so that a search need not look at the rows; long ones do not fit
# into an index of PostgreSQL, and would be stored twice.
SHORT_LENGTH = 200
LONG = f"length(value) > {SHORT_LENGTH}"
# Of `<=`, PostgreSQL would believe that it holds for a third of all values, not for most.
SHORT = f"({LONG}) IS NOT TRUE"


def _indexed_by_value(table: str) -> tuple[Index, Index]:
    short, long = text(SHORT), text(LONG)
    return (
        Index(
            f"ix_{table}_key_value",
            "key",
            "value",
            "run_id",
            sqlite_where=short,
            postgresql_where=short,
        ),
        Index(f"ix_{table}_key_long", "key", "run_id", sqlite_where=long, postgresql_where=long),
    )


experiments = Table(
    "experiments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("lifecycle_stage", Text, nullable=False, server_default="active"),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("artifact_location", Text, nullable=False, server_default=""),
)

experiment_tags = Table(
    "experiment_tags",
    metadata,
    Column("experiment_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("experiment_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("lifecycle_stage", Text, nullable=False, server_default="active"),
    Column("parent_id", Text, index=True),
    Column("actor", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("error", Text, nullable=False, server_default=""),
    Column("user_id", Text, nullable=False, server_default=""),
    Column("deleted_at", Instant),
    Index(
        "ix_runs_experiment_stage_started", "experiment_id", "lifecycle_stage", "started_at", "id"
    ),
    Index("ix_runs_stage_started", "lifecycle_stage", "started_at", "id"),
)

run_params = Table(
    "run_params",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    *_indexed_by_value("run_params"),
    sqlite_with_rowid=False,
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    # `treadle.packages` and its like are digests of artifacts, which have rows of their own.
    Column("value", Text, nullable=False, info=MENTIONS),
    *_indexed_by_value("run_tags"),
    sqlite_with_rowid=False,
)

# The latest point of each metric of a run. SQLite has no NaN: `is_nan` says it, beside a zero.
run_metrics = Table(
    "run_metrics",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Double, nullable=False),
    Column("is_nan", Boolean, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_run_metrics_key_value", "key", "value", "run_id"),
    sqlite_with_rowid=False,
)

# A metric of a run: its points name it by a number, which keeps a million of them small.
metric_series = Table(
    "metric_series",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    UniqueConstraint("run_id", "key"),
)

# Every point; all of it is the key, so that a batch that is sent again stores nothing twice.
metric_points = Table(
    "metric_points",
    metadata,
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True, autoincrement=False),
    Column("value", Double, primary_key=True),
    Column("is_nan", Boolean, primary_key=True),
    sqlite_with_rowid=False,
)

# The extremes of each 64 steps (`block` is step >> 6), so that a chart need not read every point.
# `points` counts NaN too; the extremes leave it out and are null where there is nothing else.
metric_blocks = Table(
    "metric_blocks",
    metadata,
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("points", BigInteger, nullable=False),
    Column("low", Double),
    Column("low_step", BigInteger),
    Column("low_at", Instant),
    Column("high", Double),
    Column("high_step", BigInteger),
    Column("high_at", Instant),
    sqlite_with_rowid=False,
)

run_inputs = Table(
    "run_inputs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("digest", Text, primary_key=True, info=MENTIONS),
    Column("context", Text, primary_key=True),
    Column("logged_at", Instant, nullable=False),
    Index("ix_run_inputs_digest", "digest"),
    Index("ix_run_inputs_ref", "ref"),
)

run_artifacts = Table(
    "run_artifacts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("digest", Text, nullable=False, index=True, info=needs_objects("run {run_id}")),
    Column("size_bytes", BigInteger, nullable=False),
    Column("logged_at", Instant, nullable=False),
)

# Data as clients describe it, once per experiment.
logged_datasets = Table(
    "logged_datasets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("experiment_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, info=MENTIONS),
    Column("source_type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text, nullable=False),
    Column("profile", Text, nullable=False),
    UniqueConstraint("experiment_id", "name", "digest"),
    Index("ix_logged_datasets_name", "name"),
    Index("ix_logged_datasets_digest", "digest"),
)

run_datasets = Table(
    "run_datasets",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("dataset_id", Text, primary_key=True),
    Column("tags", Json, nullable=False),
    Column("logged_at", Instant, nullable=False),
    Index("ix_run_datasets_dataset_id", "dataset_id"),
)

logged_models = Table(
    "logged_models",
    metadata,
    Column("id", Text, primary_key=True),
    Column("experiment_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("model_type", Text, nullable=False),
    Column("source_run_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("status_message", Text, nullable=False),
    Column("lifecycle_stage", Text, nullable=False),
    Column("artifact_location", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index(
        "ix_logged_models_experiment_created",
        "experiment_id",
        "lifecycle_stage",
        "created_at",
        "id",
    ),
    Index("ix_logged_models_source_run_id", "source_run_id"),
)

logged_model_params = Table(
    "logged_model_params",
    metadata,
    Column("model_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

logged_model_tags = Table(
    "logged_model_tags",
    metadata,
    Column("model_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

logged_model_metrics = Table(
    "logged_model_metrics",
    metadata,
    Column("model_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", Instant, primary_key=True, autoincrement=False),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", Text, primary_key=True),
    Column("value", Double, nullable=False),
    Column("is_nan", Boolean, nullable=False),
    Column("dataset_name", Text, nullable=False),
    Column("dataset_digest", Text, nullable=False, info=MENTIONS),
    Index("ix_logged_model_metrics_key_value", "key", "value"),
    sqlite_with_rowid=False,
)

# Which logged models a run read or made.
run_models = Table(
    "run_models",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("direction", Text, primary_key=True),
    Column("model_id", Text, primary_key=True),
    Column("step", BigInteger, nullable=False),
    Column("logged_at", Instant, nullable=False),
    Index("ix_run_models_model_id", "model_id"),
)
