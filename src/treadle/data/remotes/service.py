"""The verbs of remotes: name them, push versions to them, pull versions from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.data import store as data_sql
from treadle.data.branches.entities import MAIN
from treadle.data.contracts import Contract
from treadle.data.facts import DatasetPushed
from treadle.data.refs import find_version, parse_ref
from treadle.data.remotes import store as sql
from treadle.data.remotes.entities import Moved
from treadle.data.remotes.marks import PushMark
from treadle.data.remotes.naming import NamedPlaces
from treadle.data.remotes.pointers import Place, pulled, pushed, withdrawn
from treadle.data.remotes.pull import Puller, add_contracts, chosen, make_visible, told
from treadle.data.remotes.push import Load, Local, Plan, Pusher, moved, new_contracts, unpushed
from treadle.data.remotes.reading import WholeObjects, read_chunks
from treadle.data.trees.service import ATTEMPTS
from treadle.data.versions import require_name
from treadle.kernel.errors import Conflict, Corrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.data.remotes.depot import Depot, Turn
    from treadle.data.remotes.entities import Held, State
    from treadle.data.remotes.pointers import Graph
    from treadle.data.trees.healing import ChunkSource
    from treadle.data.trees.upkeep import Repair
    from treadle.storage.transaction import Transaction

# Of so many who push at once and force, all land: at each try one does.
PUSHES = 16
BLIND = (
    "{url} does not keep which of several writers came first, so this home's database orders its "
    "pushes: do not push there from another home at the same time"
)


def _untold(_: int) -> None:
    """Tell nobody."""


class Remotes(NamedPlaces):
    """Shares versions with other homes through a folder, a bucket, or a web server to read from.

    Credentials are never stored: they come from the variables of each service.
    """

    def push(
        self,
        ref: str,
        *,
        to: str = "",
        force: bool = False,
        dry_run: bool = False,
        progress: Callable[[int], None] = _untold,
    ) -> Moved:
        """Send a dataset (`images`), or one version of it (`images@3`), to a remote.

        Only chunks that it does not have travel; its contracts go along. `to` is a name, a URL or a
        folder; without it the only remote, or `origin`. Branches and tags of what is sent go along.
        Raises Conflict when one there went apart from ours, unless forced; no version is lost.
        """
        depot = self._depot(to)
        local, versions = self._local(ref)
        is_first = not depot.is_remote()
        self._require_as_secret(depot)
        if is_first and not dry_run:
            depot.make()
        with PushMark(depot, local.dataset) as mark:
            for _ in range(PUSHES):
                turn = depot.turn(local.dataset)
                if not (turn.number or dry_run):
                    mark.write()
                pusher = Pusher(
                    depot,
                    store=self._store,
                    objects=self._objects,
                    reader=self._reader,
                    progress=progress,
                    era=(era := depot.era()),
                    mark=mark,
                )
                with depot.comparing(turn, era):
                    plan = self._plan(depot, turn, local, versions, to=to, force=force)
                    load = pusher.load(turn, plan.new)
                    done = _would_move(depot, turn, plan, load)
                    if dry_run or not (plan.new or plan.contracts or done.pointers):
                        return done
                    if self._land(pusher, turn, plan, load, local.graph):
                        self._tell_pushed(done)
                        return _noted(done, self._blindness(depot))
        raise Conflict(
            f"Somebody else pushed {local.dataset} to {depot.url} at every try.",
            hint="Push again.",
        )

    def _land(self, pusher: Pusher, turn: Turn, plan: Plan, load: Load, graph: Graph) -> bool:
        keeps_order = self._probed(pusher.depot)
        state = pusher.next_state(turn, plan, graph=graph, indexes=pusher.send(load))
        return self._advance(pusher.depot, turn, state, era=pusher.era, keeps_order=keeps_order)

    def _blindness(self, depot: Depot) -> tuple[str, ...]:
        """Return what there is to say where a place does not keep who was first."""
        return () if self._probed(depot) else (BLIND.format(url=depot.url),)

    def _plan(
        self,
        depot: Depot,
        turn: Turn,
        local: Local,
        versions: Sequence[DatasetVersion],
        *,
        to: str,
        force: bool,
    ) -> Plan:
        """Say what is to be new in a remote. Raises Conflict when it went apart from ours."""

        def was_here(held: Held) -> bool:
            with self._store.read() as tx:
                return sql.was_here(tx, local.dataset, held.digest)

        new = unpushed(turn, versions, force=force)
        sent = {held.name for held in turn.state.versions} | {v.identity for v in new}
        place = Place(depot.url, self._called(depot, to), was_here)
        named = pushed(local.graph, turn.state, sent=sent, place=place, force=force)
        gone = {each.identity: each for each in turn.state.removed if not force}
        notes = tuple(
            f"{version.ref} was removed from {depot.url} by {gone[version.identity].actor}, and is "
            f"not sent again: --force sends it"
            for version in versions
            if version.identity in gone
        )
        return Plan(new, named, new_contracts(turn, local), notes)

    def pull(
        self,
        ref: str,
        *,
        source: str = "",
        dry_run: bool = False,
        progress: Callable[[int], None] = _untold,
    ) -> Moved:
        """Fetch a dataset, or one version of it by its number or digest there, from a remote.

        Each byte is checked. Versions keep id, digest, message, author and time, and their number
        where it is free here. They become visible together, at the end.
        """
        depot = self._depot(source)
        dataset, _ = _parts(ref)
        require_name(dataset)
        self._require_remote(depot)
        for _ in range(ATTEMPTS):
            turn = depot.turn(dataset)
            with depot.comparing(turn):
                return self._pull_at(depot, turn, ref, dry_run=dry_run, progress=progress)
        raise Conflict(
            f"Each time something was removed from {depot.url} while {dataset} was pulled.",
            hint="Pull again when nobody sweeps it.",
        )

    def _pull_at(
        self,
        depot: Depot,
        turn: Turn,
        ref: str,
        *,
        dry_run: bool,
        progress: Callable[[int], None],
    ) -> Moved:
        dataset, wanted = _parts(ref)
        held = chosen(turn, wanted, url=depot.url)
        here = self._identities(turn.state, dry_run=dry_run)
        with self._store.read() as tx:
            graph = sql.graph_of(tx, dataset)
        new = [each for each in held if each.name not in here]
        done = Moved(dataset=dataset, remote=depot.url, versions=())
        if new:
            done = self._pull(depot, turn, new, dry_run=dry_run, progress=progress)
        notes = withdrawn(graph, turn.state, url=depot.url)
        if not dry_run:
            notes += () if new else self._point(turn)
            notes += self._pull_contracts(depot, turn)
        return _noted(done, notes)

    def dataset_names(self) -> list[str]:
        """Return the names of all datasets here."""
        with self._store.read() as tx:
            return data_sql.names(tx)

    def remote_datasets(self, where: str = "") -> list[str]:
        """Return the names of the datasets that a remote has versions of."""
        depot = self._depot(where)
        self._require_remote(depot)
        return [name for name in depot.datasets() if depot.turn(name).state.versions]

    def _pull(
        self,
        depot: Depot,
        turn: Turn,
        held: Sequence[Held],
        *,
        dry_run: bool,
        progress: Callable[[int], None],
    ) -> Moved:
        puller = Puller(depot, store=self._store, objects=self._objects, progress=progress)
        for _ in range(ATTEMPTS):
            order, remote = puller.order(turn, held)
            if dry_run:
                return told(order, order.versions, url=depot.url)
            puller.fetch(order, remote)
            with self._store.write() as tx:
                added = make_visible(tx, order, url=depot.url)
                notes = () if added is None else _follow(tx, turn.state)
            if added is not None:
                return _noted(told(order, added, url=depot.url), notes)
        raise Conflict(
            "Four times something was swept away while it was pulled.",
            hint="Pull again when no gc runs.",
        )

    def _identities(self, state: State, *, dry_run: bool) -> set[str]:
        """Return what names the versions here, once first ones go by what they are there."""
        with self._store.read() as tx:
            here = {*sql.identities_of(tx, state.dataset).values()}
            is_known = all(held.name in here for held in state.versions)
            meant = {} if is_known else sql.firsts_meant(tx, state)
        if meant and not dry_run:
            with self._store.write() as tx:
                data_sql.lock_dataset(tx, state.dataset)
                sql.set_identities(tx, state.dataset, sql.firsts_meant(tx, state))
        return {*here, *meant.values()}

    def _point(self, turn: Turn) -> tuple[str, ...]:
        """Let branches and tags follow, if one has to."""
        with self._store.read() as tx:
            graph = sql.graph_of(tx, turn.state.dataset)
        here = {p.name: graph.names.get(p.number) for p in graph.pointers}
        there = {**turn.state.branches, **turn.state.tags}
        if MAIN in here and all(here.get(name) == identity for name, identity in there.items()):
            return ()
        with self._store.write() as tx:
            data_sql.lock_dataset(tx, turn.state.dataset)
            return _follow(tx, turn.state)

    def _pull_contracts(self, depot: Depot, turn: Turn) -> tuple[str, ...]:
        theirs = depot.records(turn.state.contracts, Contract)
        dataset = turn.state.dataset
        for contract in theirs:
            if contract.body.digest != contract.digest:
                raise Corrupt(
                    f"A contract of {dataset} in {depot.url} is not what it is said to be."
                )
        with self._store.read() as tx:
            known = {contract.digest for contract in sql.contracts_of(tx, dataset)}
        if known.issuperset(contract.digest for contract in theirs):
            return ()
        with self._store.write() as tx:
            added, ours_stays = add_contracts(tx, dataset, theirs)
        if ours_stays:
            return (f"{dataset} keeps the contract that was set here; {depot.url} has another",)
        return (f"{dataset} follows the contract of {depot.url}",) if added else ()

    def _advance(
        self, depot: Depot, turn: Turn, state: State | None, *, era: int, keeps_order: bool
    ) -> bool:
        with self._store.read() as tx:
            at, is_here = tx.at, turn.state.dataset in data_sql.names(tx)
        if keeps_order:
            return depot.advance(turn, state, era=era, at=at, is_locked=False)
        with self._store.write() as tx:
            if is_here:
                data_sql.lock_dataset(tx, turn.state.dataset)
            return depot.advance(turn, state, era=era, at=at, is_locked=True)

    def _tell_pushed(self, done: Moved) -> None:
        with self._store.write() as tx:
            tx.emit(
                DatasetPushed(
                    dataset=done.dataset,
                    remote=done.remote,
                    versions=done.versions,
                    size_bytes=done.size_bytes,
                )
            )

    def _local(self, ref: str) -> tuple[Local, list[DatasetVersion]]:
        """Return what the home has of a dataset, and what of it is meant."""
        dataset, wanted = _parts(ref)
        with self._store.read() as tx:
            meant = find_version(tx, ref)
            count = data_sql.count_versions(tx, dataset)
            every = data_sql.page_of_versions(tx, dataset, limit=count, offset=0)[::-1]
            contracts = sql.contracts_of(tx, dataset)
            graph = sql.graph_of(tx, dataset)
        return Local(dataset, every, contracts, graph), [meant] if wanted else list(every)

    def _repair_from(self, where: str, sources: Sequence[ChunkSource]) -> Repair:
        """Return where to get back what is damaged: also a remote, by its name or its place."""
        depot = self._depot(where) if where and self._may_be_remote(where) else None
        if depot is None or not depot.is_remote():
            return super()._repair_from(where, sources)
        with self._store.read() as tx:
            datasets = data_sql.names(tx)

        def chunks(digests: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
            return read_chunks(depot, digests, datasets=datasets)

        repair = super()._repair_from("", [*sources, chunks])
        return repair._replace(copies=[WholeObjects(depot), *repair.copies])


def _follow(tx: Transaction, state: State) -> tuple[str, ...]:
    """Have parents, branches and tags here be what a remote has, where that loses nothing."""
    sql.mend_parents(tx, state)
    return pulled(tx, sql.graph_of(tx, state.dataset), state)


def _parts(ref: str) -> tuple[str, str]:
    dataset, version = parse_ref(ref)
    return dataset, version if "@" in ref else ""


def _would_move(depot: Depot, turn: Turn, plan: Plan, load: Load) -> Moved:
    changed = plan.named.differing(turn.state)
    done = moved(turn.state.dataset, depot.url, plan.new, load, pointers=changed)
    return _noted(done, [*plan.named.notes, *plan.notes])


def _noted(done: Moved, notes: Sequence[str]) -> Moved:
    return msgspec.structs.replace(done, notes=(*done.notes, *notes))
