"""What no version in a remote needs: found, given up by everybody, then removed.

There is no lock, and no clock is trusted. A sweep begins an **era**, and names in it what may still
be leant on; then it takes the next step of each dataset, with the state that it has. Whoever had
compared before comes too late by that, compares again, and leans on nothing that is given up. Only
then is it removed. What is written later has a name of the new era: so a sweep that stood still for
a week and goes on removes nothing of anybody's. How old something is only decides whether it is
worth keeping for a push that may be sent again, or for a pull that is under way.
"""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from treadle.data.entities import DatasetVersion
from treadle.data.remotes import keys
from treadle.data.remotes.depot import READERS
from treadle.data.remotes.entities import Era, SweptRemote
from treadle.data.remotes.marks import MARK_US, marks
from treadle.data.remotes.pull import object_names
from treadle.kernel.actors import current_actor
from treadle.kernel.errors import Conflict, Corrupt, Unavailable
from treadle.kernel.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from treadle.data.remotes.depot import Depot, Turn
    from treadle.data.remotes.entities import Held, State
    from treadle.storage.ports import BlobInfo

# In this order: nobody finds an index whose pack has gone.
FOLDERS = (keys.PUSHES, keys.INDEXES, keys.PACKS, keys.OBJECTS, keys.RECORDS)
ATTEMPTS = 4
STEPS = 64
"""So many times somebody may push a dataset while its next step is taken."""


class Steps(NamedTuple):
    """How a sweep makes itself known: each says whether nobody else was there first."""

    begin: Callable[[Era], bool]
    take: Callable[[Turn, int], bool]


class Needed:
    """What states need: the names of their records, indexes, packs and whole objects."""

    def __init__(self, depot: Depot, *, has_objects: bool) -> None:
        self._depot = depot
        self._has_objects = has_objects
        self.records: set[str] = set()
        self.indexes: set[str] = set()
        self.packs: set[str] = set()
        self.objects: set[str] = set()

    def add(self, states: Mapping[str, State]) -> None:
        """Add what states need. Raises Corrupt when that cannot be known."""
        held = [each for state in states.values() for each in state.versions]
        new = [each for each in held if each.record not in self.records]
        self.records.update(states, (each.record for each in held))
        self.records.update(name for state in states.values() for name in state.contracts)
        self.add_indexes({name for state in states.values() for name in state.indexes})
        if self._has_objects:
            self._add_objects(new)

    def add_indexes(self, names: Iterable[str]) -> None:
        """Add indexes, and the packs they are of."""
        new = set(names) - self.indexes
        self.packs.update(index.pack for _, index in self._depot.indexes(new))
        self.indexes |= new

    def holds(self, info: BlobInfo) -> bool:
        """Say whether something that lies there is needed."""
        folder, name = info.key.partition("/")[0], keys.name_of(info.key)
        named = {
            keys.RECORDS: self.records,
            keys.INDEXES: self.indexes,
            keys.PACKS: self.packs,
            keys.OBJECTS: self.objects,
        }
        return name in named.get(folder, ())

    def _add_objects(self, held: list[Held]) -> None:
        versions = self._depot.records([each.record for each in held], DatasetVersion)
        for each, version in zip(held, versions, strict=True):
            self.objects |= object_names(version, each.era)


class Plan(NamedTuple):
    """What a sweep is about to remove: in which era it was found, and where all stood then."""

    era: int
    kept: frozenset[str]
    turns: dict[str, int]
    doomed: list[BlobInfo]
    spared_bytes: int
    has_objects: bool


class RemoteSweep:
    """One sweep of a remote; `older_than` (µs) spares what was written, or named, since."""

    def __init__(
        self,
        depot: Depot,
        *,
        steps: Steps,
        older_than: int,
        at: int,
        progress: Callable[[int], None],
    ) -> None:
        self._depot = depot
        self._steps = steps
        self._older_than = older_than
        self._at = at
        self._progress = progress
        self.era = 0

    def run(self, *, dry_run: bool) -> SweptRemote:
        """Remove what nothing needs, or say what that would be.

        Raises Corrupt when it cannot be known what a version needs; then nothing is removed.
        """
        for _ in range(ATTEMPTS):
            before = self._depot.era()
            try:
                swept = self._run(before, dry_run=dry_run)
            except Corrupt:
                if self._depot.era().number <= max(before.number, self.era):
                    raise
                continue  # somebody else has removed what was about to be read
            if swept is not None:
                return swept
        raise Conflict(
            f"Others swept {self._depot.url} at every try.", hint="Then it needs no further sweep."
        )

    def _run(self, before: Era, *, dry_run: bool) -> SweptRemote | None:
        """Sweep once; None when somebody else began the next era."""
        plan = self._plan(before, time.time_ns() // 1000 if dry_run else self._now())
        if dry_run or not plan.doomed:
            return self._told(plan, plan.doomed)
        era = Era(number=plan.era + 1, kept=plan.kept, actor=current_actor(), at=self._at)
        self._depot.mark_as_swept()
        if not self._steps.begin(era):
            return None
        self.era = era.number
        late = self._take_steps(plan)
        gone = [info for info in plan.doomed if not late.holds(info)]
        self._remove(gone)
        return self._told(plan, gone)

    def _plan(self, era: Era, now: int) -> Plan:
        # The era was asked for first: who gives up anything later begins another.
        under_way = [mark for mark in marks(self._depot) if mark.info.put_at >= now - MARK_US]
        listed = [info for folder in FOLDERS for info in self._depot.blobs.list(folder)]
        has_objects = any(info.key.startswith(f"{keys.OBJECTS}/") for info in listed)
        needed = Needed(self._depot, has_objects=has_objects)
        turns: dict[str, int] = {}
        for dataset, first in self._first_steps(now - self._older_than).items():
            last = turns[dataset] = self._depot.turn(dataset).number
            needed.add(self._depot.states(dataset, first=min(first, last), last=last))
        sent = {name for mark in under_way for name in mark.indexes}
        spared = max(self._older_than, MARK_US if under_way else 0)

        def is_worth_it(info: BlobInfo) -> bool:
            name = keys.name_of(info.key)
            # What was given up before is not taken up again: another sweep may be removing it.
            was_kept = keys.era_of(name) == era.number or name in era.kept
            is_young = bool(spared) and info.put_at >= now - spared
            return was_kept and (name in sent or is_young)

        indexes = [info for info in listed if info.key.startswith(f"{keys.INDEXES}/")]
        worth = Needed(self._depot, has_objects=False)
        self._keep(worth, [keys.name_of(info.key) for info in indexes if is_worth_it(info)])
        idle = [info for info in listed if not needed.holds(info)]
        given_up = [info for info in idle if not worth.holds(info)]
        doomed = [info for info in given_up if self._is_doomed(info, era=era.number, now=now)]
        return Plan(
            era=era.number,
            kept=frozenset(needed.indexes | worth.indexes),
            turns=turns,
            doomed=doomed,
            spared_bytes=sum(i.size_bytes for i in idle) - sum(i.size_bytes for i in doomed),
            has_objects=has_objects,
        )

    def _first_steps(self, since: int) -> dict[str, int]:
        """Return of each dataset the step that it was at, at an instant of the remote's clock."""
        first: dict[str, int] = {}
        for info in self._depot.blobs.list(keys.REFS):
            _, dataset, step = info.key.split("/")
            was = first.get(dataset, 1)
            # Another one took its place before that.
            is_past = not self._older_than or info.put_at < since
            first[dataset] = max(was, int(step)) if is_past else was
        return first

    def _is_doomed(self, info: BlobInfo, *, era: int, now: int) -> bool:
        if info.key.startswith(f"{keys.PUSHES}/"):
            return info.put_at < now - MARK_US
        if keys.era_of(keys.name_of(info.key)) > era:
            return False
        return not self._older_than or info.put_at < now - self._older_than

    def _keep(self, worth: Needed, names: list[str]) -> None:
        try:
            worth.add_indexes(names)
        except Corrupt:
            for name in names if len(names) > 1 else ():
                self._keep(worth, [name])  # but for what is damaged: nobody can lean on it

    def _take_steps(self, plan: Plan) -> Needed:
        """Have everybody who compared before compare again; return what they named until then."""
        late = Needed(self._depot, has_objects=plan.has_objects)
        names = {*self._depot.datasets(), *(mark.dataset for mark in marks(self._depot))}
        for dataset in sorted(names):
            turn = self._next_step(dataset)
            first = plan.turns.get(dataset, 1)
            late.add(self._depot.states(dataset, first=first, last=turn.number))
        return late

    def _next_step(self, dataset: str) -> Turn:
        for _ in range(STEPS):
            turn = self._depot.turn(dataset)
            if self._steps.take(turn, self.era):
                return turn
        raise Conflict(
            f"Others pushed {dataset} to {self._depot.url} at every try; nothing was removed.",
            hint="Sweep again when less is pushed.",
        )

    def _remove(self, gone: list[BlobInfo]) -> None:
        def remove(info: BlobInfo) -> None:
            self._depot.blobs.delete(info.key)
            self._progress(info.size_bytes)

        for folder in FOLDERS:
            with ThreadPoolExecutor(READERS) as pool:
                list(pool.map(remove, (i for i in gone if i.key.startswith(f"{folder}/"))))

    def _now(self) -> int:
        """Return what time it is by the remote's own clock."""
        key = f"probes/{new_id()}"
        self._depot.blobs.put(key, io.BytesIO(b"now"))
        told = [info.put_at for info in self._depot.blobs.list("probes") if info.key == key]
        self._depot.blobs.delete(key)
        if not told:
            raise Unavailable(
                f"{self._depot.url} does not list what was just written there.",
                hint="Sweep again later.",
            )
        return told[0]

    def _told(self, plan: Plan, gone: list[BlobInfo]) -> SweptRemote:
        def of(folder: str) -> list[BlobInfo]:
            return [info for info in gone if info.key.startswith(f"{folder}/")]

        packs, objects = of(keys.PACKS), of(keys.OBJECTS)
        pack_bytes = sum(info.size_bytes for info in packs)
        object_bytes = sum(info.size_bytes for info in objects)
        return SweptRemote(
            remote=self._depot.url,
            packs=tuple(keys.name_of(info.key) for info in packs),
            objects=tuple(keys.name_of(info.key) for info in objects),
            others=len(gone) - len(packs) - len(objects),
            pack_bytes=pack_bytes,
            object_bytes=object_bytes,
            other_bytes=sum(info.size_bytes for info in gone) - pack_bytes - object_bytes,
            spared_bytes=plan.spared_bytes,
        )
