"""Counts requests in memory and has the counts written now and then, never per request."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

from treadle.kernel.actors import acting_as
from treadle.kernel.errors import TreadleError
from treadle.serving.contract_log.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treadle.kernel.clock import Clock
    from treadle.serving.contract_log.entities import (
        BrokenExample,
        BrokenOutcome,
        ContractBatch,
        Outcome,
    )

ACTOR = "inference"
EVERY_S = 30.0
SOON_S = 1.0

_LOG = logging.getLogger(__name__)


class ContractKeeper:
    """Counts, and writes the counts in a thread of its own.

    What waits is written every 30 s; what was broken after a quiet time within a second, so that
    who looks sees it. While the metadata store is down it waits on. May be shared by threads.
    """

    def __init__(
        self,
        write: Callable[[ContractBatch], None],
        *,
        clock: Clock,
        every_s: float = EVERY_S,
        soon_s: float = SOON_S,
    ) -> None:
        self._write = write
        self._clock = clock
        self._every_s, self._soon_s = every_s, soon_s
        self._waiting = Waiting()
        self._totals: dict[tuple[str, Outcome], list[int]] = {}
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._closing = False
        self._due = -1.0
        """When what waits is to be written; below zero while nothing waits."""
        self._told_at = -math.inf
        self._complaint = ""
        self._thread = threading.Thread(target=self._work, name="contract-log", daemon=True)
        self._thread.start()

    def kept(self, endpoint: str, *, rows: int) -> None:
        """Count a request that broke nothing."""
        at = self._clock.now()
        with self._changed:
            is_first = self._waiting.is_empty
            self._waiting.judged(endpoint, at=at, outcome="kept", requests=1, rows=rows, broken=0)
            self._total(endpoint, "kept", rows=rows, claims=0)
            if is_first:
                self._wake(time.monotonic() + self._every_s)

    def broke(
        self,
        endpoint: str,
        outcome: BrokenOutcome,
        *,
        rows: int,
        broken: int,
        claims: Mapping[str, int],
        example: Callable[[str, int], BrokenExample],
    ) -> None:
        """Count a request of so many rows, and how many of them broke each claim.

        `example` makes one of a claim and the present instant; it is asked only for what is kept.
        """
        at = self._clock.now()
        with self._changed:
            self._waiting.judged(
                endpoint, at=at, outcome=outcome, requests=1, rows=rows, broken=broken
            )
            self._waiting.broke(
                endpoint,
                at=at,
                outcome=outcome,
                claims=claims,
                example=lambda claim: example(claim, at),
            )
            self._total(endpoint, outcome, rows=rows, claims=sum(claims.values()))
            soon = max(time.monotonic() + self._soon_s, self._told_at + self._every_s)
            if self._due < 0 or soon < self._due:
                self._wake(soon)

    def totals(self) -> dict[tuple[str, Outcome], tuple[int, int, int]]:
        """Return requests, rows and broken claims since this began, by endpoint and outcome."""
        with self._changed:
            return {key: (n[0], n[1], n[2]) for key, n in self._totals.items()}

    def flush(self) -> None:
        """Write what waits, now, and return when it is written, by whomever.

        Raises what the store raises; then it waits on.
        """
        with self._writing:
            with self._changed:
                batch, self._due = self._waiting.take(), -1.0
            if not batch.judged:
                return
            try:
                with acting_as(ACTOR):
                    self._write(batch)
            except BaseException:
                with self._changed:
                    self._waiting.give_back(batch)
                    self._due = time.monotonic() + self._every_s
                raise
            if batch.broken:
                self._told_at = time.monotonic()

    def close(self) -> None:
        """Write what waits, and end."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _wake(self, due: float) -> None:
        self._due = due
        self._changed.notify()

    def _total(self, endpoint: str, outcome: Outcome, *, rows: int, claims: int) -> None:
        found = self._totals.get((endpoint, outcome))
        if found is None:
            found = self._totals[endpoint, outcome] = [0, 0, 0]
        found[0] += 1
        found[1] += rows
        found[2] += claims

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._closing and (left := self._left_s()) != 0:
                    self._changed.wait(left)
                closing = self._closing
            try:
                self.flush()
            except TreadleError as error:
                self._complain(f"What requests broke cannot be written yet: {error}")
            except Exception:  # noqa: BLE001 - a bug must not end the counting; told in full
                _LOG.exception("What requests broke could not be written")
            else:
                self._complaint = ""
            if closing:
                return

    def _left_s(self) -> float | None:
        return None if self._due < 0 else max(0.0, self._due - time.monotonic())

    def _complain(self, text: str) -> None:
        if text != self._complaint:  # a store that is down for an hour is one line
            self._complaint = text
            _LOG.warning(text)
