"""What the contract of an endpoint saw: requests kept, warned and refused, by claim, examples."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["kept", "warned", "refused"]
"""What became of a request: it broke nothing, or was answered all the same, or was not."""
BrokenOutcome = Literal["warned", "refused"]
Cell = float | int | bool | str | None


class JudgedCount(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of an endpoint with one outcome, from `at` to the end of its bucket."""

    endpoint: str
    at: int
    outcome: Outcome
    requests: int
    rows: int
    broken: int
    """Rows that broke a claim; the others of their requests did not."""


class BrokenCount(msgspec.Struct, frozen=True, kw_only=True):
    """Requests and rows that broke one claim, from `at` to the end of its bucket."""

    endpoint: str
    at: int
    outcome: BrokenOutcome
    claim: str
    requests: int
    rows: int


class BrokenExample(msgspec.Struct, frozen=True, kw_only=True):
    """A row that broke a claim (`range temp`), as far as it may be shown.

    `values` holds the columns that the contract knows, what the claim is about first; `left_out`
    names those whose values are not kept, as sensitive ones. `prediction_id` is what the row was
    answered with, None when its request was refused. `contracts` are the numbers it was judged by.
    """

    id: str
    endpoint: str
    at: int
    outcome: BrokenOutcome
    claim: str
    values: dict[str, Cell]
    left_out: tuple[str, ...] = ()
    prediction_id: str | None = None
    contracts: dict[str, int] = {}


class ContractBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted since the last time it was written."""

    judged: tuple[JudgedCount, ...] = ()
    broken: tuple[BrokenCount, ...] = ()
    examples: tuple[BrokenExample, ...] = ()


class ClaimCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests, and rows of these, broke a claim; `refused` of them were refused."""

    claim: str
    requests: int
    rows: int
    refused_requests: int
    refused_rows: int
    last_at: int
    """The beginning of the last bucket in which it was broken."""


class ContractCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint's contract saw since an instant, which is the beginning of a bucket.

    `rows` were looked at, `broken` of them broke a claim. A claim of a refused request is counted
    as refused, also one that alone would only have warned. What is not flushed yet is not in it.
    """

    endpoint: str
    since: int
    requests: int = 0
    rows: int = 0
    broken: int = 0
    warned_requests: int = 0
    refused_requests: int = 0
    claims: tuple[ClaimCount, ...] = ()
