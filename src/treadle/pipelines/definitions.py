"""What a pipeline file is written with: `@step`, `@pipeline` and `dataset`."""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, Protocol, TypeVar, overload

from treadle.kernel.errors import InvalidInput, near_misses
from treadle.pipelines.entities import FromDataset, FromStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

P = ParamSpec("P")
R = TypeVar("R")


class Wiring(Protocol):
    """Takes the calls of steps while a pipeline function runs."""

    def add(self, called: Step[..., Any], arguments: dict[str, Any]) -> object:
        """Put a call of a step into the graph and return what stands for its result."""
        ...


WIRING: ContextVar[Wiring | None] = ContextVar("treadle_wiring", default=None)


class Wire:
    """Stands for what a step will return, while the pipeline is wired."""

    __slots__ = ("source",)

    def __init__(self, source: FromStep | FromDataset) -> None:
        self.source = source

    def __bool__(self) -> bool:
        return self._refuse()

    def __iter__(self) -> Iterator[object]:
        return self._refuse()

    def __repr__(self) -> str:
        return f"<value of {self.source.ref}>"

    def _refuse(self) -> NoReturn:
        raise InvalidInput(
            f"The value of {self.source.ref!r} is not known while the pipeline is wired.",
            hint="Look at it inside a step; a step with several results names them: "
            '@step(outputs=("train", "test")).',
        )


class Step(Generic[P, R]):
    """A function whose result is kept under a key made of its code and its inputs.

    Inside a pipeline function a call wires it; anywhere else a call is just a call, so that steps
    are tested like any function.
    """

    def __init__(
        self, function: Callable[P, R], *, version: str, cache: bool, outputs: tuple[str, ...]
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = function.__name__
        self.version = version
        self.cache = cache
        self.outputs = outputs
        self.signature = inspect.signature(function)
        self._check()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        wiring = WIRING.get()
        if wiring is None:
            return self.function(*args, **kwargs)
        wired: Any = wiring.add(self, self._named(args, kwargs))
        return wired  # type: ignore[no-any-return] # a type checker sees the step's own result

    def __repr__(self) -> str:
        return f"<step {self.name}>"

    def _named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        try:
            bound = self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InvalidInput(
                f"Step {self.name!r} cannot be called like this: {error}.",
                hint=f"It is {self.name}{self.signature}.",
            ) from error
        named: dict[str, Any] = {}
        for name, value in bound.items():
            rest = self.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
            named |= value if rest else {name: value}
        return named

    def _check(self) -> None:
        for name, parameter in self.signature.parameters.items():
            if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL}:
                raise InvalidInput(
                    f"Argument {name!r} of step {self.name!r} has no name to be passed by.",
                    hint="Steps take named arguments; pass a list instead of *args.",
                )
        if len(set(self.outputs)) < len(self.outputs) or len(self.outputs) == 1:
            raise InvalidInput(
                f"outputs={self.outputs!r} of step {self.name!r} cannot be.",
                hint="Name two or more results, each differently; one result needs no name.",
            )
        for name in self.outputs:
            if not name.isidentifier():
                raise InvalidInput(f"{name!r} cannot name a result of step {self.name!r}.")


class Pipeline(Generic[P]):
    """A function that wires steps; run it with `client.pipelines.run`."""

    def __init__(self, function: Callable[P, Any], *, name: str) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.signature = inspect.signature(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        if WIRING.get() is None:
            raise InvalidInput(
                f"Pipeline {self.name!r} was called like a function.",
                hint=f"Run it: client.pipelines.run({self.name}), or treadle run.",
            )
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return all params, defaults included. Raises InvalidInput naming one that is wrong."""
        known = self.signature.parameters
        for name in params:
            if name not in known:
                close = near_misses(name, known)
                listed = ", ".join(known) or "none"
                hint = f"Did you mean {close[0]!r}?" if close else f"Its params: {listed}."
                raise InvalidInput(f"Pipeline {self.name!r} has no param {name!r}.", hint=hint)
        missing = [
            name
            for name, parameter in known.items()
            if parameter.default is parameter.empty and name not in params
        ]
        if missing:
            raise InvalidInput(
                f"Pipeline {self.name!r} needs {', '.join(missing)}.",
                hint=f"Give it like: treadle run --param {missing[0]}=VALUE",
            )
        bound = self.signature.bind(**params)
        bound.apply_defaults()
        return bound.arguments


@overload
def step(function: Callable[P, R]) -> Step[P, R]: ...
@overload
def step(
    *, version: str = "", cache: bool = True, outputs: tuple[str, ...] = ()
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[..., Any] | None = None,
    *,
    version: str = "",
    cache: bool = True,
    outputs: tuple[str, ...] = (),
) -> Any:
    """Make a function a step of pipelines.

    `version` is part of its key: change it when something it depends on changed that its code does
    not show. `cache=False` executes it in every run. `outputs` names the parts of the tuple it
    returns, so that later steps can take them one by one.
    """
    make = functools.partial(Step, version=version, cache=cache, outputs=tuple(outputs))
    return make if function is None else make(function)


@overload
def pipeline(function: Callable[P, Any]) -> Pipeline[P]: ...
@overload
def pipeline(*, name: str = "") -> Callable[[Callable[P, Any]], Pipeline[P]]: ...
def pipeline(function: Callable[..., Any] | None = None, *, name: str = "") -> Any:
    """Make a function a pipeline: it calls steps and returns what the run is to return.

    Its arguments are the params of a run; they must be JSON values.
    """
    if function is None:
        return lambda decorated: Pipeline(decorated, name=name or decorated.__name__)
    return Pipeline(function, name=function.__name__)


def dataset(ref: str) -> Any:
    """Name a dataset as the input of a step: `dataset("flights")` is its newest version.

    The version is fixed when a run starts and recorded with it.
    """
    if not ref.partition("@")[0]:
        raise InvalidInput(f"{ref!r} names no dataset.", hint='Write it like dataset("flights@3").')
    return Wire(FromDataset(ref))
