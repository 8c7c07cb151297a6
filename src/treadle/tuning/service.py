"""The verbs of tuning: search, and look at what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.execution.heartbeat import beating
from treadle.execution.owners import BEAT_S, is_gone, this_process
from treadle.kernel.clock import Clock, SystemClock
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.tuning import store as sql
from treadle.tuning.entities import Direction, Study, StudyResult, Trial
from treadle.tuning.facts import StudyCreated
from treadle.tuning.sitting import Objective, Sitting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treadle.storage.ports import MetadataStore
    from treadle.storage.transaction import Transaction
    from treadle.tracking.service import Tracking
    from treadle.tuning.space import Dimension

SECOND_US = 1_000_000
DIRECTIONS = ("minimize", "maximize")
# What makes a study the study it is: with another of these its trials could not be compared.
FIXED = ("direction", "metric", "space", "seed")
DIED = "The process that searched has died."


class Tuning:
    """Searches for the best params and remembers every trial."""

    def __init__(
        self, *, store: MetadataStore, tracking: Tracking, machine: Clock | None = None
    ) -> None:
        self._store = store
        self._tracking = tracking
        self._machine = machine or SystemClock()

    def optimize(
        self,
        name: str,
        objective: Objective,
        *,
        space: Mapping[str, Dimension],
        trials: int,
        seed: int = 0,
        direction: Direction = "minimize",
        metric: str = "value",
        experiment: str = "",
        on_trial: Callable[[Trial], None] | None = None,
    ) -> StudyResult:
        """Try params until a study has so many finished trials, and return all of them.

        `objective` takes params and returns the value, or metrics that hold it under `metric`; it
        may log more to `current_run_id()`. Finished trials are kept: a search that was stopped goes
        on, a larger `trials` continues it. An error of the objective, or a value that is not
        finite, marks its trial failed and ends the search with that error. Raises Conflict when a
        study of that name searches another space, or is being searched by another process now.
        """
        if trials < 1 or not space:
            raise InvalidInput("There is nothing to try.", hint="Give a space and trials ≥ 1.")
        if direction not in DIRECTIONS:
            raise InvalidInput(f"{direction!r} is no direction.", hint="Use minimize or maximize.")
        wanted = Study(
            id=new_id(),
            name=name,
            direction=direction,
            metric=metric,
            space=dict(space),
            seed=seed,
            experiment=experiment or name,
            run_id="",
            created_at=0,
        )
        study = self._take(wanted)
        try:
            with beating(lambda: self._beat(study), every_s=BEAT_S):
                self._search(study, objective, trials=trials, on_trial=on_trial)
        finally:
            with self._store.write() as tx:
                sql.update_study(tx, study.id, owner="")
        return self.study(name)

    def study(self, name: str) -> StudyResult:
        """Return a study with its trials. Raises NotFound with the near miss."""
        with self._store.read() as tx:
            held = sql.find_study(tx, name)
            if held is None:
                raise NotFound("study", name, known=[s.name for s in sql.list_studies(tx)])
            return StudyResult(study=held.study, trials=sql.list_trials(tx, held.study.id))

    def studies(self) -> tuple[Study, ...]:
        """Return every study, newest first."""
        with self._store.read() as tx:
            return tuple(sql.list_studies(tx))

    def _search(
        self,
        study: Study,
        objective: Objective,
        *,
        trials: int,
        on_trial: Callable[[Trial], None] | None,
    ) -> None:
        known = self.study(study.name).trials
        finished = {trial.number for trial in known if trial.state == "finished"}
        left = [number for number in range(trials) if number not in finished]
        if not left:
            return
        sitting = Sitting(study, objective, store=self._store, tracking=self._tracking)
        sitting.go(left, on_trial=on_trial)
        sitting.end(self.study(study.name).best)

    def _take(self, wanted: Study) -> Study:
        """Make the study or take it up again, for this process alone."""
        with self._store.write() as tx:
            held = sql.find_study(tx, wanted.name, lock=True)
            if held is None:
                return self._create(tx, wanted)
            _check_same(held.study, wanted)
            silent_s = (self._machine.now() - held.beat_at) / SECOND_US
            if held.owner and not is_gone(held.owner, silent_s=silent_s):
                raise Conflict(
                    f"Study {wanted.name!r} is being searched by {held.owner}.",
                    hint="Wait for it to end, or search under another name.",
                )
            if held.owner:
                self._end_abandoned(tx, held.study)
            self._own(tx, held.study)
            return held.study

    def _create(self, tx: Transaction, wanted: Study) -> Study:
        study = msgspec.structs.replace(wanted, created_at=tx.at)
        sql.add_study(tx, study, owner=this_process(), beat_at=self._machine.now())
        tx.emit(
            StudyCreated(
                study=study.name,
                id=study.id,
                direction=study.direction,
                metric=study.metric,
                space=study.space,
                seed=study.seed,
                experiment=study.experiment,
            )
        )
        return study

    def _own(self, tx: Transaction, study: Study) -> None:
        sql.update_study(tx, study.id, owner=this_process(), beat_at=self._machine.now())

    def _beat(self, study: Study) -> None:
        with self._store.write() as tx:
            self._own(tx, study)

    def _end_abandoned(self, tx: Transaction, study: Study) -> None:
        for trial in sql.list_trials(tx, study.id):
            if trial.state == "running":
                killed = msgspec.structs.replace(trial, state="killed", error=DIED, ended_at=tx.at)
                sql.put_trial(tx, study.id, killed)
                self._end_run(trial.run_id)
        if study.run_id:
            self._end_run(study.run_id)

    def _end_run(self, run_id: str) -> None:
        if self._tracking.run(run_id).status == "running":
            self._tracking.end_run(run_id, status="killed", error=DIED)


def _check_same(held: Study, wanted: Study) -> None:
    for part in FIXED:
        before, now = getattr(held, part), getattr(wanted, part)
        if before != now:
            raise Conflict(
                f"Study {held.name!r} has {part} {before!r}, not {now!r}.",
                hint="Search under another name.",
                study=held.name,
            )
