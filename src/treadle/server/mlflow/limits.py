"""Limits of MLflow's wire, and the genuine server's words for breaking them.

They are that client's, not ours: what passes here is checked again, for everybody, by the services.
"""

from __future__ import annotations

import base64
import binascii
import json
import posixpath
import re
from typing import TYPE_CHECKING

from treadle.server.mlflow.errors import INVALID, WireError
from treadle.server.mlflow.wire import absent, wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

METRICS_MOST = 1000
PARAMS_MOST = 100
BATCH_MOST = 1000
PAGE_MOST = 50_000
KEY_MOST = 250
PARAM_MOST = 6000
TAG_MOST = 8000
EXPERIMENT_TAG_MOST = 20_000
EXPERIMENT_NAME_MOST = 500
_NAME = re.compile(r"[/\w.\- :]*")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")


def check_key(key: str, *, path: str, what: str = "") -> None:
    """Raise WireError for what cannot name a metric, param or tag; `what` bounds its length."""
    if not _NAME.fullmatch(key):
        raise wrong(
            path,
            key,
            ": Names may only contain alphanumerics, underscores (_), dashes (-), periods (.),"
            " spaces ( ), colon(:) and slashes (/).",
        )
    normal = posixpath.normpath(key)
    if normal != key or normal == "." or normal.startswith(("..", "/")):
        raise wrong(
            path,
            key,
            ": Names may be treated as files in certain cases, and must not resolve to other names"
            f" when treated as such. This name would resolve to {normal!r}",
        )
    if what:
        check_length(what, key, most=KEY_MOST)


def check_length(what: str, text: str, *, most: int) -> None:
    """Raise WireError for a text that is too long."""
    if len(text) > most:
        raise WireError(INVALID, f"'{what}' exceeds the maximum length of {most} characters")


def check_run_id(run_id: str) -> None:
    """Raise WireError for what cannot be the id of a run."""
    if not _RUN_ID.fullmatch(run_id):
        raise wrong("run_id", run_id, ".")


def check_batch(metrics: int, params: int, tags: int) -> None:
    """Raise WireError for a batch of too many."""
    for what, length, most in (
        ("metrics", metrics, METRICS_MOST),
        ("params", params, PARAMS_MOST),
        ("tags", tags, PARAMS_MOST),
        ("metrics, params, and tags", metrics + params + tags, BATCH_MOST),
    ):
        if length > most:
            raise WireError(
                INVALID,
                f"A batch logging request can contain at most {most} {what}. Got {length} {what}. "
                f"Please split up {what} across multiple requests and try again.",
            )


def check_unique(keys: Sequence[str]) -> None:
    """Raise WireError when a batch gives a param twice."""
    if len(set(keys)) == len(keys):
        return
    seen: set[str] = set()
    twice = [key for key in keys if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
    raise WireError(
        INVALID,
        f"Duplicate parameter keys have been submitted: {twice}. Please ensure the request "
        "contains only one param value per param key.",
    )


def page_size(asked: int | None, *, default: int | None) -> int:
    """Return how many rows are asked for."""
    size = asked if asked is not None else default
    if size is None or size < 1:
        raise WireError(
            INVALID,
            f"Invalid value {size or 0} for parameter 'max_results' supplied. It must be a "
            "positive integer",
        )
    if size > PAGE_MOST:
        raise WireError(
            INVALID,
            f"Invalid value {size} for parameter 'max_results' supplied. It must be at most "
            f"{PAGE_MOST}",
        )
    return size


def token_of(offset: int) -> str:
    """Return the token of the page that begins at an offset."""
    return base64.b64encode(b'{"offset": %d}' % offset).decode()


def offset_of(token: str | None) -> int:
    """Return the offset that a page token means."""
    if not token:
        return 0
    try:
        decoded = base64.b64decode(token)
    except (binascii.Error, ValueError) as error:
        raise WireError(INVALID, "Invalid page token, could not base64-decode") from error
    try:
        offset = json.loads(decoded)["offset"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WireError(INVALID, f"Invalid page token, decoded value={decoded!r}") from error
    if not isinstance(offset, int) or not 0 < offset < 1 << 62:
        raise WireError(INVALID, f"Invalid page token, not stringable {offset}")
    return offset


def check_all(keys: Iterable[str], *, name: str, path: str, what: str) -> None:
    """Check the keys of a batch, each only once, and name the place of the first that is wrong."""
    known: set[str] = set()
    for place, key in enumerate(keys):
        if key in known:
            continue
        if not key:
            raise absent(f"{path}[{place}].key")
        check_key(key, path=f"{path}[{place}].{name}", what=what.format(place=place))
        known.add(key)
