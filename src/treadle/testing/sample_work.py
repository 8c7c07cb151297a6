"""Small functions for executors to do in the tests of their contract."""

from __future__ import annotations

import sys
from typing import Any

from treadle.execution.context import current_work
from treadle.execution.outcomes import Hopeless


def add(*, first: int, second: int) -> int:
    """Return a sum."""
    return first + second


def echo(*, value: Any) -> Any:
    """Return what was given."""
    return value


def keep_silent() -> None:
    """Return nothing, silently."""


def say(*, text: str) -> None:
    """Print on both streams, as work does that reports."""
    sys.stdout.write(f"{text} on stdout\n")
    sys.stderr.write(f"{text} on stderr\n")


def chatter(*, lines: int) -> None:
    """Print more than anybody wants to keep."""
    sys.stdout.writelines(f"line {number}\n" for number in range(lines))


def stumble(*, over: str) -> None:
    """Raise an error that another attempt may not meet."""
    raise ArithmeticError(f"stumbled over {over}")


def despair() -> None:
    """Raise the error that says another attempt is useless."""
    raise Hopeless("There is no way.")


def leave() -> None:
    """Try to end the process."""
    sys.exit(3)


def return_an_object() -> object:
    """Return what JSON cannot hold."""
    return object()


def tell_job_id() -> str | None:
    """Return the id of the job this is."""
    context = current_work()
    return None if context is None else context.job_id
