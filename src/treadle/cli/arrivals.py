"""How a long coming and going is told: a line that counts, and a report at the end."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from treadle.exchange.mlflow.entities import Report

LEFT_OUT_SHOWN = 20
EVERY = 25


class Progress:
    """One line on a terminal that says how far it is; nothing where nobody looks."""

    def __init__(self, *, quiet: bool) -> None:
        self._shown = sys.stderr.isatty() and not quiet
        self._counts: Counter[str] = Counter()

    def tell(self, kind: str, name: str) -> None:
        """Count one more thing."""
        self._counts[kind] += 1
        if self._shown and self._counts.total() % EVERY == 1:
            told = ", ".join(f"{count:,} {kind}" for kind, count in self._counts.items())
            click.echo(f"\r\x1b[2K{told}: {name[:60]}", nl=False, err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[2K", nl=False, err=True)


def print_report(report: Report, *, verb: str) -> None:
    """Print what came, what was here already, and what could not come and why."""
    for kind, count in report.came.items():
        click.echo(f"{count:>9,} {_named(kind, count)} {verb}")
    for kind, count in report.known.items():
        was = "was" if count == 1 else "were"
        click.echo(f"{count:>9,} {_named(kind, count)} {was} here already")
    if not report.came and not report.known:
        click.echo("There is nothing.")
    for left in report.left_out[:LEFT_OUT_SHOWN]:
        click.echo(f"  left out: {left.what}: {left.why}")
    more = len(report.left_out) - LEFT_OUT_SHOWN
    if more > 0:
        click.echo(f"  … and {more} more; --json has them all")


def _named(kind: str, count: int) -> str:
    if count != 1:
        return kind
    return kind.removesuffix("es") if kind.endswith("ses") else kind.removesuffix("s")
