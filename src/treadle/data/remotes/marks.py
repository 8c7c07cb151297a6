"""The marks of pushes that are under way: a sweep spares what they have sent and lean on.

Nothing hangs on them but that it is not sent twice: what makes a sweep safe is that it takes the
next step of each dataset. One that a killed push has left is passed over an hour later.
"""

from __future__ import annotations

import io
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from treadle.data.remotes import keys
from treadle.data.remotes.entities import Push
from treadle.kernel.clock import HOUR_US
from treadle.kernel.errors import Corrupt, NotFound, TreadleError
from treadle.kernel.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.data.remotes.depot import Depot
    from treadle.storage.ports import BlobInfo

MARK_US = HOUR_US
"""So long a mark counts after it was last written, by the remote's clock."""
REFRESH_S = 600


class PushMark:
    """The mark of one push, written before it sends anything and now and then while it does."""

    def __init__(self, depot: Depot, dataset: str) -> None:
        self._depot = depot
        self._key = keys.push_key(dataset, new_id())
        self._names: set[str] = set()
        self._lock = threading.Lock()
        self._written_at: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._written_at is not None:
            with suppress(TreadleError):  # it is passed over in time; what broke off says why
                self._depot.blobs.delete(self._key)

    def write(self) -> None:
        """Write it, unless that was done: of a dataset that is new nothing else tells so far."""
        self.note(())

    def note(self, indexes: Iterable[str]) -> None:
        """Add what was sent or is leant on; written at once the first time, later now and then."""
        with self._lock:
            self._names.update(indexes)
            now = time.monotonic()
            if self._written_at is None or now - self._written_at >= REFRESH_S:
                mark = Push(indexes=tuple(sorted(self._names)))
                self._depot.blobs.put(self._key, io.BytesIO(msgspec.json.encode(mark)))
                self._written_at = now


class Mark(NamedTuple):
    """A mark as it lies in a remote, and what it names."""

    info: BlobInfo
    dataset: str
    indexes: tuple[str, ...]


def marks(depot: Depot) -> list[Mark]:
    """Return all marks that lie in a remote."""
    found: list[Mark] = []
    for info in depot.blobs.list(keys.PUSHES):
        indexes: tuple[str, ...] = ()
        # It has ended since, or is damaged: then it spares nothing, and its key still tells.
        with suppress(NotFound, Corrupt, msgspec.DecodeError), depot.blobs.open(info.key) as stream:
            indexes = msgspec.json.decode(stream.read(), type=Push).indexes
        found.append(Mark(info, info.key.split("/")[1], indexes))
    return found
