"""`treadle evaluation`: evaluation datasets, their records, frozen states."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from treadle.cli.group import Listing
from treadle.cli.home import client_of
from treadle.cli.output import (
    json_option,
    paging_options,
    print_json,
    print_listing,
    print_pairs,
    print_table,
    when,
    when_utc,
)

if TYPE_CHECKING:
    from treadle.evaluation.entities import EvaluationDataset, EvaluationRecord

SHOWN = 20
LENGTH = 60


@click.group(
    "evaluation",
    cls=Listing,
    example="treadle evaluation\n"
    "treadle evaluation --where \"tags.team = 'ops'\"\n"
    "treadle evaluation show qa --json",
)
@click.option("--where", default="", help="Only those that match, such as \"name like 'qa%'\".")
@paging_options
@json_option
@click.pass_context
def command(ctx: click.Context, *, where: str, limit: int, offset: int, as_json: bool) -> None:
    """List evaluation datasets, newest first; show one with its records, or freeze its state.

    One is named by its id or, where only one has it, by its name.
    """
    if ctx.invoked_subcommand:
        return
    print_listing(
        client_of(ctx).evaluation.search(where=where, limit=limit, offset=offset),
        as_json=as_json,
        headers=("evaluation dataset", "records", "experiments", "tags", "changed (UTC)", "id"),
        row=_row,
        empty="No evaluation datasets. Make one: client.evaluation.create(NAME)",
    )


@command.command("show", example="treadle evaluation show qa --limit 5")
@click.argument("ref")
@click.option(
    "--limit",
    default=SHOWN,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="At most so many records.",
)
@click.option("--after", help="Go on behind a page; --json says where it ended.")
@json_option
@click.pass_context
def show(ctx: click.Context, *, ref: str, limit: int, after: str | None, as_json: bool) -> None:
    """Show an evaluation dataset, its frozen states and its first records."""
    evaluation = client_of(ctx).evaluation
    found = evaluation.dataset(ref)
    page = evaluation.records(found.id, limit=limit, after=after)
    if as_json:
        # Records may hold what strict JSON may not; it is said as Python and MLflow say it.
        records = [_plain(record) for record in page.records]
        click.echo(json.dumps({"dataset": _named(found), "records": records, "after": page.after}))
        return
    print_pairs(
        [
            ("evaluation dataset", found.name),
            ("id", found.id),
            ("records", f"{found.records or 0:,}"),
            ("digest", found.digest),
            ("made", f"{when_utc(found.created_at)}{_by(found.created_by)}"),
            ("changed", f"{when_utc(found.updated_at)}{_by(found.updated_by)}"),
            ("experiments", ", ".join(found.experiment_ids)),
            *(("tag", f"{key}  {value}") for key, value in found.tags.items()),
            *(
                ("frozen", f"{f.version}  {f.records:,} records  {when(f.at)}")
                for f in evaluation.freezes(found.id)
            ),
        ]
    )
    click.echo()
    print_table(
        ("inputs", "expectations", "outputs", "source"),
        [_record_row(record) for record in page.records],
        empty="No records.",
    )


@command.command("freeze", example="treadle evaluation freeze qa\ntreadle data show qa@latest")
@click.argument("ref")
@click.option("--dataset", default="", help="The dataset's name; by default that of REF.")
@click.option("--message", "-m", default="", help="Why.")
@json_option
@click.pass_context
def freeze(ctx: click.Context, *, ref: str, dataset: str, message: str, as_json: bool) -> None:
    """Commit the records as they are now as a dataset version, which never changes."""
    frozen = client_of(ctx).evaluation.freeze(ref, dataset=dataset, message=message)
    if as_json:
        print_json(frozen)
        return
    click.echo(f"{frozen.version}  {frozen.records:,} records of {frozen.name} at {frozen.digest}")


def _row(found: EvaluationDataset) -> tuple[object, ...]:
    tags = " ".join(f"{key}={value}" for key, value in found.tags.items())
    return (
        found.name,
        f"{found.records or 0:,}",
        len(found.experiment_ids),
        _cut(tags),
        when(found.updated_at),
        found.id,
    )


def _record_row(record: EvaluationRecord) -> tuple[object, ...]:
    source = record.source
    parts = (record.inputs, record.expectations or None, record.outputs or None)
    said = " ".join(filter(None, (source.type, source.id))) if source else ""
    return (*("" if part is None else _cut(json.dumps(part)) for part in parts), said)


def _named(found: EvaluationDataset) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _plain(record: EvaluationRecord) -> dict[str, object]:
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    source = record.source
    values["source"] = {"type": source.type, "data": source.data} if source else None
    return values


def _by(user: str | None) -> str:
    return f" by {user}" if user else ""


def _cut(text: str) -> str:
    return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"
