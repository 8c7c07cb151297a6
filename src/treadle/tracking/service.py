"""The verbs of experiments and runs."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from treadle.kernel.actors import current_actor
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.kernel.paging import Page, page_of
from treadle.tracking import rules, store
from treadle.tracking.capture import Capture, capture_process
from treadle.tracking.entities import (
    Artifact,
    EndStatus,
    Experiment,
    MetricPoint,
    MetricSummary,
    Run,
    RunInput,
)
from treadle.tracking.facts import (
    ArtifactLogged,
    ExperimentCreated,
    InputLogged,
    RunEnded,
    RunStarted,
)
from treadle.tracking.filtering import parse_run_filter
from treadle.tracking.ordering import parse_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.storage.transaction import Transaction

PAGE_LIMIT = 10_000
AMBIGUOUS_SHOWN = 5
NOTHING: Mapping[str, object] = {}


class Tracking:
    """Runs and what they log. May be shared by threads; every verb is one transaction."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        capture: Callable[[], Capture] = capture_process,
    ) -> None:
        self._store = store
        self._objects = objects
        self._capture = capture
        self._captured: tuple[Capture, tuple[Artifact, ...]] | None = None

    def experiment(self, name: str) -> Experiment:
        """Return the experiment of a name, made on its first use."""
        rules.check_experiment(name)
        with self._store.read() as tx:
            found = store.find_experiment(tx, name)
        if found is not None:
            return found
        with self._store.write() as tx:
            return self._experiment(tx, name)

    def experiments(self) -> tuple[Experiment, ...]:
        """Return every experiment, newest first."""
        with self._store.read() as tx:
            return store.list_experiments(tx)

    def start_run(
        self,
        *,
        experiment: str,
        name: str = "",
        parent_id: str | None = None,
        params: Mapping[str, object] = NOTHING,
        tags: Mapping[str, object] = NOTHING,
    ) -> Run:
        """Start a run in an experiment, tagged with the code, packages and system it runs with.

        Given tags win over captured ones. Raises NotFound when the parent is not there.
        """
        rules.check_experiment(experiment)
        captured, artifacts = self._how_made()
        run_id = new_id()
        with self._store.write() as tx:
            group = self._experiment(tx, experiment)
            if parent_id is not None:
                _status(tx, parent_id)
            run = Run(
                id=run_id,
                experiment=group.name,
                name=rules.check_name(name),
                status="running",
                parent_id=parent_id,
                actor=current_actor(),
                started_at=tx.at,
                params=rules.check_params(params),
                tags=rules.check_tags({**captured.tags, **tags}),
            )
            store.add_run(tx, run, experiment_id=group.id)
            store.add_params(tx, run.id, run.params)
            store.put_tags(tx, run.id, run.tags)
            store.put_artifacts(tx, run.id, artifacts)
            tx.emit(
                RunStarted(
                    run_id=run.id,
                    experiment=run.experiment,
                    name=run.name,
                    parent_id=run.parent_id,
                    params=run.params,
                    tags=run.tags,
                    artifacts=artifacts,
                )
            )
        return run

    def log(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, object] = NOTHING,
        step: int = 0,
        params: Mapping[str, object] = NOTHING,
        tags: Mapping[str, object] = NOTHING,
    ) -> None:
        """Log metrics at a step, params and tags of a run: all of them or, on any error, none.

        A param is written once: another value for it raises Conflict, the same value is fine. A run
        that has ended can still be added to.
        """
        new_params, new_tags = rules.check_params(params), rules.check_tags(tags)
        with self._store.write() as tx:
            _status(tx, run_id, lock=bool(new_params))
            points = [
                rules.check_point(k, value=v, step=step, at=tx.at) for k, v in metrics.items()
            ]
            _add_params(tx, run_id, new_params)
            store.put_tags(tx, run_id, new_tags)
            store.add_points(tx, run_id, points)

    def log_points(self, run_id: str, points: Iterable[MetricPoint]) -> None:
        """Log many metric points, each with its own step and instant; a point sent twice is one.

        The latest of a metric has the greatest step, then instant, then value (NaN is least).
        """
        checked = [rules.check_point(p.key, value=p.value, step=p.step, at=p.at) for p in points]
        with self._store.write() as tx:
            _status(tx, run_id)
            store.add_points(tx, run_id, checked)

    def log_input(
        self, run_id: str, *, kind: str, ref: str, digest: str, context: str = ""
    ) -> None:
        """Say what a run was made from: `kind="dataset", ref="flights@3", context="training"`."""
        found = RunInput(kind=kind, ref=ref, digest=digest, context=context)
        with self._store.write() as tx:
            _status(tx, run_id)
            if store.add_input(tx, run_id, found):
                tx.emit(
                    InputLogged(
                        run_id=run_id, input_kind=kind, ref=ref, digest=digest, context=context
                    )
                )

    def log_artifact(self, run_id: str, path: str, data: bytes | Path) -> Artifact:
        """Store bytes or a file as an artifact of a run; the same path again takes its place."""
        rules.check_path(path)
        with self._store.read() as tx:
            _status(tx, run_id)
        artifact = self._stored(path, data)
        with self._store.write() as tx:
            store.put_artifacts(tx, run_id, [artifact])
            tx.emit(
                ArtifactLogged(
                    run_id=run_id,
                    path=path,
                    digest=artifact.digest,
                    size_bytes=artifact.size_bytes,
                )
            )
        return artifact

    def artifacts(self, run_id: str) -> tuple[Artifact, ...]:
        """Return the artifacts of a run by path."""
        with self._store.read() as tx:
            _status(tx, run_id)
            return store.list_artifacts(tx, run_id)

    def open_artifact(self, run_id: str, path: str) -> BinaryIO:
        """Open an artifact of a run to read. Raises NotFound with the near miss."""
        rules.check_path(path)
        with self._store.read() as tx:
            _status(tx, run_id)
            found = store.list_artifacts(tx, run_id, path=path)
            known = () if found else store.list_artifacts(tx, run_id)
        if not found:
            raise NotFound("artifact", path, known=[artifact.path for artifact in known])
        return self._objects.open(found[0].digest)

    def end_run(self, run_id: str, *, status: EndStatus = "finished", error: str = "") -> Run:
        """End a run; ending it again the same way changes nothing, another way raises Conflict."""
        rules.check_status(status, allowed=rules.END_STATUSES)
        with self._store.write() as tx:
            before = _status(tx, run_id, lock=True)
            if before not in {"running", status}:
                raise Conflict(
                    f"Run {run_id} has already {before}; it cannot become {status}.",
                    run=run_id,
                    status=before,
                )
            if before == "running":
                text = rules.check_text(error, what="A run's error")
                store.end_run(tx, run_id, status=status, error=text)
                metrics = store.latest_metrics(tx, run_id)
                tx.emit(
                    RunEnded(run_id=run_id, status=status, error=text, metrics=_sayable(metrics))
                )
            return _found(tx, run_id)

    def run(self, id_or_prefix: str) -> Run:
        """Return a run by its id or by the beginning of it, as long as that names only one."""
        with self._store.read() as tx:
            found = store.find_run(tx, id_or_prefix)
            if found is not None:
                return found
            return _found(tx, _only_id(tx, id_or_prefix.lower()))

    def search_runs(
        self,
        *,
        experiment: str | None = None,
        status: str | None = None,
        parent_id: str | None = None,
        where: str = "",
        order_by: str = "started_at desc",
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Run]:
        """Return a page of runs with all they logged, and how many match in all.

        `where` is a filter such as `metrics.log_loss < 0.5 and params.depth = '6'`: conditions on
        `metrics.NAME`, `params.NAME`, `tags.NAME`, `status`, `name`, joined by `and`.
        `order_by` is `started_at`, `ended_at`, `name`, `status`, `experiment`, `metric.NAME`,
        `param.NAME` or `tag.NAME`, with `desc` behind it to turn it round; runs without the value
        come last.
        """
        if not 1 <= limit <= PAGE_LIMIT or offset < 0:
            raise InvalidInput(
                f"A page of {limit} runs at offset {offset} cannot be.",
                hint=f"Use a limit of 1 to {PAGE_LIMIT} and an offset of at least 0.",
            )
        order, conditions = parse_order(order_by), parse_run_filter(where)
        if status is not None:
            rules.check_status(status)
        with self._store.read() as tx:
            items, total = store.search_runs(
                tx,
                experiment=experiment,
                status=status,
                parent_id=parent_id,
                conditions=conditions,
                order=order,
                limit=limit,
                offset=offset,
            )
        return page_of(items, total=total, offset=offset)

    def run_counts(self) -> dict[str, int]:
        """Return how many runs there are of each status, zero of those that do not occur."""
        with self._store.read() as tx:
            return store.count_by_status(tx, rules.STATUSES)

    def runs_using(self, ref: str, *, limit: int = 100) -> tuple[Run, ...]:
        """Return the newest runs that were made from something (`flights@3`)."""
        with self._store.read() as tx:
            return store.runs_using(tx, ref, limit=limit)

    def metrics_of(self, run_ids: Iterable[str]) -> dict[str, dict[str, float]]:
        """Return the latest metrics of several runs; a run without any is left out."""
        with self._store.read() as tx:
            return store.latest_metrics_of(tx, list(run_ids))

    def history(self, run_id: str, key: str) -> tuple[MetricPoint, ...]:
        """Return the points of a metric by step, instant and value; none if never logged."""
        with self._store.read() as tx:
            _status(tx, run_id)
            return store.list_points(tx, run_id, key=key)

    def metric_summaries(self, run_id: str) -> tuple[MetricSummary, ...]:
        """Return where each metric of a run ended, what it passed and how many points it has."""
        with self._store.read() as tx:
            _status(tx, run_id)
            return store.summarise_metrics(tx, run_id)

    def _experiment(self, tx: Transaction, name: str) -> Experiment:
        found = store.find_experiment(tx, name)
        if found is not None:
            return found
        made = Experiment(id=new_id(), name=name, created_at=tx.at)
        if store.add_experiment(tx, made):
            tx.emit(ExperimentCreated(id=made.id, name=name))
            return made
        # Another process made it since we looked.
        found = store.find_experiment(tx, name)
        if found is None:
            raise Conflict(f"Experiment {name!r} is being made by another process.")
        return found

    def _how_made(self) -> tuple[Capture, tuple[Artifact, ...]]:
        if self._captured is None:
            captured = self._capture()
            files = tuple(self._stored(path, data) for path, data in captured.files.items())
            self._captured = (captured, files)
        return self._captured

    def _stored(self, path: str, data: bytes | Path) -> Artifact:
        if isinstance(data, Path):
            with _opened(data) as stream:
                info = self._objects.put(stream)
        else:
            info = self._objects.put(io.BytesIO(data))
        return Artifact(path=path, digest=info.digest, size_bytes=info.size_bytes)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInput(
            f"Cannot read {path}: {error.strerror or error}.",
            hint="Log a folder file by file." if path.is_dir() else "",
        ) from error


def _status(tx: Transaction, run_id: str, *, lock: bool = False) -> str:
    found = store.run_status(tx, run_id, lock=lock)
    if found is None:
        raise NotFound("run", run_id)
    return found


def _found(tx: Transaction, run_id: str) -> Run:
    run = store.find_run(tx, run_id)
    if run is None:
        raise NotFound("run", run_id)
    return run


def _only_id(tx: Transaction, prefix: str) -> str:
    hex_digits = bool(prefix) and all(c in "0123456789abcdef" for c in prefix)
    ids = store.ids_from(tx, prefix, limit=AMBIGUOUS_SHOWN + 1) if hex_digits else []
    if not ids:
        raise NotFound("run", prefix, hint="List them with: treadle runs")
    if len(ids) > 1:
        more = ", …" if len(ids) > AMBIGUOUS_SHOWN else ""
        raise InvalidInput(
            f"Several runs begin with {prefix!r}.",
            hint=f"Use more of one: {', '.join(ids[:AMBIGUOUS_SHOWN])}{more}",
            runs=ids,
        )
    return ids[0]


def _add_params(tx: Transaction, run_id: str, params: Mapping[str, str]) -> None:
    if not params:
        return
    known = store.params_among(tx, run_id, keys=params)
    for key, old in known.items():
        if params[key] != old:
            raise Conflict(
                f"Param {key!r} of run {run_id} is {rules.shown(old)} and cannot become "
                f"{rules.shown(params[key])}.",
                hint="A param is written once; log what changes as a metric or a tag.",
                run=run_id,
                key=key,
                old=old,
                new=params[key],
            )
    store.add_params(tx, run_id, {k: v for k, v in params.items() if k not in known})


def _sayable(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}
