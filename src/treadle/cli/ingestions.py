"""`treadle data ingest` and `treadle data ingestions`: datasets that grow from a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from treadle.cli.data_sources import source_of, source_options
from treadle.cli.group import Command, Listing
from treadle.cli.home import client_of
from treadle.cli.output import (
    cut,
    dry_run_option,
    json_option,
    paging_options,
    print_json,
    print_listing,
    print_pairs,
    when,
    when_utc,
    yes_option,
)
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from treadle.data.ingestion.entities import Counts, Ingested, Ingestion, Mark
    from treadle.data.ingestion.service import Ingestions

_CHANGES = click.Choice(["refuse", "widen"])


@click.command(
    "ingest",
    cls=Command,
    example="treadle data ingest orders\ntreadle data ingest orders --again",
)
@click.argument("name")
@click.option("--again", is_flag=True, help="Read from the start; take rows that came too late.")
@click.option(
    "--schema-change", type=_CHANGES, help="This time, accept (widen) that columns changed."
)
@json_option
@click.pass_context
def ingest(
    ctx: click.Context, *, name: str, again: bool, schema_change: Any, as_json: bool
) -> None:
    """Take what is new at a dataset's source, each row once, as its next version.

    Say first how it grows: treadle data ingestions set NAME. A run that was killed is run again;
    when nothing is new there is no new version.
    """
    done = client_of(ctx).data.ingest(name, again=again, schema_change=schema_change)
    if as_json:
        print_json(done)
    else:
        click.echo("\n".join(_told(done)))


@click.group(
    "ingestions",
    cls=Listing,
    example="treadle data ingestions\n"
    "treadle data ingestions set orders --from sqlite:///shop.db --sql 'select * from orders' "
    "--watermark updated_at --key id --lateness 2h",
)
@paging_options
@json_option
@click.pass_context
def ingestions(ctx: click.Context, *, limit: int, offset: int, as_json: bool) -> None:
    """List datasets that grow from a source and how far each has come; set, show, remove one."""
    if ctx.invoked_subcommand:
        return
    verbs = client_of(ctx).data.ingestions

    def row(ingestion: Ingestion) -> tuple[object, ...]:
        mark, body = verbs.mark(ingestion.dataset), ingestion.body
        origin = body.source.origin()
        at = when(mark.at) if mark else "never"
        reached = _reached(mark)
        return ingestion.dataset, origin.place, body.watermark, reached, body.mode, at

    print_listing(
        cut(verbs.all(), limit=limit, offset=offset),
        as_json=as_json,
        headers=("dataset", "from", "watermark", "reached", "mode", "last new (UTC)"),
        row=row,
        empty="No dataset grows by itself. Set one: treadle data ingestions set NAME --from URL …",
    )


@ingestions.command(
    "set",
    example="treadle data ingestions set orders --from 'postgresql://app:${DB_PASSWORD}@db/shop' "
    "--sql 'select * from orders' --watermark updated_at --key id --mode upsert --lateness 2h\n"
    "treadle data ingestions set events --from https://example.org/events.csv --watermark at",
)
@click.argument("name")
@source_options
@click.option("--watermark", required=True, metavar="COLUMN", help="The column that only rises.")
@click.option(
    "--key", multiple=True, metavar="COLUMN", help="What tells rows apart; may be repeated."
)
@click.option(
    "--lateness", default="", metavar="TIME|N", help="How late a row may be: 30m, 2h, 7d; 100."
)
@click.option(
    "--mode",
    type=click.Choice(["append", "upsert"]),
    default="append",
    show_default=True,
    help="upsert: a row with a known key takes the place of the older.",
)
@click.option(
    "--schema-change",
    type=_CHANGES,
    default="refuse",
    show_default=True,
    help="What to do when the columns of the source change.",
)
@json_option
@click.pass_context
def set_one(ctx: click.Context, /, *, name: str, as_json: bool, **given: Any) -> None:
    """Say from where and how a dataset grows. No password is stored: write ${NAME} for it.

    Without a key, rows that are equal in every column are told apart by how many there are.
    """
    asked = {o: given.pop(o) for o in ("place", "sql", "form", "headers", "max_bytes")}
    source = source_of((), **asked)
    if source is None:
        raise click.UsageError("Say from where: --from URL, or --from URL --sql QUERY.")
    made = client_of(ctx).data.ingestions.set(name, source, **given)
    if as_json:
        print_json(made)
    else:
        click.echo(
            f"{made.dataset} follows ingestion {made.number}; run it: treadle data ingest {name}"
        )


@ingestions.command("show", example="treadle data ingestions show orders")
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Show how a dataset grows, and how far it has come."""
    verbs = client_of(ctx).data.ingestions
    found, mark = verbs.of(name), verbs.mark(name)
    if as_json:
        print_json({"ingestion": found, "mark": mark})
        return
    body = found.body
    origin = body.source.origin()
    print_pairs(
        [
            ("dataset", found.dataset),
            ("ingestion", f"{found.number}, set {when_utc(found.created_at)}"),
            ("from", origin.place),
            ("query", origin.query),
            ("watermark", body.watermark),
            ("key", ", ".join(body.key)),
            ("lateness", body.lateness),
            ("mode", body.mode),
            ("schema change", body.schema_change),
            ("reached", _reached(mark)),
            ("last new", f"{when_utc(mark.at)}: {_counted(mark.counts)}" if mark else "never run"),
        ]
    )


@ingestions.command("remove", example="treadle data ingestions remove orders --yes")
@click.argument("name")
@dry_run_option
@yes_option
@json_option
@click.pass_context
def remove(ctx: click.Context, *, name: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Have a dataset grow no longer. Its versions stay."""
    verbs: Ingestions = client_of(ctx).data.ingestions
    found = verbs.of(name)
    if dry_run and as_json:
        print_json(found)
        return
    if dry_run:
        click.echo(f"would remove ingestion {found.number} of {name}, its versions stay")
        return
    if not yes:
        click.confirm(f"Remove how {name} grows, and how far it has come?", abort=True, err=True)
    removed = verbs.remove(name)
    if as_json:
        print_json(removed)
    else:
        click.echo(f"{name} grows no longer; its versions stay")


def _reached(mark: Mark | None) -> str:
    return mark.watermark.partition(" ")[2] if mark else ""


def _told(done: Ingested) -> list[str]:
    if done.is_unchanged:
        return [f"{done.dataset}: the source did not change"]
    what = done.version or f"{done.dataset}: nothing new"
    told = [f"{what}  {_counted(done.counts)}  up to {done.watermark or 'nothing'}"]
    counts = done.counts
    if counts.changed:
        told.append(
            f"{counted(counts.changed, 'row')} with a known key and a new watermark, left as held. "
            "To take what is new: --mode upsert"
        )
    if counts.without_watermark:
        told.append(f"{counted(counts.without_watermark, 'row')} without a watermark, not taken")
    if counts.beyond:
        told.append(
            f"{counted(counts.beyond, 'row')} later than the lateness allows, not taken. "
            f"To take all: treadle data ingest {done.dataset} --again"
        )
    return told


def _counted(counts: Counts) -> str:
    parts = [
        ("read", counts.read - counts.older),
        ("new", counts.new),
        ("replaced", counts.replaced),
    ]
    parts += [("late", counts.late), ("held already", counts.duplicate)]
    return ", ".join(
        f"{count:,} {what}" for what, count in parts if count or what in {"read", "new"}
    )
