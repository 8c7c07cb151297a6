"""The genuine server's words for what is wrong with names, versions, aliases and sources."""

from __future__ import annotations

import posixpath
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from treadle.kernel.errors import Conflict, InvalidInput, NotFound, TreadleError
from treadle.registry.rules import STAGES
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import ABSENT, INVALID, TAKEN, WireError
from treadle.server.mlflow.wire import seen, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treadle.registry.entities import Stage

KEY_MOST = 250
VALUE_MOST = 100_000
ALIAS_MOST = 255
NUMBER_DIGITS = 9
PROMPT_TEXT = "mlflow.prompt.text"

_ALIAS = re.compile(r"[\w\-]*")
_VERSION_ALIAS = re.compile(r"[vV]\d+")
_NUMBER = re.compile(r"\s*[+-]?\d+(_\d+)*\s*")


def check_name(name: str) -> None:
    """Raise WireError for what cannot name a model."""
    if not name.strip():
        raise WireError(INVALID, "Missing value for required parameter 'name'.")
    if "/" in name or ":" in name:
        raise WireError(INVALID, f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    normal = posixpath.normpath(name)
    if normal != name or normal == "." or normal.startswith(".."):
        raise wrong(
            "name",
            name,
            ": Names may be treated as files in certain cases, and must not resolve to other names"
            f" when treated as such. This name would resolve to {normal!r}",
        )


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise WireError for a tag that cannot be one."""
    for key, value in tags.items():
        limits.check_key(key, path="key")
        limits.check_length("key", key, most=KEY_MOST)
        if key == PROMPT_TEXT and len(value) > VALUE_MOST:
            raise WireError(INVALID, f"Prompt text exceeds max length of {VALUE_MOST} characters.")
        limits.check_length("value", value, most=VALUE_MOST)


def check_alias(alias: str) -> None:
    """Raise WireError for what cannot name an alias."""
    if not _ALIAS.fullmatch(alias):
        raise WireError(
            INVALID,
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores "
            "(_), and dashes (-).",
        )
    limits.check_length("Registered model alias name", alias, most=ALIAS_MOST)


def check_alias_free(alias: str) -> None:
    """Raise WireError for an alias that means a version by itself."""
    if alias.lower() == "latest":
        raise WireError(INVALID, "'latest' alias name (case insensitive) is reserved.")
    if _VERSION_ALIAS.fullmatch(alias):
        raise WireError(INVALID, f"Version alias name '{alias}' is reserved.")


def number_of(name: str, version: str) -> int:
    """Return the number of a version; what no version can have is not there."""
    check_name(name)
    if not _NUMBER.fullmatch(version):
        raise WireError(INVALID, f"Parameter 'version' must be an integer, got '{version}'.")
    number = int(version) if len(version) <= 2 * NUMBER_DIGITS else -1
    if not 0 < number < 10**NUMBER_DIGITS:
        raise WireError(ABSENT, f"Model Version (name={name}, version={version}) not found")
    return number


@contextmanager
def of_version(name: str, number: int) -> Iterator[None]:
    """Say that a version is not there also when its whole model is not."""
    try:
        yield
    except NotFound as error:
        if error.data["kind"] != "model":
            raise
        raise WireError(
            ABSENT, f"Model Version (name={name}, version={number}) not found"
        ) from error


def stage_of(stage: str) -> Stage:
    """Return a stage by its name on the wire."""
    for known in STAGES:
        if stage.lower() == known:
            return known
    raise WireError(
        INVALID,
        f"Invalid Model Version stage: {stage}. Value must be one of "
        "None, Staging, Production, Archived.",
    )


def check_page(size: int, *, most: int) -> None:
    """Raise WireError for a page that is too large."""
    if size > most:
        raise seen(wrong("max_results", str(size), ":  Hint: Value was of type 'str'."))


def check_some(size: int) -> None:
    """Raise WireError for a page of nothing."""
    if size < 1:
        raise WireError(
            INVALID,
            f"Invalid value for max_results. It must be a positive integer, but got {size}",
        )


def taken(error: TreadleError, name: str, *, as_prompt: bool) -> Exception:
    """Say that a name is taken, by a model or a prompt."""
    if not isinstance(error, Conflict) or error.data.get("kind") != "model":
        return error
    there = "Prompt" if error.data["there"] == "prompt" else "Registered Model"
    wanted = "Prompt" if as_prompt else "Registered Model"
    if there == wanted:
        return WireError(TAKEN, f"{wanted} (name={name}) already exists.")
    return WireError(
        TAKEN,
        f"Tried to create a {wanted.lower()} with name {name!r}, but the name is already taken by "
        f"a {there.lower()}. MLflow does not allow creating a model and a prompt with the same "
        "name.",
    )


def unfit_source(error: TreadleError) -> Exception:
    """Say why a source cannot be one."""
    wording = _SOURCES.get(str(error.data.get("reason")))
    if not isinstance(error, InvalidInput) or error.data.get("kind") != "source" or not wording:
        return error
    return WireError(INVALID, wording.format(source=error.data["source"]))


def worded(error: TreadleError) -> Exception:
    """Say what is not there, or taken, in the genuine words."""
    kind, name = error.data.get("kind"), str(error.data.get("name", ""))
    if isinstance(error, Conflict) and kind == "rename":
        return WireError(TAKEN, f"Registered Model (name={name}) already exists.")
    if isinstance(error, InvalidInput) and kind == "archiving":
        return WireError(
            INVALID,
            "Model version transition cannot archive existing model versions because "
            f"'{name}' is not an Active stage. Valid stages are ['Staging', 'Production']",
        )
    if not isinstance(error, NotFound):
        return error
    if kind == "model":
        return WireError(ABSENT, f"Registered Model with name={name} not found")
    if kind == "alias":
        return WireError(INVALID, f"Registered model alias {name} not found.")
    if kind == "model version":
        model, _, number = name.rpartition("@")
        return WireError(ABSENT, f"Model Version (name={model}, version={number}) not found")
    return error


_SOURCE = "Invalid model version source: '{source}'. "
_RESOURCE = "The {id} request parameter must identify the resource that contains the source."
_SOURCES = {
    "local": _SOURCE
    + "To use a local path as a model version source, the run_id request parameter has to be "
    "specified and the local path has to be contained within the artifact directory of the run "
    "specified by the run_id.",
    "relative": _SOURCE
    + "If supplying a source as an http, https, local file path, ftp, objectstore, or "
    "mlflow-artifacts uri, an absolute path must be provided without relative path references "
    "present. Please provide an absolute path.",
    "run_id": _SOURCE + _RESOURCE.replace("{id}", "run_id"),
    "model_id": _SOURCE + _RESOURCE.replace("{id}", "model_id"),
    "registry": _SOURCE + "Registered model sources must use the active model registry.",
    "ids": _SOURCE
    + "The run_id and model_id request parameters must match the referenced model version.",
    "prompt": _SOURCE + "Prompt versions cannot be used as model version sources.",
    "placeholder": "Invalid prompt source: '{source}'. Prompt sources must use an MLflow "
    "placeholder.",
}
