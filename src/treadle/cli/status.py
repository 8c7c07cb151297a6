"""`treadle status`: say what this home holds and what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import json_option, print_json, print_pairs, served, when_utc

if TYPE_CHECKING:
    from treadle.client import Client

SHOWN = 5


@click.command("status", cls=Command, example="treadle status\ntreadle --home DIR status --json")
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Say what this home holds, who serves, what is open, and whether it is up."""
    from treadle.server.processes import running

    client = client_of(ctx)
    up = running(client.home)
    if as_json:
        print_json(_facts(client) | {"url": up.url if up else None})
        return
    alerts = client.monitoring.alerts(state="open", limit=SHOWN)
    releases = [r for r in client.releases.releases() if r.is_open]
    last = client.log.last()
    print_pairs(
        [
            ("home", client.home),
            ("up", up.url if up else "no; start it: treadle up"),
            ("datasets", client.data.datasets(limit=1).total),
            ("runs", client.tracking.search_runs(limit=1).total),
            ("models", len(client.registry.models())),
            *((f"endpoint {e.name}", served(e)) for e in client.serving.endpoints()),
            *(("release", f"{r.candidate} in {r.state} on {r.endpoint}") for r in releases),
            ("alerts", alerts.total or "none open"),
            *((f"alert {a.endpoint}", a.title) for a in alerts.items),
            ("events", last.seq if last else 0),
            ("last event", f"{last.kind} {last.subject}, {when_utc(last.at)}" if last else ""),
        ]
    )


def _facts(client: Client) -> dict[str, Any]:
    import msgspec

    from treadle.server.api.status import status_of

    return msgspec.structs.asdict(status_of(client.app))
