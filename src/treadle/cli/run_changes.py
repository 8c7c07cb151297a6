"""`treadle runs delete` and `restore`, and `treadle gc`."""

from __future__ import annotations

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import dry_run_option, json_option, print_json, yes_option
from treadle.kernel.errors import counted

DAY_US = 86_400_000_000


@click.command(
    "delete", cls=Command, example="treadle runs delete 01a1fb8f\ntreadle runs restore 01a1fb8f"
)
@click.argument("run_ids", metavar="ID…", nargs=-1, required=True)
@click.pass_context
def delete_command(ctx: click.Context, *, run_ids: tuple[str, ...]) -> None:
    """Delete runs, by their ids or the beginnings of them; restore brings them back."""
    tracking = client_of(ctx).tracking
    # All of them are looked up before the first is deleted.
    for run in [tracking.run(run_id) for run_id in run_ids]:
        tracking.delete_run(run.id)
        click.echo(f"Deleted {run.id} {run.name}. Back again: treadle runs restore {run.id}")


@click.command("restore", cls=Command, example="treadle runs restore 01a1fb8f")
@click.argument("run_ids", metavar="ID…", nargs=-1, required=True)
@click.pass_context
def restore_command(ctx: click.Context, *, run_ids: tuple[str, ...]) -> None:
    """Bring deleted runs back, by their ids or the beginnings of them."""
    tracking = client_of(ctx).tracking
    for run in [tracking.run(run_id) for run_id in run_ids]:
        tracking.restore_run(run.id)
        click.echo(f"Restored {run.id} {run.name}.")


@click.command("gc", cls=Command, example="treadle gc --dry-run\ntreadle gc --older-than 30 --yes")
@click.option(
    "--older-than",
    "days",
    default=0.0,
    metavar="DAYS",
    type=click.FloatRange(0),
    help="Spare what was deleted later than so many days ago.",
)
@click.option("--free", is_flag=True, help="Then free the bytes, too: treadle data gc.")
@dry_run_option
@yes_option
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, days: float, free: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Remove deleted experiments, runs and logged models for good, with all they logged.

    There is no way back. The bytes of their files go with `treadle data gc`, or with --free.
    """
    tracking, older_than = client_of(ctx).tracking, int(days * DAY_US)
    found = tracking.gc(dry_run=True, older_than=older_than)
    total = len(found.experiments) + len(found.runs) + len(found.logged_models)
    told = (
        f"{counted(len(found.experiments), 'experiment')}, {counted(len(found.runs), 'run')} and "
        f"{counted(len(found.logged_models), 'logged model')}"
    )
    if total and not dry_run:
        if not yes:
            click.confirm(f"Remove {told} for good?", abort=True, err=True)
        found = tracking.gc(older_than=older_than)
    if as_json:
        print_json(found)
    elif not total:
        click.echo("Nothing deleted is old enough to go." if days else "Nothing is deleted.")
    else:
        click.echo(f"{'Would remove' if dry_run else 'Removed'} {told}.")
    if free and not dry_run:
        _free(ctx)


def _free(ctx: click.Context) -> None:
    from treadle.cli.data_files import swept

    freed = client_of(ctx).data.gc()
    # Beside the JSON of what was removed, if that is asked for.
    click.echo(f"Freed {swept(freed)}.", err=True)
