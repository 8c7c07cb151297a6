"""`treadle audit`: check, seal or export the event log."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from treadle.cli.group import Group
from treadle.cli.home import client_of
from treadle.cli.output import json_option, print_json
from treadle.kernel.errors import Unavailable


@click.group("audit", cls=Group, example="treadle audit verify\ntreadle audit export events.jsonl")
def command() -> None:
    """Check, seal or export the event log."""


@command.command("verify", example="treadle audit verify")
@json_option
@click.pass_context
def verify(ctx: click.Context, *, as_json: bool) -> None:
    """Check every link and every signature of the event log; exit 1 when one is wrong."""
    verdict = client_of(ctx).governance.verify()
    if as_json:
        print_json(verdict)
    else:
        place = "" if verdict.bad_seq is None else f"event {verdict.bad_seq}: "
        click.echo(f"{'ok' if verdict.ok else 'BROKEN'}: {place}{verdict.message}")
    if not verdict.ok:
        ctx.exit(1)


@command.command("seal", example="treadle audit seal")
@click.pass_context
def seal(ctx: click.Context) -> None:
    """Sign where the log stands now; the scheduler does it every minute while `up` runs."""
    checkpoint = client_of(ctx).log.seal()
    click.echo("nothing new to seal" if checkpoint is None else f"sealed event {checkpoint.seq}")


@command.command("export", example="treadle audit export events.jsonl")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def export(ctx: click.Context, *, path: Path) -> None:
    """Write the log as JSON lines, and beside it `verify_log.py`, which checks it offline.

    The checker needs Python alone: whoever gets the two files need not trust this machine.
    """
    from treadle.governance import verify_log

    count = client_of(ctx).governance.export_log(path)
    checker = path.with_name("verify_log.py")
    try:
        shutil.copyfile(Path(verify_log.__file__), checker)
    except OSError as error:
        raise Unavailable(f"Cannot write {checker}: {error.strerror or error}.") from error
    click.echo(f"{count:,} events in {path}; check them with: python {checker} {path}")
