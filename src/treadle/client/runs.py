"""A run that is being logged to."""

from __future__ import annotations

import operator
import os
import threading
import warnings
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from treadle.client.buffer import MAY_PASS, PATIENCE_S, Outbox
from treadle.client.endings import Endings
from treadle.client.figures import as_image
from treadle.client.ports import Draft, UsedDataset
from treadle.client.system import SystemSampler
from treadle.client.tables import as_file, as_table, described
from treadle.data.entities import DatasetVersion
from treadle.kernel.errors import InvalidInput, TreadleError
from treadle.tracking import rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from treadle.client.ports import Runs, Started
    from treadle.registry.entities import ModelVersion
    from treadle.tracking.entities import Artifact, EndStatus, MetricPoint

NOTE_TAG = "mlflow.note.content"
"""Where MLflow's clients keep a run's description, and so do we."""

_CURRENT: ContextVar[ActiveRun | None] = ContextVar("treadle_run", default=None)


class UnsentWarning(UserWarning):
    """Points of a run are in a file because its place did not answer."""


class ActiveRun:
    """A run that is being logged to; made by `client.run`. May be shared by threads.

    Metrics are sent from a thread within a second; everything else is stored when the call returns.
    """

    def __init__(self, started: Started, *, place: Runs, system_metrics: bool) -> None:
        self.id = started.id
        self.experiment = started.experiment
        self.url = started.url
        """The run's page, when a server keeps it."""
        self._place = place
        self._steps = dict(started.steps)
        self._counting = threading.Lock()
        self._outbox = Outbox(place, self.id)
        self._now = place.now
        self._sampler = SystemSampler(self._log_system) if system_metrics else None
        self._token: Token[ActiveRun | None] | None = None
        self._owner = os.getpid()
        self._is_ended = False
        ENDINGS.watch(self)

    def log(
        self, metrics: Mapping[str, Any] | None = None, /, *, step: int | None = None, **more: Any
    ) -> None:
        """Log metrics: `run.log(loss=0.3, step=1)` or `run.log({"val/loss": 0.4})`.

        Without a step each metric counts its own: 0, 1, 2, …; it goes on from the last one given.
        """
        at = self._now()
        put, steps = self._outbox.put, self._steps
        for key, value in ({**metrics, **more} if metrics else more).items():
            if key not in steps:
                rules.check_key(key, what="metric")
            number = value if type(value) is float else _number(key, value)
            if step is None:
                with self._counting:
                    count = steps[key] = steps.get(key, -1) + 1
            else:
                count = steps[key] = step if type(step) is int else _step(step)
            put((key, number, count, at))
        if self._is_ended:  # nobody else will send what comes late
            self.flush()

    def params(self, values: Mapping[str, object] = {}, /, **more: object) -> None:
        """Log params; each can be written once."""
        params = rules.check_params({**values, **more})
        self._place.send(self.id, params=params)

    def tags(self, values: Mapping[str, object] = {}, /, **more: object) -> None:
        """Set tags."""
        self._place.send(self.id, tags=rules.check_tags({**values, **more}))

    def artifact(self, path: str, data: bytes | Path) -> Artifact:
        """Keep bytes or a file with the run, under a path of its own."""
        rules.check_path(path)
        if not isinstance(data, (bytes, Path)):
            raise InvalidInput(
                f"A {type(data).__name__} cannot be an artifact.",
                hint="Give pathlib.Path(…) for a file, or bytes: text.encode().",
            )
        return self._place.keep(self.id, path, data=data)

    def artifacts(self, folder: str | Path, *, under: str = "") -> tuple[Artifact, ...]:
        """Keep every file of a folder with the run, under the same relative paths."""
        root = Path(folder)
        if not root.is_dir():
            raise InvalidInput(f"{root} is no folder.", hint="Log one file with run.artifact(…).")
        files = sorted(path for path in root.rglob("*") if path.is_file())
        prefix = f"{under.rstrip('/')}/" if under else ""
        return tuple(
            self.artifact(prefix + path.relative_to(root).as_posix(), path) for path in files
        )

    def figure(self, path: str, figure: object) -> Artifact:
        """Keep a figure as an image: `run.figure("roc.png", fig)`; `.html` for Plotly's."""
        return self.artifact(path, as_image(figure, path))

    def table(self, path: str, frame: object) -> Artifact:
        """Keep rows as a file: `run.table("errors.parquet", frame)`, `.csv` or `.json`."""
        return self.artifact(path, as_file(frame, path))

    def dataset(
        self, data: str | DatasetVersion | object, *, name: str = "", context: str = "training"
    ) -> UsedDataset:
        """Say what the run was made from: `run.dataset("flights@3")`, or a frame with a name.

        Of a frame its digest, columns and size are kept, not its rows; commit it to keep them.
        """
        if isinstance(data, DatasetVersion):
            data = data.ref
        if isinstance(data, str):
            return self._place.use(self.id, data, context=context)
        if not name:
            raise InvalidInput("A frame has no name.", hint='Give one: run.dataset(df, name="…").')
        used = described(data, name=name, context=context)
        return self._place.use(self.id, used, context=context)

    def model(
        self, name: str, model: object, *, example: object, description: str = ""
    ) -> ModelVersion:
        """Register a model that the run made, with some rows it can be asked with."""
        return self._place.register(
            self.id, name, model=model, example=as_table(example), description=description
        )

    def child(
        self, name: str = "", *, params: Mapping[str, object] = {}, tags: Mapping[str, object] = {}
    ) -> ActiveRun:
        """Start a run below this one: a fold, a trial; it has no system metrics of its own."""
        draft = Draft(
            experiment=self.experiment,
            name=name,
            parent_id=self.id,
            params=rules.check_params(params),
            tags=rules.check_tags(tags),
        )
        return ActiveRun(self._place.start(draft), place=self._place, system_metrics=False)

    def history(self, metric: str) -> tuple[MetricPoint, ...]:
        """Return every point of a metric, those just logged too."""
        self.flush()
        return self._place.history(self.id, metric)

    def flush(self, *, patience_s: float = PATIENCE_S) -> None:
        """Return when every point logged so far is stored; not even `kill -9` loses it then.

        Raises Unavailable when that takes longer than `patience_s`; the points are still held.
        """
        self._outbox.flush(patience_s=patience_s)

    def end(
        self, status: EndStatus = "finished", *, error: str = "", patience_s: float = PATIENCE_S
    ) -> None:
        """End the run; a second time changes nothing. A `with` block does it.

        When the place does not answer, the points and the ending go to a file and a warning says
        where.
        """
        if self._is_ended:
            return
        if os.getpid() != self._owner:  # a forked child: the run is its parent's
            self.flush(patience_s=patience_s)
            return
        self._is_ended = True
        if self._sampler is not None:
            self._sampler.stop()
        try:
            self._outbox.close(patience_s=patience_s)
            self._place.end(self.id, status=status, error=error)
        except MAY_PASS as reason:
            self._spool(reason, status=status, error=error)
        except KeyboardInterrupt as reason:
            self._spool(reason, status=status, error=error)
            raise
        except TreadleError:
            self._outbox.spooled().leave()
            self._place.end(self.id, status=status, error=error)
            raise
        finally:
            ENDINGS.forget(self)

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        reason: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _CURRENT.reset(self._token)
            self._token = None
        status, error = ending(reason)
        if reason is None:
            self.end(status, error=error)
            return
        try:
            self.end(status, error=error)
        except TreadleError as second:  # what went wrong in the block must not be hidden by it
            warnings.warn(str(second), UnsentWarning, stacklevel=2)

    def after_fork(self) -> None:
        """Let a forked child log on its own."""
        self._counting = threading.Lock()
        self._sampler = None
        self._outbox.forget()

    def _log_system(self, metrics: Mapping[str, float]) -> None:
        if not self._is_ended:
            self.log(metrics)

    def _spool(self, reason: BaseException, *, status: EndStatus, error: str) -> None:
        spool = self._outbox.spooled()
        path = spool.finish(status=status, error=error)
        warnings.warn(
            f"Run {self.id} could not be sent to {self._place.name}: {reason} What is missing is "
            f"in {path}. Send it with: treadle.connect({self._place.name!r}).send_unsent()",
            UnsentWarning,
            stacklevel=4,
        )


def current_run() -> ActiveRun | None:
    """Return the run whose `with` block surrounds the caller."""
    return _CURRENT.get()


def ending(reason: BaseException | None) -> tuple[EndStatus, str]:
    """Return how a run ends for what left its block: nothing, an exit, an interrupt, an error."""
    if reason is None or (isinstance(reason, SystemExit) and reason.code in {None, 0}):
        return "finished", ""
    text = f"{type(reason).__name__}: {reason}".removesuffix(": ")
    return ("killed" if isinstance(reason, KeyboardInterrupt) else "failed"), text


ENDINGS: Endings[ActiveRun] = Endings(ending)


def _number(key: str, value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise InvalidInput(f"Metric {key!r} is {value!r}.", hint="A metric is a number.")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(
            f"Metric {key!r} is {rules.shown(repr(value))}.", hint="A metric is a number."
        ) from error


def _step(step: Any) -> int:
    try:
        return operator.index(step)
    except TypeError as error:
        raise InvalidInput(f"A step is a whole number, not {step!r}.") from error
