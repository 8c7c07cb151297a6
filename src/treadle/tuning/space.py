"""The space of a search: what each param may be."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from treadle.kernel.errors import InvalidInput


class Uniform(msgspec.Struct, frozen=True, tag="uniform"):
    """Any number from low to high, all alike."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """Return the number at a share (0 to 1) of the way."""
        return min(self.low + (self.high - self.low) * share, self.high)


class LogUniform(msgspec.Struct, frozen=True, tag="log_uniform"):
    """Any number from low to high, every factor alike: for rates and strengths."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """Return the number at a share (0 to 1) of the way."""
        value = math.exp(math.log(self.low) + math.log(self.high / self.low) * share)
        return min(max(value, self.low), self.high)


class Integer(msgspec.Struct, frozen=True, tag="integer"):
    """Any whole number from low to high, both included."""

    low: int
    high: int

    def at(self, share: float) -> int:
        """Return the number at a share (0 to 1) of the way."""
        return min(self.low + int((self.high - self.low + 1) * share), self.high)


class Choice(msgspec.Struct, frozen=True, tag="choice"):
    """One of some values."""

    options: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """Return the value at a share (0 to 1) of the way."""
        return self.options[min(int(len(self.options) * share), len(self.options) - 1)]


Dimension = Uniform | LogUniform | Integer | Choice
Space = dict[str, Dimension]


def uniform(low: float, high: float) -> Uniform:
    """Search any number from low to high."""
    _check(low < high and math.isfinite(high - low), f"uniform({low!r}, {high!r})", "low < high")
    return Uniform(float(low), float(high))


def log_uniform(low: float, high: float) -> LogUniform:
    """Search any number from low to high by its order of magnitude; low is above 0."""
    right = 0 < low < high < math.inf
    _check(right, f"log_uniform({low!r}, {high!r})", "0 < low < high")
    return LogUniform(float(low), float(high))


def integer(low: int, high: int) -> Integer:
    """Search any whole number from low to high, both included."""
    whole = {type(low), type(high)} == {int}
    _check(whole and low < high, f"integer({low!r}, {high!r})", "whole numbers, low < high")
    return Integer(low, high)


def choice(*options: Any) -> Choice:
    """Search some values: `choice("gini", "entropy")`."""
    plain = all(option is None or isinstance(option, (bool, int, float, str)) for option in options)
    _check(
        bool(options) and plain,
        f"choice{options!r:.80}",
        "one or more texts, numbers, bools or None",
    )
    return Choice(options)


def _check(holds: bool, said: str, rule: str) -> None:  # noqa: FBT001 - the rule itself
    if not holds:
        raise InvalidInput(f"{said} is no range to search.", hint=f"It needs {rule}.")
