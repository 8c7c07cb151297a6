"""After the year: what it came to, each claim computed from what was stored, and the questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.analysis import performance
from treadle.demo.year import CELSIUS, DAY, DEAD_DAYS, DEAD_FEED, END, instant, weeks
from treadle.kernel.clock import format_instant, parse_instant

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from treadle import Client
    from treadle.demo.narrator import Narrator
    from treadle.demo.year import Year
    from treadle.registry.loaded import LoadedModel
    from treadle.release.entities import Release
    from treadle.release.policy import Policy

ASKED_AT = "2013-07-04T12:00"


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """One week counted; losses are sums over its outcomes."""

    flights: int
    answers: int
    distinct: int
    outcomes: int
    served: float
    never: float


class Answers:
    """Steps 7 to 12, told from the evidence."""

    def __init__(self, client: Client, *, policy: Policy, narrator: Narrator, year: Year) -> None:
        self._client = client
        self._policy = policy
        self._tell = narrator
        self._year = year
        self._releases = client.releases.releases(policy.endpoint, limit=1000)

    def year(self) -> None:
        """What was served, and what retraining was worth."""
        model = self._client.registry.load(f"{self._policy.model}@1")
        weekly = [self._week(start, model=model) for start in weeks()]
        answered, outcomes = sum(w.answers for w in weekly), sum(w.outcomes for w in weekly)
        self._tell.say(
            f"{answered:,} flights answered, {self._year.caller.sent:,} of them over HTTP "
            f"since this command began, {self._year.caller.failed} failed"
        )
        once = all(w.answers == w.flights and w.distinct == w.flights for w in weekly)
        self._tell.claim("every flight is answered exactly once", held=once)
        served = sum(w.served for w in weekly) / outcomes
        never = sum(w.never for w in weekly) / outcomes
        self._tell.say(
            f"log-loss on {outcomes:,} outcomes: {served:.4f} served, "
            f"{never:.4f} had the first model stayed"
        )
        self._tell.claim("the loop serves better than never retraining", held=served < never)

    def alarms(self) -> None:
        """Step 8: distances are ignored, effects alert."""
        self._tell.begin(8, "alarm by effect, not by distance")
        windows = self._client.monitoring.windows(self._policy.endpoint, limit=1000)
        threshold = self._policy.monitor.distance_threshold
        far = [w for w in windows if w.distance_max > threshold]
        self._tell.say(
            f"PSI > {threshold} in {len(far)} of {len(windows)} weeks: shown, no alarm by itself"
        )
        alerts = self._client.monitoring.alerts(endpoint=self._policy.endpoint, limit=1000).items
        loud = [w for w in windows if w.state == "alert"]
        self._tell.say(f"quality really moved in {len(loud)} weeks, {len(alerts)} alerts:")
        for alert in reversed(alerts):
            week = format_instant(alert.window_start)[:10]
            self._tell.say(f"{week}  {alert.title}; {alert.cause}")
        most = len(far) > len(windows) / 2
        self._tell.claim("the distance alarm would have fired most weeks", held=most)
        self._tell.claim("an alert fired where quality moved", held=bool(alerts))
        self._tell.claim("fewer weeks alert than are far", held=len(loud) < len(far))
        self._tell.claim("each alert has its cause", held=all(a.cause for a in alerts))

    def releases(self) -> None:
        """Step 9: who was promoted, on which evidence."""
        self._tell.begin(9, "retrain, shadow, canary, live")
        promoted = [r for r in reversed(self._releases) if r.state == "live" and r.champion]
        for release in promoted:
            self._tell.say(f"{release.candidate} replaced {release.champion}: {_shadow(release)}")
        path = ["gates", "shadow", "canary", "live"]
        walked = all([s.name for s in r.stages] == path for r in promoted)
        self._tell.claim("at least one challenger went live", held=bool(promoted))
        self._tell.claim("each went through gates, shadow and canary", held=walked)
        self._tell.claim("no request failed all year", held=self._year.caller.failed == 0)
        alias = self._client.registry.version(f"{self._policy.model}@champion").ref
        champion = self._client.releases.champion(self._policy.endpoint)
        self._tell.claim("the alias champion is who serves", held=alias == champion)

    def faults(self) -> None:
        """Step 10: what the injected faults came to."""
        last = DEAD_FEED + DAY * (DEAD_DAYS - 1)
        self._tell.begin(10, f"injected faults: a dead outcome feed {DEAD_FEED} to {last}, Celsius")
        held = self._client.data.quarantines(self._policy.labels.dataset)
        for item in held:
            self._tell.say(f"{item.ref} quarantined: {item.reason}")
        exactly = len(held) == DEAD_DAYS // 7
        self._tell.claim("both dead weeks are quarantined, and nothing else", held=exactly)
        runs = self._client.pipelines.pipeline_runs(limit=1000).items
        used = {ref for run in runs for ref in run.datasets}
        self._tell.claim("no model was trained on them", held=not used & {q.ref for q in held})
        windows = self._client.monitoring.windows(self._policy.endpoint, limit=1000)
        silent = [w for w in windows if w.state == "quarantined"]
        self._tell.claim("the dead weeks are judged by nobody", held=len(silent) == len(held))
        broken = self._celsius()
        for release in broken:
            ended = f"{release.state} in {_ended_in(release)}"
            self._tell.say(f"{release.candidate} in Celsius, {ended}: {release.reason}")
        self._tell.claim(
            "the Celsius candidate ended in shadow",
            held=len(broken) == 1
            and broken[0].state in {"stopped", "refused"}
            and _ended_in(broken[0]) == "shadow",
        )

    def refusals(self) -> None:
        """Step 11: where retraining brought nothing, it is said."""
        self._tell.begin(11, "an honest no")
        broken = {r.id for r in self._celsius()}
        refused = [
            r for r in reversed(self._releases) if r.state == "refused" and r.id not in broken
        ]
        for release in refused:
            month = format_instant(release.created_at)[:7]
            self._tell.say(f"{month}  {release.candidate}: {release.reason}")
        self._tell.claim("a challenger without a proven gain is refused", held=bool(refused))

    def questions(self, report: Path) -> None:
        """Step 12: the questions a team is asked, answered."""
        self._tell.begin(12, "questions")
        prediction = self._year.last_prediction or self._newest()
        node = self._client.governance.trace(prediction)
        lines = node.lines()
        self._tell.say(f"treadle trace {prediction}")
        for line in [*lines[:4], "…", *lines[-2:]]:
            self._tell.say(f"  {line}")
        files = [line for line in lines if "file " in line]
        self._tell.claim("a prediction is traced to file digests", held=bool(files))
        answer = self._client.governance.at(parse_instant(ASKED_AT), self._policy.endpoint)
        who = ", ".join(f"{v.version} {v.role} {v.share:.0%}" for v in answer.variants)
        since = format_instant(answer.since)[:10]
        asked = f"treadle at {ASKED_AT} {self._policy.endpoint}"
        self._tell.say(f"{asked}: {who} since {since}, by {answer.actor}")
        self._tell.claim("who served on the 4th of July is known", held=answer.since <= answer.at)
        self._client.log.seal()
        verdict = self._client.governance.verify()
        self._tell.say(f"treadle audit verify: {verdict.message}")
        sealed = verdict.ok and not verdict.unsealed
        self._tell.claim("the event log verifies, and is sealed", held=sealed)
        report.write_text(self._client.report(self._policy.endpoint), encoding="utf-8")
        self._tell.say(f"treadle report {self._policy.endpoint}: {report}")
        self._tell.claim("the report is written", held=report.stat().st_size > 0)

    def _week(self, start: date, *, model: LoadedModel) -> Week:
        """Count a week's answers, and the losses of what was served and of the first version."""
        end = min(start + 7 * DAY, END)
        flights = self._year.flights(start, end)
        answers = self._shown(start, end, flights=flights)
        values = dict(zip(answers["key"].to_pylist(), answers["value"].to_pylist(), strict=True))
        truth = self._year.truth(start, end)
        place = pc.index_in(flights["flight_id"], value_set=truth["flight_id"].combine_chunks())
        late = truth["late"].take(place)
        flights = flights.filter(pc.is_valid(late))
        label = late.drop_null().to_numpy().astype(np.float64)
        shown = np.array([values[key] for key in flights["flight_id"].to_pylist()])
        inputs = [field.name for field in model.version.signature.inputs]
        first = model.predict(flights.select(inputs))
        return Week(
            flights=truth.num_rows,
            answers=answers.num_rows,
            distinct=len(values),
            outcomes=len(label),
            served=float(performance.per_row_log_loss(label, shown).sum()),
            never=float(performance.per_row_log_loss(label, first).sum()),
        )

    def _shown(self, start: date, end: date, *, flights: pa.Table) -> pa.Table:
        """Return what callers were shown about these flights."""
        both = pa.concat_tables(
            self._client.serving.predictions(
                self._policy.endpoint,
                start=instant(start),
                end=instant(end + DAY),
                role=role,
                columns=["key", "value"],
            )
            for role in ("live", "canary")
        )
        mine = pc.is_in(both["key"], value_set=flights["flight_id"].combine_chunks())
        return both.filter(mine)

    def _celsius(self) -> list[Release]:
        found = []
        for release in self._releases:
            run_id = self._client.registry.version(release.candidate).run_id
            if run_id and self._client.tracking.run(run_id).name == CELSIUS:
                found.append(release)
        return found

    def _newest(self) -> str:
        rows = self._client.serving.predictions(
            self._policy.endpoint, start=instant(END - DAY), end=instant(END), columns=["id"]
        )
        newest: str = rows["id"][-1].as_py()
        return newest


def _shadow(release: Release) -> str:
    return next((s.verdict for s in release.stages if s.name == "shadow"), "")


def _ended_in(release: Release) -> str:
    return release.stages[-1].name
