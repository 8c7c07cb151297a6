"""How a version comes to be: the rule for tables and files alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from treadle.data import store as sql
from treadle.data.branches import store as pointers
from treadle.data.branches.entities import MAIN
from treadle.data.entities import identity_of
from treadle.data.facts import BranchSet, DatasetCommitted, DatasetRestored
from treadle.data.refs import find_version
from treadle.kernel.actors import current_actor
from treadle.kernel.errors import Conflict, InvalidInput, NotFound, near_misses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.branches.entities import Pointer
    from treadle.data.entities import DatasetVersion
    from treadle.storage.transaction import Transaction

# Who and when stand in the event itself; nothing is removed as it is made.
_OF_THE_EVENT = {"actor", "created_at", "removed_at", "removed_by"}
SHOWN = 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def require_name(name: str) -> None:
    """Raise InvalidInput unless a text can name a dataset."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{_short(name)!r} cannot name a dataset.",
            hint="Use letters, digits, '_', '-' and '.', begin with a letter or digit, "
            "128 at most.",
        )


def add_version(tx: Transaction, draft: DatasetVersion, *, expect: str = "") -> DatasetVersion:
    """Make a version visible on its branch under the next number, unless that has its content.

    It is made on whatever is the branch's head by then, so that of two writers at once both land;
    `expect` names the version that must be the head, or Conflict is raised. A draft with parents
    is a merge; one with an instant was made then. The content of an older version is a new one
    that says so (`same_as`). The same content on the same parents is one version: the branch moves
    to that.
    """
    sql.lock_dataset(tx, draft.dataset)
    head = _head(tx, draft)
    require_head(tx, draft, head, expect=expect)
    equal = sql.versions_with(tx, draft.dataset, draft.digest)
    parents = draft.parents or ((head,) if head else ())
    known = _known(tx, draft, equal, parents=parents, head=head)
    if known is not None:
        return _moved_to(tx, known, draft, head=head)
    version = msgspec.structs.replace(
        draft,
        number=sql.next_number(tx, draft.dataset),
        created_at=draft.created_at or tx.at,
        parents=parents,
        identity=_identity(tx, draft, parents),
        same_as=next((each.number for each in equal if each.removed_at is None), None),
    )
    sql.insert_version(tx, version)
    point_branch(tx, version.dataset, version.branch, version.number)
    fields = msgspec.structs.asdict(version)
    tx.emit(DatasetCommitted(**{k: v for k, v in fields.items() if k not in _OF_THE_EVENT}))
    return version


def point_branch(tx: Transaction, dataset: str, branch: str, number: int) -> None:
    """Have a branch point at a version."""
    pointers.point(tx, dataset, branch, kind="branch", number=number, actor=current_actor())


def require_branch(tx: Transaction, dataset: str, name: str) -> Pointer:
    """Return a branch. Raises NotFound with near misses."""
    found = pointers.pointer(tx, dataset, name)
    if found is None or found.kind != "branch":
        known = [p.name for p in pointers.pointers(tx, dataset) if p.kind == "branch"]
        hint = f"Make it: treadle data branch {dataset} {name}"
        if found is not None:
            hint = f"{found.ref} is a tag and stays at {found.version}; a commit goes on a branch."
        elif not known:
            hint = f"The first version of a dataset is committed on {MAIN}."
        elif close := near_misses(name, known):
            hint = f"Did you mean {' or '.join(close)}?"
        raise NotFound("branch", f"{dataset}@{name}", hint=hint)
    return found


def _short(name: str) -> str:
    return name if len(name) <= SHOWN else f"{name[:SHOWN]}…"


def _head(tx: Transaction, draft: DatasetVersion) -> int:
    """Return the number of a branch's head, 0 where the first version is to come."""
    if draft.branch == MAIN and not sql.latest_number(tx, draft.dataset):
        return 0
    return require_branch(tx, draft.dataset, draft.branch).number


def require_head(tx: Transaction, draft: DatasetVersion, head: int, *, expect: str) -> None:
    """Raise Conflict unless what is expected, if anything, is the head of the draft's branch."""
    if not expect:
        return
    wanted = find_version(tx, expect if "@" in expect else f"{draft.dataset}@{expect}")
    if (wanted.dataset, wanted.number) != (draft.dataset, head):
        now = f"{draft.dataset}@{head}" if head else "not there yet"
        raise Conflict(
            f"Branch {draft.branch} of {draft.dataset} is {now}, not {wanted.ref}.",
            hint="Somebody was there first: look (treadle data log), then commit on what is there.",
            head=head,
        )


def _known(
    tx: Transaction,
    draft: DatasetVersion,
    equal: Sequence[DatasetVersion],
    *,
    parents: tuple[int, ...],
    head: int,
) -> DatasetVersion | None:
    """Return the version that a commit comes to, if it is there: the head, or one made on that."""
    if not draft.parents:
        # What comes with its own history may have been here before, and more after it.
        anywhere = bool(draft.created_at)
        at_head = next((each for each in equal if anywhere or each.number == head), None)
        if at_head is not None:
            return at_head
    made_so = next((each for each in equal if each.parents == parents), None)
    return made_so or sql.version_by_identity(tx, draft.dataset, _identity(tx, draft, parents))


def _identity(tx: Transaction, draft: DatasetVersion, parents: Sequence[int]) -> str:
    return identity_of(draft.digest, sql.identities(tx, draft.dataset, parents))


def _moved_to(
    tx: Transaction, known: DatasetVersion, draft: DatasetVersion, *, head: int
) -> DatasetVersion:
    """Have a branch be at a version that is there; one that was removed comes back."""
    if known.removed_at is not None:
        sql.mark_restored(tx, known.dataset, [known.number])
        tx.emit(DatasetRestored(dataset=known.dataset, numbers=(known.number,)))
        known = msgspec.structs.replace(known, removed_at=None, removed_by="")
    is_past = bool(draft.created_at and head)  # whoever brings a history says where it ends
    if known.number != head and not is_past:
        point_branch(tx, known.dataset, draft.branch, known.number)
        tx.emit(
            BranchSet(
                dataset=known.dataset,
                name=draft.branch,
                version_number=known.number,
                was=head or None,
            )
        )
    return known
