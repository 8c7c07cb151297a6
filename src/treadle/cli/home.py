"""Open the home that is meant: `--home`, else that of the project around, else `.treadle` here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from treadle.client import Client

HOME = ".treadle"
POLICY_FILE = "policy.toml"


def client_of(ctx: click.Context) -> Client:
    """Return a client of the command's home, closed when the command ends."""
    # The services cost more to import than --help may: only a command that works pays.
    from treadle.client import connect

    client = connect(ctx.find_root().obj)
    ctx.call_on_close(client.close)
    return client


def home_around(start: Path) -> str | None:
    """Return the home of the project that a folder lies in, or None outside of any."""
    for folder in (start, *start.parents):
        if (folder / POLICY_FILE).is_file():
            return str(folder / HOME)
    return None
