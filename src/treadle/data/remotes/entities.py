"""What a remote is, what lies in it, and what a push or a pull has done.

What lies in a remote is written once and never changed; later versions of Treadle may add fields,
which earlier ones pass over. Things name each other by digest and era (`keys.named`).
"""

from __future__ import annotations

import msgspec

FORMAT = 1
SEALED_FORMAT = 2
"""Of a remote in which all but its marker is encrypted; what does not know that refuses it."""
STEP_FORMAT = 2
"""Of a step from which on versions are named by what they were made on, too."""
SWEPT_FORMAT = 3
"""Of a remote from which something was removed, and of a step since then."""


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
    is_sealed: bool = False

    @property
    def seals(self) -> bool:
        """Say whether all else is encrypted."""
        return self.is_sealed or self.format == SEALED_FORMAT


class Era(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of an era: nobody leans on what is older, but for the indexes in `kept`."""

    number: int = 0
    kept: frozenset[str] = frozenset()
    actor: str = ""
    at: int = 0
    format: int = FORMAT


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """The mark of a push that is under way: the indexes of what it has sent or leans on."""

    indexes: tuple[str, ...] = ()
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
    it is the digest. The whole objects that it needs were written in `era`.
    """

    digest: str
    number: int
    record: str
    parents: tuple[str, ...] = ()
    identity: str = ""
    era: int = 0

    @property
    def name(self) -> str:
        """Return what names the version in every home."""
        return self.identity or self.digest


class Withdrawn(msgspec.Struct, frozen=True):
    """A version that was removed from a remote: it is not pushed again unasked.

    `identity` names it in every home.
    """

    identity: str
    digest: str
    number: int
    actor: str
    at: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that a remote has of a dataset: what is in it stays in later ones until it is removed.

    `versions` are ordered by number, `contracts` the records of contracts, oldest first, and
    `indexes` those of all packs that the versions need. `branches` and `tags` name versions by
    identity. `removed` are versions that were here.
    """

    dataset: str
    versions: tuple[Held, ...] = ()
    contracts: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()
    branches: dict[str, str] = {}
    tags: dict[str, str] = {}
    removed: tuple[Withdrawn, ...] = ()
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


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed of a dataset in a remote, or would be.

    `versions` by their numbers there; `pointers` says of each branch or tag at one of them where it
    is now, with nothing for one that is gone. A sweep then frees `freed_bytes`; `shared_bytes` of
    the versions lie in packs that others need, and stay.
    """

    dataset: str
    remote: str
    versions: tuple[Held, ...]
    pointers: dict[str, str] = {}
    freed_bytes: int = 0
    shared_bytes: int = 0
    notes: tuple[str, ...] = ()


class SweptRemote(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep of a remote removed, or would remove, and what it spared although unneeded."""

    remote: str
    packs: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    others: int = 0
    """How many small things that describe: indexes, records, marks."""
    pack_bytes: int = 0
    object_bytes: int = 0
    other_bytes: int = 0
    spared_bytes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Return how many bytes that frees."""
        return self.pack_bytes + self.object_bytes + self.other_bytes

    @property
    def is_empty(self) -> bool:
        """Say whether there was nothing to remove."""
        return not (self.packs or self.objects or self.others)
