"""SQL that reads MLflow's own database, whichever version of MLflow has made it."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Table, create_engine, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from treadle.exchange.mlflow.entities import (
    LeftOut,
    TheirLoggedModel,
    TheirModel,
    TheirRun,
    TheirVersion,
    run_of,
    value_of,
)
from treadle.kernel.errors import InvalidInput, MissingExtra, Unavailable
from treadle.tracking.entities import (
    Experiment,
    LoggedDataset,
    LoggedModel,
    MetricPoint,
    RunModel,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import URL, Engine, RowMapping

    from treadle.tracking.entities import Direction, ModelStatus

# MLflow counts milliseconds.
MS = 1000
AT_ONCE = 500
STAYING = {
    "trace_info": "traces",
    "evaluation_datasets": "evaluation datasets",
    "scorers": "scorers",
    "webhooks": "webhooks",
}
NEEDED = ("experiments", "runs", "params", "tags", "metrics")
MODEL_STATUS: dict[int, ModelStatus] = {1: "pending", 2: "ready", 3: "failed"}


class DatabaseSource:
    """An MLflow store read from its database. Nothing is written, also no migration."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        tables = MetaData()
        try:
            names = inspect(self._engine).get_table_names()
            tables.reflect(self._engine, only=names)
        except SQLAlchemyError as error:
            raise Unavailable(f"Cannot read {_hidden(url)}: {error}.") from error
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise InvalidInput(
                f"{_hidden(url)} is no MLflow database: it has no table {missing[0]!r}.",
                hint="Give what `mlflow server` was given as --backend-store-uri.",
            )
        self._tables = tables.tables

    def experiments(self) -> Iterator[Experiment]:
        """Yield every experiment, deleted ones too."""
        tags = self._texts("experiment_tags", "experiment_id", key="key", value="value")
        for row in self._rows("experiments", order="experiment_id"):
            yield Experiment(
                id=str(row["experiment_id"]),
                name=row["name"],
                lifecycle_stage=row["lifecycle_stage"] or "active",
                created_at=_us(row.get("creation_time")),
                updated_at=_us(row.get("last_update_time")),
                tags=tags.get(row["experiment_id"], {}),
            )

    def runs(self, experiment_id: str) -> Iterator[TheirRun]:
        """Yield the runs of an experiment, deleted ones too, oldest first."""
        found = self._rows("runs", order="start_time", experiment_id=int(experiment_id))
        page: list[RowMapping] = []
        for row in found:
            page.append(row)
            if len(page) == AT_ONCE:
                yield from self._whole(page)
                page = []
        yield from self._whole(page)

    def points(self, theirs: TheirRun) -> Iterator[MetricPoint]:
        """Yield every metric point of a run."""
        for row in self._rows("metrics", run_uuid=theirs.run.id):
            yield MetricPoint(
                key=row["key"],
                value=math.nan if row["is_nan"] else value_of(row["value"]),
                step=row["step"],
                at=_us(row["timestamp"]),
            )

    def logged_models(self, experiment_id: str) -> Iterator[TheirLoggedModel]:
        """Yield the logged models of an experiment; none where MLflow is older than 3."""
        rows = list(self._rows("logged_models", experiment_id=int(experiment_id)))
        ids = [row["model_id"] for row in rows]
        where = {"model_id": ids}
        params = self._texts(
            "logged_model_params", "model_id", key="param_key", value="param_value", **where
        )
        tags = self._texts(
            "logged_model_tags", "model_id", key="tag_key", value="tag_value", **where
        )
        for row in rows:
            if row["lifecycle_stage"] == "deleted":
                continue
            model = LoggedModel(
                id=row["model_id"],
                experiment_id=experiment_id,
                name=row["name"],
                model_type=row["model_type"] or "",
                source_run_id=row["source_run_id"] or "",
                status=MODEL_STATUS.get(row["status"], "ready"),
                created_at=_us(row["creation_timestamp_ms"]),
                updated_at=_us(row["last_updated_timestamp_ms"]),
                params=params.get(row["model_id"], {}),
                tags=tags.get(row["model_id"], {}),
            )
            yield TheirLoggedModel(model=model, artifact_uri=row["artifact_location"])

    def registry(self) -> Iterator[tuple[TheirModel, tuple[TheirVersion, ...]]]:
        """Yield every registered model with its versions in the order of their numbers."""
        tags = self._texts("registered_model_tags", "name", key="key", value="value")
        aliases: dict[str, dict[str, int]] = defaultdict(dict)
        for row in self._rows("registered_model_aliases"):
            aliases[row["name"]][row["alias"]] = row["version"]
        for row in self._rows("registered_models", order="name"):
            model = TheirModel(
                name=row["name"],
                description=row["description"] or "",
                created_at=_us(row["creation_time"]),
                updated_at=_us(row["last_updated_time"]),
                tags=tags.get(row["name"], {}),
                aliases=aliases[row["name"]],
            )
            yield model, tuple(self._versions(model.name))

    def staying(self) -> tuple[LeftOut, ...]:
        """Name what is there and is not read from here, and why."""
        with self._engine.connect() as connection:
            counts = {
                kind: connection.execute(select(func.count()).select_from(self._tables[name]))
                for name, kind in STAYING.items()
                if name in self._tables
            }
            found = {kind: count.scalar_one() for kind, count in counts.items()}
        why = "Treadle does not bring these in"
        return tuple(LeftOut(what=f"{n:,} {kind}", why=why) for kind, n in found.items() if n)

    def _versions(self, name: str) -> Iterator[TheirVersion]:
        tags: dict[int, dict[str, str]] = defaultdict(dict)
        for row in self._rows("model_version_tags", name=name):
            tags[row["version"]][row["key"]] = row["value"] or ""
        for row in self._rows("model_versions", order="version", name=name):
            # A deleted version's row stays, so that its number is not given again.
            if row["current_stage"] == "Deleted_Internal":
                continue
            yield TheirVersion(
                model=name,
                number=row["version"],
                source=row["source"] or "",
                files_at=row.get("storage_location") or row["source"] or "",
                run_id=row["run_id"] or "",
                run_link=row.get("run_link") or "",
                status=(row["status"] or "ready").lower(),
                status_message=row["status_message"] or "",
                stage="" if row["current_stage"] == "None" else row["current_stage"] or "",
                description=row["description"] or "",
                created_at=_us(row["creation_time"]),
                updated_at=_us(row["last_updated_time"]),
                tags=tags[row["version"]],
            )

    def _whole(self, rows: list[RowMapping]) -> Iterator[TheirRun]:
        where = {"run_uuid": [row["run_uuid"] for row in rows]}
        params = self._texts("params", "run_uuid", key="key", value="value", **where)
        tags = self._texts("tags", "run_uuid", key="key", value="value", **where)
        datasets = self._datasets(where["run_uuid"])
        models = self._models(where["run_uuid"])
        for row in rows:
            run_id = row["run_uuid"]
            run = run_of(
                id=run_id,
                experiment_id=str(row["experiment_id"]),
                name=row["name"] or "",
                user_id=row["user_id"] or "",
                status=(row["status"] or "finished").lower(),
                started_at=_us(row["start_time"]),
                ended_at=_us(row["end_time"]) or None,
                deleted_at=_us(row.get("deleted_time")) or None,
                lifecycle_stage=row["lifecycle_stage"] or "active",
                params=params.get(run_id, {}),
                tags=tags.get(run_id, {}),
                datasets=tuple(datasets.get(run_id, ())),
                models=models.get(run_id, ()),
            )
            yield TheirRun(run=run, artifact_uri=row["artifact_uri"] or "")

    def _datasets(self, run_ids: list[str]) -> dict[str, list[LoggedDataset]]:
        links = list(
            self._rows(
                "inputs", source_type="DATASET", destination_type="RUN", destination_id=run_ids
            )
        )
        ids = [link["source_id"] for link in links]
        known = {row["dataset_uuid"]: row for row in self._rows("datasets", dataset_uuid=ids)}
        tags = self._texts(
            "input_tags", "input_uuid", key="name", value="value",
            input_uuid=[link["input_uuid"] for link in links],
        )  # fmt: skip
        found: dict[str, list[LoggedDataset]] = defaultdict(list)
        for link in links:
            row = known.get(link["source_id"])
            if row is not None:
                made = LoggedDataset(
                    name=row["name"],
                    digest=row["digest"],
                    source_type=row["dataset_source_type"] or "",
                    source=row["dataset_source"] or "",
                    schema=row["dataset_schema"] or "",
                    profile=row["dataset_profile"] or "",
                    tags=tags.get(link["input_uuid"], {}),
                )
                found[link["destination_id"]].append(made)
        return found

    def _models(self, run_ids: list[str]) -> dict[str, list[RunModel]]:
        found: dict[str, list[RunModel]] = defaultdict(list)
        kinds: dict[str, Direction] = {"RUN_INPUT": "input", "RUN_OUTPUT": "output"}
        for row in self._rows("inputs", source_type=list(kinds), source_id=run_ids):
            used = RunModel(
                model_id=row["destination_id"],
                direction=kinds[row["source_type"]],
                step=row.get("step") or 0,
            )
            found[row["source_id"]].append(used)
        return found

    def _texts(
        self, table: str, owner: str, /, *, key: str, value: str, **where: Any
    ) -> dict[Any, dict[str, str]]:
        found: dict[Any, dict[str, str]] = defaultdict(dict)
        for row in self._rows(table, **where):
            found[row[owner]][row[key]] = row[value] or ""
        return found

    def _rows(self, table_name: str, /, *, order: str = "", **where: Any) -> Iterator[Any]:
        table = self._tables.get(table_name)
        if table is None:  # this version of MLflow knew no such thing yet
            return
        query = select(table)
        if order:
            query = query.order_by(table.c[order])
        lists = {column: value for column, value in where.items() if isinstance(value, list)}
        for column in where.keys() - lists.keys():
            query = query.where(table.c[column] == where[column])
        with self._engine.connect() as connection:
            for part in _parts(query, table, lists):
                yield from (dict(row) for row in connection.execute(part).mappings())


def _file_of(url: URL) -> Path | None:
    is_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if is_file else None


def _parts(query: Any, table: Table, lists: dict[str, list[Any]]) -> Iterable[Any]:
    if not lists:
        return (query,)
    # A list longer than a statement may bind is asked for in pieces; the others are short.
    column, longest = max(lists.items(), key=lambda item: len(item[1]))
    for other in lists.keys() - {column}:
        query = query.where(table.c[other].in_(lists[other]))
    starts = range(0, len(longest), AT_ONCE)
    return (query.where(table.c[column].in_(longest[at : at + AT_ONCE])) for at in starts)


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidInput(f"{url!r} is no database URL.") from error
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise InvalidInput(
            f"A database of {parsed.get_backend_name()} cannot be read here.",
            hint="Start mlflow server on it and give the server's address.",
        )
    file = _file_of(parsed)
    if file is not None and not file.is_file():  # SQLite would make an empty one
        raise InvalidInput(
            f"There is no file {file}.",
            hint="sqlite:///name.db is in this folder, sqlite:////path/name.db anywhere.",
        )
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        return create_engine(parsed)
    except ModuleNotFoundError as error:
        raise MissingExtra("psycopg", extra="postgres") from error


def _hidden(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "the database"


def _us(ms: int | None) -> int:
    return (ms or 0) * MS
