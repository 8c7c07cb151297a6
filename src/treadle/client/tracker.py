"""Tracking runs, wherever they are kept."""

from __future__ import annotations

import inspect
import sys
from functools import wraps
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from treadle.client.ports import Draft
from treadle.client.runs import NOTE_TAG, ActiveRun, current_run
from treadle.client.spool import send_spooled
from treadle.kernel.late import late
from treadle.tracking import rules
from treadle.tracking.entities import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from treadle.client.ports import Runs

    F = TypeVar("F", bound=Callable[..., Any])
else:
    pa = late("pyarrow")

EXPERIMENT = "Default"
PLAIN = (str, int, float, bool, type(None))


class RunList(tuple[Run, ...]):
    """Runs that were found; `table()` gives them as rows."""

    __slots__ = ()

    def table(self) -> pa.Table:
        """Return a row each run: `id`, `name`, `status`, …, `params.NAME`, `metrics.NAME`."""
        rows = [
            {
                "id": run.id,
                "name": run.name,
                "experiment": run.experiment,
                "status": run.status,
                "started_at": run.started_at,
                "ended_at": run.ended_at,
                **{f"params.{key}": value for key, value in run.params.items()},
                **{f"metrics.{key}": value for key, value in run.metrics.items()},
            }
            for run in self
        ]
        columns = sorted({name for row in rows for name in row}, key=_column_order)
        return pa.table({name: [row.get(name) for row in rows] for name in columns})


class Tracker:
    """Starts runs and finds them again."""

    def __init__(self, place: Runs) -> None:
        self._place = place

    def run(
        self,
        name: str = "",
        *,
        id: str = "",  # noqa: A002 - the word a user would say
        experiment: str = EXPERIMENT,
        params: Mapping[str, object] = {},
        tags: Mapping[str, object] = {},
        description: str = "",
        system_metrics: bool = True,
    ) -> ActiveRun:
        """Start a run: `with client.run("first") as run:`; an error in the block marks it failed.

        An interrupt by Ctrl-C marks it killed. With an `id` that run is taken up again. Without a
        `with` block the run ends by `run.end()` or with the program.
        """
        noted = {NOTE_TAG: description} if description else {}
        draft = Draft(
            id=id,
            experiment=experiment,
            name=name,
            params=rules.check_params(params),
            tags=rules.check_tags({**tags, **noted}),
        )
        run = ActiveRun(self._place.start(draft), place=self._place, system_metrics=system_metrics)
        if run.url and sys.stderr.isatty():
            sys.stderr.write(f"run {name or run.id}: {run.url}\n")
        return run

    @property
    def current_run(self) -> ActiveRun | None:
        """The run whose `with` block or tracked function surrounds the caller."""
        return current_run()

    @overload
    def tracked(self, function: F) -> F: ...

    @overload
    def tracked(
        self, function: None = None, *, name: str = "", experiment: str = EXPERIMENT
    ) -> Callable[[F], F]: ...

    def tracked(self, function: Any = None, *, name: str = "", experiment: str = EXPERIMENT) -> Any:
        """Track every call of a function as a run: its arguments are params.

        A dict of numbers that it returns is logged as metrics. Called inside another run it is a
        child of that. `client.current_run` is its run.
        """
        if function is None:
            return lambda given: self.tracked(given, name=name, experiment=experiment)

        def begun(args: Any, kwargs: Any) -> ActiveRun:
            params, called = arguments(function, args, kwargs), name or function.__name__
            above = current_run()
            if above is not None:
                return above.child(called, params=params)
            return self.run(called, experiment=experiment, params=params)

        return _wrapped(function, begun)

    def runs(
        self,
        where: str = "",
        *,
        order_by: str = "started_at desc",
        experiment: str | None = None,
        limit: int = 100,
    ) -> RunList:
        """Return runs that match: `client.runs("metrics.loss < 0.3", order_by="metrics.loss")`."""
        return RunList(
            self._place.search(where=where, order_by=order_by, experiment=experiment, limit=limit)
        )

    def send_unsent(self) -> int:
        """Send the points that earlier runs left in files; return how many runs they were of."""
        return send_spooled(self._place)

    def close(self) -> None:
        """Let go of every connection."""
        self._place.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def arguments(function: Callable[..., Any], args: Any, kwargs: Any) -> dict[str, str]:
    """Return a call's arguments as params: plain values as they are, others by their type."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return {name: _param(value)[: rules.PARAM_LENGTH] for name, value in bound.arguments.items()}


def _param(value: object) -> str:
    if isinstance(value, PLAIN):
        return str(value)
    if isinstance(value, (list, tuple, set, dict)):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        if all(isinstance(part, PLAIN) for part in parts):
            return str(value)
    return f"<{type(value).__name__}>"


def _wrapped(function: Callable[..., Any], begun: Callable[[Any, Any], ActiveRun]) -> Any:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def later(*args: Any, **kwargs: Any) -> Any:
            with begun(args, kwargs) as run:
                return _noted(run, await function(*args, **kwargs))

        return later

    @wraps(function)
    def now(*args: Any, **kwargs: Any) -> Any:
        with begun(args, kwargs) as run:
            return _noted(run, function(*args, **kwargs))

    return now


def _noted(run: ActiveRun, answer: Any) -> Any:
    if isinstance(answer, dict):
        numbers = {str(key): value for key, value in answer.items() if _is_number(value)}
        run.log(numbers)
    return answer


def _is_number(value: object) -> bool:
    if isinstance(value, (str, bytes)):
        return False
    return hasattr(value, "__float__") and getattr(value, "shape", ()) == ()


def _column_order(name: str) -> tuple[int, str]:
    fields = Run.__struct_fields__
    return (fields.index(name), "") if name in fields else (len(fields), name)
