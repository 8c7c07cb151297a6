"""Doing work once and saying what came of it."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from treadle.execution.service import as_json
from treadle.execution.targets import resolve
from treadle.kernel.errors import (
    Corrupt,
    InvalidInput,
    MissingExtra,
    NotFound,
    Refused,
    TreadleError,
)

if TYPE_CHECKING:
    from types import FrameType

    from treadle.execution.entities import Work


class Hopeless(TreadleError):
    """Raised by work that failed and would only fail again."""

    code = "hopeless"


_TREADLE = Path(__file__).parents[1]
# The folders of the code that calls the work of others; its frames tell a reader nothing.
CALLERS = (f"{_TREADLE / 'execution'}/", f"{_TREADLE / 'pipelines'}/")
# Trying again does not mend what was given, only what was down.
FINAL = (Hopeless, InvalidInput, NotFound, Refused, Corrupt, MissingExtra)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt came to; `retry` says whether another one may end better."""

    state: Literal["done", "failed"]
    result: Any = None
    error: str = ""
    retry: bool = False


def attempt(work: Work) -> Outcome:
    """Do work here and now. Its errors are told, not raised; it may not end the process."""
    try:
        result = resolve(work.target)(**work.arguments)
        return Outcome(state="done", result=as_json(result, what="result"))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is goes into the outcome
        retry = not isinstance(error, (*FINAL, SystemExit))
        return Outcome(state="failed", error=traceback_of(error), retry=retry)


def traceback_of(error: BaseException) -> str:
    """Return an error's traceback from the work's own code on; Hopeless speaks for itself."""
    if isinstance(error, Hopeless):
        return str(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and _is_ours(trace.tb_frame):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(CALLERS)
