"""What a remote is, what lies in it, and what a push or a pull has done.

What lies in a remote is written once and never changed; later versions of Treadle may add fields,
which earlier ones pass over.
"""

from __future__ import annotations

import msgspec

FORMAT = 1
STEP_FORMAT = 2
"""Of a step from which on versions are named by what they were made on, too."""
SEALED_FORMAT = 2
"""Of a remote in which all but its marker is encrypted; what does not know that refuses it."""


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """A place outside the home, under a name of its own.

    `is_plain` says that it may hold plain what the home encrypts.
    """

    name: str
    url: str
    created_at: int
    is_plain: bool = False


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """Says that a place is a remote, and of which format."""

    format: int = FORMAT


class PackIndex(msgspec.Struct, frozen=True, array_like=True):
    """What a pack of the remote holds; `entries` as they are listed at the pack's end."""

    format: int
    pack: str
    size_bytes: int
    entries: bytes


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A version that a remote has: its digest, its number there, its record, who its parents are.

    A number is above those of the parents, which go by their identities; `identity` is empty where
    it is the digest.
    """

    digest: str
    number: int
    record: str
    parents: tuple[str, ...] = ()
    identity: str = ""

    @property
    def name(self) -> str:
        """Return what names the version in every home."""
        return self.identity or self.digest


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that a remote has of a dataset: what is in it stays in every later one.

    `versions` are ordered by number, `contracts` the records of contracts, oldest first, and
    `indexes` those of all packs that the versions need. `branches` and `tags` name versions by
    identity; these alone may differ in a later state.
    """

    dataset: str
    versions: tuple[Held, ...] = ()
    contracts: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    branches: dict[str, str] = {}
    tags: dict[str, str] = {}
    format: int = FORMAT


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the history of a dataset in a remote: from now on it has that state."""

    id: str
    state: str
    actor: str
    at: int
    format: int = STEP_FORMAT


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What a push or a pull of one dataset has moved, or would move."""

    dataset: str
    remote: str
    versions: tuple[str, ...]
    chunks: int = 0
    packs: int = 0
    objects: int = 0
    size_bytes: int = 0
    pointers: tuple[str, ...] = ()
    """Branches and tags that moved in the remote."""
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Say whether there was nothing to move."""
        return not (self.versions or self.pointers)
