"""The verbs that take things out of a remote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.data.facts import DatasetWithdrawn, RemoteKeyRotated, RemoteSwept
from treadle.data.refs import parse_ref, require_one
from treadle.data.remotes.pull import chosen
from treadle.data.remotes.removing import without_versions, write_anew
from treadle.data.remotes.service import PUSHES, Remotes
from treadle.data.remotes.sweeping import RemoteSweep, Steps
from treadle.data.trees.sweeping import LIVE_SHARE
from treadle.data.versions import require_name
from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import Conflict, InvalidInput, Unavailable
from treadle.storage.stores import rotate_keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treadle.data.remotes.depot import Depot, Turn
    from treadle.data.remotes.entities import Era, Held, Removed, SweptRemote
    from treadle.storage.encryption.rotation import Rotation


def _untold(_: int) -> None:
    """Tell nobody."""


class RemoteUpkeep(Remotes):
    """Takes versions out of remotes, and frees what none there needs."""

    def remove_from_remote(
        self,
        ref: str,
        *,
        remote: str = "",
        live_share: float = LIVE_SHARE,
        dry_run: bool = False,
    ) -> Removed:
        """Take a version (by its number there or its digest), or a dataset, out of a remote.

        Branches there at it fall back to what it was made on, tags at it go. Who pushes it again is
        told that it was removed. Its bytes go with the next `gc_remote`; packs of which less than
        `live_share` stays needed are written anew for that, 1 for all that hold any of it. Raises
        NotFound when it is not there, InvalidInput for a digest that several versions have,
        Unavailable where nothing can be written.
        """
        depot = self._writable(remote)
        dataset, wanted = _named(ref)
        require_name(dataset)
        for _ in range(PUSHES):
            turn, era = depot.turn(dataset), depot.era()
            with depot.comparing(turn, era):
                gone = chosen(turn, wanted, url=depot.url)
                _require_one_with(turn, gone, wanted)
                outcome = without_versions(
                    depot, turn, gone, at=self._instant(), live_share=live_share
                )
                if dry_run:
                    return outcome.removed
                keeps_order = self._probed(depot)
                depot.mark_as_swept()
                state = write_anew(depot, outcome, era=era.number)
                if self._advance(depot, turn, state, era=era.number, keeps_order=keeps_order):
                    self._tell_withdrawn(outcome.removed)
                    notes = (*outcome.removed.notes, *self._blindness(depot))
                    return msgspec.structs.replace(outcome.removed, notes=notes)
        raise Conflict(
            f"Somebody else pushed {dataset} to {depot.url} at every try.", hint="Do it again."
        )

    def gc_remote(
        self,
        *,
        remote: str = "",
        older_than: int = DAY_US,
        dry_run: bool = False,
        progress: Callable[[int], None] = _untold,
    ) -> SweptRemote:
        """Remove from a remote what no version there needs.

        `older_than` (µs, by the remote's own clock) spares what was written since, and what
        versions need that were there since: for pulls that are under way. What pushes under way
        have sent is spared in any case. Safe beside pushes, pulls and sweeps of others, also with
        0: who has leant on what is removed comes too late with his push, and sends it.
        """
        depot = self._writable(remote)
        keeps_order = dry_run or self._probed(depot)

        def begin(era: Era) -> bool:
            if keeps_order:
                return depot.begin_era(era, is_locked=False)
            with self._store.write():
                return depot.begin_era(era, is_locked=True)

        def take(turn: Turn, era: int) -> bool:
            return self._advance(depot, turn, None, era=era, keeps_order=keeps_order)

        sweep = RemoteSweep(
            depot,
            steps=Steps(begin, take),
            older_than=older_than,
            at=self._instant(),
            progress=progress,
        )
        swept = sweep.run(dry_run=dry_run)
        if sweep.era:
            fact = RemoteSwept(
                url=depot.url, era=sweep.era, packs=len(swept.packs), size_bytes=swept.size_bytes
            )
            with self._store.write() as tx:
                tx.emit(fact)
        return swept if dry_run else msgspec.structs.replace(swept, notes=self._blindness(depot))

    def rotate_remote_key(
        self, *, remote: str = "", old: str = "", new: str = "", dry_run: bool = False
    ) -> Rotation:
        """Wrap the data keys of an encrypted remote with another master key.

        `old` and `new` are keys or their files; what is not told is the home's. Nothing else there
        is written, and who has only the old one is told. Safe to be killed, and to be done again.
        Raises InvalidInput for a remote that is not encrypted.
        """
        depot = self._depot(remote)
        marker = depot.marker() if depot.lists else None
        if marker is None:
            self._require_remote(depot)
        if marker is None or not marker.seals:
            raise InvalidInput(
                f"{depot.url} is not encrypted: it has no keys.",
                hint="Name an empty place with --encrypted, and push there.",
            )
        done = rotate_keys_of(depot.url, objects=self._objects, old=old, new=new, dry_run=dry_run)
        if done.before and not dry_run:
            with self._store.write() as tx:
                tx.emit(RemoteKeyRotated(url=depot.url, master=done.after))
        return done

    def _tell_withdrawn(self, removed: Removed) -> None:
        fact = DatasetWithdrawn(
            dataset=removed.dataset,
            remote=removed.remote,
            versions=tuple(held.digest for held in removed.versions),
        )
        with self._store.write() as tx:
            tx.emit(fact)

    def _instant(self) -> int:
        with self._store.read() as tx:
            return tx.at

    def _writable(self, where: str) -> Depot:
        depot = self._depot(where)
        if not depot.lists:
            raise Unavailable(
                f"{depot.url} can only be read: nothing is removed from it.",
                hint="Name the folder or bucket behind it.",
            )
        self._require_remote(depot)
        return depot


def _named(ref: str) -> tuple[str, str]:
    dataset, version = parse_ref(ref)
    return dataset, version if "@" in ref else ""


def _require_one_with(turn: Turn, gone: Sequence[Held], asked: str) -> None:
    """Refuse a digest that several versions have: done again it would take the next of them."""
    if len(gone) == 1 and asked not in ("latest", str(gone[0].number)):
        equal = [h.number for h in turn.state.versions if h.digest == gone[0].digest]
        require_one(turn.state.dataset, asked, equal, where=" there")
