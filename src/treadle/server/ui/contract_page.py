"""The page of a dataset's contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.data.contract_changes import changes
from treadle.data.contract_text import to_toml
from treadle.data.contract_words import in_words
from treadle.kernel.errors import NotFound
from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.contexts import ChangeRow, ClaimRow, ContractContext, ContractNumberRow
from treadle.server.ui.places import asking, contract_place, dataset_place, dataset_version_place
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Link, Notice, Page, Pager

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from treadle.app import App
    from treadle.data.contracts import Contract
    from treadle.data.entities import Validation, Verdict

STATES: dict[Verdict, str] = {"pass": "passed", "warn": "warning", "fail": "blocked"}
LABEL_CHECKS = ("labelled", "constant", "rate", "rate_by_day")
WIDEST = 80
LOOKED_BACK = 20
CLAIMS = 300
"""So many claims stand in the page; a contract of hundreds of columns makes more."""


def contract_context(request: Request, name: str) -> ContractContext:
    """Return a contract of a dataset, the newest or the one asked for, against another."""
    app = app_of(request)
    known = app.data.contracts(name)
    if not known:
        return _none(app, name)
    shown = _asked(known, request.query_params.get("number", ""), name, known[0])
    first = known[-1].number
    older = next((c for c in known if c.number < shown.number), None)
    before = _asked(known, request.query_params.get("before", ""), name, older)
    validation = _validation(app, name, shown)
    numbers, pager = paging.cut(request, [_number(c, known, shown) for c in known])
    claims = _claims(shown, validation)
    return ContractContext(
        page=_page(app, name, shown.number, before.number if before else first),
        name=name,
        number=shown.number,
        before=before.number if before else None,
        set_us=shown.created_at,
        validation=Link(validation.dataset_ref, dataset_version_place(validation.dataset_ref))
        if validation
        else None,
        state=STATES[validation.verdict] if validation else "unchecked",
        claims=claims[:CLAIMS],
        claims_total=len(claims),
        changes=_changes(before, shown),
        toml=to_toml(shown.body),
        numbers=numbers,
        pager=pager,
    )


def _validation(app: App, name: str, shown: Contract) -> Validation | None:
    """Return the newest judgement by a contract, of the newest versions that have one."""
    for version in app.data.versions(name, limit=LOOKED_BACK).items:
        for found in app.data.validations(version.ref):
            if found.contract_number == shown.number:
                return found
    return None


def _asked(known: Sequence[Contract], text: str, name: str, default: Any) -> Any:
    if not text:
        return default
    found = next((c for c in known if str(c.number) == text), None)
    if found is None:
        hint = f"{name} has the contracts {known[-1].number} to {known[0].number}."
        raise NotFound("contract", f"{name}@{text}", hint=hint)
    return found


def _none(app: App, name: str) -> ContractContext:
    is_table = app.data.version(name).is_table
    return ContractContext(
        page=_page(app, name, None, None),
        name=name,
        number=None,
        before=None,
        set_us=None,
        validation=None,
        state="unchecked",
        claims=(),
        claims_total=0,
        changes=(),
        toml="",
        numbers=(),
        pager=Pager(0, 0, 0),
        notice=Notice(
            "empty",
            "No contract yet",
            "It is learned from a good version, read, edited, and then judges every version.",
            f"treadle data infer {name}",
        )
        if is_table
        else Notice("empty", "No contract", f"{name} holds files; contracts are for tables."),
    )


def _page(app: App, name: str, number: int | None, before: int | None) -> Page:
    is_first = number is None or number == before
    return Page(
        title=f"Contract of {name}",
        nav="data",
        crumbs=(Link("Data", "/data"), Link(name, dataset_place(name))),
        snippets=snippets(
            app.home,
            command=f"data contract {name} --versions"
            if is_first
            else f"data contract {name} --diff {before} {number}",
            python=f"contracts = client.data.contracts({name!r})",
        ),
        live="contract. dataset.validated",
    )


def _claims(contract: Contract, validation: Validation | None) -> tuple[ClaimRow, ...]:
    found = {(c.check, c.column): c.verdict for c in validation.checks} if validation else {}
    rows = [
        ClaimRow(
            of=said.of,
            rule=said.check.replace("_", " "),
            text=said.text,
            state=_state(found, said.check, "" if said.of == "whole table" else said.of),
            warns=said.warns,
        )
        for said in in_words(contract.body)
    ]
    if len(rows) > CLAIMS:
        rows.sort(key=lambda row: row.state not in {STATES["warn"], STATES["fail"]})
    return tuple(rows)


def _state(found: Mapping[tuple[str, str], Verdict], check: str, column: str) -> str:
    """Say how a claim was judged; what is said of labels at once, several checks judge."""
    names = LABEL_CHECKS if check == "label" else (check,)
    given = [found[name, column] for name in names if (name, column) in found]
    known = [verdict for verdict in STATES if verdict in given]
    return STATES[known[-1]] if known else "unchecked"


def _changes(before: Contract | None, after: Contract) -> tuple[ChangeRow, ...]:
    found = changes(before.body, after.body) if before else ()
    return tuple(ChangeRow(c.effect, c.path, _told(c.before), _told(c.after)) for c in found)


def _told(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    if value is None:
        return "–"
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _number(contract: Contract, known: Sequence[Contract], shown: Contract) -> ContractNumberRow:
    before = next((c for c in known if c.number < contract.number), None)
    found = changes(before.body, contract.body) if before else None
    return ContractNumberRow(
        number=contract.number,
        href=asking(contract_place(contract.dataset), {"number": contract.number}),
        set_us=contract.created_at,
        columns=len(contract.body.columns),
        relations=len(contract.body.relations),
        is_shown=contract.number == shown.number,
        breaks=None if found is None else sum(c.effect == "breaks" for c in found),
    )
