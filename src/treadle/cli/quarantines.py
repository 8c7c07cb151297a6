"""`treadle data quarantines`: versions that are held back until somebody decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle.cli.group import Listing
from treadle.cli.home import client_of
from treadle.cli.output import (
    cut,
    dry_run_option,
    json_option,
    paging_options,
    print_json,
    print_listing,
    when,
    yes_option,
)
from treadle.kernel.errors import NotFound

if TYPE_CHECKING:
    from treadle.data.entities import Quarantine
    from treadle.data.service import Data

HELD = "held"


@click.group(
    "quarantines",
    cls=Listing,
    example="treadle data quarantines --state held\n"
    "treadle data quarantines reject outcomes@31 --dry-run",
)
@click.option("--dataset", metavar="NAME", help="Only of this dataset.")
@click.option(
    "--state", type=click.Choice(["held", "released", "rejected"]), help="Only in this state."
)
@paging_options
@json_option
@click.pass_context
def quarantines(
    ctx: click.Context,
    *,
    dataset: str | None,
    state: str | None,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List versions kept out of training, gates and evaluation, newest first; decide on one."""
    if ctx.invoked_subcommand:
        return
    found = client_of(ctx).data.quarantines(dataset)
    print_listing(
        cut(
            [q for q in found if state in {None, q.state}],
            limit=limit,
            offset=offset,
        ),
        as_json=as_json,
        headers=("version", "state", "rows", "since (UTC)", "reason"),
        row=lambda q: (q.ref, q.state, f"{q.rows:,}", when(q.at), q.reason),
        empty="Nothing is in quarantine.",
    )


@quarantines.command(
    "hold", example="treadle data quarantines hold flights@4 --reason 'the export was cut short'"
)
@click.argument("version")
@click.option("--reason", required=True, help="Why; it stands in the log.")
@dry_run_option
@json_option
@click.pass_context
def hold(ctx: click.Context, *, version: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Keep a VERSION (flights@4) out of training, gates and evaluation until somebody decides."""
    data = client_of(ctx).data
    found = data.version(version)
    if dry_run:
        click.echo(f"would hold {found.ref}: {found.rows:,} rows")
        return
    _decided(data.quarantine(found.ref, reason=reason, evidence={"by": "hand"}), as_json=as_json)


@quarantines.command("release", example="treadle data quarantines release outcomes@31")
@click.argument("version")
@yes_option
@dry_run_option
@json_option
@click.pass_context
def release(ctx: click.Context, *, version: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Let a held VERSION (outcomes@31) be used after all: its labels count from then on."""
    data = client_of(ctx).data
    held = _held(data, version)
    if dry_run:
        _would("release", held)
        return
    if not yes:
        click.confirm(f"Use {held.ref} after all? It was held: {held.reason}", abort=True, err=True)
    _decided(data.release_quarantine(held.id), as_json=as_json)


@quarantines.command("reject", example="treadle data quarantines reject outcomes@31 --yes")
@click.argument("version")
@yes_option
@dry_run_option
@json_option
@click.pass_context
def reject(ctx: click.Context, *, version: str, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Never use a held VERSION (outcomes@31); it stays stored and named."""
    data = client_of(ctx).data
    held = _held(data, version)
    if dry_run:
        _would("reject", held)
        return
    if not yes:
        click.confirm(f"Never use {held.ref}? It was held: {held.reason}", abort=True, err=True)
    _decided(data.reject_quarantine(held.id), as_json=as_json)


def _held(data: Data, version: str) -> Quarantine:
    held = {q.ref: q for q in data.quarantines() if q.state == HELD}
    if version not in held:
        hint = "" if held else "Nothing is held: treadle data quarantines"
        raise NotFound("held version", version, known=held, hint=hint)
    return held[version]


def _would(verb: str, held: Quarantine) -> None:
    click.echo(f"would {verb} {held.ref}: {held.rows:,} rows, held since {when(held.at)} UTC")


def _decided(decided: Quarantine, *, as_json: bool) -> None:
    if as_json:
        print_json(decided)
    else:
        click.echo(f"{decided.ref} is {decided.state}")
