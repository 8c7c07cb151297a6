"""The inputs of a window under the contract of what their model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.data.checks import check_table
from treadle.data.column_types import kind_of
from treadle.monitoring.entities import Finding
from treadle.serving.records import INPUT_PREFIX

if TYPE_CHECKING:
    import pyarrow as pa

    from treadle.data.contracts import ContractBody
    from treadle.data.entities import CheckResult
    from treadle.serving.training_contracts import RequestContract

NAMED = 3
FEWEST_ROWS = 30
"""Of fewer rows no share is one."""
_AS_TEXT = frozenset({"timestamp", "date"})


def contract_findings(rows: pa.Table, contract: RequestContract) -> tuple[Finding, ...]:
    """Say in one finding which claims the inputs break by more than the contract tolerates."""
    if rows.num_rows < FEWEST_ROWS:
        return ()
    names = [n for n in rows.column_names if n.startswith(INPUT_PREFIX)]
    inputs = rows.select(names).rename_columns([n.removeprefix(INPUT_PREFIX) for n in names])
    body = _about(inputs, contract.body)
    if not body.columns:
        return ()
    broken = [r for r in check_table(inputs, body) if r.verdict == "fail"]
    return (_finding(broken, contract),) if broken else ()


def _about(inputs: pa.Table, body: ContractBody) -> ContractBody:
    """Return the claims about the inputs that were logged as what they are."""
    kinds = {f.name: kind_of(f.type) for f in inputs.schema}
    columns = tuple(
        c
        for c in body.columns
        # The log keeps times of requests as text.
        if c.name in kinds and not (c.type in _AS_TEXT and kinds[c.name] == "text")
    )
    return msgspec.structs.replace(body, columns=columns)


def _finding(broken: list[CheckResult], contract: RequestContract) -> Finding:
    worst = sorted(broken, key=lambda r: -r.counted / max(1, r.total))
    told = [f"{r.check} {r.column}" for r in worst]
    more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return Finding(
        kind="contract",
        title=f"Inputs break the contract of {' and '.join(contract.sources)}: "
        f"{', '.join(told[:NAMED])}{more}",
        cause=" ".join(r.message for r in worst[:NAMED]),
        size=worst[0].counted / max(1, worst[0].total),
        alerts=True,
    )
