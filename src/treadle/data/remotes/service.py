"""The verbs of remotes: name them, push versions to them, pull versions from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from treadle.data import store as data_sql
from treadle.data.branches.entities import MAIN
from treadle.data.contracts import Contract
from treadle.data.facts import DatasetPushed, RemoteAdded, RemoteProbed, RemoteRemoved
from treadle.data.refs import find_version, parse_ref
from treadle.data.remotes import store as sql
from treadle.data.remotes.depot import as_url, open_depot
from treadle.data.remotes.entities import Moved, Remote
from treadle.data.remotes.pointers import pulled, pushed
from treadle.data.remotes.pull import Puller, add_contracts, chosen, make_visible, told
from treadle.data.remotes.push import (
    Local,
    Pusher,
    moved,
    new_contracts,
    next_state,
    portable,
    unpushed,
)
from treadle.data.remotes.reading import WholeObjects, read_chunks
from treadle.data.trees.service import ATTEMPTS, Trees
from treadle.data.versions import require_name
from treadle.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound
from treadle.storage.blobs.probing import is_honest
from treadle.storage.stores import encrypts, open_blobs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.data.remotes.depot import Depot, Turn
    from treadle.data.remotes.entities import Held, State
    from treadle.data.trees.healing import ChunkSource
    from treadle.data.trees.upkeep import Repair
    from treadle.storage.transaction import Transaction

ORIGIN = "origin"
# Of so many who push at once and force, all land: at each try one does.
PUSHES = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
BLIND = (
    "{url} does not keep which of several writers came first, so this home's database orders its "
    "pushes: do not push there from another home at the same time"
)


def _untold(_: int) -> None:
    """Tell nobody."""


class Remotes(Trees):
    """Shares versions with other homes through a folder, a bucket, or a web server to read from.

    Credentials are never stored: they come from the variables of each service.
    """

    def remotes(self) -> tuple[Remote, ...]:
        """Return every remote by name."""
        with self._store.read() as tx:
            return sql.all_remotes(tx)

    def add_remote(
        self, name: str, url: str, *, encrypted: bool = False, plain: bool = False
    ) -> Remote:
        """Give a place a name. Nothing is asked of it yet, unless it is to be `encrypted`.

        Then it becomes a remote in which all is encrypted under the home's master key. `plain` lets
        it hold plain what the home encrypts. Raises InvalidInput for a URL that holds credentials
        or where there is no key, Conflict for a name that is taken or a remote that is not
        encrypted.
        """
        if encrypted and plain:
            raise InvalidInput("A remote is either encrypted or plain.", hint="Say one of them.")
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{name!r} cannot name a remote.",
                hint="Use up to 64 letters, digits, '_' and '-', a letter or digit first.",
            )
        whole = _without_credentials(as_url(url))
        open_blobs(whole)  # whether there is such a kind of place
        if encrypted:
            open_depot(whole, objects=self._objects).make_sealed()
        with self._store.write() as tx:
            known = {remote.name: remote for remote in sql.all_remotes(tx)}.get(name)
            if known is not None and known.url == whole:
                return _let_be_plain(tx, known) if plain and not known.is_plain else known
            if known is not None:
                raise Conflict(
                    f"The remote {name!r} is {known.url}.",
                    hint=f"Take another name, or forget it: treadle data remote remove {name}",
                )
            remote = Remote(name=name, url=whole, created_at=tx.at, is_plain=plain)
            sql.insert_remote(tx, remote)
            tx.emit(RemoteAdded(name=name, url=whole, is_plain=plain))
        return remote

    def remove_remote(self, name: str) -> Remote:
        """Forget a remote's name; what lies there stays."""
        with self._store.write() as tx:
            known = {remote.name: remote for remote in sql.all_remotes(tx)}
            if name not in known:
                raise NotFound("remote", name, known=known)
            sql.delete_remote(tx, name)
            tx.emit(RemoteRemoved(name=name, url=known[name].url))
        return known[name]

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
        for _ in range(PUSHES):
            turn = depot.turn(local.dataset)
            new = unpushed(turn, versions)
            sent = {held.name for held in turn.state.versions}
            sent |= {version.identity for version in new}
            named = pushed(local.graph, turn.state, sent=sent, url=depot.url, force=force)
            contracts = new_contracts(turn, local)
            pusher = Pusher(
                depot,
                store=self._store,
                objects=self._objects,
                reader=self._reader,
                progress=progress,
            )
            load = pusher.load(local.dataset, new)
            changed = named.differing(turn.state)
            done = moved(local.dataset, depot.url, new, load, pointers=changed)
            if dry_run or not (new or contracts or changed):
                return done
            if is_first:
                depot.make()
            keeps_order = self._probed(depot)
            indexes = pusher.send(load)
            state = next_state(
                turn,
                [(version, depot.put_record(version)) for version in new],
                graph=local.graph,
                named=named,
                contracts=[depot.put_record(portable(contract)) for contract in contracts],
                indexes=indexes,
            )
            if self._advance(depot, turn, state, keeps_order=keeps_order):
                self._tell_pushed(done)
                notes = () if keeps_order else (BLIND.format(url=depot.url),)
                return _noted(done, notes)
        raise Conflict(
            f"Somebody else pushed {local.dataset} to {depot.url} at every try.",
            hint="Push again.",
        )

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
        dataset, wanted = _parts(ref)
        require_name(dataset)
        self._require_remote(depot)
        turn = depot.turn(dataset)
        held = chosen(turn, wanted, url=depot.url)
        here = self._identities(turn.state, dry_run=dry_run)
        new = [each for each in held if each.name not in here]
        done = Moved(dataset=dataset, remote=depot.url, versions=())
        if new:
            done = self._pull(depot, turn, new, dry_run=dry_run, progress=progress)
        notes: tuple[str, ...] = ()
        if not dry_run:
            notes = () if new else self._point(turn)
            notes += self._pull_contracts(depot, turn)
        return _noted(done, notes)

    def dataset_names(self) -> list[str]:
        """Return the names of all datasets here."""
        with self._store.read() as tx:
            return data_sql.names(tx)

    def remote_datasets(self, where: str = "") -> list[str]:
        """Return the names of the datasets that a remote has."""
        depot = self._depot(where)
        self._require_remote(depot)
        return depot.datasets()

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

    def _advance(self, depot: Depot, turn: Turn, state: State, *, keeps_order: bool) -> bool:
        with self._store.read() as tx:
            at = tx.at
        if keeps_order:
            return depot.advance(turn, state, at=at, is_locked=False)
        with self._store.write() as tx:
            data_sql.lock_dataset(tx, state.dataset)
            return depot.advance(turn, state, at=at, is_locked=True)

    def _probed(self, depot: Depot) -> bool:
        """Say whether a place keeps who was first; it is asked once."""
        with self._store.read() as tx:
            known = sql.honesty(tx, depot.url)
        if known is not None:
            return known
        found = is_honest(depot.blobs)
        with self._store.write() as tx:
            sql.save_honesty(tx, depot.url, is_honest=found)
            tx.emit(RemoteProbed(url=depot.url, is_honest=found))
        return found

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

    def _may_be_remote(self, where: str) -> bool:
        return "/" in where or where in {remote.name for remote in self.remotes()}

    def _depot(self, where: str) -> Depot:
        return open_depot(self._where(where), home=self._home, objects=self._objects)

    def _require_as_secret(self, depot: Depot) -> None:
        """Raise InvalidInput if a remote would hold plain what is encrypted here, unasked."""
        if depot.is_sealed or not encrypts(self._objects):
            return
        if not any(remote.is_plain for remote in self.remotes() if remote.url == depot.url):
            raise InvalidInput(
                f"This home encrypts what it stores, and {depot.url} would hold it plain.",
                hint="Name an empty place as an encrypted one: treadle data remote add NAME URL "
                "--encrypted. Or say that this one may hold it plain: the same with --plain",
            )

    def _where(self, where: str) -> str:
        """Return the URL of a remote by its name, or of a place that has none."""
        known = {remote.name: remote.url for remote in self.remotes()}
        if where in known:
            return known[where]
        if where and ("://" in where or "/" in where):
            return _without_credentials(as_url(where))
        if where:
            raise NotFound("remote", where, known=known)
        if not known:
            raise NotFound("remote", ORIGIN, hint=f"Name one: treadle data remote add {ORIGIN} URL")
        if len(known) > 1 and ORIGIN not in known:
            raise InvalidInput(
                f"There are several remotes: {', '.join(sorted(known))}.", hint="Name one of them."
            )
        return known.get(ORIGIN) or next(iter(known.values()))

    def _require_remote(self, depot: Depot) -> None:
        if not depot.is_remote():
            raise NotFound(
                "remote at", depot.url, hint="Nothing was ever pushed there, or it is elsewhere."
            )


def _let_be_plain(tx: Transaction, remote: Remote) -> Remote:
    sql.let_be_plain(tx, remote.name)
    tx.emit(RemoteAdded(name=remote.name, url=remote.url, is_plain=True))
    return msgspec.structs.replace(remote, is_plain=True)


def _follow(tx: Transaction, state: State) -> tuple[str, ...]:
    """Have parents, branches and tags here be what a remote has, where that loses nothing."""
    sql.mend_parents(tx, state)
    return pulled(tx, sql.graph_of(tx, state.dataset), state)


def _parts(ref: str) -> tuple[str, str]:
    dataset, version = parse_ref(ref)
    return dataset, version if "@" in ref else ""


def _noted(done: Moved, notes: Sequence[str]) -> Moved:
    return msgspec.structs.replace(done, notes=(*done.notes, *notes))


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise InvalidInput(
            f"The URL for {parts.hostname} holds credentials or a query, which are never stored.",
            hint="Leave them out: each service's own variables are read from the environment.",
        )
    return url
