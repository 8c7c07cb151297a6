"""The verbs of datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data import store as sql
from treadle.data.contract_history import ContractHistory
from treadle.data.contracts import Contract, ContractBody, Role
from treadle.data.elsewhere import Elsewhere
from treadle.data.entities import (
    CheckResult,
    DatasetSummary,
    DatasetVersion,
    Quarantine,
    Validation,
    Verdict,
    worst,
)
from treadle.data.facts import (
    ContractSet,
    DatasetQuarantined,
    DatasetValidated,
    QuarantineRejected,
    QuarantineReleased,
)
from treadle.data.history.service import History
from treadle.data.inference import infer_body
from treadle.data.profiling.kept import Profiles, Reference
from treadle.data.refs import find_version, parse_ref, version_before
from treadle.data.remotes.upkeep import RemoteUpkeep
from treadle.data.row_quarantines import RowQuarantines
from treadle.data.validation import check_version, compare_versions
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.kernel.paging import Page, page_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.analysis.profiles import TableProfile
    from treadle.storage.transaction import Transaction


class Data(Elsewhere, History, RemoteUpkeep, RowQuarantines, ContractHistory):
    """Commits datasets, knows their versions, and judges them by contract.

    `code_commit` says at which commit the caller's code stands; a version remembers it. Versions
    that are tables (`Tables`) or files (`Trees`) have verbs of their own, and so have branches and
    tags (`History`), sharing (`RemoteUpkeep`) and comparing (`Diffs`).
    """

    # --- versions ---

    def datasets(self, *, limit: int = 100, offset: int = 0) -> Page[DatasetSummary]:
        """Return datasets by name, each with its newest version."""
        with self._store.read() as tx:
            items = sql.page_of_datasets(tx, limit=limit, offset=offset)
            return page_of(items, total=sql.count_datasets(tx), offset=offset)

    def versions(self, name: str, *, limit: int = 100, offset: int = 0) -> Page[DatasetVersion]:
        """Return the versions of a dataset on any branch, newest first; `log` follows one."""
        with self._store.read() as tx:
            total = sql.count_versions(tx, name)
            if not total:
                find_version(tx, name)  # which says that it is removed, or not there
            items = sql.page_of_versions(tx, name, limit=limit, offset=offset)
        return page_of(items, total=total, offset=offset)

    def profile(
        self, ref: str, *, columns: Sequence[str] | None = None, against: str | None = None
    ) -> TableProfile:
        """Describe every column of a version, or some; the answer is kept for its table.

        Its drift is measured from the version `against`, of any dataset, or from the version before
        where that was profiled already.
        """
        parts = self.parts(ref)
        with self._store.read() as tx:
            contract = sql.latest_contract(tx, parts.version.dataset)
        body = contract.body if contract else None
        reference = self._reference(parts.version, against)
        return self._profiles.of(parts, body=body, columns=columns, reference=reference)

    def table_before(self, ref: str) -> str | None:
        """Return the version it was made on, `flights@1`, where there is one and it is a table."""
        before = self._before(self.version(ref))
        return before.ref if before else None

    def known_profile(self, ref: str) -> TableProfile | None:
        """Return the profile of a version if it was made before; reads no table."""
        return self._profiles.known(self.version(ref))

    # --- contracts ---

    def infer_contract(
        self, ref: str, *, roles: Mapping[str, Role] | None = None, above: float | None = None
    ) -> Contract:
        """Learn a contract from a version and set it.

        `roles` names what the data cannot say (`{"arr_delay": "target", "dep_delay":
        "known_after"}`); `above` makes a numeric target a yes/no: a yes is a value above it.
        """
        body = self.learn_contract(ref, roles=roles, above=above)
        return self.set_contract(parse_ref(ref).name, body)

    def learn_contract(
        self, ref: str, *, roles: Mapping[str, Role] | None = None, above: float | None = None
    ) -> ContractBody:
        """Learn a contract from a version, as `infer_contract` does, and set nothing."""
        parts = self.parts(ref)
        version = parts.version
        if not version.rows:
            raise InvalidInput(
                f"{version.ref} has no rows: there is nothing to learn from.",
                hint="Learn from a version that has, or write a contract: "
                f"treadle data contract {version.dataset} --set FILE.toml",
            )
        # Whatever target and time it was made for: what is asked of it does not depend on them.
        profile = self._profiles.known(version) or self.profile(version.ref)
        with self._store.read() as tx:
            now = tx.at
        with parts.on_disk() as files:
            return infer_body(files, profile, roles=roles, above=above, now=now)

    def set_contract(self, name: str, body: ContractBody) -> Contract:
        """Set what every version of a dataset is to be; an equal contract keeps its number."""
        with self._store.write() as tx:
            _require_dataset(tx, name)
            sql.lock_dataset(tx, name)
            held = sql.latest_contract(tx, name)
            if held is not None and held.digest == body.digest:
                return held
            number = 1 + (held.number if held else 0)
            contract = Contract(
                dataset=name, number=number, body=body, digest=body.digest, created_at=tx.at
            )
            sql.insert_contract(tx, contract)
            tx.emit(ContractSet(dataset=name, number=number, digest=body.digest, body=body))
        return contract

    def contract(self, name: str) -> Contract | None:
        """Return the contract of a dataset that holds now, None when it has none."""
        with self._store.read() as tx:
            return sql.latest_contract(tx, name)

    def validate(
        self, ref: str, *, contract: Contract | None = None, quarantine: bool = False
    ) -> Validation:
        """Judge a version by its dataset's contract, or by the one that is given.

        It counts and tells; what follows from a failure (quarantine, a refused gate) is the
        caller's rule. With `quarantine` the rows that fail are held (see `quarantine_rows`).
        """
        if quarantine:
            return self.quarantine_rows(ref, contract=contract).validation
        validation = self.judged(ref, contract=contract)
        with self._store.write() as tx:
            version = find_version(tx, validation.dataset_ref)
            validation = msgspec.structs.replace(validation, at=tx.at)
            sql.insert_validation(tx, validation, name=version.dataset, number=version.number)
            tx.emit(_validated(validation, version))
        return validation

    def judged(self, ref: str, *, contract: Contract | None = None) -> Validation:
        """Judge a version as `validate` does, and keep nothing of it."""
        version = self.parts(ref).version
        with self._store.read() as tx:
            now = tx.at
            contract = contract or _require_contract(tx, version.dataset)
            others = {ref: find_version(tx, ref) for ref in contract.body.references}
        beside = {ref: self._parts_of(other) for ref, other in others.items()}
        checks = check_version(self._parts_of(version), contract.body, others=beside, now=now)
        return Validation(
            id=new_id(),
            dataset_ref=version.ref,
            contract_number=contract.number,
            verdict=worst(checks),
            checks=checks,
            at=now,
        )

    def compare_splits(self, train: str, test: str) -> tuple[CheckResult, ...]:
        """Say what a test version shares with its train that it must not: rows, keys, time, labels.

        Roles and keys come from the contract of the train's dataset.
        """
        with self._store.read() as tx:
            before, after = find_version(tx, train), find_version(tx, test)
            body = _require_contract(tx, before.dataset).body
        return compare_versions(self._parts_of(before), self._parts_of(after), body)

    def validations(self, ref: str) -> tuple[Validation, ...]:
        """Return every validation of a version, newest first."""
        with self._store.read() as tx:
            version = find_version(tx, ref)
            return sql.validations_of(tx, version.dataset, version.number)

    def verdicts(self, name: str) -> dict[int, Verdict]:
        """Return the newest verdict on each version of a dataset that was ever judged."""
        with self._store.read() as tx:
            return sql.newest_verdicts(tx, name)

    # --- quarantine ---

    def quarantine(self, ref: str, *, reason: str, evidence: Mapping[str, Any]) -> Quarantine:
        """Hold a version back from training, gates and evaluation; a held one stays as it is.

        Where a version with its content is held, that quarantine is returned: one decision is
        enough, for it is on the content. Raises InvalidInput without a reason.
        """
        if not reason.strip():
            raise InvalidInput(
                f"{ref} is to be held without a reason.", hint="Say why: it stands in the log."
            )
        with self._store.write() as tx:
            version = find_version(tx, ref)
            sql.lock_dataset(tx, version.dataset)
            for known in _decided_on(tx, version):
                if known.state == "held":
                    return known
            held = Quarantine(
                id=new_id(),
                dataset=version.dataset,
                version_number=version.number,
                reason=reason,
                rows=version.rows,
                state="held",
                evidence=dict(evidence),
                at=tx.at,
            )
            sql.insert_quarantine(tx, held)
            tx.emit(_quarantined(held))
        return held

    def quarantines(self, name: str | None = None) -> tuple[Quarantine, ...]:
        """Return the quarantines of a dataset, or of all, newest first."""
        with self._store.read() as tx:
            return sql.quarantines_of(tx, name)

    def is_quarantined(self, ref: str) -> bool:
        """Say whether a version, or one with its content, is held back or rejected for good."""
        with self._store.read() as tx:
            found = _decided_on(tx, find_version(tx, ref))
        return any(q.state in {"held", "rejected"} for q in found)

    def decided_on(self, ref: str) -> tuple[Quarantine, ...]:
        """Return the quarantines of a version and of those with its content, newest first."""
        with self._store.read() as tx:
            return tuple(_decided_on(tx, find_version(tx, ref)))

    def kept_out(self, name: str) -> dict[int, int]:
        """Return how many rows of each version are kept out because it or its content is."""
        with self._store.read() as tx:
            return sql.kept_out(tx, name)

    def release_quarantine(self, identifier: str) -> Quarantine:
        """Decide that a held version may be used after all."""
        with self._store.write() as tx:
            held = _require_held(tx, identifier)
            sql.set_quarantine_state(tx, held.id, "released")
            tx.emit(
                QuarantineReleased(
                    id=held.id, dataset=held.dataset, version_number=held.version_number
                )
            )
        return msgspec.structs.replace(held, state="released")

    def reject_quarantine(self, identifier: str) -> Quarantine:
        """Decide that a held version must never be used."""
        with self._store.write() as tx:
            held = _require_held(tx, identifier)
            sql.set_quarantine_state(tx, held.id, "rejected")
            tx.emit(
                QuarantineRejected(
                    id=held.id, dataset=held.dataset, version_number=held.version_number
                )
            )
        return msgspec.structs.replace(held, state="rejected")

    @property
    def _profiles(self) -> Profiles:
        return Profiles(self._store, self._objects)

    def _before(self, version: DatasetVersion) -> DatasetVersion | None:
        with self._store.read() as tx:
            before = version_before(tx, version)
        return before if before is not None and before.is_table else None

    def _reference(self, version: DatasetVersion, against: str | None) -> Reference | None:
        """Return what a profile is compared with: what is asked for, else what is known."""
        if against is not None:
            other = self.version(against)
            known = self._profiles.known(other)
            return Reference(other.ref, known or self.profile(other.ref))
        before = self._before(version)
        known = self._profiles.known(before) if before else None
        return Reference(before.ref, known) if before and known else None


def _require_dataset(tx: Transaction, name: str) -> None:
    if not sql.latest_number(tx, name):
        find_version(tx, name)  # which says that it is removed, or not there


def _require_contract(tx: Transaction, name: str) -> Contract:
    contract = sql.latest_contract(tx, name)
    if contract is None:
        raise Conflict(
            f"Dataset {name!r} has no contract.",
            hint=f"Learn one from a good version: treadle data infer {name}@1",
        )
    return contract


def _decided_on(tx: Transaction, version: DatasetVersion) -> list[Quarantine]:
    """Return the quarantines of every version with the content of one, newest first."""
    equal = {v.number for v in sql.versions_with(tx, version.dataset, version.digest)}
    return [q for q in sql.quarantines_of(tx, version.dataset) if q.version_number in equal]


def _require_held(tx: Transaction, identifier: str) -> Quarantine:
    found = sql.quarantine_by_id(tx, identifier)
    if found is None or found.kind != "version":
        raise NotFound("quarantine of a version", identifier)
    sql.lock_dataset(tx, found.dataset)
    if found.state != "held":
        raise Conflict(
            f"The quarantine of {found.ref} is {found.state} already.",
            hint=f"Hold {found.ref} again with a new quarantine.",
        )
    return found


def _validated(validation: Validation, version: DatasetVersion) -> DatasetValidated:
    findings = (c for c in validation.checks if c.verdict != "pass")
    return DatasetValidated(
        id=validation.id,
        dataset=version.dataset,
        version_number=version.number,
        contract_number=validation.contract_number,
        verdict=validation.verdict,
        findings=tuple(f"{c.verdict} {c.check} {c.column}: {c.message}" for c in findings),
    )


def _quarantined(held: Quarantine) -> DatasetQuarantined:
    return DatasetQuarantined(
        id=held.id,
        dataset=held.dataset,
        version_number=held.version_number,
        reason=held.reason,
        rows=held.rows,
        evidence=held.evidence,
    )
