"""`treadle report`: write everything into one HTML file that opens offline."""

from __future__ import annotations

from pathlib import Path

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import size
from treadle.kernel.errors import Unavailable


@click.command("report", cls=Command, example="treadle report late --out late-2013.html")
@click.argument("endpoint")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="Where to write it.",
)
@click.pass_context
def command(ctx: click.Context, *, endpoint: str, out: Path) -> None:
    """Write windows, releases, alerts, lineage and the audit of ENDPOINT into one HTML file.

    Nothing in it is fetched from elsewhere: it opens offline, and can be sent as it is.
    """
    text = client_of(ctx).report(endpoint).encode()
    try:
        out.write_bytes(text)
    except OSError as error:
        raise Unavailable(f"Cannot write {out}: {error.strerror or error}.") from error
    click.echo(f"wrote {out}  {size(len(text))}")
