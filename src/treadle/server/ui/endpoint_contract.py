"""What an endpoint's page says of the contract of its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import NotFound
from treadle.server.ui.contexts import BrokenClaimRow, BrokenRow, RequestContractPanel
from treadle.server.ui.formats import number, percent
from treadle.server.ui.places import contract_place, endpoint_place
from treadle.server.ui.widgets import Link, Option, Stat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.app import App
    from treadle.serving.contract_log.entities import BrokenExample, ContractCounts
    from treadle.serving.entities import Endpoint
    from treadle.serving.training_contracts import RequestContract

CLAIMS = 50
EXAMPLES = 20
LOOKED_AT = 500
CELLS = 6
MODES = {
    "off": "Requests are not looked at.",
    "warn": "A row that breaks a claim is answered, and marked.",
    "refuse": "A request with a row that breaks a claim is refused; a claim that tolerates a share "
    "of rows only warns.",
}


def contract_of(app: App, name: str) -> RequestContract | None:
    """Return what requests to an endpoint must keep."""
    try:
        return app.serving.request_contract(name)
    except NotFound:  # a version that was deleted still has traffic
        return None


def contract_panel(
    app: App, endpoint: Endpoint, contract: RequestContract | None
) -> RequestContractPanel:
    """Return the mode, the contract, and what broke it in the last hour and day."""
    name = endpoint.name
    hour, day = (app.serving.contract_counts(name, hours=hours) for hours in (1, 24))
    last_hour = {c.claim: c.rows for c in hour.claims}
    newest = app.serving.broken_examples(name, limit=LOOKED_AT)
    seen: dict[str, int] = {}
    for example in newest.items:
        seen.setdefault(example.claim, example.at)
    relations = {r.name: r.relation.columns for r in contract.body.relations} if contract else {}
    return RequestContractPanel(
        mode=endpoint.contract,
        told=MODES[endpoint.contract],
        place=f"{endpoint_place(name)}/contract",
        modes=tuple(
            Option(mode, f"{mode}: {text}", is_selected=mode == endpoint.contract)
            for mode, text in MODES.items()
        ),
        sources=tuple(
            Link(f"{dataset}, contract {k}", contract_place(dataset))
            for dataset, k in contract.sources.items()
        )
        if contract
        else (),
        columns=len(contract.body.columns) if contract else 0,
        relations=len(relations),
        stats=(*_stats(hour, "last hour"), *_stats(day, "last day")) if day.requests else (),
        claims=tuple(
            BrokenClaimRow(
                claim=c.claim,
                hour=last_hour.get(c.claim, 0),
                day=c.rows,
                refused=c.refused_rows,
                requests=c.requests,
                last_us=max(c.last_at, seen.get(c.claim, 0)),  # of a bucket, and of a row
            )
            for c in day.claims[:CLAIMS]
        ),
        claims_left_out=max(0, len(day.claims) - CLAIMS),
        rows=tuple(_row(e, relations) for e in _of_each(newest.items)),
        rows_kept=newest.total,
    )


def _of_each(newest: Iterable[BrokenExample]) -> list[BrokenExample]:
    """Return the newest example of each claim and outcome: one bad request may break many."""
    found: dict[tuple[str, str], BrokenExample] = {}
    for example in newest:
        found.setdefault((example.claim, example.outcome), example)
    return list(found.values())[:EXAMPLES]


def _stats(counts: ContractCounts, word: str) -> tuple[Stat, Stat]:
    share = f"of {number(counts.rows)}"
    if counts.rows and counts.broken:
        share = f"{percent(counts.broken / counts.rows)} {share}"
    return (
        Stat(f"Rows that broke it, {word}", counts.broken, note=share),
        Stat(
            f"Requests refused, {word}",
            counts.refused_requests,
            note=f"of {number(counts.requests)}",
        ),
    )


def _row(example: BrokenExample, relations: dict[str, tuple[str, ...]]) -> BrokenRow:
    kind, _, name = example.claim.partition(" ")
    own = relations.get(name, ()) if kind == "relation" else (name,)
    cells = [(n, _cell(value), n in own) for n, value in example.values.items()]
    return BrokenRow(
        at_us=example.at,
        outcome=example.outcome,
        claim=example.claim,
        cells=tuple(cells[:CELLS]),
        more=max(0, len(cells) - CELLS),
        left_out=", ".join(example.left_out),
        prediction_id=example.prediction_id or "",
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.12g}" if isinstance(value, float) else str(value)
