"""`treadle models`: list models and their versions, show or change one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle.cli.group import Listing
from treadle.cli.home import client_of
from treadle.cli.model_changes import (
    alias_command,
    delete_command,
    describe_command,
    rename_command,
    tag_command,
)
from treadle.cli.output import (
    cut,
    json_option,
    paging_options,
    print_json,
    print_listing,
    print_pairs,
    size,
    when,
    when_utc,
)

if TYPE_CHECKING:
    from treadle.registry.entities import ModelVersion


@click.group(
    "models",
    cls=Listing,
    example="treadle models\ntreadle models versions late\ntreadle models show late@champion",
)
@paging_options
@json_option
@click.pass_context
def command(ctx: click.Context, *, limit: int, offset: int, as_json: bool) -> None:
    """List models with their aliases; list versions; show, tag, rename or delete one.

    A version is written NAME (the newest), NAME@3 or NAME@champion.
    """
    if ctx.invoked_subcommand:
        return
    print_listing(
        cut(client_of(ctx).registry.models(), limit=limit, offset=offset),
        as_json=as_json,
        headers=("model", "versions", "aliases", "updated (UTC)"),
        row=lambda m: (m.name, m.versions, _aliases(m.aliases), when(m.updated_at)),
        empty="No models yet. Train one: treadle run, or treadle demo flights.",
    )


@command.command("versions", example="treadle models versions late")
@click.argument("name")
@paging_options
@json_option
@click.pass_context
def versions(ctx: click.Context, *, name: str, limit: int, offset: int, as_json: bool) -> None:
    """List the versions of a model, newest first."""
    registry = client_of(ctx).registry
    found, aliases = registry.versions(name), registry.aliases(name)

    def row(version: ModelVersion) -> tuple[object, ...]:
        own = ", ".join(a for a, number in aliases.items() if number == version.number)
        run = (version.run_id or "")[:12]
        return version.ref, own, version.flavor, when(version.created_at), run, version.digest[:12]

    print_listing(
        cut(found, limit=limit, offset=offset),
        as_json=as_json,
        headers=("version", "alias", "flavor", "created (UTC)", "run", "digest"),
        row=row,
        empty="No more versions.",
    )


@command.command("show", example="treadle models show late@champion")
@click.argument("ref")
@json_option
@click.pass_context
def show(ctx: click.Context, *, ref: str, as_json: bool) -> None:
    """Show a version, its signature checked: inputs, files with their digests, gates."""
    client = client_of(ctx)
    version = client.registry.verify(ref)
    reports = client.governance.gate_reports(version.run_id) if version.run_id else ()
    if as_json:
        print_json({"version": version, "gates": reports})
        return
    print_pairs(
        [
            ("version", version.ref),
            ("description", version.description),
            ("flavor", version.flavor),
            ("created", f"{when_utc(version.created_at)} by {version.actor}"),
            ("run", version.run_id),
            ("source", version.source or None),
            ("stage", None if version.stage == "none" else version.stage),
            *((f"tag {key}", value) for key, value in version.tags.items()),
            ("signed by", f"{version.key_id} (checked)"),
            ("digest", version.digest),
            *(("file", f"{f.path}  {size(f.size_bytes)}  {f.digest}") for f in version.files),
            *(("input", f"{f.name}  {f.type}") for f in version.signature.inputs),
            ("output", version.signature.output),
            *(
                (f"gate {r.gate}", f"{'pass' if r.passed else 'FAIL'}: {r.message}")
                for report in reports[:1]
                for r in report.results
            ),
        ]
    )


for change in (alias_command, tag_command, describe_command, rename_command, delete_command):
    command.add_command(change)


def _aliases(aliases: dict[str, int]) -> str:
    return ", ".join(f"{alias} = {number}" for alias, number in aliases.items())
