"""Which claims a model's training data makes of its requests: the contracts of its datasets.

A model's run names the dataset versions it was made from. Of their contracts, as they hold now,
what speaks of the model's inputs is one contract of a request: each input by the first dataset that
knows it, in a kind that a request can give it in. Targets and what is known only afterwards are no
inputs, and claims about many rows (counts, keys, days) are none about one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.data import store as data_sql
from treadle.data.contracts import ContractBody
from treadle.data.refs import parse_ref
from treadle.tracking.store.rows import inputs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.data.contracts import ColumnType, Contract
    from treadle.registry.entities import FieldType, ModelVersion, Signature
    from treadle.storage.ports import MetadataStore

_GIVEN_AS: dict[FieldType, frozenset[ColumnType]] = {
    "int64": frozenset({"integer", "number"}),
    "double": frozenset({"integer", "number"}),
    "bool": frozenset({"boolean"}),
    "string": frozenset({"text", "timestamp", "date"}),
    "category": frozenset({"text"}),
    "timestamp": frozenset({"timestamp", "date"}),
    "date": frozenset({"date"}),
}


class RequestContract(msgspec.Struct, frozen=True, kw_only=True):
    """What requests to a model must keep, and the numbers of the contracts it comes from.

    Values of `sensitive` columns are kept nowhere. None is what an older version remembered: then
    it is not known which they are.
    """

    body: ContractBody
    sources: dict[str, int]
    sensitive: tuple[str, ...] | None = None


class TrainingContracts:
    """Finds the contract of requests to a model version."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    def numbers(self) -> Mapping[str, int]:
        """Return the number of each dataset's contract; cheap enough to ask often."""
        with self._store.read() as tx:
            return data_sql.contract_numbers(tx)

    def of(self, version: ModelVersion) -> RequestContract | None:
        """Return what a version's training data claims of its inputs, None for nothing."""
        if version.run_id is None:
            return None
        with self._store.read() as tx:
            refs = [i.ref for i in inputs_of(tx, version.run_id) if i.kind == "dataset"]
            names = dict.fromkeys(parse_ref(ref).name for ref in refs)
            found = [data_sql.latest_contract(tx, name) for name in names]
        return request_contract([c for c in found if c is not None], version.signature)


def request_contract(contracts: list[Contract], signature: Signature) -> RequestContract | None:
    """Return what contracts say of a model's inputs, as one; None when they say nothing."""
    kinds = {field.name: _GIVEN_AS[field.type] for field in signature.inputs}
    taken: dict[str, tuple[int, str]] = {}
    body = ContractBody()
    sensitive: set[str] = set()
    for contract in contracts:
        after = {*contract.body.with_role("target"), *contract.body.with_role("known_after")}
        columns = tuple(
            msgspec.structs.replace(c, role="")  # a request is no series: its time orders nothing
            for c in contract.body.columns
            if c.type in kinds.get(c.name, ()) and c.name not in after and c.name not in taken
        )
        names = {c.name for c in columns}
        sensitive |= names.intersection(contract.body.with_role("sensitive"))
        relations = tuple(
            r for r in contract.body.relations if names.issuperset(r.relation.columns)
        )
        taken |= dict.fromkeys(names, (contract.number, contract.dataset))
        body = ContractBody(
            columns=(*body.columns, *columns), relations=(*body.relations, *relations)
        )
    sources = {dataset: number for number, dataset in taken.values()}
    if not body.columns:
        return None
    return RequestContract(body=body, sources=sources, sensitive=tuple(sorted(sensitive)))
