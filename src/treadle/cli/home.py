"""Open the home that is meant: `--home`, else that of the project around, else `.treadle` here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from treadle.client import Client
    from treadle.data.remotes.service import Remotes

HOME = ".treadle"
POLICY_FILE = "policy.toml"


def client_of(ctx: click.Context) -> Client:
    """Return a client of the command's home, closed when the command ends."""
    # The services cost more to import than --help may: only a command that works pays.
    from treadle.client import connect

    client = connect(ctx.find_root().obj)
    ctx.call_on_close(client.close)
    return client


def remotes_of(ctx: click.Context) -> Remotes:
    """Return what shares the home's versions, closed when the command ends.

    Without the other services: they take longer to import than a push of nothing new.
    """
    from treadle.data.remotes.service import Remotes
    from treadle.kernel.clock import PlayedClock, SystemClock
    from treadle.kernel.settings import load_settings
    from treadle.storage.metadata import open_metadata
    from treadle.storage.owners import owners_of
    from treadle.storage.stores import open_objects

    home = ctx.find_root().obj
    if str(home).startswith(("http://", "https://")):
        return client_of(ctx).data  # which says that it cannot
    settings = load_settings(home)
    replays = settings.clock == "played"
    clock = PlayedClock(settings.home / "clock") if replays else SystemClock()
    store = open_metadata(settings.where_metadata(), clock=clock)
    ctx.call_on_close(store.close)
    return Remotes(
        store=store,
        objects=open_objects(
            settings.where_objects(),
            key=settings.objects_key,
            before_put=owners_of(settings, store=store).mark,
        ),
        home=settings.home,
    )


def home_around(start: Path) -> str | None:
    """Return the home of the project that a folder lies in, or None outside of any."""
    for folder in (start, *start.parents):
        if (folder / POLICY_FILE).is_file():
            return str(folder / HOME)
    return None
