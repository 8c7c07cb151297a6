"""An MLflow store and its artifacts, read through its server's REST API."""

from __future__ import annotations

import math
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec

from treadle.exchange.mlflow.entities import (
    LeftOut,
    TheirLoggedModel,
    TheirModel,
    TheirRun,
    TheirVersion,
    run_of,
    value_of,
)
from treadle.kernel.errors import InvalidInput, Unavailable
from treadle.tracking.entities import (
    Experiment,
    LoggedDataset,
    LoggedModel,
    MetricPoint,
    RunModel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treadle.tracking.entities import Direction

MS = 1000
PAGE = 1000
TIMEOUT_S = 60
NOT_THERE = frozenset({404, 405, 501})
PROXIED = "mlflow-artifacts:"


class ServerSource:
    """An MLflow store read from a server that answers MLflow's REST API."""

    def __init__(self, address: str) -> None:
        if urllib.parse.urlsplit(address).scheme not in {"http", "https"}:
            raise InvalidInput(f"{address!r} is no http address.")
        self._address = address.rstrip("/")

    def experiments(self) -> Iterator[Experiment]:
        """Yield every experiment, deleted ones too."""
        body = {"view_type": "ALL", "order_by": ["creation_time ASC"]}
        for found in self._pages("experiments/search", body, of="experiments"):
            yield Experiment(
                id=str(found["experiment_id"]),
                name=found["name"],
                lifecycle_stage=found.get("lifecycle_stage", "active"),
                created_at=_us(found.get("creation_time")),
                updated_at=_us(found.get("last_update_time")),
                tags=_texts(found.get("tags")),
            )

    def runs(self, experiment_id: str) -> Iterator[TheirRun]:
        """Yield the runs of an experiment, deleted ones too, oldest first."""
        body = {
            "experiment_ids": [experiment_id],
            "run_view_type": "ALL",
            "order_by": ["attributes.start_time ASC"],
        }
        for found in self._pages("runs/search", body, of="runs"):
            yield _run(found)

    def points(self, theirs: TheirRun) -> Iterator[MetricPoint]:
        """Yield every metric point of a run."""
        for key in theirs.run.metrics:
            asked = {"run_id": theirs.run.id, "metric_key": key, "max_results": "25000"}
            for found in self._pages("metrics/get-history", asked, of="metrics", method="GET"):
                yield MetricPoint(
                    key=key,
                    value=value_of(_number(found.get("value", 0))),
                    step=int(found.get("step", 0)),
                    at=_us(found.get("timestamp")),
                )

    def logged_models(self, experiment_id: str) -> Iterator[TheirLoggedModel]:
        """Yield the logged models of an experiment; none where MLflow is older than 3."""
        body = {"experiment_ids": [experiment_id], "max_results": 50}
        for found in self._pages("logged-models/search", body, of="models"):
            info, data = found["info"], found.get("data", {})
            model = LoggedModel(
                id=info["model_id"],
                experiment_id=experiment_id,
                name=info.get("name", ""),
                model_type=info.get("model_type", ""),
                source_run_id=info.get("source_run_id", ""),
                status=str(info.get("status", "")).removeprefix("LOGGED_MODEL_").lower(),  # type: ignore[arg-type] # the words are ours
                created_at=_us(info.get("creation_timestamp_ms")),
                updated_at=_us(info.get("last_updated_timestamp_ms")),
                params=_texts(data.get("params")),
                tags=_texts(info.get("tags")),
            )
            yield TheirLoggedModel(model=model, artifact_uri=info.get("artifact_uri", ""))

    def registry(self) -> Iterator[tuple[TheirModel, tuple[TheirVersion, ...]]]:
        """Yield every registered model with its versions in the order of their numbers."""
        for kind in ("", "tags.`mlflow.prompt.is_prompt` = 'true'"):
            asked = {"max_results": "100", **({"filter": kind} if kind else {})}
            of = "registered_models"
            for found in self._pages("registered-models/search", asked, of=of, method="GET"):
                yield _model(found), tuple(self._versions(found["name"]))

    def staying(self) -> tuple[LeftOut, ...]:
        """Name what may be there and is not asked for."""
        what = "traces, evaluation datasets, scorers and webhooks, if there are any"
        return (LeftOut(what=what, why="Treadle does not bring these in"),)

    def _versions(self, name: str) -> Iterator[TheirVersion]:
        quoted = name.replace("'", "''")
        asked = {"filter": f"name='{quoted}'", "max_results": "200"}
        found = list(self._pages("model-versions/search", asked, of="model_versions", method="GET"))
        for version in sorted(found, key=lambda v: int(v["version"])):
            where = {"name": name, "version": version["version"]}
            there = self._asked("model-versions/get-download-uri", where, method="GET")
            yield _version(version, files_at=(there or {}).get("artifact_uri", ""))

    def _pages(
        self, verb: str, asked: Mapping[str, Any], *, of: str, method: str = "POST"
    ) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            more = {"page_token": token} if token else {}
            page = self._asked(verb, {"max_results": PAGE, **asked, **more}, method=method)
            yield from (page or {}).get(of, [])
            token = (page or {}).get("next_page_token")
            if not token:
                return

    def _asked(self, verb: str, asked: Mapping[str, Any], *, method: str) -> Any:
        url = f"{self._address}/api/2.0/mlflow/{verb}"
        body = None
        if method == "GET":
            url += "?" + urllib.parse.urlencode(asked)
        else:
            body = msgspec.json.encode(asked)
        return answer(url, body)


class ServerFiles:
    """The artifacts a server hands out itself (`mlflow-artifacts:`)."""

    def __init__(self, address: str) -> None:
        self._root = f"{address.rstrip('/')}/api/2.0/mlflow-artifacts/artifacts"

    def listed(self, uri: str) -> Iterator[str]:
        """Yield the paths of all files below an artifact URI. Raises Unavailable."""
        yield from self._below(proxied_path(uri), inside="")

    def open(self, uri: str, path: str) -> BinaryIO:
        """Open one of them to read."""
        url = f"{self._root}/{urllib.parse.quote(f'{proxied_path(uri)}/{path}')}"
        return opened(url, None)

    def _below(self, root: str, *, inside: str) -> Iterator[str]:
        asked = urllib.parse.urlencode({"path": f"{root}/{inside}".rstrip("/")})
        page = answer(f"{self._root}?{asked}", None)
        for file in (page or {}).get("files", []):
            path = f"{inside}/{file['path']}".lstrip("/")
            if file.get("is_dir"):
                yield from self._below(root, inside=path)
            else:
                yield path


def proxied_path(uri: str) -> str:
    """Return the path within the server's store that an artifact URI names."""
    if not uri.startswith(PROXIED):
        raise Unavailable(f"{uri} lies outside of the server.", hint="Give its place: --artifacts.")
    return urllib.parse.urlsplit(uri).path.strip("/")


def answer(url: str, body: bytes | None) -> Any:
    """Return a decoded JSON answer; None where the server knows no such route."""
    try:
        with opened(url, body) as stream:
            return msgspec.json.decode(stream.read())
    except urllib.error.HTTPError as error:
        if error.code in NOT_THERE:
            return None
        raise Unavailable(f"{url} answered {error.code} {error.reason}.") from error
    except msgspec.DecodeError as error:
        raise Unavailable(f"{url} does not answer as MLflow's API does: {error}.") from error


def opened(url: str, body: bytes | None) -> BinaryIO:
    """Send a request; return the open answer."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - http only, see ServerSource
    try:
        return cast("BinaryIO", urllib.request.urlopen(request, timeout=TIMEOUT_S))  # noqa: S310 - as above
    except urllib.error.HTTPError:
        raise
    except OSError as error:
        raise Unavailable(f"Cannot reach {url}: {error}.") from error


def _run(found: dict[str, Any]) -> TheirRun:
    info, data, inputs = found["info"], found.get("data", {}), found.get("inputs", {})
    run = run_of(
        id=info["run_id"],
        experiment_id=str(info["experiment_id"]),
        name=info.get("run_name", ""),
        user_id=info.get("user_id", ""),
        status=info.get("status", "FINISHED").lower(),
        started_at=_us(info.get("start_time")),
        ended_at=_us(info.get("end_time")) or None,
        lifecycle_stage=info.get("lifecycle_stage", "active"),
        params=_texts(data.get("params")),
        metrics={m["key"]: _number(m.get("value", 0)) for m in data.get("metrics", [])},
        tags=_texts(data.get("tags")),
        datasets=tuple(map(_dataset, inputs.get("dataset_inputs", []))),
        models=[
            *_uses(inputs.get("model_inputs", []), direction="input"),
            *_uses(found.get("outputs", {}).get("model_outputs", []), direction="output"),
        ],
    )
    return TheirRun(run=run, artifact_uri=info.get("artifact_uri", ""))


def _uses(models: list[dict[str, Any]], *, direction: Direction) -> Iterator[RunModel]:
    for model in models:
        step = int(model.get("step", 0))
        yield RunModel(model_id=model["model_id"], direction=direction, step=step)


def _dataset(found: dict[str, Any]) -> LoggedDataset:
    said = found["dataset"]
    return LoggedDataset(
        name=said.get("name", ""),
        digest=said.get("digest", ""),
        source_type=said.get("source_type", ""),
        source=said.get("source", ""),
        schema=said.get("schema", ""),
        profile=said.get("profile", ""),
        tags=_texts(found.get("tags")),
    )


def _model(found: dict[str, Any]) -> TheirModel:
    return TheirModel(
        name=found["name"],
        description=found.get("description", ""),
        created_at=_us(found.get("creation_timestamp")),
        updated_at=_us(found.get("last_updated_timestamp")),
        tags=_texts(found.get("tags")),
        aliases={alias["alias"]: int(alias["version"]) for alias in found.get("aliases", [])},
    )


def _version(found: dict[str, Any], *, files_at: str) -> TheirVersion:
    stage = found.get("current_stage", "")
    return TheirVersion(
        model=found["name"],
        number=int(found["version"]),
        source=found.get("source", ""),
        files_at=files_at or found.get("source", ""),
        run_id=found.get("run_id", ""),
        run_link=found.get("run_link", ""),
        status=found.get("status", "READY").lower(),
        status_message=found.get("status_message", ""),
        stage="" if stage == "None" else stage,
        description=found.get("description", ""),
        created_at=_us(found.get("creation_timestamp")),
        updated_at=_us(found.get("last_updated_timestamp")),
        tags=_texts(found.get("tags")),
    )


def _texts(pairs: list[dict[str, str]] | None) -> dict[str, str]:
    return {pair["key"]: pair.get("value", "") for pair in pairs or ()}


def _number(value: float | str) -> float:
    return math.nan if value == "NaN" else float(value)


def _us(ms: int | str | None) -> int:
    return int(ms or 0) * MS
