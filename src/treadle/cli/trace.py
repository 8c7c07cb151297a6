"""`treadle trace`: follow a prediction back to the files it was made from."""

from __future__ import annotations

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import json_option, print_json


@click.command(
    "trace",
    cls=Command,
    example="treadle trace 01a1fb8fb8767000945ce8946e5c6f91\ntreadle trace late@champion",
)
@click.argument("thing", metavar="PREDICTION|MODEL@VERSION")
@json_option
@click.pass_context
def command(ctx: click.Context, *, thing: str, as_json: bool) -> None:
    """Follow a prediction, by its id, back to the digests of the files it was made from.

    On the way: the variant that answered, its model version, the run, the pipeline's steps, the
    dataset versions. A model version can be followed as well.
    """
    governance = client_of(ctx).governance
    node = governance.trace_version(thing) if "@" in thing else governance.trace(thing)
    if as_json:
        print_json(node)
        return
    click.echo("\n".join(node.lines()))
