"""The verbs on how versions descend from each other, and on the names that point at them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from treadle.data import store as sql
from treadle.data.branches import store as pointers
from treadle.data.branches.entities import MAIN, Pointer, require_pointer_name
from treadle.data.branches.graph import ancestors
from treadle.data.entities import with_content
from treadle.data.facts import BranchDeleted, BranchSet, TagDeleted, TagSet
from treadle.data.history import store as history
from treadle.data.history.entities import LogEntry, Reverted
from treadle.data.refs import find_even_removed, find_version, version_before
from treadle.data.trees.service import Trees
from treadle.data.versions import add_version, point_branch, require_branch, require_head
from treadle.kernel.actors import current_actor
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.paging import Page, page_of

if TYPE_CHECKING:
    from treadle.data.entities import DatasetVersion
    from treadle.storage.transaction import Transaction


class Descent(Trees):
    """Knows how versions descend from each other, and the names that point at them."""

    def pointers(self, name: str) -> tuple[Pointer, ...]:
        """Return the branches of a dataset, `main` first, then its tags."""
        with self._store.read() as tx:
            if not sql.latest_number(tx, name):
                find_version(tx, name)  # which says that it is removed, or not there
            gone = _removed(tx, name)
            return tuple(p for p in pointers.pointers(tx, name) if p.number not in gone)

    def branch(self, name: str, branch: str, *, at: str = "", force: bool = False) -> Pointer:
        """Make a branch at a version, by default the head of `main`; `force` moves one there.

        Raises Conflict when it is there and points elsewhere.
        """
        require_pointer_name(branch)
        with self._store.write() as tx:
            version = _version_of(tx, name, at)
            sql.lock_dataset(tx, version.dataset)
            before = _pointer(tx, version.dataset, branch, kind="branch")
            if before is None or before.number != version.number:
                if before is not None and not force:
                    raise Conflict(
                        f"Branch {before.ref} is at {before.version} already.",
                        hint=f"Move it: treadle data branch {version.dataset} {branch} "
                        f"--from {version.ref} --force",
                    )
                point_branch(tx, version.dataset, branch, version.number)
                tx.emit(
                    BranchSet(
                        dataset=version.dataset,
                        name=branch,
                        version_number=version.number,
                        was=before.number if before else None,
                    )
                )
            return require_branch(tx, version.dataset, branch)

    def delete_branch(self, name: str, branch: str) -> Pointer:
        """Take a branch away; its versions stay. Raises Conflict for `main`."""
        if branch == MAIN:
            raise Conflict(
                f"Branch {MAIN} of {name} cannot be deleted: it is what {name!r} means.",
                hint=f"Move it instead: treadle data branch {name} {MAIN} --from VERSION --force",
            )
        with self._store.write() as tx:
            sql.lock_dataset(tx, find_even_removed(tx, name).dataset)
            found = require_branch(tx, name, branch)
            pointers.drop(tx, name, branch)
            tx.emit(BranchDeleted(dataset=name, name=branch, version_number=found.number))
        return found

    def tag(self, ref: str, tag: str, *, force: bool = False) -> Pointer:
        """Give a version a tag; `force` takes it from the version that has it."""
        require_pointer_name(tag)
        with self._store.write() as tx:
            version = find_version(tx, ref)
            sql.lock_dataset(tx, version.dataset)
            before = _pointer(tx, version.dataset, tag, kind="tag")
            if before is not None and before.number == version.number:
                return before
            if before is not None and not force:
                raise Conflict(
                    f"Tag {before.ref} is {before.version} already.",
                    hint=f"Move it: treadle data tag {version.ref} {tag} --force",
                )
            pointers.point(
                tx,
                version.dataset,
                tag,
                kind="tag",
                number=version.number,
                actor=current_actor(),
            )
            tx.emit(
                TagSet(
                    dataset=version.dataset,
                    name=tag,
                    version_number=version.number,
                    was=before.number if before else None,
                )
            )
            return _require_tag(tx, version.dataset, tag)

    def delete_tag(self, name: str, tag: str) -> Pointer:
        """Take a tag away; the version stays."""
        with self._store.write() as tx:
            sql.lock_dataset(tx, find_even_removed(tx, name).dataset)
            found = _require_tag(tx, name, tag)
            pointers.drop(tx, name, tag)
            tx.emit(TagDeleted(dataset=name, name=tag, version_number=found.number))
        return found

    def log(
        self, ref: str, *, every: bool = False, limit: int = 100, offset: int = 0
    ) -> Page[LogEntry]:
        """Return a version and all it descends from, newest first; `every` one of its dataset.

        Removed ones are among them as long as they can be restored.
        """
        with self._store.read() as tx:
            version = find_version(tx, ref)
            name = version.dataset
            links = sql.links(tx, name)
            numbers = sorted(links if every else ancestors(links, version.number), reverse=True)
            page = history.versions_of(tx, name, numbers[offset : offset + limit])
            named = defaultdict[tuple[str, int], list[str]](list)
            for pointer in pointers.pointers(tx, name):
                named[pointer.kind, pointer.number].append(pointer.name)
        items = tuple(
            LogEntry(
                version=each,
                branches=tuple(named["branch", each.number]),
                tags=tuple(named["tag", each.number]),
            )
            for each in page
        )
        return page_of(items, total=len(numbers), offset=offset)

    def revert(
        self,
        ref: str,
        *,
        branch: str = MAIN,
        message: str = "",
        expect: str = "",
        dry_run: bool = False,
    ) -> Reverted:
        """Commit the content of a version (`flights@1`) again, on the head of a branch.

        Nothing is lost and nothing is stored: what came between stays in the log. `expect` names
        the version that must be the head, else Conflict is raised.
        """
        with self._store.read() if dry_run else self._store.write() as tx:
            version = find_version(tx, ref)
            if not dry_run:
                sql.lock_dataset(tx, version.dataset)
            head = find_version(tx, require_branch(tx, version.dataset, branch).version)
            told = Reverted(
                kind="nothing" if head.digest == version.digest else "reverted",
                ref=version.ref,
                into=f"{version.dataset}@{branch}",
                was=head.ref,
                version=head.ref if head.digest == version.digest else "",
            )
            message = message or f"revert to {version.ref}"
            draft = with_content(
                self.draft(
                    version.dataset, message=message, branch=branch, read_from=version.source
                ),
                version,
            )
            if dry_run:
                require_head(tx, draft, head.number, expect=expect)
                return told
            made = add_version(tx, draft, expect=expect)
        return msgspec.structs.replace(told, version=made.ref)

    def equal_versions(self, ref: str) -> tuple[DatasetVersion, ...]:
        """Return the versions of a dataset with the content of one, itself too, oldest first."""
        with self._store.read() as tx:
            version = find_version(tx, ref)
            found = sql.versions_with(tx, version.dataset, version.digest)
        return tuple(each for each in found if each.removed_at is None)

    def version_before(self, ref: str) -> DatasetVersion | None:
        """Return what a version was made on, None for a first one; of a merge, what INTO had."""
        with self._store.read() as tx:
            return version_before(tx, find_version(tx, ref))

    def history(self, ref: str) -> tuple[DatasetVersion, ...]:
        """Return a version and all it descends from that were not removed, newest first."""
        with self._store.read() as tx:
            version = find_version(tx, ref)
            numbers = ancestors(sql.links(tx, version.dataset), version.number)
            found = history.versions_of(tx, version.dataset, sorted(numbers, reverse=True))
        return tuple(each for each in found if each.removed_at is None)


def _version_of(tx: Transaction, name: str, ref: str) -> DatasetVersion:
    """Return a version of a dataset, named whole (`flights@3`) or by what follows the name.

    Empty is the head of main.
    """
    asked = f"{name}@{ref}" if ref else name
    version = find_version(tx, ref if "@" in ref else asked)
    if version.dataset != name:
        raise InvalidInput(f"{version.ref} is no version of {name}.")
    return version


def _pointer(tx: Transaction, dataset: str, name: str, *, kind: str) -> Pointer | None:
    """Return what has a name. Raises Conflict when that is of the other kind."""
    found = pointers.pointer(tx, dataset, name)
    if found is not None and found.kind != kind:
        raise Conflict(
            f"{found.ref} is a {found.kind} already, at {found.version}.",
            hint=f"Use another name, or take it away: treadle data {found.kind} {dataset} "
            f"{name} --delete",
        )
    return found


def _require_tag(tx: Transaction, dataset: str, name: str) -> Pointer:
    found = pointers.pointer(tx, dataset, name)
    if found is None or found.kind != "tag":
        known = [p.name for p in pointers.pointers(tx, dataset) if p.kind == "tag"]
        raise NotFound("tag", name, known=known)
    return found


def _removed(tx: Transaction, name: str) -> set[int]:
    return {v.number for v in history.every_version(tx, name) if v.removed_at is not None}
