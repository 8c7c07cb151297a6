"""Tells the story line by line and remembers which claims held."""

from __future__ import annotations

import sys
import time
from typing import TextIO

import msgspec

STEPS = 12


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Something the demo says of itself, and whether it was so."""

    step: int
    text: str
    held: bool


class Narrator:
    """Prints one line per happening, with the step and the seconds since the start."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._begun = time.monotonic()
        self.step = 0
        self.claims: list[Claim] = []

    @property
    def seconds(self) -> float:
        """Real seconds since the start."""
        return time.monotonic() - self._begun

    def begin(self, step: int, title: str) -> None:
        """Begin a step of the story."""
        self.step = step
        self._write(f"{step:2d}/{STEPS} {self.seconds:6.1f} s  {title}")

    def say(self, text: str) -> None:
        """Tell one thing."""
        self._write(f"{'':5} {self.seconds:6.1f} s    {text}")

    def claim(self, text: str, *, held: bool) -> None:
        """Say something that must be so; `--check` fails when it is not."""
        self.claims.append(Claim(step=self.step, text=text, held=held))
        if not held:
            self._write(f"{'':5} {self.seconds:6.1f} s    DID NOT HOLD: {text}")

    @property
    def broken(self) -> list[Claim]:
        """The claims that did not hold."""
        return [c for c in self.claims if not c.held]

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()
