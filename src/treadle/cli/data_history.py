"""`treadle data log`, `branch`, `tag`, `revert`, `rm` and `restore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle.cli.graphs import draw
from treadle.cli.group import Command
from treadle.cli.home import app_of, client_of
from treadle.cli.output import (
    amount,
    cut,
    dry_run_option,
    json_option,
    paging_options,
    print_json,
    print_listing,
    size,
    when,
    when_utc,
    yes_option,
)
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from treadle.data.branches.entities import Need, Pointer
    from treadle.data.history.entities import LogEntry, Removal

NAMED_AT_MOST = 10
DIGITS_OF_COMMIT = 12


@click.command(
    "log", cls=Command, example="treadle data log flights\ntreadle data log flights@exp --limit 5"
)
@click.argument("ref")
@click.option("--all", "every", is_flag=True, help="Every version of the dataset, on any branch.")
@paging_options
@json_option
@click.pass_context
def log(
    ctx: click.Context, *, ref: str, every: bool, limit: int, offset: int, as_json: bool
) -> None:
    """Tell how a version came to be: all it descends from, newest first.

    NAME alone is the head of main. Branches and tags stand at the versions they point at; removed
    versions are marked with x as long as they can be restored.
    """
    data = app_of(ctx).descent
    page = data.log(ref, every=every, limit=limit, offset=offset)
    if as_json:
        print_json(page)
        return
    # Lines lead on to versions of other pages: they are drawn from the first one on.
    before = data.log(ref, every=every, limit=offset).items if offset else ()
    rows = draw([(e.version.number, e.version.parents) for e in (*before, *page.items)])
    for entry, (above, mark) in list(zip((*before, *page.items), rows, strict=True))[offset:]:
        for line in above:
            click.echo(line)
        _print_entry(entry, mark)
    if page.next_offset is not None:
        shown = len(page.items)
        click.echo(f"{shown} of {page.total}; go on with --offset {page.next_offset}", err=True)


@click.command(
    "branch",
    cls=Command,
    example="treadle data branch flights\n"
    "treadle data branch flights exp --from flights@2\n"
    "treadle data branch flights exp --delete",
)
@click.argument("name")
@click.argument("branch", required=False)
@click.option(
    "--from", "at", default="", metavar="REF", help="Where it begins; else where main is."
)
@click.option("--force", is_flag=True, help="Move a branch that is there already.")
@click.option("--delete", is_flag=True, help="Take the branch away; its versions stay.")
@paging_options
@json_option
@click.pass_context
def branch_command(
    ctx: click.Context,
    *,
    name: str,
    branch: str | None,
    at: str,
    force: bool,
    delete: bool,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List the branches of a dataset, or make, move or delete one.

    A branch is a name for a version that moves when something is committed on it. `flights` alone
    means branch main.
    """
    data = app_of(ctx).descent
    if branch is None:
        if at or force or delete:
            raise click.UsageError("Name the branch: treadle data branch NAME BRANCH.")
        _print_pointers(data.pointers(name), "branch", limit=limit, offset=offset, as_json=as_json)
        return
    if delete:
        found = data.delete_branch(name, branch)
        back = f"treadle data branch {name} {branch} --from {found.version}"
        _answer(found, f"Deleted branch {found.ref}. Back again: {back}", as_json=as_json)
        return
    found = data.branch(name, branch, at=at, force=force)
    _answer(found, f"{found.ref} is {found.version}", as_json=as_json)


@click.command(
    "tag",
    cls=Command,
    example="treadle data tag flights@3 v1\n"
    "treadle data tag flights\n"
    "treadle data tag flights v1 --delete",
)
@click.argument("ref")
@click.argument("tag", required=False)
@click.option("--force", is_flag=True, help="Take it from the version that has it.")
@click.option("--delete", is_flag=True, help="Take the tag away; the version stays.")
@paging_options
@json_option
@click.pass_context
def tag_command(
    ctx: click.Context,
    *,
    ref: str,
    tag: str | None,
    force: bool,
    delete: bool,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List the tags of a dataset, or give a version a name that stays: flights@v1."""
    data, name = app_of(ctx).descent, ref.partition("@")[0]
    if tag is None:
        if force or delete:
            raise click.UsageError("Name the tag: treadle data tag NAME@N TAG.")
        _print_pointers(data.pointers(name), "tag", limit=limit, offset=offset, as_json=as_json)
        return
    if delete:
        found = data.delete_tag(name, tag)
        back = f"treadle data tag {found.version} {tag}"
        _answer(found, f"Deleted tag {found.ref}. Back again: {back}", as_json=as_json)
        return
    found = data.tag(ref, tag, force=force)
    _answer(found, f"{found.ref} is {found.version}", as_json=as_json)


@click.command(
    "revert",
    cls=Command,
    example="treadle data revert flights@1 --dry-run\n"
    "treadle data revert flights@1 -m 'May was wrong'",
)
@click.argument("ref")
@click.option("--branch", default="main", show_default=True, help="The branch it goes on.")
@click.option("--message", "-m", default="", help="Why.")
@click.option("--expect", default="", metavar="REF", help="Only if the branch is there (NAME@3).")
@dry_run_option
@json_option
@click.pass_context
def revert(
    ctx: click.Context,
    *,
    ref: str,
    branch: str,
    message: str,
    expect: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the content of an older version (flights@1) the newest again.

    It becomes a new version on the head of the branch; nothing is stored for it, and what came
    between stays in the log.
    """
    found = client_of(ctx).data.revert(
        ref, branch=branch, message=message, expect=expect, dry_run=dry_run
    )
    if found.kind == "nothing":
        told = f"{found.into} is {found.was}, which has the content of {found.ref} already."
    elif dry_run:
        told = f"Would commit the content of {found.ref} again, on {found.was} ({found.into})."
    else:
        told = f"{found.version} on {found.into} is the same as {found.ref}; it was {found.was}."
    _answer(found, told, as_json=as_json)


@click.command(
    "rm",
    cls=Command,
    example="treadle data rm flights@2 --dry-run\n"
    "treadle data rm flights@2 --yes\n"
    "treadle data restore flights@2\n"
    "treadle data rm flights@2 --remote origin",
)
@click.argument("ref")
@click.option(
    "--remote", default="", metavar="REMOTE", help="Take it out of a remote, not from here."
)
@click.option(
    "--live",
    "live_percent",
    default=50.0,
    show_default=True,
    metavar="PERCENT",
    type=click.FloatRange(0, 100),
    help="In a remote: write packs with some of it anew if less than so much stays; 100: all.",
)
@click.option(
    "--force", is_flag=True, help="Although runs, models or evaluations were made from it."
)
@dry_run_option
@yes_option
@json_option
@click.pass_context
def rm(
    ctx: click.Context,
    *,
    ref: str,
    remote: str,
    live_percent: float,
    force: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove a version (flights@2), or a dataset with all its versions (flights).

    Who reads it is told from then on who removed it and when. Restore brings it back within
    a week; then `treadle data gc` takes it. What a branch, a tag, a contract or an
    endpoint needs is not removed.

    With --remote it is taken out of there: by its number there or its digest. Branches there go
    back to what it was made on, tags at it go; `treadle data gc --remote` frees its bytes.
    """
    if remote:
        from treadle.cli.remote_upkeep import remove_there  # only who asks pays

        live = live_percent / 100
        remove_there(ctx, ref, remote, live=live, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    data = client_of(ctx).data
    if dry_run or not yes:
        would = data.remove(ref, force=force, dry_run=True)
        if dry_run:
            _answer(would, _would_remove(would), as_json=as_json)
            return
        if all(force and need.is_record for need in would.needed_by):
            click.confirm(f"Remove {_named(would)}?", abort=True, err=True)
    found = data.remove(ref, force=force)
    told = f"Removed {_named(found)}. Back again: treadle data restore {ref}"
    _answer(found, told, as_json=as_json)


@click.command(
    "restore",
    cls=Command,
    example="treadle data restore flights@2\ntreadle data restore flights",
)
@click.argument("ref")
@json_option
@click.pass_context
def restore(ctx: click.Context, *, ref: str, as_json: bool) -> None:
    """Bring a removed version back (flights@2), or all removed ones of a dataset (flights)."""
    found = client_of(ctx).data.restore(ref)
    names = ", ".join(version.ref for version in found[:NAMED_AT_MOST])
    more = f" and {len(found) - NAMED_AT_MOST} more" if len(found) > NAMED_AT_MOST else ""
    told = f"Restored {names}{more}." if found else f"{ref} is not removed."
    _answer(found, told, as_json=as_json)


HISTORY_COMMANDS = (log, branch_command, tag_command, revert, rm, restore)


def _print_entry(entry: LogEntry, mark: str) -> None:
    version = entry.version
    named = [*entry.branches, *(f"tag {tag}" for tag in entry.tags)]
    if version.removed_at is not None:
        mark = mark.replace("*", "x")
        named.append(f"removed {when_utc(version.removed_at)} by {version.removed_by}")
    stored = "" if version.stored_bytes is None else f", stored {size(version.stored_bytes)}"
    told = [
        click.style(version.ref, bold=True),
        f"({', '.join(named)})" if named else "",
        f"merges {', '.join(map(str, version.parents))}" if len(version.parents) > 1 else "",
        when(version.created_at),
        version.actor,
        f"{amount(version)}, {size(version.size_bytes)}{stored}",
        f"the same as {version.same_as}" if version.same_as else "",
        f"code {version.code_commit[:DIGITS_OF_COMMIT]}" if version.code_commit else "",
        version.message,
    ]
    click.echo(f"{mark}  {'  '.join(text for text in told if text)}")


def _print_pointers(
    found: tuple[Pointer, ...], kind: str, *, limit: int, offset: int, as_json: bool
) -> None:
    mine = tuple(pointer for pointer in found if pointer.kind == kind)
    print_listing(
        cut(mine, limit=limit, offset=offset),
        as_json=as_json,
        headers=(kind, "version", "since (UTC)", "by"),
        row=lambda p: (p.name, p.version, when(p.moved_at), p.actor),
        empty="No tags yet. Give one: treadle data tag NAME@N v1",
    )


def _named(found: Removal) -> str:
    if len(found.refs) == 1:
        return found.refs[0]
    name = found.refs[0].partition("@")[0]
    return f"{name} with its {counted(len(found.refs), 'version')}"


def _would_remove(found: Removal) -> str:
    lines = [
        f"Would remove {_named(found)}; gc would then free {size(found.freed_bytes)}.",
        *(f"needed   {need.ref} by {need.by}{_passable(need)}" for need in found.needed_by),
    ]
    return "\n".join(lines)


def _passable(need: Need) -> str:
    return " (a record: --force)" if need.is_record else ""


def _answer(value: object, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        click.echo(sentence)
