"""The year is played week by week: served, logged, labelled, judged, retrained, released."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from treadle.data.checks import check_table
from treadle.demo import faults, pipeline
from treadle.demo.calls import Caller, spread, without
from treadle.demo.features import TOLD_BY, outcomes, with_late_rates, without_days
from treadle.demo.flights_data import typed
from treadle.demo.memory import give_back
from treadle.demo.opening import FIRST_DAY, before

if TYPE_CHECKING:
    from treadle import Client, Trained
    from treadle.demo.model import LateModel
    from treadle.demo.narrator import Narrator
    from treadle.release.entities import Decision, Release
    from treadle.release.loop import Made, Tick
    from treadle.release.policy import Policy
    from treadle.server.inference.process import InferenceProcess

END = date(2014, 1, 1)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
# Injected: two weeks in which the outcome feed says "on time" for everybody.
DEAD_FEED = date(2013, 8, 2)
DEAD_DAYS = 14
# Injected: the first challenger trained from this day on is served temperatures in Celsius.
CELSIUS_FROM = date(2013, 5, 24)
CELSIUS = "injected fault: temperatures served in Celsius"
ONLINE_FIRST_DAY = 4
ONLINE_WEEK = 28
ONLINE_CANARY = 320
ONLINE_SWAP = 80


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """The year in memory: flights as planned, what became of them, what the feed says of that."""

    planned: pa.Table
    truth: pa.Table
    feed: pa.Table


class Year:
    """Plays March to December against the running endpoint; what was played is not played again."""

    def __init__(
        self,
        client: Client,
        *,
        policy: Policy,
        narrator: Narrator,
        inference: InferenceProcess,
        settings: dict[str, Any],
    ) -> None:
        self._client = client
        self._policy = policy
        self._tell = narrator
        self._inference = inference
        self._settings = settings
        self.caller = Caller(inference.url, endpoint=policy.endpoint)
        self.last_prediction = ""
        self._plan = client.pipelines.run(pipeline.plan, params={})
        self._loaded: Tables | None = None

    def play(self) -> None:
        """Play every week from March to December."""
        for start in weeks():
            self._serve(start, start + DAY, online=ONLINE_FIRST_DAY)
            if start > FIRST_DAY:
                self._labels_arrive(start)
            self._serve(start + DAY, min(start + WEEK, END), online=ONLINE_WEEK)
            give_back()
        self._labels_arrive(END)

    def flights(self, first: date, end: date) -> pa.Table:
        """Return the flights of some days with what was known before each departed."""
        rows = between(self._tables.planned, first, end)
        return with_late_rates(rows, outcomes=self._believed(end))

    def truth(self, first: date, end: date) -> pa.Table:
        """Return what really became of the flights of some days, injected faults left out."""
        return between(self._tables.truth, first, end)

    @property
    def _tables(self) -> Tables:
        if self._loaded is None:
            planned = self._client.pipelines.value(self._plan)
            flights = self._client.data.table("flights", columns=list(TOLD_BY))
            truth = what_became(planned, flights=flights)
            feed = faults.dead_outcome_feed(truth, first=DEAD_FEED, days=DEAD_DAYS)
            self._loaded = Tables(planned=planned, truth=truth, feed=feed)
        return self._loaded

    def _serve(self, first: date, end: date, *, online: int) -> None:
        rows = self.flights(first, end)
        source = f"flights of {first} to {end - DAY}"
        self._set_clock(end)
        rest = without(rows, self._answered(first, end))
        if rest.num_rows == rows.num_rows:
            self._call(spread(rows, online))
            rest = without(rows, self._answered(first, end))
        self._client.serving.score_batch(
            self._policy.endpoint,
            rest,
            keys=rest["flight_id"],
            times=rest["departs_at"],
            source_ref=source,
        )

    def _labels_arrive(self, day: date) -> None:
        """The outcomes of the week before are delivered; the loop takes them in and moves."""
        first = max(day - WEEK, weeks()[-1]) if day == END else day - WEEK
        self._set_clock(day + DAY)
        name = self._policy.labels.dataset
        message = f"outcomes of {first} to {day - DAY}"
        self._client.data.commit(name, between(self._tables.feed, first, day), message=message)
        tick = self._client.loop.tick(self._policy.endpoint, retrain=self._retrain)
        self._tell_tick(tick)
        current = self._client.releases.current(self._policy.endpoint)
        if current is not None and current.state == "canary":
            self._canary(day + DAY)

    def _canary(self, day: date) -> None:
        """Real requests with a small share for the candidate, and the swap under way."""
        self._wait_for_traffic()
        rows = without(self.flights(day, day + DAY), self._answered(day, day + DAY))
        head = spread(rows, ONLINE_CANARY)
        failed = self.caller.failed
        self._call(head)
        self._set_clock(day + DAY)
        self._client.serving.compact()
        release = self._client.loop.tick(self._policy.endpoint).moved
        # The swap happens while these are asked.
        tail = spread(without(rows, head["flight_id"].to_pylist()), ONLINE_SWAP)
        self._call(tail)
        self._wait_for_traffic()
        if release is None:
            return
        lost = self.caller.failed - failed
        self._tell.say(f"  {release.candidate} {release.state}: {release.stages[-2].verdict}")
        asked = head.num_rows + tail.num_rows
        self._tell.say(f"  {asked} requests around the swap, {lost} failed")
        self._tell.claim(f"no request fails while {release.candidate} is swapped in", held=not lost)

    def _retrain(self, policy: Policy, decision: Decision) -> Made:
        # Training needs the room; the year is read again in a quarter of a second.
        self._loaded = None
        give_back()
        params = {"deliveries": self.accepted(), "settings": self._settings}
        run = self._client.pipelines.run(pipeline.train, params=params)
        trained: Trained = self._client.pipelines.value(run)
        name = decision.reason
        if self._celsius_is_due():
            broken = cast("LateModel", trained.model)
            broken = dataclasses.replace(broken, celsius=True)
            trained = msgspec.structs.replace(trained, model=broken)
            name = CELSIUS
        made = self._client.loop.candidate(policy, trained, name=name, origin=run)
        loss, base = trained.metrics["log_loss"], trained.baseline["log_loss"]
        self._tell.say(
            f"  retrained ({name}): {made.version or 'blocked'}, "
            f"held-out log-loss {loss:.4f}, base rate {base:.4f}"
        )
        return made

    def accepted(self) -> list[str]:
        """Return the outcome deliveries that are believed, oldest first."""
        name = self._policy.labels.dataset
        refs = [v.ref for v in self._client.data.versions(name, limit=1000).items]
        return [ref for ref in reversed(refs) if not self._client.data.is_quarantined(ref)]

    def _celsius_is_due(self) -> bool:
        if self._client.now() < instant(CELSIUS_FROM):
            return False
        tried = self._client.tracking.search_runs(experiment=self._policy.model, limit=1000)
        return all(run.name != CELSIUS for run in tried.items)

    def _call(self, rows: pa.Table) -> None:
        replies = self.caller.send(rows)
        if replies:
            self.last_prediction = replies[-1].prediction

    def _answered(self, first: date, end: date) -> list[str]:
        """Return the flights of some days that have a prediction already."""
        self._client.serving.compact()
        found = self._client.serving.predictions(
            self._policy.endpoint,
            start=instant(first),
            end=instant(end + DAY),
            columns=["key"],
        )
        keys: list[str] = found["key"].to_pylist()
        return keys

    def _believed(self, end: date) -> pa.Table:
        """Return the outcomes known by then: accepted deliveries, and the feed since if it is sane.

        The feed tells each day's outcomes the day after; `with_late_rates` keeps to that lag.
        """
        known = before(self._tables.feed, day=end)
        doubted = [d for q in self._client.data.quarantines() for d in self._days(q.ref)]
        newest = between(known, end - WEEK - DAY, end)
        contract = self._client.data.contract(self._policy.labels.dataset)
        if contract is not None and any(
            c.verdict == "fail" for c in check_table(newest, contract.body)
        ):
            doubted += newest["day"].unique().to_pylist()
        return without_days(known, days=doubted)

    def _days(self, ref: str) -> list[date]:
        days: list[date] = self._client.data.table(ref, columns=["day"])["day"].unique().to_pylist()
        return days

    def _wait_for_traffic(self) -> None:
        endpoint = self._client.serving.endpoint(self._policy.endpoint)
        self._inference.wait_serving(endpoint.name, revision=endpoint.revision)

    def _tell_tick(self, tick: Tick) -> None:
        for window in tick.windows:
            self._tell.say(window.line())
            for finding in window.findings:
                if finding.alerts:
                    self._tell.say(f"  ALERT {finding.title}; most where {finding.cause}")
        if tick.moved is not None:
            self._tell_release(tick.moved)
        if tick.proposed is not None:
            self._tell.say(f"  {tick.proposed.candidate} answers in {tick.proposed.state}")

    def _tell_release(self, release: Release) -> None:
        if release.state in {"refused", "stopped"}:
            self._tell.say(f"  {release.candidate} {release.state}: {release.reason}")
        elif release.state == "canary":
            self._tell.say(f"  {release.candidate} passed shadow: {release.stages[-2].verdict}")

    def _set_clock(self, day: date) -> None:
        self._client.replay_to(max(instant(day), self._client.now()))


def what_became(planned: pa.Table, *, flights: pa.Table) -> pa.Table:
    """Return what became of each planned flight, on the columns that are in memory already."""
    told = outcomes(typed("flights", flights))
    place = pc.index_in(planned["flight_id"], value_set=told["flight_id"].combine_chunks())
    known = planned.select(told.column_names[:-2])
    for name in told.column_names[-2:]:
        known = known.append_column(name, told[name].take(place))
    return known


def weeks() -> list[date]:
    """Return the first day of each week from March to December; the last one is shorter."""
    return [FIRST_DAY + i * WEEK for i in range((END - FIRST_DAY).days // 7 + 1)]


def instant(day: date) -> int:
    """Return the start of a day in µs UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def between(table: pa.Table, first: date, end: date) -> pa.Table:
    """Return the rows of days from `first` to before `end`."""
    day = table["day"]
    inside = pc.and_(
        pc.greater_equal(day, pa.scalar(first, pa.date32())),
        pc.less(day, pa.scalar(end, pa.date32())),
    )
    return table.filter(inside)
