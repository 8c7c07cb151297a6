"""The verbs of rows in quarantine: failing rows are kept apart with the reason, never dropped.

A version stays as it is, for it is immutable: its failing rows are held, and the others go on as a
new version. The rows are held before that version is committed, and a version tells by its message
which quarantine it is of: whoever is killed in between does the rest when asked again.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.data import store as sql
from treadle.data.branches import store as pointers
from treadle.data.branches.entities import LATEST, MAIN
from treadle.data.checks.failing import failing_rows
from treadle.data.entities import HeldRow, Quarantine, RowsHeld
from treadle.data.facts import RowsDecided, RowsMoved, RowsQuarantined
from treadle.data.refs import find_version, parse_ref
from treadle.data.splitting import (
    CHECKS,
    ROW,
    Chosen,
    Counted,
    divide,
    held_again,
    held_page,
    put_back,
    split,
)
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.kernel.paging import Page, page_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treadle.data.checks.failing import Failing
    from treadle.data.contracts import Contract
    from treadle.data.entities import DatasetVersion, QuarantineState, Validation
    from treadle.data.tables.parts import TableParts
    from treadle.storage.ports import MetadataStore, ObjectStore


class RowQuarantines:
    """Holds the failing rows of versions, shows them, and lets them back in or rejects them."""

    _store: MetadataStore
    _objects: ObjectStore
    if TYPE_CHECKING:  # what the service brings

        def commit(
            self, name: str, source: Path, *, message: str = "", branch: str = MAIN
        ) -> DatasetVersion: ...
        def validate(self, ref: str, *, contract: Contract | None = None) -> Validation: ...
        def judged(self, ref: str, *, contract: Contract | None = None) -> Validation: ...
        def parts(self, ref: str) -> TableParts: ...
        def version(self, ref: str) -> DatasetVersion: ...

    def quarantine_rows(self, ref: str, *, contract: Contract | None = None) -> RowsHeld:
        """Judge a version, hold the rows that fail, and commit the others on its branch.

        Held are the rows that break a check that fails; what a check tolerates stays. Raises
        Conflict when every row fails: nothing would be left.
        """
        validation = self.validate(ref, contract=contract)
        version = self.version(validation.dataset_ref)
        if not validation.broken():
            return RowsHeld(validation=validation, quarantine=None, version=version)
        held = self._begun(version, validation) or self._hold(
            version, validation, contract, branch=self._branch(ref, version.branch)
        )
        if held is None:
            return RowsHeld(validation=validation, quarantine=None, version=version)
        left = self._clean(version, held)
        return RowsHeld(
            validation=validation,
            quarantine=msgspec.structs.replace(held, clean_number=left.number),
            version=left,
        )

    def failing_rows(self, ref: str, *, contract: Contract | None = None) -> dict[str, int]:
        """Count what `quarantine_rows` would hold, by check ("": rows), and keep nothing."""
        version = self.version(ref)
        validation = self.judged(version.ref, contract=contract)
        with tempfile.TemporaryDirectory(prefix="treadle-") as name:
            counted = self._split(version, validation, contract, folder=Path(name))
        return {"": counted.held, **counted.checks}

    def row_quarantines(self, name: str | None = None) -> tuple[Quarantine, ...]:
        """Return the quarantines of rows of a dataset, or of all, newest first."""
        with self._store.read() as tx:
            return sql.quarantines_of(tx, name, kind="rows")

    def row_quarantine(self, identifier: str) -> Quarantine:
        """Return a quarantine of rows by its id, or the start of it."""
        with self._store.read() as tx:
            found = sql.quarantine_by_id(tx, identifier)
            known = [] if found else sql.quarantines_of(tx, kind="rows")
        fitting = [q for q in known if identifier and q.id.startswith(identifier)]
        if len(fitting) > 1:
            raise InvalidInput(
                f"{identifier!r} begins the ids of {len(fitting)} quarantines.",
                hint=f"Write more of it: {fitting[0].id}.",
            )
        found = found or next(iter(fitting), None)
        if found is None or found.kind != "rows":
            raise NotFound("quarantine of rows", identifier, known=[q.id for q in known])
        return found

    def held_rows(
        self,
        identifier: str,
        *,
        check: str = "",
        where: Mapping[str, str] | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Page[HeldRow]:
        """Return rows in quarantine with what each breaks: all, or those of a check or a value."""
        held = self.row_quarantine(identifier)
        chosen = self._chosen(held, check=check, where=where)
        with self._objects.open(held.table) as stream:
            items, total = held_page(stream, chosen, limit=limit, offset=offset)
        return page_of(tuple(items), total=total, offset=offset)

    def release_rows(
        self,
        identifier: str,
        *,
        check: str = "",
        where: Mapping[str, str] | None = None,
    ) -> Quarantine:
        """Let held rows back in: after the rows of the newest version there, in a new one.

        With a `check` (`range price`) or a value (`{"shop": "north"}`) only the rows that break it,
        or have it; the others remain held. Raises Conflict when the newest version has other
        columns: nothing is decided then.
        """
        held = self.row_quarantine(identifier)
        if held.state == "released" and held.released_number is None:
            return self._bring_back(held)  # whoever decided was killed before it was done
        chosen = self._chosen(held, check=check, where=where)
        self._require_fitting(held)
        return self._bring_back(self._decide(held, chosen, state="released"))

    def reject_rows(
        self, identifier: str, *, check: str = "", where: Mapping[str, str] | None = None
    ) -> Quarantine:
        """Decide that held rows never come back; they stay stored, with what they break."""
        held = self.row_quarantine(identifier)
        chosen = self._chosen(held, check=check, where=where)
        return self._decide(held, chosen, state="rejected")

    # --- inside ---

    def _begun(self, version: DatasetVersion, validation: Validation) -> Quarantine | None:
        """Return the quarantine in which the failing rows of a version are already."""
        with self._store.read() as tx:
            found = sql.quarantines_of(tx, version.dataset, number=version.number, kind="rows")
        begun = next((q for q in found if q.state == "held" and not q.part_of), None)
        if begun and begun.evidence.get("contract") != validation.contract_number:
            raise Conflict(
                f"Another contract ({begun.evidence.get('contract')}) holds rows of {version.ref} "
                f"already: {begun.rows:,}.",
                hint=f"Decide on them first: treadle data quarantines show {begun.id[:12]}",
            )
        return begun

    def _hold(
        self,
        version: DatasetVersion,
        validation: Validation,
        contract: Contract | None,
        *,
        branch: str,
    ) -> Quarantine | None:
        with tempfile.TemporaryDirectory(prefix="treadle-") as name:
            counted = self._split(version, validation, contract, folder=Path(name))
            if not counted.held:
                return None
            with (Path(name) / "held").open("rb") as file:
                table = self._objects.put(file).digest
        held = Quarantine(
            id=new_id(),
            dataset=version.dataset,
            version_number=version.number,
            reason=_reason(counted),
            rows=counted.held,
            state="held",
            evidence={
                "contract": validation.contract_number,
                "validation": validation.id,
                "branch": branch,
            },
            at=validation.at,
            kind="rows",
            table=table,
            checks=counted.checks,
        )
        with self._store.write() as tx:
            held = msgspec.structs.replace(held, at=tx.at)
            sql.insert_quarantine(tx, held)
            tx.emit(_quarantined(held))
        return held

    def _split(
        self,
        version: DatasetVersion,
        validation: Validation,
        contract: Contract | None,
        *,
        folder: Path,
    ) -> Counted:
        body = (contract or self._contract_of(version, validation)).body
        with self._store.read() as tx:
            others = {ref: find_version(tx, ref) for ref in body.references}
        with ExitStack() as stack:
            beside = {
                r: stack.enter_context(self.parts(o.ref).on_disk()) for r, o in others.items()
            }
            table = stack.enter_context(self.parts(version.ref).on_disk())
            failing = failing_rows(table, body, validation.checks, others=beside)
            counted = self._parted(version, failing, folder=folder)
        if counted.held and not counted.left:
            raise Conflict(
                f"Every row of {version.ref} ({counted.held:,}) breaks its contract: "
                "nothing would be left.",
                hint=f"Hold the version: treadle data quarantines hold {version.ref} --reason …",
            )
        return counted

    def _parted(
        self, version: DatasetVersion, failing: Iterable[Failing], *, folder: Path
    ) -> Counted:
        rows = self.parts(version.ref).batches()
        return split(rows, failing, clean=folder / "clean", held=folder / "held")

    def _contract_of(self, version: DatasetVersion, validation: Validation) -> Contract:
        with self._store.read() as tx:
            found = sql.contract_by_number(tx, version.dataset, validation.contract_number)
        if found is None:
            raise NotFound("contract", f"{version.dataset}@{validation.contract_number}")
        return found

    def _clean(self, version: DatasetVersion, held: Quarantine) -> DatasetVersion:
        """Commit the rows that are not held, unless that was done."""
        message = f"{version.ref} without {held.rows:,} rows, held in quarantine {held.id}"
        with self._store.read() as tx:
            done = (
                sql.version_by_number(tx, held.dataset, held.clean_number)
                if held.clean_number
                else sql.version_by_message(tx, held.dataset, message)
            )
        if done is None:
            with tempfile.TemporaryDirectory(prefix="treadle-") as name:
                done = self._commit_rest(version, held, folder=Path(name), message=message)
        if held.clean_number is None:
            self._moved(msgspec.structs.replace(held, clean_number=done.number))
        return done

    def _commit_rest(
        self, version: DatasetVersion, held: Quarantine, *, folder: Path, message: str
    ) -> DatasetVersion:
        # By the numbers of the rows that are held: what they break was asked once.
        with self._objects.open(held.table) as stream:
            self._parted(version, held_again(stream), folder=folder)
        return self._commit_as(held, folder / "clean", message=message)

    def _commit_as(self, held: Quarantine, table: Path, *, message: str) -> DatasetVersion:
        # The file's name is part of a version: it tells two with the same rows apart.
        named = table.with_name(f"{held.dataset}-{held.id[:12]}-{table.name}.parquet")
        table.rename(named)
        return self.commit(held.dataset, named, message=message, branch=self._branch_of(held))

    def _branch_of(self, held: Quarantine) -> str:
        return self._branch(f"{held.dataset}@{held.evidence.get('branch', MAIN)}", MAIN)

    def _branch(self, ref: str, otherwise: str) -> str:
        """Return the branch that is asked for by name, else another; main for one that is gone."""
        name, asked = parse_ref(ref)
        with self._store.read() as tx:
            for branch in (MAIN if asked == LATEST else asked, otherwise):
                found = pointers.pointer(tx, name, branch)
                if found is not None and found.kind == "branch":
                    return branch
        return MAIN

    def _moved(self, held: Quarantine) -> None:
        with self._store.write() as tx:
            sql.update_quarantine(tx, held)
            tx.emit(
                RowsMoved(
                    id=held.id,
                    dataset=held.dataset,
                    version_number=held.version_number,
                    clean_number=held.clean_number,
                    released_number=held.released_number,
                )
            )

    def _chosen(self, held: Quarantine, *, check: str, where: Mapping[str, str] | None) -> Chosen:
        if check and check not in held.checks:
            raise NotFound("check among the held rows", check, known=held.checks)
        with self._store.read() as tx:
            version = sql.version_by_number(tx, held.dataset, held.version_number)
        names = [c.name for c in version.columns] if version else []
        for name in where or ():
            if name not in names or name in {ROW, CHECKS}:
                raise NotFound("column", name, known=names)
        return Chosen(check, tuple((where or {}).items()))

    def _require_fitting(self, held: Quarantine) -> None:
        with self._store.read() as tx:
            before = sql.version_by_number(tx, held.dataset, held.version_number)
        newest = self.version(f"{held.dataset}@{self._branch_of(held)}")
        mine = [c.name for c in before.columns] if before else []
        theirs = [c.name for c in newest.columns]
        if mine != theirs:
            odd = sorted(set(mine) ^ set(theirs)) or mine
            raise Conflict(
                f"{newest.ref} has other columns than the held rows of {held.ref}: "
                f"{', '.join(odd[:5])}.",
                hint=f"Read them (treadle data quarantines show {held.id[:12]}), mend and commit.",
            )

    def _decide(self, held: Quarantine, chosen: Chosen, *, state: QuarantineState) -> Quarantine:
        if held.clean_number is None:
            raise Conflict(
                f"The rows of {held.ref} are held, but the version without them is not there yet.",
                hint=f"Finish it: treadle data validate {held.ref} --quarantine",
            )
        if not chosen:
            return self._settle(held, held, state=state)
        with tempfile.TemporaryDirectory(prefix="treadle-") as name:
            into, rest = Path(name) / "chosen", Path(name) / "rest"
            with self._objects.open(held.table) as stream:
                found, left = divide(stream, chosen, into=into, rest=rest)
            if not found.held:
                raise NotFound("held row", " and ".join(f"{n} = {v}" for n, v in chosen.where))
            if not left.held:
                return self._settle(held, held, state=state)
            with into.open("rb") as file:
                taken = self._objects.put(file).digest
            with rest.open("rb") as file:
                kept = self._objects.put(file).digest
        part = msgspec.structs.replace(
            held,
            id=new_id(),
            part_of=held.id,
            rows=found.held,
            table=taken,
            checks=found.checks,
            reason=_reason(found),
        )
        remaining = msgspec.structs.replace(
            held, rows=left.held, table=kept, checks=left.checks, reason=_reason(left)
        )
        return self._settle(part, remaining, state=state)

    def _settle(
        self, part: Quarantine, remaining: Quarantine, *, state: QuarantineState
    ) -> Quarantine:
        """Write a decision on some rows, or on all where `part` is what remains."""
        is_part = part.id != remaining.id
        with self._store.write() as tx:
            sql.lock_dataset(tx, part.dataset)
            now = sql.quarantine_by_id(tx, remaining.id)
            if now is None or now.state != "held" or (is_part and now.rows <= part.rows):
                state_now = now.state if now else "gone"
                raise Conflict(
                    f"The quarantine {remaining.id[:12]} of rows of {part.ref} is {state_now} "
                    "already.",
                    hint=f"See: treadle data quarantines show {remaining.id[:12]}",
                )
            decided = msgspec.structs.replace(part, state=state)
            if is_part:
                sql.update_quarantine(tx, remaining)
                sql.insert_quarantine(tx, decided)
            else:
                sql.update_quarantine(tx, decided)
            tx.emit(_decided(decided, remaining if is_part else None))
        return decided

    def _bring_back(self, part: Quarantine) -> Quarantine:
        message = f"{part.rows:,} rows of {part.ref} released from quarantine {part.id}"
        with self._store.read() as tx:
            done = sql.version_by_message(tx, part.dataset, message)
        if done is None:
            newest = self.version(f"{part.dataset}@{self._branch_of(part)}")
            with tempfile.TemporaryDirectory(prefix="treadle-") as name:
                whole = Path(name) / "released"
                with self._objects.open(part.table) as stream:
                    put_back(self.parts(newest.ref).batches(), stream, into=whole, ref=newest.ref)
                done = self._commit_as(part, whole, message=message)
        released = msgspec.structs.replace(part, released_number=done.number)
        self._moved(released)
        return released


def _reason(counted: Counted) -> str:
    told = sorted(counted.checks.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} ({count:,})" for name, count in told)


def _quarantined(held: Quarantine) -> RowsQuarantined:
    return RowsQuarantined(
        id=held.id,
        dataset=held.dataset,
        version_number=held.version_number,
        reason=held.reason,
        rows=held.rows,
        checks=held.checks,
        table=held.table,
        evidence=held.evidence,
    )


def _decided(part: Quarantine, remaining: Quarantine | None) -> RowsDecided:
    return RowsDecided(
        id=remaining.id if remaining else part.id,
        part=part.id,
        dataset=part.dataset,
        version_number=part.version_number,
        state=part.state,
        rows=part.rows,
        checks=part.checks,
        table=part.table,
        remaining=remaining.rows if remaining else 0,
        remaining_table=remaining.table if remaining else "",
    )
