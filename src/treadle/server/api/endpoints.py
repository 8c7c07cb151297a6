"""GET endpoints, who served one at a time; POST labels, rollback, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
from starlette.concurrency import run_in_threadpool

from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import InvalidInput
from treadle.server.answers import json_answer
from treadle.server.api.paging import cut
from treadle.server.asked import Asked, app_of, body_of, read_body
from treadle.serving.contract_log.entities import ContractCounts
from treadle.serving.entities import ContractMode
from treadle.serving.training_contracts import RequestContract

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.monitoring.entities import TakenLabels
    from treadle.release.entities import Release
    from treadle.serving.entities import Endpoint


LATELY = {"hour": 1, "day": 24}
"""What is told of a contract, in hours back."""


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The truth about a prediction, found by its key, or by its id where keys repeat."""

    key: str
    label: float
    prediction_id: str | None = None


class Labels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Labels that arrive together; `source` names where they come from."""

    labels: tuple[Label, ...]
    source: str = ""


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a person acts; it stands in the event log for ever."""

    reason: str


class EndpointContract(msgspec.Struct, frozen=True, kw_only=True):
    """The contract of requests to an endpoint; None where the live model asks nothing of them."""

    endpoint: str
    mode: ContractMode
    contract: RequestContract | None
    lately: dict[str, ContractCounts]


class Mode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of requests that break the contract, and why."""

    mode: ContractMode
    reason: str = ""


def endpoints(request: Request) -> Response:
    """List endpoints by name, with their traffic."""
    asked = Asked(request, "limit", "offset")
    return json_answer(cut(app_of(request).serving.endpoints(), asked))


def endpoint(request: Request) -> Response:
    """Show an endpoint with its traffic."""
    Asked(request)
    return json_answer(app_of(request).serving.endpoint(request.path_params["name"]))


def at(request: Request) -> Response:
    """Say who served an endpoint at a time, and why; time=2013-07-04T12:00, else now."""
    asked = Asked(request, "time")
    app = app_of(request)
    instant = asked.instant("time")
    when = app.clock.now() if instant is None else instant
    return json_answer(app.governance.at(when, request.path_params["name"]))


async def labels(request: Request) -> Response:
    """Take labels in: {"labels": [{"key": "UA1545", "label": 1}], "source": "outcomes feed"}.

    They pass the label contract first: what breaks it is kept with `state` quarantined, `problem`
    naming the checks it failed, and counts nowhere until a person accepts it.
    """
    raw = await read_body(request)
    return json_answer(await run_in_threadpool(_take_labels, request, raw), status=201)


def contract_of(request: Request) -> Response:
    """Show what requests must keep, what becomes of those that do not, and how many broke it.

    `lately` has the last hour and the last day, by claim.
    """
    Asked(request)
    serving, name = app_of(request).serving, request.path_params["name"]
    endpoint = serving.endpoint(name)
    return json_answer(
        EndpointContract(
            endpoint=name,
            mode=endpoint.contract,
            contract=serving.request_contract(name),
            lately={
                word: serving.contract_counts(name, hours=hours) for word, hours in LATELY.items()
            },
        )
    )


def broken(request: Request) -> Response:
    """List rows that broke the contract, newest first; claim=range temp, outcome=refused.

    Of each claim, outcome and UTC day the newest five are kept, for 30 days. `values` holds what
    the contract knows of the row, without sensitive columns.
    """
    asked = Asked(request, "claim", "outcome", "limit", "offset")
    found = app_of(request).serving.broken_examples(
        request.path_params["name"],
        claim=asked.text("claim") or "",
        outcome=asked.text("outcome") or "",
        limit=asked.limit,
        offset=asked.offset,
    )
    return json_answer(found)


async def contract(request: Request) -> Response:
    """Say what becomes of requests that break the contract: {"mode": "refuse", "reason": "…"}.

    `off` looks at none, `warn` notes it with the answer, `refuse` answers 400 with the claims. A
    claim that tolerates a share of rows only ever warns.
    """
    raw = await read_body(request)
    return json_answer(await run_in_threadpool(_set_contract_mode, request, raw))


async def rollback(request: Request) -> Response:
    """Put the version before the champion back into service: {"reason": "…"}."""
    raw = await read_body(request)
    return json_answer(await run_in_threadpool(_roll_back, request, raw))


async def stop(request: Request) -> Response:
    """Stop the release under way: {"reason": "…"}."""
    raw = await read_body(request)
    return json_answer(await run_in_threadpool(_stop, request, raw))


def _take_labels(request: Request, raw: bytes) -> TakenLabels:
    Asked(request)
    app, body = app_of(request), body_of(request, raw, Labels)
    if not body.labels:
        raise InvalidInput("There is no label in it.", hint='Send {"labels": [{"key", "label"}]}.')
    columns = {
        "key": pa.array([each.key for each in body.labels], pa.string()),
        "label": pa.array([each.label for each in body.labels], pa.float64()),
        "prediction_id": pa.array([each.prediction_id for each in body.labels], pa.string()),
    }
    # The same body sent twice is the same delivery.
    source = body.source or f"api:{digest_bytes(raw)[:12]}"
    name = request.path_params["name"]
    return app.loop.take_labels(name, pa.table(columns), source_ref=source)


def _set_contract_mode(request: Request, raw: bytes) -> Endpoint:
    Asked(request)
    app, body = app_of(request), body_of(request, raw, Mode)
    name = request.path_params["name"]
    return app.serving.set_contract_mode(name, body.mode, reason=body.reason)


def _roll_back(request: Request, raw: bytes) -> Release:
    return app_of(request).releases.rollback(request.path_params["name"], reason=_why(request, raw))


def _stop(request: Request, raw: bytes) -> Release:
    return app_of(request).releases.stop(request.path_params["name"], reason=_why(request, raw))


def _why(request: Request, raw: bytes) -> str:
    Asked(request)
    reason = body_of(request, raw, Reason).reason.strip()
    if not reason:
        raise InvalidInput("The reason is empty.", hint="Say why; the event log keeps it.")
    return reason


ROUTES = (
    ("GET", "/endpoints", endpoints),
    ("GET", "/endpoints/{name}", endpoint),
    ("GET", "/endpoints/{name}/at", at),
    ("GET", "/endpoints/{name}/contract", contract_of),
    ("GET", "/endpoints/{name}/contract/broken", broken),
    ("POST", "/endpoints/{name}/contract", contract),
    ("POST", "/endpoints/{name}/labels", labels),
    ("POST", "/endpoints/{name}/rollback", rollback),
    ("POST", "/endpoints/{name}/stop", stop),
)
