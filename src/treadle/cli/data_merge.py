"""`treadle data merge`: what was changed on a branch, brought into another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import dry_run_option, json_option, print_json
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from treadle.data.history.entities import Merged, Side

CONFLICTS_SHOWN = 20


@click.command(
    "merge",
    cls=Command,
    example="treadle data merge images@exp --dry-run\n"
    "treadle data merge images@exp --into main --theirs\n"
    "treadle data merge flights@exp --conflicts conflicts.csv\n"
    "treadle data merge flights@exp --resolve conflicts.csv --ours-in fare",
)
@click.argument("ref")
@click.option("--into", default="main", show_default=True, metavar="BRANCH", help="What takes it.")
@click.option("--ours", "take", flag_value="ours", help="Where they differ, keep what INTO has.")
@click.option("--theirs", "take", flag_value="theirs", help="Where they differ, take what REF has.")
@click.option(
    "--ours-in", multiple=True, metavar="COLUMN", help="Of a table: the same in one column."
)
@click.option(
    "--theirs-in", multiple=True, metavar="COLUMN", help="Of a table: the same in one column."
)
@click.option(
    "--conflicts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Of a table: write them all to a file, .csv, .jsonl or .parquet.",
)
@click.option(
    "--resolve",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Of a table: such a file, its column `taken` filled in.",
)
@click.option(
    "--key",
    "key",
    multiple=True,
    metavar="COLUMN",
    help="Of a table: columns that name a row; else those of the contract, or found.",
)
@click.option("--message", "-m", default="", help="Why.")
@dry_run_option
@json_option
@click.pass_context
def merge(
    ctx: click.Context,
    *,
    ref: str,
    into: str,
    take: Side | None,
    ours_in: tuple[str, ...],
    theirs_in: tuple[str, ...],
    conflicts: Path | None,
    resolve: Path | None,
    key: tuple[str, ...],
    message: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring what was changed on a branch or version (images@exp) into a branch.

    Both are compared with the nearest version that they descend from, tables row by row and cell by
    cell. Where both changed the same otherwise, nothing is done, it is named, and the exit code is
    1.

    --conflicts writes a line for each, with its key and what base, ours and theirs have. Write
    ours, theirs, base or value into `taken` (and the `value`), then merge again with --resolve. A
    file of conflicts that are not the same any more is refused.
    """
    if both := set(ours_in) & set(theirs_in):
        raise click.UsageError(f"{min(both)}: --ours-in or --theirs-in?")
    if conflicts is not None and not conflicts.absolute().parent.is_dir():
        raise click.UsageError(f"There is no folder {conflicts.parent}.")
    found = client_of(ctx).data.merge(
        ref,
        into=into,
        take=take,
        message=message,
        dry_run=dry_run,
        key=key or None,
        take_in=_sides(ours_in, theirs_in),
        decided=resolve,
        conflicts=conflicts,
    )
    if as_json:
        print_json(found)
    else:
        _print_merged(found, dry_run=dry_run)
    if found.kind == "conflicts":
        ctx.exit(1)


def _sides(ours: tuple[str, ...], theirs: tuple[str, ...]) -> dict[str, Side]:
    mine: dict[str, Side] = dict.fromkeys(ours, "ours")
    return mine | dict.fromkeys(theirs, "theirs")


def _print_merged(found: Merged, *, dry_run: bool) -> None:
    would = "Would move" if dry_run else "Moved"
    if found.kind == "nothing":
        click.echo(f"{found.into} has all of {found.theirs} already.")
    elif found.kind == "forward":
        click.echo(f"{would} {found.into} to {found.theirs}: it has nothing of its own.")
    elif found.kind == "merged":
        made = "Would merge" if dry_run else f"{found.version} merges"
        taken = counted(found.taken, "row" if found.is_table else "path")
        click.echo(f"{made} {found.theirs} into {found.into}: {taken} taken.")
    else:
        for clash in found.conflicts[:CONFLICTS_SHOWN]:
            path = clash.path if clash.path.isprintable() else repr(clash.path)
            click.echo(f"conflict  {path}  {clash.why}")
        if found.conflict_count > CONFLICTS_SHOWN:
            left = found.conflict_count - CONFLICTS_SHOWN
            click.echo(f"… and {left:,} more; all of them with {_where_all(found)}")
        clashes = counted(found.conflict_count, "conflict")
        click.echo(
            f"{clashes} since {found.base or 'the beginning'}; nothing was done. {_how(found)}",
            err=True,
        )


def _where_all(found: Merged) -> str:
    return "--conflicts FILE" if found.is_table else "--json"


def _how(found: Merged) -> str:
    """Say how conflicts are settled."""
    if found.kept_in:
        return (
            f"They are in {found.kept_in}: fill in `taken`, then merge again with "
            f"--resolve {found.kept_in}"
        )
    one_by_one = " One by one: --conflicts FILE." if found.is_table else ""
    return f"Take one side's with --ours or --theirs.{one_by_one}"
