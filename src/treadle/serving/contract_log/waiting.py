"""What was counted of requests and waits to be written; a request costs a few additions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from treadle.kernel.clock import DAY_US
from treadle.serving.contract_log.entities import BrokenCount, ContractBatch, JudgedCount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treadle.serving.contract_log.entities import BrokenExample, BrokenOutcome, Outcome

    Judged = dict[tuple[str, int, Outcome], list[int]]
    Broken = dict[tuple[str, int, BrokenOutcome, str], list[int]]
    Examples = dict[tuple[str, int, BrokenOutcome, str], deque[BrokenExample]]

K = TypeVar("K")

BUCKET_US = 300_000_000
EXAMPLES = 5
"""So many are kept of a claim, an outcome and a UTC day: the newest."""
EXAMPLE_EVERY_US = 1_000_000
"""Once there are enough, one that comes sooner after the last is not made."""
MOST = 20_000
"""Above so many counts that wait, days are counted and not buckets."""


class Waiting:
    """Counts by bucket. Not for several threads at once: who has it holds a lock."""

    def __init__(self) -> None:
        self._judged: Judged = {}
        self._broken: Broken = {}
        self._examples: Examples = {}
        self._width = BUCKET_US

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._judged

    def judged(
        self, endpoint: str, *, at: int, outcome: Outcome, requests: int, rows: int, broken: int
    ) -> None:
        """Count requests as a whole."""
        key = endpoint, at - at % self._width, outcome
        _add(self._judged, key, (requests, rows, broken))

    def broke(
        self,
        endpoint: str,
        *,
        at: int,
        outcome: BrokenOutcome,
        claims: Mapping[str, int],
        example: Callable[[str], BrokenExample],
    ) -> None:
        """Count the rows of one request that broke each claim; keep an example of a new one."""
        for claim, rows in claims.items():
            _add(self._broken, (endpoint, at - at % self._width, outcome, claim), (1, rows))
            kept = self._kept((endpoint, at - at % DAY_US, outcome, claim))
            if len(kept) < EXAMPLES or at - kept[-1].at >= EXAMPLE_EVERY_US:
                kept.append(example(claim))

    def take(self) -> ContractBatch:
        """Return all that waits; then nothing does."""
        taken = ContractBatch(
            judged=tuple(
                JudgedCount(endpoint=e, at=at, outcome=o, requests=n[0], rows=n[1], broken=n[2])
                for (e, at, o), n in self._judged.items()
            ),
            broken=tuple(
                BrokenCount(endpoint=e, at=at, outcome=o, claim=c, requests=n[0], rows=n[1])
                for (e, at, o, c), n in self._broken.items()
            ),
            examples=tuple(each for kept in self._examples.values() for each in kept),
        )
        self._judged, self._broken, self._examples = {}, {}, {}
        self._width = BUCKET_US
        return taken

    def give_back(self, batch: ContractBatch) -> None:
        """Have what could not be written wait again; what came meanwhile is newer."""
        came = self.take()
        if len(batch.broken) + len(came.broken) > MOST:
            self._width = DAY_US
        for part in (batch, came):
            for j in part.judged:
                self.judged(
                    j.endpoint,
                    at=j.at,
                    outcome=j.outcome,
                    requests=j.requests,
                    rows=j.rows,
                    broken=j.broken,
                )
            for b in part.broken:
                key = b.endpoint, b.at - b.at % self._width, b.outcome, b.claim
                _add(self._broken, key, (b.requests, b.rows))
            for example in part.examples:
                day = example.at - example.at % DAY_US
                self._kept((example.endpoint, day, example.outcome, example.claim)).append(example)

    def _kept(self, key: tuple[str, int, BrokenOutcome, str]) -> deque[BrokenExample]:
        kept = self._examples.get(key)
        if kept is None:
            kept = self._examples[key] = deque(maxlen=EXAMPLES)
        return kept


def _add(counts: dict[K, list[int]], key: K, more: tuple[int, ...]) -> None:
    found = counts.get(key)
    if found is None:
        counts[key] = list(more)
        return
    for place, number in enumerate(more):
        found[place] += number
