"""Branches and tags on their way: who is ahead moves, who went apart is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from treadle.data.branches import store as pointers_sql
from treadle.data.branches.entities import MAIN
from treadle.data.branches.graph import descends
from treadle.data.facts import BranchSet, TagSet
from treadle.kernel.actors import current_actor
from treadle.kernel.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treadle.data.branches.entities import Pointer, PointerKind
    from treadle.data.branches.graph import Links
    from treadle.data.remotes.entities import Held, State
    from treadle.storage.transaction import Transaction


class Graph(NamedTuple):
    """How the versions of a dataset descend here: what names them by number, and parents."""

    dataset: str
    names: Mapping[int, str]
    links: Links
    pointers: Sequence[Pointer]
    removed: frozenset[int]

    def number(self, identity: str) -> int:
        """Return a version's number here, 0 when it is not here."""
        return next((n for n, known in self.names.items() if known == identity), 0)

    def parents(self, number: int) -> tuple[str, ...]:
        """Return the identities of a version's parents."""
        return tuple(self.names[p] for p in self.links.get(number, ()) if p in self.names)


class Place(NamedTuple):
    """A remote as it is told of: where it is, what commands call it, and what once was here.

    `was_here` says whether a version was, and is gone for good.
    """

    url: str
    name: str
    was_here: Callable[[Held], bool]


class Named(NamedTuple):
    """Branches and tags as a remote has them: each with a version's identity."""

    branches: dict[str, str]
    tags: dict[str, str]
    notes: tuple[str, ...] = ()

    def differing(self, state: State) -> tuple[str, ...]:
        """Return the names that a state has otherwise, or not."""
        old = {**state.branches, **state.tags}
        new = {**self.branches, **self.tags}
        return tuple(name for name, identity in new.items() if old.get(name) != identity)


def pushed(graph: Graph, state: State, *, sent: set[str], place: Place, force: bool) -> Named:
    """Return the branches and tags of a remote after a push that leaves it with versions.

    Raises Conflict when one there is not known here, or is not behind ours; unless forced.
    """
    named, notes = Named(dict(state.branches), dict(state.tags)), []
    there_by = {held.name: held for held in state.versions}
    for pointer in graph.pointers:
        identity = graph.names[pointer.number]
        there = named.tags if pointer.kind == "tag" else named.branches
        was = there.get(pointer.name, identity)
        if identity not in sent or pointer.number in graph.removed:
            continue
        if was != identity:
            known, is_branch = graph.number(was), pointer.kind == "branch"
            if is_branch and known and descends(graph.links, known, pointer.number):
                if known in graph.removed:
                    notes.append(_still_there(graph, pointer, held=there_by[was], place=place))
                continue  # ours is behind
            is_ahead = is_branch and descends(graph.links, pointer.number, known)
            if not is_ahead and not force:
                raise _apart(graph, pointer, held=there_by[was], place=place)
        there[pointer.name] = identity
    return named._replace(notes=tuple(notes))


def pulled(tx: Transaction, graph: Graph, state: State) -> tuple[str, ...]:
    """Move branches that are behind a remote's, make those that are not here; return notes."""
    notes: list[str] = []
    mine = {pointer.name: pointer for pointer in graph.pointers}
    both: tuple[tuple[PointerKind, Mapping[str, str]], ...]
    both = (("branch", state.branches), ("tag", state.tags))
    for kind, there in both:
        for name, identity in there.items():
            number, known = graph.number(identity), mine.get(name)
            if not number or number in graph.removed or (known and known.number == number):
                continue
            is_behind = known is not None and descends(graph.links, number, known.number)
            if known is None or (kind == known.kind == "branch" and is_behind):
                _point(tx, graph.dataset, name, kind, number, known)
            elif kind == "tag" or not descends(graph.links, known.number, number):
                notes.append(_differs(graph.dataset, name, kind, known, number))
    # Of one version alone the head of main may not have come: its name is to mean something.
    if MAIN not in mine and graph.number(state.branches.get(MAIN, "")) == 0:
        _point(tx, graph.dataset, MAIN, "branch", max(graph.names), None)
    return tuple(notes)


def withdrawn(graph: Graph, state: State, *, url: str) -> tuple[str, ...]:
    """Return notes of versions that are here and were removed from a remote."""
    found = [(graph.number(gone.identity), gone) for gone in state.removed]
    return tuple(
        f"{graph.dataset}@{number} was removed from {url} by {gone.actor}; "
        f"to remove it here: treadle data rm {graph.dataset}@{number}"
        for number, gone in found
        if number and number not in graph.removed
    )


def fitting(wanted: int, *, taken: set[int], parents: Sequence[int]) -> int:
    """Return the number of a version that comes from elsewhere: its own if that is free.

    It is above those of its parents.
    """
    if wanted not in taken and wanted > max(parents, default=0):
        return wanted
    return max(taken, default=0) + 1


def _point(
    tx: Transaction,
    dataset: str,
    name: str,
    kind: PointerKind,
    number: int,
    before: Pointer | None,
) -> None:
    pointers_sql.point(tx, dataset, name, kind=kind, number=number, actor=current_actor())
    fact = BranchSet if kind == "branch" else TagSet
    was = before.number if before else None
    tx.emit(fact(dataset=dataset, name=name, version_number=number, was=was))


def _differs(dataset: str, name: str, kind: PointerKind, known: Pointer, number: int) -> str:
    there = f"{dataset}@{number}"
    if kind == "tag" or known.kind == "tag":
        return f"{known.ref} stays {known.version}; the remote has {there}"
    return (
        f"{known.ref} stays at {known.version}, for the remote's went apart from it; merge it: "
        f"treadle data merge {there} --into {name}"
    )


def _still_there(graph: Graph, pointer: Pointer, *, held: Held, place: Place) -> str:
    known = f"{graph.dataset}@{graph.number(held.name)}"
    return (
        f"{place.url} has {pointer.ref} at {known} still, which was removed here; "
        f"{_remove_there(graph.dataset, held, place)}"
    )


def _remove_there(dataset: str, held: Held, place: Place) -> str:
    return (
        f"to remove it there, where it is {dataset}@{held.number}: "
        f"treadle data rm {dataset}@{held.number} --remote {place.name}"
    )


def _apart(graph: Graph, pointer: Pointer, *, held: Held, place: Place) -> Conflict:
    known, url, dataset = graph.number(held.name), place.url, graph.dataset
    there = f"{url} has {pointer.ref} at {held.digest[:12]}"
    forced = "With --force yours takes its place; no version there is lost."
    if known in graph.removed:
        said = f"{url} has {pointer.ref} at {dataset}@{known}, which was removed here"
        hint = (
            f"To go on with it: treadle data restore {dataset}@{known}; "
            f"{_remove_there(dataset, held, place)}. {forced}"
        )
    elif not known and place.was_here(held):
        said = f"{there}, which was here and was removed for good"
        hint = (
            f"To go on with it: treadle data pull {dataset}; "
            f"{_remove_there(dataset, held, place)}. {forced}"
        )
    elif not known:
        said = f"{there}, which is not here: somebody else pushed it"
        hint = f"Pull it first: treadle data pull {dataset}. {forced}"
    elif pointer.kind == "tag":
        said = f"{url} has the tag {pointer.ref} at {dataset}@{known}, not {pointer.version}"
        hint = forced
    else:
        said = (
            f"{url} has {pointer.ref} at {dataset}@{known}, and here it is at "
            f"{pointer.version}: neither descends from the other"
        )
        merge = f"treadle data merge {dataset}@{known} --into {pointer.name}"
        hint = f"Merge it first: {merge}. {forced}"
    return Conflict(f"{said}.", hint=hint, dataset=dataset, remote=url)
