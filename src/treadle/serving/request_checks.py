"""Requests under the contract of the model's training data, row by row, as they come."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.rows import compile_row
from treadle.kernel.errors import InvalidInput
from treadle.kernel.ids import new_id
from treadle.serving.contract_log.entities import BrokenExample
from treadle.serving.whole_columns import whole_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.data.contracts import ContractBody
    from treadle.data.rows import RowCheck, RowFinding
    from treadle.serving.contract_log.entities import BrokenOutcome, Cell
    from treadle.serving.contract_log.keeper import ContractKeeper
    from treadle.serving.entities import ContractMode
    from treadle.serving.training_contracts import RequestContract

TOLD = 3
MOST_VALUES = 30
"""So many values of a row stand in an example, what the claim is about first."""
LONGEST_TEXT = 100
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
    """Judges rows of requests and has the keeper count them. May be shared by threads.

    Its own counts, since this process began, may miss a few that race; the keeper's do not.
    """

    def __init__(
        self,
        contract: RequestContract,
        *,
        mode: ContractMode,
        endpoint: str,
        keeper: ContractKeeper,
    ) -> None:
        self.contract = contract
        self.mode = mode
        self._endpoint = endpoint
        self._keeper = keeper
        self._known = frozenset(c.name for c in contract.body.columns)
        self._compiled: dict[tuple[str, ...], _Shape] = {}
        self._rows = self._broken = self._refused = 0
        self._checks: Counter[str] = Counter()

    def broken(
        self, columns: Mapping[str, Sequence[Any]], *, rows: int, ids: Sequence[str]
    ) -> list[str] | None:
        """Return what each row breaks (`range temp, nulls wind`, or ""); None when all keep it.

        `ids` are what the rows' predictions will be called.

        Raises BrokenContract, in mode `refuse`, when a row breaks a claim that tolerates nothing.
        """
        shape = self._shape(tuple(columns))
        self._rows += rows
        found = shape.judged(columns, rows=rows)
        if not any(found):
            self._keeper.kept(self._endpoint, rows=rows)
            return None
        return self._told(found, columns, ids)

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

    def _shape(self, names: tuple[str, ...]) -> _Shape:
        shape = self._compiled.get(names)
        if shape is None:
            shape = _Shape(self.contract.body, inputs=self._known.intersection(names))
            if len(self._compiled) < MOST_SHAPES:
                self._compiled[names] = shape
        return shape

    def _told(
        self,
        found: list[tuple[RowFinding, ...]],
        columns: Mapping[str, Sequence[Any]],
        ids: Sequence[str],
    ) -> list[str]:
        claims = [[f"{f.check} {f.column}" for f in row] for row in found]
        wrong = []
        if self.mode == "refuse":
            wrong = [i for i, row in enumerate(found) if any(f.verdict == "fail" for f in row)]
        self._count(claims, columns, ids=None if wrong else ids)
        if wrong:
            self._refused += len(wrong)
            raise self._refusal(wrong, found, columns)
        return [", ".join(row) for row in claims]

    def _count(
        self,
        claims: list[list[str]],
        columns: Mapping[str, Sequence[Any]],
        *,
        ids: Sequence[str] | None,
    ) -> None:
        rows = Counter(claim for row in claims for claim in row)
        broken = sum(map(bool, claims))
        self._broken += broken
        self._checks.update(rows)
        outcome: BrokenOutcome = "refused" if ids is None else "warned"

        def example(claim: str, at: int) -> BrokenExample:
            row = next(i for i, broken in enumerate(claims) if claim in broken)
            values, left_out = self._shown(claim, {n: cells[row] for n, cells in columns.items()})
            return BrokenExample(
                id=new_id(),
                endpoint=self._endpoint,
                at=at,
                outcome=outcome,
                claim=claim,
                values=values,
                left_out=left_out,
                prediction_id=None if ids is None else ids[row],
                contracts=self.contract.sources,
            )

        self._keeper.broke(
            self._endpoint,
            outcome,
            rows=len(claims),
            broken=broken,
            claims=rows,
            example=example,
        )

    def _shown(self, claim: str, row: Mapping[str, Any]) -> tuple[dict[str, Cell], tuple[str, ...]]:
        """Return what of a row may be kept, the claim's own columns first, and what is left out."""
        kind, _, name = claim.partition(" ")
        related = {r.name: r.relation.columns for r in self.contract.body.relations}
        own = related.get(name, ()) if kind == "relation" else (name,)
        # What the contract does not know may be anything.
        known = [n for n in dict.fromkeys((*own, *row)) if n in self._known and n in row]
        hidden = self._known if self.contract.sensitive is None else self.contract.sensitive
        shown = [n for n in known if n not in hidden][:MOST_VALUES]
        return {n: _cell(row[n]) for n in shown}, tuple(n for n in known if n in hidden)

    def _refusal(
        self,
        wrong: list[int],
        found: list[tuple[RowFinding, ...]],
        columns: Mapping[str, Sequence[Any]],
    ) -> BrokenContract:
        told = []
        for row in wrong[:TOLD]:
            said = [
                f"{f.check} {f.column}{self._value(f.column, columns, row)}"
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

    def _value(self, column: str, columns: Mapping[str, Sequence[Any]], row: int) -> str:
        """Return what is said of a value; a sensitive one not, for callers log why they failed."""
        if column not in columns or column in (self.contract.sensitive or ()):
            return ""
        value = columns[column][row]
        return f" ({(_cell(value) if isinstance(value, str) else value)!r})"


class _Shape:
    """The contract compiled for requests of one shape."""

    def __init__(self, body: ContractBody, *, inputs: frozenset[str]) -> None:
        self._every = compile_row(body, inputs=inputs)
        self._whole = whole_columns(body, inputs=inputs)
        rest = inputs.difference(self._whole)
        self._rest = compile_row(body, inputs=rest) if rest else None

    def judged(
        self, columns: Mapping[str, Sequence[Any]], *, rows: int
    ) -> list[tuple[RowFinding, ...]]:
        """Return what each row breaks; nothing at all when no row breaks anything."""
        if rows == 1:
            return [self._every({name: cells[0] for name, cells in columns.items()})]
        check: RowCheck | None = self._every
        if all(keeps(columns[name]) for name, keeps in self._whole.items()):
            check = self._rest
        if check is None:
            return []
        names = tuple(columns)
        cells = zip(*columns.values(), strict=True)
        return [check(dict(zip(names, row, strict=True))) for row in cells]


def _cell(value: Any) -> Cell:
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
    if isinstance(value, (dt.datetime, dt.date)):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int)):
        return value
    # JSON has no word for what is no number.
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
