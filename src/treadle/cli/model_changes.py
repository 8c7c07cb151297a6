"""`treadle models alias | tag | describe | rename | delete`: what may change of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import dry_run_option, json_option, print_json, yes_option
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from treadle.registry.entities import Model, ModelVersion
    from treadle.registry.service import Registry


@click.command(
    "alias",
    cls=Command,
    example="treadle models alias late@3 candidate\ntreadle models alias late candidate --remove",
)
@click.argument("ref")
@click.argument("alias")
@click.option("--remove", is_flag=True, help="Take the alias away.")
@dry_run_option
@click.pass_context
def alias_command(ctx: click.Context, *, ref: str, alias: str, remove: bool, dry_run: bool) -> None:
    """Point an ALIAS to a version (late@3), or take it away.

    It moves no traffic: what an endpoint answers with is changed by a release.
    """
    registry = client_of(ctx).registry
    version = registry.version(ref)
    was = registry.aliases(version.model).get(alias)
    before = f", was {version.model}@{was}" if was else ""
    if remove:
        if not dry_run:
            registry.remove_alias(version.model, alias)
        _say(f"{version.model} has no {alias}{before}", dry_run=dry_run)
        return
    if not dry_run:
        registry.set_alias(version.model, alias, version.number)
    _say(f"{alias} is {version.ref}{before}", dry_run=dry_run)


@click.command(
    "tag",
    cls=Command,
    example="treadle models tag late team=ops\ntreadle models tag late@3 checked=yes --remove old",
)
@click.argument("ref")
@click.argument("tags", nargs=-1, metavar="KEY=VALUE...")
@click.option("--remove", multiple=True, metavar="KEY", help="Take this tag off.")
@json_option
@click.pass_context
def tag_command(
    ctx: click.Context, *, ref: str, tags: tuple[str, ...], remove: tuple[str, ...], as_json: bool
) -> None:
    """Tag a model (late) or a version (late@3)."""
    registry = client_of(ctx).registry
    written = dict(_pair(tag) for tag in tags)
    if "@" in ref:
        version = registry.version(ref)
        registry.tag_version(version.model, version.number, written)
        for key in remove:
            registry.untag_version(version.model, version.number, key)
    else:
        registry.tag_model(ref, written)
        for key in remove:
            registry.untag_model(ref, key)
    found = _thing(registry, ref)
    if as_json:
        print_json(found)
    else:
        click.echo(", ".join(f"{key} = {value}" for key, value in found.tags.items()) or "no tags")


@click.command(
    "describe", cls=Command, example='treadle models describe late@3 "fitted on 2013 alone"'
)
@click.argument("ref")
@click.argument("text")
@click.pass_context
def describe_command(ctx: click.Context, *, ref: str, text: str) -> None:
    """Write the description of a model (late) or a version (late@3)."""
    registry = client_of(ctx).registry
    if "@" in ref:
        version = registry.version(ref)
        registry.describe_version(version.model, version.number, text)
    else:
        registry.describe_model(ref, text)
    click.echo(f"{ref} is described")


@click.command("rename", cls=Command, example="treadle models rename late delays --dry-run")
@click.argument("name")
@click.argument("new_name")
@yes_option
@dry_run_option
@click.pass_context
def rename_command(
    ctx: click.Context, *, name: str, new_name: str, yes: bool, dry_run: bool
) -> None:
    """Give a model another name; its versions are signed again under it.

    Refused while an endpoint answers with it. What names it elsewhere (a policy, code) does not
    follow.
    """
    registry = client_of(ctx).registry
    model = registry.model(name)
    what = f"{name} to {new_name}, {_versions(model)} signed again"
    if dry_run:
        click.echo(f"would rename {what}")
        return
    if not yes:
        click.confirm(f"Rename {what}?", abort=True, err=True)
    registry.rename_model(name, new_name)
    click.echo(f"{name} is {new_name}")


@click.command(
    "delete",
    cls=Command,
    example="treadle models delete late@3 --dry-run\ntreadle models delete late --yes",
)
@click.argument("ref")
@yes_option
@dry_run_option
@click.pass_context
def delete_command(ctx: click.Context, *, ref: str, yes: bool, dry_run: bool) -> None:
    """Delete a version (late@3), or a model with all of its versions (late).

    Refused while an endpoint answers with it. The log keeps what it was.
    """
    registry = client_of(ctx).registry
    version = registry.version(ref) if "@" in ref else None
    model = registry.model(version.model if version else ref)
    what = _what(model, version)
    if dry_run:
        click.echo(f"would delete {what}")
        return
    if not yes:
        click.confirm(f"Delete {what}?", abort=True, err=True)
    if version is None:
        registry.delete_model(model.name)
    else:
        registry.delete_version(model.name, version.number)
    click.echo(f"deleted {what}")


def _thing(registry: Registry, ref: str) -> Model | ModelVersion:
    return registry.version(ref) if "@" in ref else registry.model(ref)


def _what(model: Model, version: ModelVersion | None) -> str:
    if version is None:
        return f"{model.name} with {_versions(model)}"
    aliases = [alias for alias, number in model.aliases.items() if number == version.number]
    named = f" and its alias {', '.join(aliases)}" if aliases else ""
    return f"{version.ref}{named}"


def _versions(model: Model) -> str:
    return f"{model.versions} version{'' if model.versions == 1 else 's'}"


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidInput(f"{text!r} is no tag.", hint="Write KEY=VALUE, such as team=ops.")
    return key, value


def _say(text: str, *, dry_run: bool) -> None:
    click.echo(f"would be: {text}" if dry_run else text)
