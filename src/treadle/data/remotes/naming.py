"""The verbs that name the places versions are shared through, and how each is opened."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from treadle.data.facts import RemoteAdded, RemoteProbed, RemoteRemoved
from treadle.data.remotes import store as sql
from treadle.data.remotes.depot import as_url, open_depot
from treadle.data.remotes.entities import Remote
from treadle.data.trees.service import Trees
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.storage.blobs.probing import is_honest
from treadle.storage.stores import encrypts, open_blobs

if TYPE_CHECKING:
    from treadle.data.remotes.depot import Depot
    from treadle.storage.transaction import Transaction

ORIGIN = "origin"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class NamedPlaces(Trees):
    """Names remotes, and opens them by name, URL or folder.

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

    def _called(self, depot: Depot, where: str) -> str:
        """Return what a command calls a remote: by its name, if it has one."""
        named = {remote.url: remote.name for remote in self.remotes()}
        return named.get(depot.url, where or depot.url)

    def _require_remote(self, depot: Depot) -> None:
        if not depot.is_remote():
            raise NotFound(
                "remote at", depot.url, hint="Nothing was ever pushed there, or it is elsewhere."
            )


def _let_be_plain(tx: Transaction, remote: Remote) -> Remote:
    sql.let_be_plain(tx, remote.name)
    tx.emit(RemoteAdded(name=remote.name, url=remote.url, is_plain=True))
    return msgspec.structs.replace(remote, is_plain=True)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise InvalidInput(
            f"The URL for {parts.hostname} holds credentials or a query, which are never stored.",
            hint="Leave them out: each service's own variables are read from the environment.",
        )
    return url
