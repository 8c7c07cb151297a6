"""The verbs of contracts past and present, and of frames that are no version yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.data import store as sql
from treadle.data.checks import check_table
from treadle.data.contract_changes import Change, changes
from treadle.data.contracts import Contract, ContractBody
from treadle.data.entities import CheckResult, Verdict, worst
from treadle.data.refs import find_version, parse_ref
from treadle.data.tables.sources import read_file
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from treadle.data.tables.parts import TableParts
    from treadle.data.tables.sources import Source
    from treadle.storage.ports import MetadataStore


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A frame judged by a contract; nothing of it is kept."""

    verdict: Verdict
    checks: tuple[CheckResult, ...]

    def broken(self) -> tuple[CheckResult, ...]:
        """Return the checks that failed."""
        return tuple(c for c in self.checks if c.verdict == "fail")


class ContractHistory:
    """Knows every contract a dataset had, says what changed, and judges frames by one."""

    _store: MetadataStore
    if TYPE_CHECKING:  # what the service brings

        def parts(self, ref: str) -> TableParts: ...

    def contracts(self, name: str) -> tuple[Contract, ...]:
        """Return every contract of a dataset, newest first."""
        with self._store.read() as tx:
            version = find_version(tx, parse_ref(name).name)
            return sql.contracts_of(tx, version.dataset)

    def contract_numbered(self, name: str, number: int) -> Contract:
        """Return the contract of a dataset with a number."""
        known = self.contracts(name)
        found = next((c for c in known if c.number == number), None)
        if found is None:
            newest = known[0].number if known else 0
            hint = (
                f"{name} has the contracts 1 to {newest}."
                if known
                else f"It has none: treadle data infer {name}"
            )
            raise NotFound("contract", f"{name}@{number}", hint=hint)
        return found

    def contract_changes(self, name: str, before: int, after: int) -> tuple[Change, ...]:
        """Return what changed between two contracts of a dataset, and what it does to readers."""
        old, new = self.contract_numbered(name, before), self.contract_numbered(name, after)
        return changes(old.body, new.body)

    def check(self, source: Source, *, contract: str | Contract | ContractBody) -> Checked:
        """Judge a frame or a file that is no version, such as a batch before it is learned from.

        `contract` is one, or the dataset whose contract it is to keep: `flights`, or `flights@2`
        for its contract 2. Nothing is kept; the age of rows is judged by the clock of the project.
        """
        body = self._body_of(contract)
        table = _rows_of(source)
        with self._store.read() as tx:
            now = tx.at
            others = {ref: find_version(tx, ref).ref for ref in body.references}
        beside = {ref: self.parts(version).table() for ref, version in others.items()}
        found = check_table(table, body, now=now, others=beside)
        return Checked(verdict=worst(found), checks=found)

    def _body_of(self, contract: str | Contract | ContractBody) -> ContractBody:
        if isinstance(contract, ContractBody):
            return contract
        if isinstance(contract, Contract):
            return contract.body
        name, _, number = contract.partition("@")
        if number and not number.isdigit():
            raise InvalidInput(
                f"{contract!r} names no contract.",
                hint=f"Write {name}, or {name}@2 for contract 2.",
            )
        if number:
            return self.contract_numbered(name, int(number)).body
        known = self.contracts(name)
        if not known:
            raise NotFound("contract of", name, hint=f"Learn one: treadle data infer {name}")
        return known[0].body


def _rows_of(source: Source) -> pa.Table:
    if isinstance(source, (str, Path)):
        return read_file(Path(source))
    if isinstance(source, pa.Table):
        return source.replace_schema_metadata(None)
    if not hasattr(source, "__arrow_c_stream__"):
        raise InvalidInput(
            f"A {type(source).__name__} cannot be checked.",
            hint="Give the path of a table, or a frame (Arrow, Polars, pandas).",
        )
    return pa.RecordBatchReader.from_stream(source).read_all().replace_schema_metadata(None)
