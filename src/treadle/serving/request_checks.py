"""Requests under the contract of the model's training data, row by row, as they come."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.rows import compile_row
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.data.rows import RowCheck, RowFinding
    from treadle.serving.entities import ContractMode
    from treadle.serving.training_contracts import RequestContract

TOLD = 3
MOST_SHAPES = 16
"""Requests that leave out optional inputs differ in shape; of these the compiled are kept."""


class BrokenContract(InvalidInput):
    """A request breaks the contract of the data that its model was trained on."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What the contract saw since this process began: rows, and how many broke which claim."""

    rows: int
    broken: int
    refused: int
    checks: dict[str, int]


class RequestChecks:
    """Judges rows of requests. May be shared by threads; counts may miss a few that race."""

    def __init__(self, contract: RequestContract, *, mode: ContractMode) -> None:
        self.contract = contract
        self.mode = mode
        self._known = frozenset(c.name for c in contract.body.columns)
        self._compiled: dict[tuple[str, ...], RowCheck] = {}
        self._rows = self._broken = self._refused = 0
        self._checks: Counter[str] = Counter()

    def broken(self, columns: Mapping[str, Sequence[Any]], *, rows: int) -> list[str] | None:
        """Return what each row breaks (`range temp, nulls wind`, or ""); None when all keep it.

        Raises BrokenContract, in mode `refuse`, when a row breaks a claim that tolerates nothing.
        """
        check = self._check(tuple(columns))
        self._rows += rows
        if rows == 1:
            found = [check({name: cells[0] for name, cells in columns.items()})]
        else:
            names = tuple(columns)
            cells = zip(*columns.values(), strict=True)
            found = [check(dict(zip(names, row, strict=True))) for row in cells]
        if not any(found):
            return None
        return self._told(found, columns)

    def counts(self) -> Counts:
        """Return what was seen since this process began."""
        return Counts(
            rows=self._rows,
            broken=self._broken,
            refused=self._refused,
            checks=dict(self._checks.most_common()),
        )

    def carry_on(self, before: RequestChecks) -> None:
        """Count on from where another of this endpoint stopped."""
        self._rows, self._broken = before._rows, before._broken
        self._refused, self._checks = before._refused, before._checks

    def _check(self, names: tuple[str, ...]) -> RowCheck:
        check = self._compiled.get(names)
        if check is None:
            check = compile_row(self.contract.body, inputs=self._known.intersection(names))
            if len(self._compiled) < MOST_SHAPES:
                self._compiled[names] = check
        return check

    def _told(
        self, found: list[tuple[RowFinding, ...]], columns: Mapping[str, Sequence[Any]]
    ) -> list[str]:
        self._broken += sum(map(bool, found))
        self._checks.update(f"{f.check} {f.column}" for row in found for f in row)
        if self.mode == "refuse":
            wrong = [i for i, row in enumerate(found) if any(f.verdict == "fail" for f in row)]
            if wrong:
                self._refused += len(wrong)
                raise self._refusal(wrong, found, columns)
        return [", ".join(f"{f.check} {f.column}" for f in row) for row in found]

    def _refusal(
        self,
        wrong: list[int],
        found: list[tuple[RowFinding, ...]],
        columns: Mapping[str, Sequence[Any]],
    ) -> BrokenContract:
        told = []
        for row in wrong[:TOLD]:
            said = [
                f"{f.check} {f.column}{_value(f.column, columns, row)}"
                for f in found[row]
                if f.verdict == "fail"
            ]
            told.append(f"row {row}: {', '.join(said)}")
        more = f" and {len(wrong) - TOLD} more rows" if len(wrong) > TOLD else ""
        names = " and ".join(f"{n} (contract {k})" for n, k in self.contract.sources.items())
        return BrokenContract(
            f"The request breaks the contract of {names}: {'; '.join(told)}{more}.",
            hint="Send what the model was trained on; or see: treadle endpoints contract.",
            rows=wrong[:TOLD],
        )


def _value(column: str, columns: Mapping[str, Sequence[Any]], row: int) -> str:
    return f" ({columns[column][row]!r})" if column in columns else ""
