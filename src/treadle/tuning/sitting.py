"""One sitting of a search: the trials that one call of `optimize` makes, under a run of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from treadle.execution.context import in_run
from treadle.kernel.digests import canonical_json
from treadle.kernel.errors import InvalidInput
from treadle.tuning import store as sql
from treadle.tuning.entities import Study, Trial
from treadle.tuning.facts import TrialFinished
from treadle.tuning.samplers import sample

if TYPE_CHECKING:
    from treadle.storage.ports import MetadataStore
    from treadle.tracking.service import Tracking

Objective = Callable[[dict[str, Any]], float | Mapping[str, float]]


class Sitting:
    """Tries some numbers of a study; each trial is a run, child of the sitting's."""

    def __init__(
        self, study: Study, objective: Objective, *, store: MetadataStore, tracking: Tracking
    ) -> None:
        self._objective = objective
        self._store = store
        self._tracking = tracking
        self._run = tracking.start_run(
            experiment=study.experiment,
            name=f"study {study.name}",
            params={"direction": study.direction, "metric": study.metric, "seed": study.seed},
            tags={"treadle.study": study.name},
        )
        self._study = msgspec.structs.replace(study, run_id=self._run.id)
        with store.write() as tx:
            sql.update_study(tx, study.id, run_id=self._run.id)

    def go(self, numbers: list[int], *, on_trial: Callable[[Trial], None] | None) -> None:
        """Try the numbers in turn; the first error ends the sitting."""
        try:
            for number in numbers:
                trial = self._try(number)
                if on_trial is not None:
                    on_trial(trial)
        except BaseException as error:
            self._tracking.end_run(self._run.id, status=_status(error), error=_words(error))
            raise

    def end(self, best: Trial) -> None:
        """Say on the sitting's run which trial is the best of the study."""
        with self._store.write():
            self._tracking.log(
                self._run.id,
                metrics={self._study.metric: best.value},
                tags={"treadle.best_trial": best.number, "treadle.best_run": best.run_id},
            )
            self._tracking.end_run(self._run.id)

    def _try(self, number: int) -> Trial:
        trial = self._begin(number)
        try:
            with in_run(trial.run_id):
                metrics = metrics_of(self._objective(dict(trial.params)), metric=self._study.metric)
        except BaseException as error:
            self._fail(trial, error)
            raise
        return self._finish(trial, metrics)

    def _begin(self, number: int) -> Trial:
        params = sample(self._study.space, seed=self._study.seed, number=number)
        run = self._tracking.start_run(
            experiment=self._study.experiment,
            name=f"{self._study.name} #{number}",
            parent_id=self._run.id,
            params={key: _text(value) for key, value in params.items()},
            tags={"treadle.study": self._study.name, "treadle.trial": number},
        )
        with self._store.write() as tx:
            trial = Trial(
                number=number, params=params, run_id=run.id, state="running", started_at=tx.at
            )
            sql.put_trial(tx, self._study.id, trial)
        return trial

    def _finish(self, trial: Trial, metrics: dict[str, float]) -> Trial:
        value = metrics[self._study.metric]
        with self._store.write() as tx:
            done = msgspec.structs.replace(
                trial, state="finished", value=value, metrics=metrics, ended_at=tx.at
            )
            sql.put_trial(tx, self._study.id, done)
            self._tracking.log(trial.run_id, metrics=metrics)
            self._tracking.end_run(trial.run_id)
            tx.emit(
                TrialFinished(
                    study=self._study.name,
                    number=trial.number,
                    params=trial.params,
                    run_id=trial.run_id,
                    value=value,
                    metrics=metrics,
                )
            )
        return done

    def _fail(self, trial: Trial, error: BaseException) -> None:
        state, words = _status(error), _words(error)
        with self._store.write() as tx:
            failed = msgspec.structs.replace(trial, state=state, error=words, ended_at=tx.at)
            sql.put_trial(tx, self._study.id, failed)
            self._tracking.end_run(trial.run_id, status=state, error=words)


def metrics_of(returned: float | Mapping[str, float], *, metric: str) -> dict[str, float]:
    """Return what an objective returned as metrics, or raise InvalidInput: it cannot be judged."""
    given = returned if isinstance(returned, Mapping) else {metric: returned}
    if metric not in given:
        raise InvalidInput(
            f"The objective returned {', '.join(given) or 'nothing'}, but no {metric!r}.",
            hint=f"Return it, or name another with optimize(…, metric={next(iter(given), '')!r}).",
        )
    try:
        metrics = {name: float(value) for name, value in given.items()}
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"The objective returned {returned!r:.80}.", hint="Return a number, or metrics."
        ) from error
    if not all(math.isfinite(value) for value in metrics.values()):
        raise InvalidInput(
            f"The objective returned {metrics}, which no search can compare.",
            hint="Narrow the space so that this cannot come out.",
        )
    return metrics


def _status(error: BaseException) -> Literal["failed", "killed"]:
    return "failed" if isinstance(error, Exception) else "killed"


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode()
