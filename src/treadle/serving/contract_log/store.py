"""SQL of what requests broke: counts by bucket, later by day, and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from treadle.kernel.clock import DAY_US
from treadle.serving.contract_log.entities import (
    BrokenCount,
    BrokenExample,
    ClaimCount,
    JudgedCount,
)
from treadle.storage.schema import Instant, Json, metadata, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement

    from treadle.storage.transaction import Transaction

judged_requests = Table(
    "judged_requests",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("broken", BigInteger, nullable=False),
)

broken_claims = Table(
    "broken_claims",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("claim", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
)

broken_examples = Table(
    "broken_examples",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("claim", Text, nullable=False),
    Column("values", Json, nullable=False),
    Column("left_out", Json, nullable=False),
    Column("prediction_id", Text, nullable=True),
    Column("contracts", Json, nullable=False),
    Index("ix_broken_examples_endpoint_at", "endpoint", "at"),
)


def add_judged(tx: Transaction, counts: Iterable[JudgedCount]) -> None:
    """Add to the counts of requests."""
    _add(tx, judged_requests, [msgspec.to_builtins(c) for c in counts])


def add_broken(tx: Transaction, counts: Iterable[BrokenCount]) -> None:
    """Add to the counts by claim."""
    _add(tx, broken_claims, [msgspec.to_builtins(c) for c in counts])


def add_examples(tx: Transaction, examples: Iterable[BrokenExample], *, most: int) -> None:
    """Keep examples, and of each claim, outcome and UTC day that they are of the newest `most`."""
    # A list, for JSON as it is stored sorts the names of an object, and the claim's own come first.
    rows = [msgspec.to_builtins(e) | {"values": list(e.values.items())} for e in examples]
    if not rows:
        return
    tx.execute(insert(broken_examples), rows)
    keys = ("endpoint", "outcome", "claim")
    days = {(*(r[k] for k in keys), r["at"] - r["at"] % DAY_US) for r in rows}
    c = broken_examples.c
    for endpoint, outcome, claim, day in sorted(days):
        of_day = and_(
            c.endpoint == endpoint, c.outcome == outcome, c.claim == claim,
            c.at >= day, c.at < day + DAY_US,
        )  # fmt: skip
        newest = select(c.id).where(of_day).order_by(c.at.desc(), c.id.desc()).limit(most)
        tx.execute(delete(broken_examples).where(of_day, c.id.not_in(newest)))


def remove_examples(tx: Transaction, *, before: int) -> None:
    """Remove examples that are older."""
    tx.execute(delete(broken_examples).where(broken_examples.c.at < before))


def roll_up(tx: Transaction, *, before: int) -> None:
    """Make the buckets of each day before an instant one count of that day."""
    for table in (judged_requests, broken_claims):
        c = table.c
        gone = delete(table).where(c.at < before, c.at % DAY_US != 0).returning(*c)
        _add(tx, table, [_of_day(plain(row)) for row in tx.execute(gone).mappings()])


def totals(tx: Transaction, endpoint: str, *, since: int) -> dict[str, tuple[int, int, int]]:
    """Return requests, rows and broken rows by outcome, of buckets since an instant."""
    c = judged_requests.c
    sums = [func.sum(each).label(each.name) for each in (c.requests, c.rows, c.broken)]
    chosen = select(c.outcome, *sums).where(c.endpoint == endpoint, c.at >= since)
    found = tx.execute(chosen.group_by(c.outcome)).mappings()
    return {
        row["outcome"]: (int(row["requests"]), int(row["rows"]), int(row["broken"]))
        for row in found
    }


def claims(tx: Transaction, endpoint: str, *, since: int) -> tuple[ClaimCount, ...]:
    """Return how often each claim was broken in buckets since an instant, the most rows first."""
    c = broken_claims.c
    is_refused = c.outcome == "refused"
    summed = func.sum(c.rows).label("rows")
    chosen = select(
        c.claim,
        func.sum(c.requests).label("requests"),
        summed,
        func.coalesce(func.sum(c.requests).filter(is_refused), 0).label("refused_requests"),
        func.coalesce(func.sum(c.rows).filter(is_refused), 0).label("refused_rows"),
        func.max(c.at).label("last_at"),
    ).where(c.endpoint == endpoint, c.at >= since)
    found = tx.execute(chosen.group_by(c.claim).order_by(summed.desc(), c.claim)).mappings()
    # PostgreSQL sums whole numbers to decimals.
    rows = ({n: v if n == "claim" else int(v) for n, v in plain(row).items()} for row in found)
    return tuple(msgspec.convert(row, ClaimCount) for row in rows)


def examples(
    tx: Transaction,
    endpoint: str,
    *,
    since: int = 0,
    claim: str = "",
    outcome: str = "",
    limit: int,
    offset: int = 0,
) -> tuple[list[BrokenExample], int]:
    """Return examples, the newest first, and how many there are in all."""
    c = broken_examples.c
    wanted: list[ColumnElement[bool]] = [c.endpoint == endpoint, c.at >= since]
    if claim:
        wanted.append(c.claim == claim)
    if outcome:
        wanted.append(c.outcome == outcome)
    total = tx.execute(select(func.count()).select_from(broken_examples).where(*wanted))
    newest = select(broken_examples).where(*wanted).order_by(c.at.desc(), c.id.desc())
    rows = tx.execute(newest.limit(limit).offset(offset)).mappings()
    return [_example(plain(row)) for row in rows], total.scalar_one()


def _example(row: dict[str, Any]) -> BrokenExample:
    return msgspec.convert(row | {"values": dict(row["values"])}, BrokenExample)


def _of_day(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"at": row["at"] - row["at"] % DAY_US}


def _add(tx: Transaction, table: Table, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    kind = postgresql if tx.connection.dialect.name == "postgresql" else sqlite
    added = kind.insert(table)
    sums = {c.name: c + added.excluded[c.name] for c in table.columns if not c.primary_key}
    keys = [c.name for c in table.primary_key]
    # In one order: two processes that add to the same counts would else wait for each other.
    rows = sorted(rows, key=lambda row: [row[key] for key in keys])
    tx.execute(added.on_conflict_do_update(index_elements=keys, set_=sums), rows)
