"""What may be logged: names, lengths, values.

The limits are MLflow's, so that a client made for it never meets others.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import astuple

from treadle.kernel.errors import InvalidInput, near_misses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treadle.tracking.entities import MetricPoint

PointTuple: TypeAlias = "tuple[str, Any, int, int]"
"""Key, value, step, instant: a point as it comes in thousands."""
Place: TypeAlias = "tuple[int, int, float, bool]"
"""Step, instant, value, whether it is NaN (whose value is zero): in this order points are ordered,
and the greatest of a metric is its latest, as the genuine MLflow server has it."""

ID_LENGTH = 32
KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
EXPERIMENT_LENGTH = 500
EXPERIMENT_TAG_LENGTH = 20_000
PATH_LENGTH = 1000
SHOWN_LENGTH = 80
STEP_LIMIT = 1 << 63
END_STATUSES = ("finished", "failed", "killed")
STATUSES = ("running", "scheduled", *END_STATUSES)
RUN_NAME = "mlflow.runName"
PARENT = "mlflow.parentRunId"
"""Tags under which MLflow's clients look for a run's name and its parent."""

_KEY = re.compile(r"[\w.\-/: ]+")
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_experiment(name: str) -> str:
    """Return an experiment's name, or raise InvalidInput saying why it cannot be one."""
    if not name.strip() or len(name) > EXPERIMENT_LENGTH or _CONTROL.search(name):
        raise InvalidInput(
            f"{shown(name)} cannot name an experiment.",
            hint=f"Use 1 to {EXPERIMENT_LENGTH} printable characters.",
        )
    return check_text(name, what="An experiment's name")


def check_name(name: str) -> str:
    """Return a run's name, which may be empty."""
    if len(name) > EXPERIMENT_LENGTH or _CONTROL.search(name):
        raise InvalidInput(
            f"{shown(name)} cannot name a run.",
            hint=f"Use up to {EXPERIMENT_LENGTH} printable characters.",
        )
    return check_text(name, what="A run's name")


def check_params(params: Mapping[str, object]) -> dict[str, str]:
    """Return params as text, in the order of their keys."""
    return {
        check_key(key, what="param"): _value(params[key], key=key, what="param", limit=PARAM_LENGTH)
        for key in sorted(params)
    }


def check_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Return tags as text, in the order of their keys."""
    return {
        check_key(key, what="tag"): _value(tags[key], key=key, what="tag", limit=TAG_LENGTH)
        for key in sorted(tags)
    }


def check_experiment_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Return tags of an experiment as text, in the order of their keys."""
    limit = EXPERIMENT_TAG_LENGTH
    return {
        check_key(key, what="tag"): _value(tags[key], key=key, what="tag", limit=limit)
        for key in sorted(tags)
    }


def check_points(points: Iterable[MetricPoint | PointTuple]) -> dict[str, list[Place]]:
    """Return points by the key of their metric; a value may be any number, NaN and infinities too.

    A point is a MetricPoint or a tuple of key, value, step and instant.
    """
    found: dict[str, list[Place]] = {}
    for point in points:
        key, value, step, at = point if isinstance(point, tuple) else astuple(point)
        places = found.get(key)
        if places is None:
            places = found[key] = []
            check_key(key, what="metric")
        if type(value) is not float:
            value = _number(key, value)
        if not (-STEP_LIMIT <= step < STEP_LIMIT and -STEP_LIMIT <= at < STEP_LIMIT):
            raise InvalidInput(f"Step {step} at {at} of metric {key!r} does not fit into 64 bits.")
        places.append((step, at, value, False) if value == value else (step, at, 0.0, True))  # noqa: PLR0124 - NaN alone is not itself, and a call a point costs more than all else
    return found


def _number(key: str, value: object) -> float:
    if isinstance(value, (str, bytes)):
        raise InvalidInput(f"Metric {key!r} is {value!r}.", hint="A metric is a number.")
    try:
        return float(value)  # type: ignore[arg-type] # anything that says what number it is
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(
            f"Metric {key!r} is {shown(repr(value))}.", hint="A metric is a number."
        ) from error


def check_key(key: str, *, what: str) -> str:
    """Return the key of a param, metric or tag, or raise InvalidInput saying why it cannot be."""
    if not _KEY.fullmatch(key) or len(key) > KEY_LENGTH:
        raise InvalidInput(
            f"{shown(str(key))} cannot name a {what}.",
            hint=f"Use 1 to {KEY_LENGTH} letters, digits and `_ - . / :` or spaces.",
        )
    # A key may be a file's path in somebody's store: as such it must not mean another one.
    plain = posixpath.normpath(key)
    if plain != key or plain[0] == "/" or plain == "." or plain.startswith(".."):
        raise InvalidInput(
            f"{shown(key)} cannot name a {what}: as a path it means {plain!r}.",
            hint="Leave out what a path would leave out: `//`, `./`, `../`, a slash at either end.",
        )
    return key


def check_path(path: str) -> str:
    """Return the path of an artifact, or raise InvalidInput when it could leave its run.

    Allowed are relative paths with `/` between parts; no part is empty, `.` or `..`.
    """
    parts = path.split("/")
    broken = (
        "it is empty" if not path
        else "it is absolute" if path.startswith("/") or _DRIVE.match(path)
        else "it has a backslash" if "\\" in path
        else "it has a control character" if _CONTROL.search(path)
        else f"it has a part {next(p for p in parts if p in {'', '.', '..'})!r}"
        if not {"", ".", ".."}.isdisjoint(parts)
        else f"it is longer than {PATH_LENGTH} characters" if len(path) > PATH_LENGTH
        else ""
    )  # fmt: skip
    if broken:
        raise InvalidInput(
            f"{shown(path)} cannot be an artifact's path: {broken}.",
            hint="Write a relative path such as plots/calibration.png.",
        )
    return check_text(path, what="An artifact's path")


def check_status(status: str, *, allowed: tuple[str, ...] = STATUSES) -> str:
    """Return a run's status, or raise InvalidInput with the near miss."""
    if status not in allowed:
        close = near_misses(status, allowed)
        hint = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(allowed)}."
        raise InvalidInput(f"{status!r} is no status of a run.", hint=hint)
    return status


def shown(text: str) -> str:
    """Return a text quoted and shortened, fit for a message."""
    return repr(text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…")


def _value(value: object, *, key: str, what: str, limit: int) -> str:
    text = check_text(str(value), what=f"The value of {what} {key!r}")
    if len(text) > limit:
        raise InvalidInput(
            f"The value of {what} {key!r} has {len(text)} characters; the limit is {limit}.",
            hint="Store long texts with log_artifact.",
        )
    return text


def check_text(text: str, *, what: str) -> str:
    """Return a text, or raise InvalidInput when a store could not hold it."""
    # PostgreSQL stores no NUL and neither store holds half a surrogate pair.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what} is not valid Unicode: {shown(text)}.") from error
    if "\x00" in text:
        raise InvalidInput(f"{what} holds a NUL character: {shown(text)}.")
    return text
