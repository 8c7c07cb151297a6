"""Artifacts: lists, files in and out as streams, uploads in parts, links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

import anyio.to_thread
import msgspec
from starlette.responses import Response

from treadle.kernel.errors import Conflict, InvalidInput
from treadle.server.asked import app_of, read_body
from treadle.server.bodies import FileAnswer, media_of, received
from treadle.server.mlflow.call import Call
from treadle.server.mlflow.errors import INVALID, WireError
from treadle.server.mlflow.runs import location
from treadle.server.mlflow.wire import Answer, Ask, absent, some
from treadle.tracking.artifacts_paths import ROUTE, SCHEME, Owner, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import QueryParams
    from starlette.requests import Request

    from treadle.server.mlflow.door import Route
    from treadle.tracking.artifacts import Artifacts, Entry
    from treadle.tracking.store.artifacts import Upload

LINK_LASTS_S = 900
API = "/api/2.0"
PATH = ROUTE + "/{path:path}"
DONE = b"{}"


class ListArtifacts(Ask):
    run_id: str = ""
    run_uuid: str = ""
    path: str | None = None

    def missing(self) -> WireError | None:
        """Either name of the run will do."""
        return None if self.run_id or self.run_uuid else absent("run_id")


class ListProxied(Ask):
    path: str | None = None


class ListModelFiles(Ask):
    artifact_directory_path: str | None = None


class BeginUpload(Ask):
    needs = ("path",)
    path: str = ""
    num_parts: int = 1


class NamedPart(msgspec.Struct):
    part_number: int = 0
    etag: str | None = None
    url: str | None = None


class CompleteUpload(Ask):
    needs = ("path", "parts")
    path: str = ""
    upload_id: str = ""
    parts: tuple[NamedPart, ...] | None = None


class AbortUpload(Ask):
    needs = ("path",)
    path: str = ""
    upload_id: str = ""


class FileInfo(Answer):
    path: str
    is_dir: bool
    file_size: int | msgspec.UnsetType = msgspec.UNSET


class FileList(Answer):
    root_uri: str | msgspec.UnsetType = msgspec.UNSET
    files: list[FileInfo] | msgspec.UnsetType = msgspec.UNSET


class PartPlace(Answer):
    url: str
    part_number: int


class UploadBegun(Answer):
    upload_id: str
    credentials: list[PartPlace]


class Link(Answer):
    url: str
    headers: dict[str, str]
    file_size: int


def list_of_run(call: Call) -> FileList:
    """List the files and folders of a run at one level."""
    asked = call.read(ListArtifacts)
    run = call.app.tracking.run(asked.run_id or asked.run_uuid)
    root = f"{location(run)}/{run.id}/artifacts"
    if not root.startswith(SCHEME):
        raise WireError(INVALID, f"The artifacts of run {run.id} are at {root}: list them there.")
    place = _place(lambda: call.app.artifacts.of_run(run.id, asked.path or ""))
    found = call.app.artifacts.level(place)
    return FileList(root_uri=root, files=some(_info(entry, entry.path) for entry in found))


def list_of_model(call: Call) -> FileList:
    """List the files and folders of a logged model at one level."""
    asked, model = call.read(ListModelFiles), call.app.tracking.logged_model(call.path["id"])
    folder = asked.artifact_directory_path or ""
    place = _place(lambda: call.app.artifacts.of_model(model.id, folder))
    found = call.app.artifacts.level(place)
    root = f"{SCHEME}/{model.experiment_id}/models/{model.id}/artifacts"
    return FileList(root_uri=root, files=some(_info(entry, entry.path) for entry in found))


def list_proxied(call: Call) -> FileList:
    """List what is at a path of the artifact store, by bare names."""
    asked = call.read(ListProxied)
    place = _place(lambda: call.app.artifacts.resolve(asked.path or ""))
    found = call.app.artifacts.level(place)
    return FileList(files=some(_info(entry, entry.name) for entry in found))


async def download(request: Request) -> Response:
    """Hand over a file as a stream: all of it, a range, or its head."""
    path = wire_path(request)
    return await _file(request, lambda artifacts: artifacts.resolve(path))


async def upload(request: Request) -> Response:
    """Store the body of a request as a file, as it comes in."""
    artifacts, path = app_of(request).artifacts, wire_path(request)
    place = await _in_thread(lambda: _place(lambda: artifacts.resolve(path)))
    await received(request, lambda stream: artifacts.put(place, stream))
    return _json(DONE)


async def remove(request: Request) -> Response:
    """Remove a file, or a folder with all below it."""
    artifacts, path = app_of(request).artifacts, wire_path(request)
    await _in_thread(lambda: artifacts.delete(_place(lambda: artifacts.resolve(path))))
    return _json(DONE)


async def get_artifact(request: Request) -> Response:
    """Hand over a file of a run: `path=`, `run_uuid=` or `run_id=`."""
    asked = _query(request)
    run_id = asked.get("run_id") or asked.get("run_uuid") or ""
    return await _file(request, lambda artifacts: artifacts.of_run(run_id, asked.get("path", "")))


async def get_model_file(request: Request) -> Response:
    """Hand over a file of a logged model: `artifact_file_path=`."""
    path, model_id = _query(request).get("artifact_file_path", ""), request.path_params["id"]
    if not path:
        message = 'Request must include the "artifact_file_path" query parameter.'
        raise WireError("BAD_REQUEST", message)
    return await _file(request, lambda artifacts: artifacts.of_model(model_id, path))


async def get_version_file(request: Request) -> Response:
    """Hand over a file of a model version: `name=`, `version=`, `path=`."""
    asked, app = _query(request), app_of(request)
    ref = f"{asked.get('name', '')}@{asked.get('version', '')}"
    version = await _in_thread(lambda: app.registry.version(ref))
    path = asked.get("path", "")
    return await _file(request, lambda artifacts: artifacts.of_version(version.id, path))


async def upload_artifact(request: Request) -> Response:
    """Store the body as a file of a run, as MLflow's pages do: `run_uuid=`, `path=`."""
    artifacts, asked = app_of(request).artifacts, _query(request)
    run_id, path = asked.get("run_uuid", ""), asked.get("path", "")
    for name, value in (("run_uuid", run_id), ("path", path)):
        if not value:
            raise WireError(INVALID, f"Request must specify {name}.")
    place = await _in_thread(lambda: _place(lambda: artifacts.of_run(run_id, path)))
    await received(request, lambda stream: artifacts.put(place, stream))
    return _json(b"")


async def link(request: Request) -> Response:
    """Return an address that reads a file: the object store's own, or else ours."""
    artifacts, path = app_of(request).artifacts, wire_path(request)
    place = await _in_thread(lambda: _place(lambda: artifacts.resolve(path)))
    file = await _in_thread(lambda: artifacts.find(place))
    signed = await _in_thread(lambda: artifacts.link(file, seconds=LINK_LASTS_S))
    own = f"{_base(request)}{ROUTE}/{quote(path)}"
    return _json(
        msgspec.json.encode(Link(url=signed or own, headers={}, file_size=file.size_bytes))
    )


async def begin_upload(request: Request) -> Response:
    """Begin an upload in parts; each has an address of its own here."""
    asked, place = await _asked(request, BeginUpload)
    artifacts = app_of(request).artifacts
    begun = await _in_thread(lambda: artifacts.begin_upload(place, parts=asked.num_parts or 1))
    base = f"{_base(request)}/mlflow-artifacts/mpu/parts/{begun.id}"
    parts = [PartPlace(url=f"{base}/{n}", part_number=n) for n in range(1, begun.parts + 1)]
    return _json(msgspec.json.encode(UploadBegun(upload_id=begun.id, credentials=parts)))


async def upload_part(request: Request) -> Response:
    """Store a part of an upload, as it comes in."""
    artifacts, names = app_of(request).artifacts, request.path_params
    number = int(names["number"]) if names["number"].isascii() and names["number"].isdigit() else 0
    # The server holds a client to the length it announces.
    told = request.headers.get("content-length", "")
    size = int(told) if told.isascii() and told.isdigit() else None
    part = await received(
        request,
        lambda stream: artifacts.put_part(names["upload"], number, stream, size_bytes=size),
    )
    return Response(headers={"ETag": f'"{part.token}"'})


async def complete_upload(request: Request) -> Response:
    """Join the parts that are named to the file."""
    asked, place = await _asked(request, CompleteUpload)
    parts = sorted(asked.parts or (), key=lambda part: part.part_number)
    tokens = [(part.etag or "").strip('"') for part in parts]
    artifacts = app_of(request).artifacts

    def complete() -> None:
        _check_same(artifacts.find_upload(asked.upload_id), place)
        artifacts.complete_upload(asked.upload_id, tokens=tokens)

    await _in_thread(complete)
    return _json(DONE)


async def abort_upload(request: Request) -> Response:
    """Forget an upload with its parts."""
    asked, place = await _asked(request, AbortUpload)
    artifacts = app_of(request).artifacts

    def abort() -> None:
        _check_same(artifacts.find_upload(asked.upload_id), place)
        artifacts.abort_upload(asked.upload_id)

    await _in_thread(abort)
    return _json(DONE)


def wire_path(request: Request) -> str:
    """Return the path that a client meant.

    It puts a name into the address as it is: what lies behind a `?` is its end, and no query.
    Raises WireError for bytes that are no UTF-8, such as an overlong form of `../`.
    """
    path: str = request.path_params["path"]
    query: bytes = request.scope["query_string"]
    try:
        if "\N{REPLACEMENT CHARACTER}" in path:
            unquote_to_bytes(request.scope["raw_path"]).decode()
        return f"{path}?{unquote_to_bytes(query).decode()}" if query else path
    except UnicodeDecodeError as error:
        raise _invalid_path() from error


def _query(request: Request) -> QueryParams:
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError as error:
        raise _invalid_path() from error
    return request.query_params


async def _file(request: Request, where: Callable[[Artifacts], Place]) -> Response:
    artifacts = app_of(request).artifacts
    file = await _in_thread(lambda: artifacts.find(_place(lambda: where(artifacts))))
    return await FileAnswer(artifacts, file, media=media_of(file.path)).ready(request)


def _place(where: Callable[[], Place]) -> Place:
    try:
        return where()
    except InvalidInput as error:
        raise _invalid_path() from error


def _invalid_path() -> WireError:
    return WireError(INVALID, "Invalid path")


async def _asked(request: Request, kind: Any) -> tuple[Any, Place]:
    """Return what is asked, and its place: the folder is in the address, the name in the body."""
    artifacts, folder = app_of(request).artifacts, wire_path(request)
    call = Call(
        app_of(request),
        method=request.method,
        path=request.path_params,
        media=request.headers.get("content-type", "").encode() or None,
        raw=await read_body(request),
    )
    asked = call.read(kind)
    name = asked.path.rpartition("/")[2]
    place = await _in_thread(lambda: _place(lambda: artifacts.resolve(folder).below(name)))
    return asked, place


def _check_same(upload: Upload, place: Place) -> None:
    begun = Place(Owner(upload.owner_kind, upload.owner_id), upload.path)  # type: ignore[arg-type] # stored from one
    if begun != place:
        raise Conflict(f"Upload {upload.id} is of another file.", upload=upload.id)


def _info(entry: Entry, path: str) -> FileInfo:
    # The genuine server leaves out a size of nothing as well.
    size = entry.size_bytes or msgspec.UNSET
    return FileInfo(path=path, is_dir=entry.is_folder, file_size=size)


def _base(request: Request) -> str:
    root = request.scope.get("root_path", "")
    return f"{request.url.scheme}://{request.headers['host']}{root}{API}"


async def _in_thread(work: Callable[[], Any]) -> Any:
    return await anyio.to_thread.run_sync(work)


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


ROUTES: tuple[Route, ...] = (
    ("GET", "/mlflow/artifacts/list", list_of_run),
    ("GET", "/mlflow/logged-models/{id}/artifacts/directories", list_of_model),
    ("GET", "/mlflow/logged-models/{id}/artifacts/files", get_model_file),
    ("POST", "/mlflow/upload-artifact", upload_artifact),
    ("GET", ROUTE, list_proxied),
    ("GET", PATH, download),
    ("HEAD", PATH, download),
    ("PUT", PATH, upload),
    ("DELETE", PATH, remove),
    ("GET", "/mlflow-artifacts/presigned/{path:path}", link),
    ("POST", "/mlflow-artifacts/mpu/create/{path:path}", begin_upload),
    ("PUT", "/mlflow-artifacts/mpu/parts/{upload}/{number}", upload_part),
    ("POST", "/mlflow-artifacts/mpu/complete/{path:path}", complete_upload),
    ("POST", "/mlflow-artifacts/mpu/abort/{path:path}", abort_upload),
)
ROOT_ROUTES: tuple[Route, ...] = (
    ("GET", "/get-artifact", get_artifact),
    ("HEAD", "/get-artifact", get_artifact),
    ("GET", "/model-versions/get-artifact", get_version_file),
)
