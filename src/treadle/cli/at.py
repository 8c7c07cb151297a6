"""`treadle at`: say who served an endpoint at a time, and why."""

from __future__ import annotations

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import json_option, print_json, print_pairs, when_utc
from treadle.kernel.clock import parse_instant


@click.command("at", cls=Command, example="treadle at 2013-07-04T12:00 late")
@click.argument("time")
@click.argument("endpoint")
@json_option
@click.pass_context
def command(ctx: click.Context, *, time: str, endpoint: str, as_json: bool) -> None:
    """Say who served ENDPOINT at TIME (UTC, unless it names a zone), since when, and why."""
    answer = client_of(ctx).governance.at(parse_instant(time), endpoint)
    if as_json:
        print_json(answer)
        return
    print_pairs(
        [
            ("endpoint", f"{answer.endpoint} at {when_utc(answer.at)}"),
            *(("variant", f"{v.version}  {v.role}  {v.share:.0%}") for v in answer.variants),
            ("since", when_utc(answer.since)),
            ("why", answer.reason),
            ("by", f"{answer.actor} (event {answer.event})"),
            ("release", answer.release_id),
        ]
    )
