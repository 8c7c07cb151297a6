"""Runs kept by a server, over the wire that MLflow's clients speak."""

from __future__ import annotations

import contextlib
import os
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec
from blake3 import blake3

from treadle.client import remote_wire as wired
from treadle.client.ports import NOTHING, Started, UsedDataset
from treadle.client.pulse import Pulse
from treadle.data.entities import DatasetVersion
from treadle.kernel.clock import SystemClock
from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.registry import bundle
from treadle.registry.entities import ModelVersion
from treadle.registry.flavors.known import FLAVORS
from treadle.storage.objects import FolderObjectStore
from treadle.tracking.capture import capture_process
from treadle.tracking.entities import Artifact, Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from treadle.client.ports import Draft, Point
    from treadle.client.wire import Wire
    from treadle.registry.ports import ModelFlavor
    from treadle.tracking.entities import EndStatus, MetricPoint

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
OURS = "/api/v1"
SCHEME = "mlflow-artifacts:/"
TAGS_AT_ONCE = 100
PAGE = 1_000
HISTORY_PAGE = 25_000
DIGEST_LENGTH = 36
"""As much of a digest as MLflow's wire takes."""
NO_STEPS: Mapping[str, int] = {}

T = TypeVar("T")


class RemoteRuns:
    """A place for runs on a server."""

    batch_limit = 1_000
    """As many as MLflow's own server takes at once."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.name = wire.url
        self.spool = cache_folder() / "unsent"
        self._experiments: dict[str, str] = {}
        self._roots: dict[str, str] = {}
        self._pulse = Pulse(self._beat)

    def start(self, draft: Draft) -> Started:
        """Start a run, or take up one that is there."""
        if draft.id:
            return self._resumed(draft)
        captured = capture_process()
        tags = {**captured.tags, **draft.tags}
        if draft.parent_id:
            tags[wired.PARENT] = draft.parent_id
        asked = {
            "experiment_id": self._experiment(draft.experiment),
            "user_id": captured.tags.get("treadle.user", ""),
            "run_name": draft.name,
            "start_time": self.now() // wired.US,
            "tags": wired.pairs(tags),
        }
        said = self._wire.post(f"{API}/runs/create", asked, is_repeatable=False)
        info = msgspec.json.decode(said, type=wired.OneRun).run.info
        self._roots[info.run_id] = info.artifact_uri
        self._pulse.add(info.run_id)
        self.send(info.run_id, params=draft.params)
        if not draft.parent_id:  # a child's are those of its parent
            for path, data in captured.files.items():
                self.keep(info.run_id, path, data=data)
        return self._started(info.run_id, experiment=draft.experiment)

    def send(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        *,
        params: Mapping[str, str] = NOTHING,
        tags: Mapping[str, str] = NOTHING,
    ) -> None:
        """Store points, params and tags; what is sent twice is stored once."""
        if points:
            self._batch(wired.Batch(run_id=run_id, metrics=wired.metrics(points)))
        for some in _parts(params):
            with _written_once():
                self._batch(wired.Batch(run_id=run_id, params=wired.pairs(some)))
        for some in _parts(tags):
            self._batch(wired.Batch(run_id=run_id, tags=wired.pairs(some)))

    def keep(self, run_id: str, path: str, *, data: bytes | Path) -> Artifact:
        """Store bytes or a file as an artifact, as a stream."""
        upload = _Upload(data)
        to = f"{FILES}/{quote(self._root(run_id))}/{quote(path)}"
        self._wire.put(to, upload.opened, length=upload.size_bytes)
        return Artifact(path=path, digest=upload.digest, size_bytes=upload.size_bytes)

    def use(self, run_id: str, used: str | UsedDataset, *, context: str) -> UsedDataset:
        """Tie data to a run."""
        if isinstance(used, str):
            version = self._version(used)
            used = UsedDataset(
                name=version.dataset, digest=version.digest, ref=version.ref, context=context
            )
        dataset = wired.Dataset(
            name=used.name,
            digest=used.digest[:DIGEST_LENGTH],
            source_type="treadle" if used.ref else "code",
            source=msgspec.json.encode({"ref": used.ref}).decode() if used.ref else "{}",
            schema=used.schema,
            profile=used.profile,
        )
        tags = [wired.KeyValue(wired.CONTEXT, context)]
        asked = {"run_id": run_id, "datasets": [wired.DatasetInput(dataset=dataset, tags=tags)]}
        self._wire.post(f"{API}/runs/log-inputs", asked, is_repeatable=True)
        return used

    def register(
        self, run_id: str, name: str, *, model: object, example: pa.Table, description: str
    ) -> ModelVersion:
        """Save a model here, send its files as artifacts, and register them there."""
        with tempfile.TemporaryDirectory(prefix="treadle-model-") as folder:
            objects = FolderObjectStore(Path(folder))
            flavor = _flavor_of(model)
            _, files, _ = bundle.pack(model, flavor=flavor, example=example, objects=objects)
            for file in files:
                with objects.open(file.digest) as stream:
                    self.keep(run_id, f"models/{name}/{file.path}", data=stream.read())
        with contextlib.suppress(Conflict):  # it is there already
            asked = {"name": name}
            self._wire.post(f"{API}/registered-models/create", asked, is_repeatable=True)
        made = {
            "name": name,
            "source": f"{SCHEME}{self._root(run_id)}/models/{name}",
            "run_id": run_id,
            "description": description,
        }
        said = self._wire.post(f"{API}/model-versions/create", made, is_repeatable=False)
        number = msgspec.json.decode(said, type=wired.OneVersion).model_version.version
        return self._asked(ModelVersion, f"{OURS}/models/{quote(name)}/versions/{number}")

    def end(self, run_id: str, *, status: EndStatus, error: str) -> None:
        """Say how a run ended; MLflow has no field for the error, so it becomes a tag."""
        self._pulse.drop(run_id)
        if error:
            self.send(run_id, tags={wired.ERROR: error})
        asked = {
            "run_id": run_id,
            "status": status.upper(),
            "end_time": self.now() // wired.US,
        }
        self._wire.post(f"{API}/runs/update", asked, is_repeatable=True)

    def search(
        self, *, where: str, order_by: str, experiment: str | None, limit: int
    ) -> tuple[Run, ...]:
        """Return runs that match, in order."""
        asked: dict[str, Any] = {
            "experiment_ids": self._ids(experiment),
            "filter": where,
            "order_by": [order_by],
            "max_results": limit,
        }
        if not asked["experiment_ids"]:
            return ()
        said = self._wire.post(f"{API}/runs/search", asked, is_repeatable=True)
        page = msgspec.json.decode(said, type=wired.RunPage)
        return tuple(run.run(self._experiment_name(run.info.experiment_id)) for run in page.runs)

    def run(self, run_id: str) -> Run:
        """Return a run with all it logged."""
        found = self._asked(wired.OneRun, f"{API}/runs/get", run_id=run_id).run
        return found.run(self._experiment_name(found.info.experiment_id))

    def history(self, run_id: str, key: str) -> tuple[MetricPoint, ...]:
        """Return the points of a metric by step and instant."""
        found: list[MetricPoint] = []
        token = ""
        while True:
            page = self._asked(
                wired.History,
                f"{API}/metrics/get-history",
                run_id=run_id,
                metric_key=key,
                max_results=HISTORY_PAGE,
                page_token=token,
            )
            found += [metric.point() for metric in page.metrics]
            token = page.next_page_token
            if not token:
                return tuple(sorted(found, key=lambda point: (point.step, point.at)))

    def now(self) -> int:
        """Return the present instant by this machine's clock."""
        return CLOCK.now()

    def close(self) -> None:
        """Let go of every connection."""
        self._pulse.close()
        self._wire.close()

    def _asked(self, kind: type[T], path: str, **query: object) -> T:
        return msgspec.json.decode(self._wire.get(path, **query), type=kind)

    def _beat(self, run_ids: list[str]) -> list[str]:
        said = self._wire.post(f"{OURS}/runs/beats", {"runs": run_ids}, is_repeatable=True)
        return msgspec.json.decode(said, type=Beaten).running

    def _batch(self, batch: wired.Batch) -> None:
        self._wire.post(f"{API}/runs/log-batch", batch, is_repeatable=True)

    def _started(
        self, run_id: str, *, experiment: str, steps: Mapping[str, int] = NO_STEPS
    ) -> Started:
        url = f"{self._wire.url}/runs/{run_id}"
        return Started(id=run_id, experiment=experiment, steps=dict(steps), url=url)

    def _resumed(self, draft: Draft) -> Started:
        found = self._asked(wired.OneRun, f"{API}/runs/get", run_id=draft.id).run
        run_id = found.info.run_id
        asked = {"run_id": run_id, "status": "RUNNING"}
        self._wire.post(f"{API}/runs/update", asked, is_repeatable=True)
        self._roots[run_id] = found.info.artifact_uri
        self._pulse.add(run_id)
        self.send(run_id, params=draft.params, tags=draft.tags)
        name = self._experiment_name(found.info.experiment_id)
        steps = {metric.key: metric.step for metric in found.data.metrics}
        return self._started(run_id, experiment=name, steps=steps)

    def _root(self, run_id: str) -> str:
        """Return where a run's artifacts are in the server's store."""
        if run_id not in self._roots:
            found = self._asked(wired.OneRun, f"{API}/runs/get", run_id=run_id).run
            self._roots[run_id] = found.info.artifact_uri
        uri = self._roots[run_id]
        if not uri.startswith(SCHEME):
            raise InvalidInput(
                f"The artifacts of run {run_id} are at {uri}, which its server does not keep.",
                hint="Use an experiment without an artifact location of its own.",
            )
        return uri.removeprefix(SCHEME).lstrip("/")

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment, made on its first use."""
        for known, found in self._experiments.items():
            if found == name:
                return known
        try:
            known = self._experiment_id(name)
        except NotFound:
            try:
                asked = {"name": name}
                said = self._wire.post(f"{API}/experiments/create", asked, is_repeatable=False)
                known = msgspec.json.decode(said, type=wired.MadeExperiment).experiment_id
            except Conflict:  # another process made it since we looked
                known = self._experiment_id(name)
        self._experiments[known] = name
        return known

    def _experiment_id(self, name: str) -> str:
        path = f"{API}/experiments/get-by-name"
        return self._asked(wired.OneExperiment, path, experiment_name=name).experiment.experiment_id

    def _experiment_name(self, experiment_id: str) -> str:
        if experiment_id not in self._experiments:
            path = f"{API}/experiments/get"
            found = self._asked(wired.OneExperiment, path, experiment_id=experiment_id)
            self._experiments[experiment_id] = found.experiment.name
        return self._experiments[experiment_id]

    def _ids(self, experiment: str | None) -> list[str]:
        if experiment is not None:
            return [self._experiment_id(experiment)]
        found: list[str] = []
        token = ""
        while True:
            asked = {"max_results": PAGE, "page_token": token}
            said = self._wire.post(f"{API}/experiments/search", asked, is_repeatable=True)
            page = msgspec.json.decode(said, type=wired.ExperimentPage)
            found += [each.experiment_id for each in page.experiments]
            token = page.next_page_token
            if not token:
                return found

    def _version(self, ref: str) -> DatasetVersion:
        """Return a committed version: `flights`, `flights@latest`, `flights@3`, by its digest."""
        name, _, wanted = ref.partition("@")
        path = f"{OURS}/datasets/{quote(name)}/versions/{quote(wanted or 'latest')}"
        return self._asked(DatasetVersion, path)


class Beaten(msgspec.Struct):
    """The runs that a server holds to be running."""

    running: list[str]


class _Upload:
    """Bytes or a file on their way; the digest is known when it was read."""

    def __init__(self, data: bytes | Path) -> None:
        self._data = data
        try:
            self.size_bytes = len(data) if isinstance(data, bytes) else data.stat().st_size
        except OSError as error:
            raise InvalidInput(f"Cannot read {data!s}: {error.strerror or error}.") from error
        self.digest = digest_bytes(data) if isinstance(data, bytes) else ""

    @contextlib.contextmanager
    def opened(self) -> Iterator[Any]:
        """Return a stream of the whole of it."""
        if isinstance(self._data, bytes):
            yield self._data
            return
        hasher = blake3()
        with self._data.open("rb") as file:
            yield _Hashed(file, hasher)
        self.digest = hasher.hexdigest()


class _Hashed:
    def __init__(self, file: Any, hasher: Any) -> None:
        self._file, self._hasher = file, hasher

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._file.read(size)
        self._hasher.update(piece)
        return piece


CLOCK = SystemClock()
CHANGED = "Changing param values"
"""How MLflow's servers begin to say that a param was logged with another value."""


def cache_folder() -> Path:
    """Return the folder for what a client of a server keeps on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "treadle"


@contextlib.contextmanager
def _written_once() -> Iterator[None]:
    """Tell a param that cannot change from one that cannot be: MLflow has one code for both."""
    try:
        yield
    except InvalidInput as error:
        if CHANGED in error.message:
            raise Conflict(error.message, hint="A param is written once.") from error
        raise


def _parts(values: Mapping[str, str]) -> Iterator[dict[str, str]]:
    items = iter(values.items())
    while part := dict(islice(items, TAGS_AT_ONCE)):
        yield part


def _flavor_of(model: object) -> ModelFlavor:
    for flavor in FLAVORS:
        if flavor.recognises(model):
            return flavor
    raise InvalidInput(f"A {type(model).__name__} is of no known flavor of model.")
