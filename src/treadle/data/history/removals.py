"""The verbs that remove versions, bring them back, and forget them after the grace time."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from treadle.data import store as sql
from treadle.data.branches import store as pointers
from treadle.data.branches.entities import GRACE_US, Need
from treadle.data.branches.graph import without
from treadle.data.facts import DatasetForgotten, DatasetRemoved, DatasetRestored
from treadle.data.history import store as history
from treadle.data.history.entities import Removal
from treadle.data.refs import find_even_removed, find_version, is_in_grace, require_one
from treadle.data.tables.service import Tables
from treadle.data.trees.sweeping import LIVE_SHARE, Sweep
from treadle.data.trees.upkeep import Reached
from treadle.kernel.actors import current_actor
from treadle.kernel.clock import HOUR_US
from treadle.kernel.errors import Conflict
from treadle.storage.chunks import store as chunks_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.data.trees.entities import Swept
    from treadle.storage.transaction import Transaction

NEEDS_SHOWN = 5


class Removals(Tables):
    """Removes versions: at once for who reads, for good when `gc` finds the grace time over."""

    def remove(self, ref: str, *, force: bool = False, dry_run: bool = False) -> Removal:
        """Remove a version (`flights@3`), or a dataset with all its versions (`flights`).

        Raises Conflict naming what needs it. `force` goes past what only recorded that it used it
        (runs, models, evaluations), never past a branch, a tag or an endpoint. `restore` brings it
        back within a week; then `gc` takes it.
        """
        with self._store.read() as tx:
            found = _meant(tx, ref)
            needs = [*_pointing(tx, found, ref), *_references(tx, found)]
        needs += self._needed_by([version.ref for version in found])
        if dry_run:
            return _removal(found, needs, freed=self._freed(found))
        in_the_way = [need for need in needs if not (force and need.is_record)]
        if in_the_way:
            raise _needed(ref, in_the_way)
        with self._store.write() as tx:
            sql.lock_dataset(tx, found[0].dataset)
            found = _meant(tx, ref)
            if since := _pointing(tx, found, ref):
                raise _needed(ref, since)
            numbers = tuple(version.number for version in found)
            sql.mark_removed(tx, found[0].dataset, numbers, actor=current_actor())
            tx.emit(DatasetRemoved(dataset=found[0].dataset, numbers=numbers, forced=bool(needs)))
        return _removal(found, needs)

    def restore(self, ref: str) -> tuple[DatasetVersion, ...]:
        """Bring a removed version back, or all removed ones of a dataset; return them.

        Raises NotFound once the grace time of a version is over.
        """
        with self._store.write() as tx:
            named = find_even_removed(tx, ref)
            sql.lock_dataset(tx, named.dataset)
            every = (named,) if "@" in ref else history.every_version(tx, named.dataset)
            gone = [version for version in every if version.removed_at is not None]
            numbers = tuple(version.number for version in gone if is_in_grace(tx, version))
            if gone and not numbers:
                find_version(tx, ref)  # which says that its time is over
            if numbers:
                sql.mark_restored(tx, named.dataset, numbers)
                tx.emit(DatasetRestored(dataset=named.dataset, numbers=numbers))
            return history.versions_of(tx, named.dataset, numbers)

    def removed(self, name: str) -> tuple[DatasetVersion, ...]:
        """Return the removed versions of a dataset that can be restored, newest first."""
        with self._store.read() as tx:
            every = history.every_version(tx, name)
            return tuple(v for v in reversed(every) if v.removed_at and is_in_grace(tx, v))

    def forget_removed(self) -> tuple[DatasetVersion, ...]:
        """Let go for good of what was removed and whose grace time is over; return it.

        Its number is never given again, and what was made on it descends from what it was made on.
        """
        with self._store.write() as tx:
            gone = history.removed_until(tx, tx.at - GRACE_US)
            for name, versions in groupby(gone, key=lambda version: version.dataset):
                _forget(tx, name, {version.number for version in versions})
        return gone

    def gc(
        self,
        *,
        dry_run: bool = False,
        older_than: int = HOUR_US,
        live_share: float = LIVE_SHARE,
        progress: Callable[[int], None] | None = None,
    ) -> Swept:
        """Remove every object that nothing reaches: no version, run, model, evaluation, cache.

        `older_than` (µs) spares what was written later than that ago; an object that no row names
        yet stays for an hour in any case. Packs of which less than `live_share` is needed are
        written anew without the rest. Safe beside writers, also with 0: a commit that leans on a
        chunk which is swept away reads that file again. Versions removed longer than a week ago are
        forgotten first, and tables laid out for engines long ago. Raises Conflict where another
        database keeps objects in the same place, and removes nothing.
        """
        if self._owners:
            self._owners.require_alone(dry_run=dry_run)
        if not dry_run:
            self.forget_removed()
            self._laid_out.sweep()
        sweep = Sweep(
            store=self._store,
            objects=self._objects,
            reader=self._reader,
            older_than=older_than,
            live_share=live_share,
            progress=progress,
        )
        return sweep.run(dry_run=dry_run)

    def _freed(self, found: Sequence[DatasetVersion]) -> int:
        """Return how many bytes no other version holds."""
        ids = {version.id for version in found}
        with self._store.read() as tx:
            others = [version for version in sql.all_versions(tx) if version.id not in ids]
        kept, lost = Reached(reader=self._reader), Reached(reader=self._reader)
        kept.add(others)
        lost.add(found)
        with self._store.read() as tx:
            places = chunks_sql.places(tx, lost.chunks - kept.chunks)
        freed = sum(place.length for place in places.values())
        still = frozenset[str]().union(*(version.objects for version in others))
        alone = frozenset[str]().union(*(version.objects for version in found)) - still
        known = (self._objects.stat(digest) for digest in alone)
        return freed + sum(info.size_bytes for info in known if info)


def _meant(tx: Transaction, ref: str) -> tuple[DatasetVersion, ...]:
    """Return the versions a removal is about that are not removed yet."""
    if "@" in ref:
        version = find_version(tx, ref)
        _require_one_with(tx, version, ref.partition("@")[2])
        return (version,)
    if not sql.latest_number(tx, ref):
        find_version(tx, ref)  # which says that it is removed, or not there
    return tuple(v for v in history.every_version(tx, ref) if v.removed_at is None)


def _require_one_with(tx: Transaction, version: DatasetVersion, asked: str) -> None:
    """Refuse a digest that several versions have: done again it would remove the next of them."""
    name = version.dataset
    by_digest = asked != str(version.number) and version.digest.startswith(asked.lower())
    if not by_digest or pointers.pointer(tx, name, asked) is not None:
        return
    equal = sql.versions_with(tx, name, version.digest)
    require_one(name, asked, [v.number for v in equal if v.removed_at is None])


def _pointing(tx: Transaction, found: Sequence[DatasetVersion], ref: str) -> list[Need]:
    """Return the branches and tags at a version, and rows of it that are held undecided.

    Those of a whole dataset go with it.
    """
    if "@" not in ref:
        return []
    return [
        Need(version.ref, by, is_record=False)
        for version in found
        for by in (*_pointers_at(tx, version), *_held_of(tx, version))
    ]


def _pointers_at(tx: Transaction, version: DatasetVersion) -> list[str]:
    return [
        f"{pointer.kind} {pointer.name}"
        for pointer in pointers.pointers(tx, version.dataset)
        if pointer.number == version.number
    ]


def _held_of(tx: Transaction, version: DatasetVersion) -> list[str]:
    """Name quarantines of rows which were taken out of what follows: here they are alone."""
    every = sql.quarantines_of(tx, version.dataset, number=version.number, kind="rows")
    return [f"quarantine {each.id} (rows not decided on)" for each in every if each.state == "held"]


def _references(tx: Transaction, found: Sequence[DatasetVersion]) -> list[Need]:
    """Return the contracts of other datasets that look a version up."""
    gone = {version.ref for version in found} | {
        version.dataset
        for version in found
        if len(found) == sql.count_versions(tx, version.dataset)
    }
    needs = []
    for name in sql.names(tx):
        contract = sql.latest_contract(tx, name)
        if contract is None or name == found[0].dataset:
            continue
        needs += [
            Need(ref, f"the contract of {name}", is_record=False)
            for ref in contract.body.references
            if ref in gone
        ]
    return needs


def _forget(tx: Transaction, name: str, numbers: set[int]) -> None:
    sql.lock_dataset(tx, name)
    links = sql.links(tx, name)
    left = without(links, numbers)
    history.set_parents(tx, name, {n: found for n, found in left.items() if found != links[n]})
    history.forget(tx, name, numbers)
    tx.emit(DatasetForgotten(dataset=name, numbers=tuple(sorted(numbers))))


def _removal(found: Sequence[DatasetVersion], needs: Sequence[Need], *, freed: int = 0) -> Removal:
    refs = tuple(version.ref for version in found)
    return Removal(refs=refs, needed_by=tuple(needs), freed_bytes=freed)


def _needed(ref: str, needs: Sequence[Need]) -> Conflict:
    told = "; ".join(f"{need.by} needs {need.ref}" for need in needs[:NEEDS_SHOWN])
    more = f"; and {len(needs) - NEEDS_SHOWN} more" if len(needs) > NEEDS_SHOWN else ""
    can_force = all(need.is_record for need in needs)
    hint = "Move or take these away first."
    if can_force:
        hint = "They only record it: --force removes it all the same, and they keep its name."
    return Conflict(
        f"{ref} cannot be removed: {told}{more}.",
        hint=hint,
        needed_by=[need.by for need in needs],
    )
