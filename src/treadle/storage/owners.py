"""Whose objects lie in a store: each database that puts some leaves its mark there first.

To one database what another needs is nobody's. So who would remove anything looks at the marks: in
a store that bears another's, nothing is removed.
"""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Column, Table, Text, select
from sqlalchemy.engine import make_url

from treadle.kernel.errors import Conflict, Corrupt, NotFound
from treadle.kernel.ids import id_time
from treadle.storage.fresh import IDENTITY
from treadle.storage.schema import metadata
from treadle.storage.stores import open_blobs

if TYPE_CHECKING:
    from treadle.kernel.settings import Settings
    from treadle.storage.ports import Blobs, MetadataStore

FOLDER = "owners"
_NAMED = 3
PLACES_KEPT = 8

identities = Table(IDENTITY, metadata, Column("id", Text, primary_key=True))
"""One row, made with the database: it goes along when the database is moved or restored."""


class Place(msgspec.Struct, frozen=True):
    """Where a database is: its address, and the host of one that is a file."""

    database: str
    host: str

    def __str__(self) -> str:
        return f"{self.database} on {self.host}"


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A database that has put objects into a store: its id, and where it was then.

    `also` is where else one of that id has been since: it was moved, or it is a copy.
    """

    id: str
    database: str
    host: str
    also: tuple[Place, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """Return everywhere it has been, the first place first."""
        return (Place(self.database, self.host), *self.also)

    def seen_at(self, place: Place) -> Owner:
        """Return it as one that is at a place now, too; a server is the same from every host."""
        is_file = place.database.startswith("sqlite")
        if any(p == place or (p.database == place.database and not is_file) for p in self.places):
            return self
        return msgspec.structs.replace(self, also=(*self.also, place)[-PLACES_KEPT:])

    @property
    def since(self) -> int:
        """Return when the database was made (µs), or when it first had an id."""
        return id_time(self.id)

    def __str__(self) -> str:
        return f"{self.id} ({self.database} on {self.host})"


class Owners:
    """The marks in one store of objects, as one database sees them."""

    def __init__(self, url: str, *, store: MetadataStore, database: str = "") -> None:
        self.url = url
        self._store = store
        self._is_marked = False
        self._database = make_url(database).render_as_string() if database else "unnamed"

    @property
    def own_id(self) -> str:
        """Return what names this database."""
        with self._store.read() as tx:
            return str(tx.execute(select(identities.c.id)).scalar_one())

    def mark(self) -> None:
        """Leave the mark of this database, unless it is there; a process looks once."""
        if self._is_marked:
            return
        blobs, own = self._blobs(), self.own_id
        here = Place(self._database, socket.gethostname())
        try:
            known = _read(blobs, _key(own))
            mark = known.seen_at(here)
        except (NotFound, Corrupt):
            known, mark = None, Owner(id=own, database=here.database, host=here.host)
        if mark is not known:
            blobs.put(_key(own), io.BytesIO(msgspec.json.encode(mark)))
        self._is_marked = True

    def owners(self) -> tuple[Owner, ...]:
        """Return every database that has left its mark, the oldest first."""
        blobs = self._blobs()
        keys = sorted(info.key for info in blobs.list(FOLDER))
        return tuple(_read(blobs, key) for key in keys)

    def others(self) -> tuple[Owner, ...]:
        """Return the databases with a mark but for this one."""
        own = self.own_id
        return tuple(owner for owner in self.owners() if owner.id != own)

    def require_alone(self, *, dry_run: bool = False) -> None:
        """Raise Conflict when others need objects that lie here; leave the own mark."""
        if not dry_run:
            self.mark()  # first: of two that begin at once one sees the other
        others = self.others()
        if others:
            named = ", ".join(str(owner) for owner in others[:_NAMED])
            raise Conflict(
                f"The objects in {self.url} are not this database's alone: they bear the mark of "
                f"{named}. Nothing was removed, for what only another needs cannot be seen here.",
                hint="Give each its own place (TREADLE_OBJECTS_URL). Of a database that is gone "
                "for good forget the mark: treadle objects owners forget ID",
            )

    def forget(self, owner_id: str) -> Owner:
        """Remove the mark of a database that is gone. Raises NotFound when there is none."""
        owners = {owner.id: owner for owner in self.owners()}
        if owner_id not in owners:
            raise NotFound("owner", owner_id, known=owners)
        self._blobs().delete(_key(owner_id))
        return owners[owner_id]

    def _blobs(self) -> Blobs:
        return open_blobs(self.url)


def owners_of(settings: Settings, *, store: MetadataStore) -> Owners:
    """Return whose objects lie where a home keeps its own."""
    return Owners(settings.where_objects(), store=store, database=settings.where_metadata())


def _key(owner_id: str) -> str:
    return f"{FOLDER}/{owner_id}"


def _read(blobs: Blobs, key: str) -> Owner:
    try:
        with blobs.open(key) as stream:
            return msgspec.json.decode(stream.read(), type=Owner)
    except msgspec.DecodeError as error:
        raise Corrupt(
            f"{key}, which says whose objects these are, is damaged.",
            hint="Remove it; each database writes its own again when it puts an object.",
        ) from error
