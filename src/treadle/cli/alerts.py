"""`treadle alerts`: what monitors found to have really moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import json_option, paging_options, print_listing, when
from treadle.kernel.clock import format_day

if TYPE_CHECKING:
    from treadle.monitoring.entities import Alert


@click.command("alerts", cls=Command, example="treadle alerts\ntreadle alerts --all --json")
@click.option("--endpoint", metavar="NAME", help="Only of this endpoint.")
@click.option("--all", "with_closed", is_flag=True, help="Those that were closed, too.")
@paging_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    endpoint: str | None,
    with_closed: bool,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List the open alerts, newest first: what really moved, its size and its cause."""
    client = client_of(ctx)
    if endpoint is not None:
        client.serving.endpoint(endpoint)
    state = None if with_closed else "open"
    print_listing(
        client.monitoring.alerts(endpoint=endpoint, state=state, limit=limit, offset=offset),
        as_json=as_json,
        headers=("endpoint", "state", "opened (UTC)", "window", "alert", "cause"),
        row=_row,
        empty="No alerts." if with_closed else "No open alerts. With those closed: --all",
    )


def _row(alert: Alert) -> tuple[object, ...]:
    window = f"{format_day(alert.window_start)} to {format_day(alert.window_end)}"
    return (alert.endpoint, alert.state, when(alert.opened_at), window, alert.title, alert.cause)
