"""The verbs of the contract log: write what was counted, say what was broken lately."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from treadle.kernel.clock import DAY_US
from treadle.kernel.paging import page_of
from treadle.serving.contract_log import store as sql
from treadle.serving.contract_log.entities import ContractCounts
from treadle.serving.contract_log.waiting import BUCKET_US, EXAMPLES
from treadle.serving.facts import ContractBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.kernel.paging import Page
    from treadle.serving.contract_log.entities import (
        BrokenExample,
        BrokenOutcome,
        ContractBatch,
        JudgedCount,
    )
    from treadle.storage.ports import MetadataStore

EXAMPLE_DAYS = 30
BUCKET_DAYS = 2
"""Buckets of the days before these are added up to one count a day."""
MOST_TOLD = 20
"""So many claims stand in an event, those with the most rows; the rest as one number."""


class ContractLog:
    """What requests made of the contracts of their endpoints. May be shared by threads.

    **Counts** are exact but for what waited in a process that was killed. **Examples** are few: of
    a claim, an outcome and a UTC day the newest five, for 30 days.
    """

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._tidied_day = -1

    def write(self, batch: ContractBatch) -> None:
        """Add what was counted, in one transaction; an event for each endpoint that saw breaks."""
        with self._store.write() as tx:
            sql.add_judged(tx, batch.judged)
            sql.add_broken(tx, batch.broken)
            sql.add_examples(tx, batch.examples, most=EXAMPLES)
            today = tx.at - tx.at % DAY_US
            if today != self._tidied_day:
                sql.roll_up(tx, before=today - (BUCKET_DAYS - 1) * DAY_US)
                sql.remove_examples(tx, before=_first_kept(tx.at))
            for fact in _facts(batch):
                tx.emit(fact)
        self._tidied_day = today

    def counts(self, endpoint: str, *, since: int) -> ContractCounts:
        """Return what was judged and broken since the bucket (5 min, later a day) of an instant."""
        with self._store.read() as tx:
            whole_days = tx.at - tx.at % DAY_US - (BUCKET_DAYS - 1) * DAY_US
            start = since - since % (BUCKET_US if since >= whole_days else DAY_US)
            totals = sql.totals(tx, endpoint, since=start)
            claims = sql.claims(tx, endpoint, since=start)
        return ContractCounts(
            endpoint=endpoint,
            since=start,
            requests=sum(t[0] for t in totals.values()),
            rows=sum(t[1] for t in totals.values()),
            broken=sum(t[2] for t in totals.values()),
            warned_requests=totals.get("warned", (0,))[0],
            refused_requests=totals.get("refused", (0,))[0],
            claims=claims,
        )

    def examples(
        self,
        endpoint: str,
        *,
        since: int = 0,
        claim: str = "",
        outcome: str = "",
        limit: int,
        offset: int = 0,
    ) -> Page[BrokenExample]:
        """Return rows that broke a claim, the newest first; none that is too old to be kept."""
        with self._store.read() as tx:
            # Where nothing is judged any more, nothing is written, and nothing removed.
            since = max(since, _first_kept(tx.at))
            found, total = sql.examples(
                tx, endpoint, since=since, claim=claim, outcome=outcome, limit=limit, offset=offset
            )
        return page_of(tuple(found), total=total, offset=offset)


def _first_kept(now: int) -> int:
    return now - now % DAY_US - EXAMPLE_DAYS * DAY_US


def _facts(batch: ContractBatch) -> Iterator[ContractBroken]:
    for endpoint in sorted({c.endpoint for c in batch.broken}):
        judged = [j for j in batch.judged if j.endpoint == endpoint]
        rows: Counter[str] = Counter()
        for count in batch.broken:
            if count.endpoint == endpoint:
                rows[count.claim] += count.rows
        told = dict(rows.most_common(MOST_TOLD))
        yield ContractBroken(
            name=endpoint,
            requests=sum(j.requests for j in judged),
            rows=sum(j.rows for j in judged),
            broken=sum(j.broken for j in judged),
            warned_requests=_requests(judged, "warned"),
            refused_requests=_requests(judged, "refused"),
            claims=told,
            other_claims=len(rows) - len(told),
        )


def _requests(judged: list[JudgedCount], outcome: BrokenOutcome) -> int:
    return sum(j.requests for j in judged if j.outcome == outcome)
