"""Executing one step: load what it takes, call it, store what it returns. Also as work of a job."""

from __future__ import annotations

import functools
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.service import Data
from treadle.execution.context import current_work, in_run
from treadle.execution.entities import Work
from treadle.execution.opened import metadata_of
from treadle.execution.outcomes import Hopeless, traceback_of
from treadle.execution.targets import resolve
from treadle.kernel.errors import InvalidInput
from treadle.kernel.settings import load_settings
from treadle.pipelines.code import code_digest
from treadle.pipelines.definitions import Step
from treadle.pipelines.entities import Binding, Constant, Named, OutputRef, Several, Stored
from treadle.pipelines.values import Values
from treadle.storage.keys import Signer
from treadle.storage.owners import owners_of
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = f"{__name__}:run_step"
_CODES: dict[Step[..., Any], str] = {}


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A step with everything it takes; `code` is the digest of the code its key was made with."""

    name: str
    code: str
    outputs: tuple[str, ...]
    arguments: dict[str, Binding]
    run_id: str


class Performed(msgspec.Struct, frozen=True, kw_only=True):
    """What a step returned and how long it took."""

    outputs: tuple[OutputRef, ...]
    seconds: float


def perform(function: Callable[..., Any], task: Task, *, values: Values) -> Performed:
    """Call a step's function with its stored inputs and store what it returns."""
    begun = time.perf_counter()
    given = {name: value_of(bound, values=values) for name, bound in task.arguments.items()}
    with in_run(task.run_id):
        returned = function(**given)
    del given  # large, and no longer needed while the result is stored
    outputs = tuple(values.put(v, name=n) for n, v in _parts(returned, task).items())
    return Performed(outputs=outputs, seconds=round(time.perf_counter() - begun, 6))


def value_of(bound: Binding, *, values: Values) -> Any:
    """Return the value of a binding whose steps and datasets are known."""
    match bound:
        case Constant(value=value):
            return value
        case Stored():
            return values.get(bound)
        case Several(items=items):
            return [value_of(item, values=values) for item in items]
        case Named(items=named):
            return {key: value_of(item, values=values) for key, item in named.items()}
    raise InvalidInput(f"{bound} is not known yet.")


def work_of(task: Task, *, target: str) -> Work:
    """Describe a step so that a worker can execute it with `run_step`."""
    return Work(target=TARGET, arguments={"target": target, "task": msgspec.to_builtins(task)})


def run_step(*, target: str, task: dict[str, Any]) -> dict[str, Any]:
    """Execute a step in a worker, for the home that the worker works for."""
    context = current_work()
    if context is None:
        raise InvalidInput("run_step is called by workers.", hint="Use client.pipelines.run.")
    described = msgspec.convert(task, Task)
    step = resolve(target)
    if not isinstance(step, Step) or _code_as_imported(step) != described.code:
        raise Hopeless(
            f"The code of step {described.name!r} in {target} is not the code this run began with.",
            hint="It was edited meanwhile, or it changes its own globals; run the pipeline again.",
        )
    values = _values(context.home)
    try:
        return msgspec.to_builtins(perform(step.function, described, values=values))  # type: ignore[no-any-return] # of a struct it is a dict
    except Exception as error:
        # A step that raises would raise again; a worker that dies is another matter.
        raise Hopeless(traceback_of(error)) from error


def _code_as_imported(step: Step[..., Any]) -> str:
    # Digests are taken of a whole file before its first step runs: what steps do to globals is not
    # an edit. The worker sees to it that an edited file is imported anew.
    module = sys.modules.get(step.__module__)
    for value in (step, *vars(module).values()):
        if isinstance(value, Step) and value not in _CODES:
            _CODES[value] = code_digest(value)
    return _CODES[step]


def target_of(step: Step[..., Any]) -> str:
    """Return how a worker finds a step. Raises InvalidInput when it cannot."""
    module = sys.modules.get(step.__module__)
    known = {} if module is None else vars(module)
    name = next((name for name, value in known.items() if value is step), None)
    spec, file = known.get("__spec__"), known.get("__file__")
    if name is None or not (file or spec):
        raise InvalidInput(
            f"No worker can import step {step.name!r}: it is not a name of a module.",
            hint="Define it at the top of a .py file, or run the pipeline without an executor.",
        )
    if spec is not None and spec.parent:
        return f"{spec.name}:{name}"
    return f"{Path(str(file)).resolve()}:{name}"


def _parts(returned: Any, task: Task) -> dict[str, Any]:
    if not task.outputs:
        return {"": returned}
    if not isinstance(returned, tuple) or len(returned) != len(task.outputs):
        raise InvalidInput(
            f"Step {task.name!r} must return {len(task.outputs)} values "
            f"({', '.join(task.outputs)}), but returned "
            + (f"{len(returned)}." if isinstance(returned, tuple) else f"{returned!r:.60}.")
        )
    return dict(zip(task.outputs, returned, strict=True))


@functools.cache
def _values(home: Path) -> Values:
    settings = load_settings(home)
    store = metadata_of(settings)
    objects = open_objects(
        settings.where_objects(),
        key=settings.objects_key,
        before_put=owners_of(settings, store=store).mark,
    )
    data = Data(store=store, objects=objects, home=settings.home)
    signer = Signer(settings.home / "keys", store=store)
    return Values(objects=objects, signer=signer, tables=data.rows)
