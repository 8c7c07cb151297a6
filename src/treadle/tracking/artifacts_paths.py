"""Where an artifact is: every form in which it is named becomes an owner and a safe path in it.

No path of a client ever becomes a path on a disk: it is the key of a row, and the bytes are an
object named by their digest. It is checked all the same, since a client makes a file of that name.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import unquote

import msgspec

from treadle.kernel.errors import InvalidInput
from treadle.tracking.rules import check_path, shown

OwnerKind = Literal["run", "model", "version", "loose"]

SCHEME = "mlflow-artifacts:"
ROUTE = "/mlflow-artifacts/artifacts"
VERSIONS = "versions"
DECODED_MOST = 10

_RUN_ID = re.compile(r"[0-9a-f]{32}")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
# What is harmless here would be the root of a disk where a client joins it to a folder.
_ELSEWHERE = re.compile(r"[A-Za-z]:|file:", re.IGNORECASE)
_ANY_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


class Owner(msgspec.Struct, frozen=True):
    """Whose files: a run's, a logged model's, a model version's, or nobody's (`loose`)."""

    kind: OwnerKind
    id: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}" if self.id else self.kind


class Place(msgspec.Struct, frozen=True):
    """An owner and a path in it; the empty path is all that the owner has."""

    owner: Owner
    path: str = ""

    def below(self, path: str) -> Place:
        """Return the place of a path in this folder."""
        inner = safe_path(path)
        joined = "/".join(part for part in (self.path, inner) if part)
        return Place(self.owner, joined)


LOOSE = Owner("loose")


def safe_path(path: str) -> str:
    """Return a path in an owner, empty for all of it, or raise InvalidInput if it could leave it.

    What would leave it only once it is decoded again (`%2e%2e/`) is refused as well.
    """
    trimmed = path.rstrip("/")
    if not trimmed:
        if path.startswith("//"):
            check_path(path)
        return ""
    seen = _inside(trimmed)
    for _ in range(DECODED_MOST):
        again = unquote(seen, errors="replace")
        if again == seen:
            return trimmed
        seen = again
        try:
            _inside(seen.rstrip("/") or seen)
        except InvalidInput as error:
            raise InvalidInput(
                f"{shown(path)} cannot be an artifact's path: decoded, it is {shown(seen)}.",
                hint="Write a relative path such as plots/calibration.png.",
            ) from error
    raise InvalidInput(f"{shown(path)} cannot be an artifact's path: it is encoded over and over.")


def tail_of(uri: str) -> str:
    """Return what a URI names in our own store.

    `mlflow-artifacts:/PATH`, with an authority or without, the address of the artifact route, or a
    bare path. Raises InvalidInput for a place elsewhere: this server fetches nothing from others.
    """
    if uri.startswith(SCHEME):
        return _without_authority(uri.removeprefix(SCHEME))
    if uri.startswith(("http://", "https://")) and ROUTE in uri:
        return unquote(uri.partition(ROUTE)[2]).lstrip("/")
    if _ANY_SCHEME.match(uri):
        raise InvalidInput(
            f"{shown(uri)} is not in this server's own store.",
            hint="Artifacts elsewhere are a matter between the client and that store.",
        )
    return uri


def owner_in(tail: str) -> Place:
    """Return the owner that a path names by its form; whether there is one is not asked here.

    `…/<run id>/artifacts/…`, `…/models/<model id>/artifacts/…`, `versions/<version id>/…`;
    anything else is loose.
    """
    path = safe_path(tail)
    parts = path.split("/") if path else []
    if len(parts) > 1 and parts[0] == VERSIONS:
        return Place(Owner("version", parts[1]), "/".join(parts[2:]))
    for at, part in enumerate(parts[:-1]):
        if parts[at + 1] == "artifacts":
            rest = "/".join(parts[at + 2 :])
            if _RUN_ID.fullmatch(part):
                return Place(Owner("run", part), rest)
            if _MODEL_ID.fullmatch(part) and at and parts[at - 1] == "models":
                return Place(Owner("model", part), rest)
    return Place(LOOSE, path)


def named_in(uri: str) -> Place | None:
    """Return the place of `runs:/<id>/path` or `models:/m-<id>/path`; None for any other form."""
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme not in {"runs", "models"}:
        return None
    first, _, path = _without_authority(rest).partition("/")
    if scheme == "runs":
        return Place(Owner("run", first), safe_path(path))
    if _MODEL_ID.fullmatch(first):
        return Place(Owner("model", first), safe_path(path))
    raise InvalidInput(
        f"{shown(uri)} names a registered model.", hint="The registry knows where its files are."
    )


def _inside(path: str) -> str:
    check_path(path)
    elsewhere = next((part for part in path.split("/") if _ELSEWHERE.fullmatch(part)), None)
    if elsewhere is not None:
        raise InvalidInput(
            f"{shown(path)} cannot be an artifact's path: {elsewhere} leads elsewhere.",
            hint="Write a relative path such as plots/calibration.png.",
        )
    return path


def _without_authority(rest: str) -> str:
    if rest.startswith("//"):
        return rest[2:].partition("/")[2]
    return rest.removeprefix("/")
