"""Open the home that is meant: `--home`, else that of the project around, else `.treadle` here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from treadle.app import App
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


def app_of(ctx: click.Context) -> App:
    """Return the composition of the command's home, closed when the command ends.

    For commands that need a part of a noun: what a client has takes longer to import.
    """
    from treadle.app import open_app

    home = ctx.find_root().obj
    if str(home).startswith(("http://", "https://")):
        return client_of(ctx).app  # which says that there is no home
    app = open_app(home)
    ctx.call_on_close(app.close)
    return app


def home_around(start: Path) -> str | None:
    """Return the home of the project that a folder lies in, or None outside of any."""
    for folder in (start, *start.parents):
        if (folder / POLICY_FILE).is_file():
            return str(folder / HOME)
    return None
