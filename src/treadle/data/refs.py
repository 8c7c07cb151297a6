"""How a version is asked for: `flights`, `flights@3`, `flights@latest`, `flights@4a3df1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from treadle.data import store as sql
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from treadle.data.entities import DatasetVersion
    from treadle.storage.transaction import Transaction

LATEST = "latest"
LEAST_PREFIX = 6


class Ref(NamedTuple):
    """A dataset's name, and a number, the start of a digest, or `latest`."""

    name: str
    version: str


def parse_ref(ref: str) -> Ref:
    """Split `name@version`; without a version the latest is meant."""
    name, _, version = ref.partition("@")
    return Ref(name, version or LATEST)


def find_version(tx: Transaction, ref: str) -> DatasetVersion:
    """Return the version a reference means. Raises NotFound with near misses."""
    name, wanted = parse_ref(ref)
    latest = sql.latest_number(tx, name)
    if not latest:
        raise NotFound("dataset", name, known=sql.names(tx))
    number = latest if wanted == LATEST else int(wanted) if _is_number(wanted) else 0
    found = sql.version_by_number(tx, name, number) if number else None
    if found is None and len(wanted) >= LEAST_PREFIX:
        found = _by_prefix(tx, name, wanted.lower())
    if found is None:
        raise NotFound(
            "version", ref, hint=f"{name} has the versions 1 to {latest}; ask for {name}@{latest}."
        )
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004 - an SQL integer


def _by_prefix(tx: Transaction, name: str, prefix: str) -> DatasetVersion | None:
    found = sql.versions_by_prefix(tx, name, prefix)
    if len(found) > 1:
        raise InvalidInput(
            f"{prefix!r} begins the digests of several versions of {name}.",
            hint=f"Write more of it, or {found[0].ref}.",
        )
    return found[0] if found else None
