"""`treadle data remote`, `push`, `pull`, `clone`: versions shared with other homes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from treadle.cli.group import Command, Listing
from treadle.cli.home import app_of
from treadle.cli.output import (
    cut,
    dry_run_option,
    json_option,
    paging_options,
    print_json,
    print_listing,
    size,
    when,
)
from treadle.cli.progress import progress_of
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treadle.data.remotes.entities import Moved

NAMED_AT_MOST = 5


@click.group(
    "remote",
    cls=Listing,
    example="treadle data remote\ntreadle data remote add origin s3://team-data/treadle",
)
@paging_options
@json_option
@click.pass_context
def remote(ctx: click.Context, *, limit: int, offset: int, as_json: bool) -> None:
    """List the places that versions are shared through; name one, forget one."""
    if ctx.invoked_subcommand:
        return
    print_listing(
        cut(app_of(ctx).remotes.remotes(), limit=limit, offset=offset),
        as_json=as_json,
        headers=("remote", "url", "named (UTC)"),
        row=lambda r: (r.name, r.url, when(r.created_at)),
        empty="No remotes yet. Name one: treadle data remote add origin URL",
    )


@remote.command(
    "add",
    cls=Command,
    example="treadle data remote add origin s3://team-data/treadle\n"
    "treadle data remote add nas /mnt/nas/treadle --encrypted",
)
@click.argument("name")
@click.argument("url")
@click.option("--encrypted", is_flag=True, help="Encrypt all there under this home's key.")
@click.option("--plain", is_flag=True, help="It may hold plain what this home encrypts.")
@json_option
@click.pass_context
def add(
    ctx: click.Context, *, name: str, url: str, encrypted: bool, plain: bool, as_json: bool
) -> None:
    """Name a place: a folder, s3://, gs://, az://, or https:// to pull from alone.

    Credentials are not stored; each service's own variables are read when it is used.
    """
    made = app_of(ctx).remotes.add_remote(name, url, encrypted=encrypted, plain=plain)
    kind = " (encrypted)" if encrypted else " (plain)" if made.is_plain else ""
    _answer(made, f"{made.name} is {made.url}{kind}", as_json=as_json)


@remote.command("remove", cls=Command, example="treadle data remote remove nas")
@click.argument("name")
@json_option
@click.pass_context
def remove(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Forget a remote's name. What lies there stays."""
    gone = app_of(ctx).remotes.remove_remote(name)
    _answer(gone, f"Forgot {gone.name}; what lies in {gone.url} stays", as_json=as_json)


@remote.command(
    "rotate-key",
    cls=Command,
    example="treadle data remote rotate-key origin --to next.key\n"
    "treadle data remote rotate-key origin --from last.key",
)
@click.argument("name")
@click.option("--to", "new", default="", metavar="FILE", help="The next key; else the home's.")
@click.option("--from", "old", default="", metavar="FILE", help="The key now; else the home's.")
@dry_run_option
@json_option
@click.pass_context
def rotate_key(
    ctx: click.Context, *, name: str, new: str, old: str, dry_run: bool, as_json: bool
) -> None:
    """Exchange the master key of an encrypted remote; no byte of data there is written anew.

    Its data keys are wrapped with another one. Who has the old one alone is told what to do. If it
    is killed, run it again.
    """
    from treadle.cli.objects import wrapped

    if not (new or old):
        raise click.UsageError("Say --to FILE, the next key, or --from FILE, the one it has now.")
    upkeep = app_of(ctx).remote_upkeep
    done = upkeep.rotate_remote_key(remote=name, old=old, new=new, dry_run=dry_run)
    _answer(done, wrapped(done, dry_run=dry_run), as_json=as_json)


@click.command(
    "push",
    cls=Command,
    example="treadle data push flights\ntreadle data push flights@3 --to nas --dry-run",
)
@click.argument("ref", required=False)
@click.option("--to", default="", metavar="REMOTE", help="A remote's name, URL or folder.")
@click.option("--all", "every", is_flag=True, help="Every dataset.")
@click.option("--force", is_flag=True, help="Put yours after what others have pushed since.")
@dry_run_option
@json_option
@click.pass_context
def push(
    ctx: click.Context,
    *,
    ref: str | None,
    to: str,
    every: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send a dataset, or one version of it, to a remote; only what it does not have travels.

    What was sent before a push broke off is not sent again.
    """
    data = app_of(ctx).remotes
    names = _names(ref, every=every, of_all=data.dataset_names)
    with progress_of("Sending") as told:
        done = [data.push(n, to=to, force=force, dry_run=dry_run, progress=told) for n in names]
    _tell(done, "Would send" if dry_run else "Sent", nothing="has it all", as_json=as_json)


@click.command(
    "pull",
    cls=Command,
    example="treadle data pull flights\ntreadle data pull flights@3 --from /mnt/nas/treadle",
)
@click.argument("ref", required=False)
@click.option(
    "--from", "source", default="", metavar="REMOTE", help="A remote's name, URL or folder."
)
@click.option("--all", "every", is_flag=True, help="Every dataset that the remote has.")
@dry_run_option
@json_option
@click.pass_context
def pull(
    ctx: click.Context, *, ref: str | None, source: str, every: bool, dry_run: bool, as_json: bool
) -> None:
    """Fetch a dataset, or one version of it, from a remote; each byte is checked.

    What came before a pull broke off is not fetched again.
    """
    data = app_of(ctx).remotes
    names = _names(ref, every=every, of_all=lambda: data.remote_datasets(source))
    with progress_of("Fetching") as told:
        done = [data.pull(n, source=source, dry_run=dry_run, progress=told) for n in names]
    verb = "Would fetch" if dry_run else "Fetched"
    _tell(done, verb, nothing="has nothing that is not here", as_json=as_json)


@click.command(
    "clone",
    cls=Command,
    example="treadle data clone s3://team-data/treadle\ntreadle data clone /mnt/nas/data --as nas",
)
@click.argument("url")
@click.option("--as", "name", default="origin", show_default=True, help="The remote's name.")
@json_option
@click.pass_context
def clone(ctx: click.Context, *, url: str, name: str, as_json: bool) -> None:
    """Name a remote and fetch every dataset that it has."""
    from treadle.data.remotes.depot import as_url

    data = app_of(ctx).remotes
    names = data.remote_datasets(as_url(url))
    data.add_remote(name, url)
    with progress_of("Fetching") as told:
        done = [data.pull(each, source=name, progress=told) for each in names]
    _tell(done, "Fetched", nothing="has nothing that is not here", as_json=as_json)


REMOTE_COMMANDS = (remote, push, pull, clone)


def _names(ref: str | None, *, every: bool, of_all: Callable[[], Sequence[str]]) -> Sequence[str]:
    if ref and every:
        raise click.UsageError(f"{ref} and --all exclude each other: name one dataset, or none.")
    if not (ref or every):
        raise click.UsageError("Name a dataset, or say --all.")
    return [ref] if ref else of_all()


def _tell(done: Sequence[Moved], verb: str, *, nothing: str, as_json: bool) -> None:
    for note in (note for each in done for note in each.notes):
        click.echo(f"Note: {note}.", err=True)
    if as_json:
        print_json(done)
        return
    for each in done:
        if each.is_empty and each.notes:
            click.echo(f"{each.dataset}: nothing moved  {each.remote}")
        elif each.is_empty:
            click.echo(f"{each.dataset}: {each.remote} {nothing}")
        else:
            click.echo(_sentence(each, verb))
    if not done:
        click.echo("There are no datasets.")


def _sentence(done: Moved, verb: str) -> str:
    named = ", ".join(done.versions[:NAMED_AT_MOST])
    if len(done.versions) > NAMED_AT_MOST:
        named += f" and {len(done.versions) - NAMED_AT_MOST:,} more"
    if not done.versions:
        return f"Moved {', '.join(done.pointers)} of {done.dataset}  {done.remote}"
    parts = [counted(done.chunks, "chunk")] if done.chunks else []
    parts += [counted(done.objects, "object")] if done.objects else []
    return f"{verb} {named}: {', '.join([*parts, size(done.size_bytes)])}  {done.remote}"


def _answer(value: Any, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        click.echo(sentence)
