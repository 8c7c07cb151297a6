"""Where the files of a version come from: the source a client names, checked and looked up.

A client says where the files lie by a URI. What lies in our own store is listed, so that its
digests can be signed. A foreign place stays a link that nobody here follows. A file of this
machine is refused however it is spelled: a version would publish it.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Literal, Protocol
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit

import msgspec

from treadle.data.entities import FileEntry
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.registry import rules

if TYPE_CHECKING:
    from collections.abc import Sequence

# What MLflow's clients write as the source of a prompt, which has none.
PLACEHOLDERS = ("dummy-source", "prompt-template")
# Schemes that name the host to connect to: who reads such a link would be sent where the client
# wants.
_HOSTED = ("ftp", "sftp", "hdfs", "viewfs", "http", "https", "r2", "b2", "abfss")
_CONTROL = re.compile("[\x00-\x1f\x7f\\\\\ud800-\udfff]")
_UNWRAPPED_MOST = 20

Reason = Literal["local", "relative", "scheme", "run_id", "model_id", "registry", "placeholder"]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a version is made from: the files that were found, and whose they are."""

    source: str
    run_id: str | None = None
    logged_model_id: str | None = None
    files: tuple[FileEntry, ...] = ()


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A version that another one is to be a copy of: `models:/late/3`, `models:/late@champion`."""

    name: str
    number: int | None = None
    alias: str | None = None
    stage: str | None = None


class Shelf(Protocol):
    """What runs and logged models hold: handed in by who knows them."""

    def run_root(self, run_id: str) -> str:
        """Return the URI below which the artifacts of a run lie. Raises NotFound."""
        ...

    def model_root(self, model_id: str) -> str:
        """Return the URI below which the files of a logged model lie. Raises NotFound."""
        ...

    def run_of_model(self, model_id: str) -> str | None:
        """Return the run that made a logged model. Raises NotFound."""
        ...

    def tell_registered(self, model_id: str, *, name: str, number: int) -> None:
        """Write on a logged model that a version was made of it. Raises NotFound."""
        ...

    def files(self, uri: str) -> Sequence[FileEntry]:
        """Return the files below a URI of our own store, their paths counted from there."""
        ...


def check_prompt_source(source: str) -> None:
    """Raise InvalidInput unless a source is one of those that MLflow's clients give to prompts."""
    if source not in PLACEHOLDERS:
        raise _refused(source, "placeholder", "a prompt has no files")


def copied_of(source: str) -> Copied | None:
    """Return the registered version that a source names, or None for any other source."""
    parts = urlsplit(source)
    if parts.scheme != "models":
        return None
    if parts.netloc:
        raise _refused(source, "registry", "it names another registry")
    if parts.path.startswith("/"):
        check_path(source)
    else:
        raise _refused(source, "model_id", "it is no address of a model")
    segments = parts.path.lstrip("/").split("/")
    if len(segments) == 2 and all(segments):  # noqa: PLR2004 - a name and what it has chosen
        name, chosen = segments
        if chosen.isascii() and chosen.isdigit() and len(chosen) <= rules.NUMBER_DIGITS:
            return Copied(name=name, number=int(chosen))
        return Copied(name=name, stage=None if chosen.lower() == rules.LATEST else chosen)
    name, at, alias = segments[0].rpartition("@")
    if len(segments) == 1 and at and name and alias:
        return Copied(name=name, alias=alias)
    if len(segments) == 1 and segments[0]:
        return None  # models:/m-…, a logged model
    raise _refused(source, "model_id", "it is no address of a model")


def origin_of(
    source: str, *, run_id: str | None, model_id: str | None, shelf: Shelf | None
) -> Origin:
    """Check a source that is no registered version, and look up its files.

    It must lie below the run or the logged model that is named with it, when it is of our store.
    """
    check_scheme(source)
    check_path(source)
    origin = Origin(source=source, run_id=run_id, logged_model_id=model_id)
    if model_id:
        origin = _of_model(origin, model_id, shelf)
    else:
        _check_of_run(source, run_id or "", shelf)
    return msgspec.structs.replace(origin, files=_files(source, shelf))


def check_scheme(source: str) -> None:
    """Raise InvalidInput for a file of this machine, and for a scheme that chooses the host."""
    if len(source) > rules.LINK_LENGTH:
        raise InvalidInput(f"A source has at most {rules.LINK_LENGTH} characters.", kind="source")
    parts = _split(source)
    scheme = parts.scheme
    if scheme in _HOSTED or (scheme == "mlflow-artifacts" and parts.netloc):
        raise _refused(source, "scheme", f"{scheme} chooses the host", scheme=scheme)
    if len(scheme) <= 1 or scheme == "file":
        raise _refused(source, "local", "it is a file of this machine")
    if _CONTROL.search(unwrapped(source)):
        raise _refused(source, "relative", "it holds a backslash or a control character")


def check_path(source: str) -> None:
    """Raise InvalidInput unless the path of a source is absolute and leads nowhere up."""
    plain = unwrapped(source)
    path = re.sub(r"/+", "/", _split(plain).path.rstrip("/"))
    upward = ".." in re.split(r"[/\\]", plain)
    if upward or not path.startswith("/") or posixpath.normpath(path) != path:
        raise _refused(source, "relative", "its path must be absolute, without `.` and `..`")


def unwrapped(source: str) -> str:
    """Return a source with all of its percent signs resolved, however often they were wrapped."""
    for _ in range(_UNWRAPPED_MOST):
        plain = unquote_plus(source)
        if plain == source:
            return plain
        source = plain
    raise _refused(source[: rules.NAME_LENGTH], "relative", "it is wrapped too often")


def _of_model(origin: Origin, model_id: str, shelf: Shelf | None) -> Origin:
    source, parts = origin.source, _split(origin.source)
    whose = "it is not of the logged model that is named with it"
    if parts.scheme == "runs" or (parts.scheme == "models" and parts.path.strip("/") != model_id):
        raise _refused(source, "model_id", whose)
    if shelf is None:
        return origin
    try:
        if parts.scheme == "mlflow-artifacts" and not _below(source, shelf.model_root(model_id)):
            raise _refused(source, "model_id", whose)
        run_id = origin.run_id or shelf.run_of_model(model_id)
    except NotFound as error:
        if parts.scheme == "mlflow-artifacts":
            raise _refused(source, "model_id", "that logged model is not there") from error
        raise
    return msgspec.structs.replace(origin, run_id=run_id)


def _check_of_run(source: str, run_id: str, shelf: Shelf | None) -> None:
    parts = _split(source)
    whose = "it is not of the run that is named with it"
    if parts.scheme == "models":
        raise _refused(source, "model_id", "name the logged model with it")
    if parts.scheme == "runs":
        owner, _, path = parts.path.lstrip("/").partition("/")
        if parts.netloc or not run_id or owner != run_id or not path:
            raise _refused(source, "run_id", whose)
    if parts.scheme == "mlflow-artifacts":
        try:
            inside = bool(run_id) and shelf is not None and _below(source, shelf.run_root(run_id))
        except NotFound as error:
            raise _refused(source, "run_id", "that run is not there") from error
        if not inside:
            raise _refused(source, "run_id", whose)


def _files(source: str, shelf: Shelf | None) -> tuple[FileEntry, ...]:
    if shelf is None or _split(source).scheme not in {"runs", "models", "mlflow-artifacts"}:
        return ()
    return tuple(sorted(shelf.files(source), key=lambda file: file.path))


def _below(source: str, root: str) -> bool:
    mine, theirs = _pieces(source), _pieces(root)
    return bool(theirs[1]) and mine[0] == theirs[0] and mine[1][: len(theirs[1])] == theirs[1]


def _pieces(uri: str) -> tuple[str, tuple[str, ...]]:
    parts = _split(uri)
    return f"{parts.scheme}://{parts.netloc.lower()}", tuple(
        unwrapped(piece) for piece in unquote(parts.path).split("/") if piece
    )


def _split(source: str) -> SplitResult:
    try:
        return urlsplit(source, allow_fragments=False)
    except ValueError as error:  # a bracket that opens and does not close
        raise _refused(source, "relative", "it is no address") from error


def _refused(source: str, reason: Reason, why: str, **values: object) -> InvalidInput:
    return InvalidInput(
        f"{source[: rules.NAME_LENGTH]!r} cannot be the source of a version: {why}.",
        hint="Log the files as artifacts of a run, and name that run.",
        kind="source",
        source=source,
        reason=reason,
        **values,
    )
