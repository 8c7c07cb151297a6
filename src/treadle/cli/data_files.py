"""`treadle data commit`, and the commands for versions that are files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from treadle.cli.data_sources import source_of, source_options
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
    yes_option,
)
from treadle.cli.progress import progress_of
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.data.trees.entities import (
        Checked,
        CommitPlan,
        Damage,
        Swept,
        TreeDiff,
        TreeEntry,
    )
    from treadle.data.trees.service import Trees

NAMED_AT_MOST = 20
# They hold rows, but not as a table is read from.
_ROWS_ELSEWHERE = (".xlsx", ".xls", ".ods", ".tsv", ".json", ".csv.bz2", ".csv.xz", ".avro", ".orc")
HOUR_US = 3_600_000_000


@click.command(
    "commit",
    cls=Command,
    example="treadle data commit flights.csv --name flights -m 'May added'\n"
    "treadle data commit 'days/*.csv' --as table --name days\n"
    "treadle data commit images/ --name images\n"
    "treadle data commit https://example.org/flights.csv --name flights\n"
    "treadle data commit --name orders --from sqlite:///shop.db --sql 'select * from orders'",
)
@click.argument("places", metavar="[PATH|URL]…", nargs=-1)
@click.option("--name", required=True, help="The dataset's name.")
@source_options
@click.option("--message", "-m", default="", help="Why.")
@click.option("--branch", default="main", show_default=True, help="The branch it goes on.")
@click.option("--expect", default="", metavar="REF", help="Only if the branch is there (NAME@3).")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["table", "files"]),
    help="table: several files of the same columns are one; files: keep a file of rows as it is.",
)
@dry_run_option
@json_option
@click.pass_context
def commit(
    ctx: click.Context,
    /,
    *,
    places: tuple[str, ...],
    name: str,
    message: str,
    branch: str,
    expect: str,
    kind: str | None,
    dry_run: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Store a table, or files and folders, as the next version of a dataset.

    A file of rows is a table: CSV (also .gz, .zst, .zip), JSON lines (also .gz, .zst), Parquet,
    Arrow. A folder, several paths or any other file are kept as the files they are, each piece of
    them once. What is there already is not stored again. Where the branch has these bytes nothing
    changes; those of an older version are a new one, and which it is the same as is said.

    Rows also come from a database (--from URL --sql QUERY, read-only), from files at an address
    (https, s3, gs, az, sftp and whatever fsspec reaches), from a Python function (--from
    feeds.py:orders). For a password write ${NAME}: the environment is asked.

    Two who commit at once both land, one after the other, unless --expect says what must be there.
    """
    source = source_of(places, **asked)
    if source is not None:
        if dry_run:
            raise click.UsageError("--dry-run is for files of this machine.")
        data = client_of(ctx).data
        keep = data.commit_files if kind == "files" else data.commit
        before = _head(data, name, branch)
        version = keep(name, source, message=message, branch=branch, expect=expect)
        _answer(version, _sentence(version, before), as_json=as_json)
        return
    if not places:
        raise click.UsageError("Nothing to commit: give a path, an address, or --from.")
    paths = _expanded(tuple(Path(place) for place in places))
    is_one = kind is None and len(paths) == 1 and not _files_among(paths[0])
    is_table = is_one or kind == "table"
    # Tables bring much that files do without.
    plan_paths: Callable[[str, Sequence[Path]], CommitPlan]
    commit_paths: Callable[..., DatasetVersion]
    trees: Trees
    if is_table:
        trees = data = client_of(ctx).data
        plan_paths, commit_paths = data.plan_table, data.commit_table
    else:
        trees = app_of(ctx).trees
        plan_paths, commit_paths = trees.plan_commit, trees.commit_files
    if dry_run:
        plan = plan_paths(name, paths)
        held = counted(plan.file_count, "file") if plan.rows is None else counted(plan.rows, "row")
        told = f"{held}  {size(plan.size_bytes)}  new {size(plan.new_bytes)}"
        _answer(plan, f"Would commit {told}", as_json=as_json)
        return
    before = _head(trees, name, branch)
    with progress_of(f"Reading {paths[0].name}") as told_bytes:
        version = commit_paths(
            name, paths, message=message, progress=told_bytes, branch=branch, expect=expect
        )
    _answer(version, _sentence(version, before), as_json=as_json)
    if kind is None and len(paths) == 1 and paths[0].name.lower().endswith(_ROWS_ELSEWHERE):
        click.echo(
            f"Note: {paths[0].name} is kept as a file. To have its rows, too, export them as CSV, "
            "JSON lines, Parquet or Arrow; --as files says that you mean it.",
            err=True,
        )


@click.command(
    "status", cls=Command, example="treadle data status images/\ntreadle data status --json"
)
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@json_option
@click.pass_context
def status(ctx: click.Context, *, path: Path, as_json: bool) -> None:
    """Say how a folder differs from the version committed or checked out there.

    Only files that do not look as they did are read. Exit 1 when something differs.
    """
    # Without the services: they take longer to import than a folder of 20,000 files to look at.
    from treadle.data.trees.status import folder_status
    from treadle.kernel.settings import find_home

    found = folder_status(path, home=find_home(ctx.find_root().obj))
    clean = f"{found.root} is {found.ref}: {counted(found.files, 'file')}, nothing differs"
    tell_diff(found, found.diff, clean, as_json=as_json)
    if not found.diff.is_empty:
        ctx.exit(1)


@click.command(
    "checkout",
    cls=Command,
    example="treadle data checkout images@3 work/\n"
    "treadle data checkout images work/ --only 'cats/*.png'",
)
@click.argument("ref")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--only", default="", metavar="GLOB", help="Only these files: a path, folder or glob."
)
@click.option("--force", is_flag=True, help="Overwrite what was changed there.")
@click.option("--exact", is_flag=True, help="Remove what the version does not have.")
@click.option("--copy", is_flag=True, help="Write files of their own, not read-only links.")
@dry_run_option
@json_option
@click.pass_context
def checkout(ctx: click.Context, /, *, ref: str, path: Path, as_json: bool, **asked: Any) -> None:
    """Write a version's files into a folder.

    Files are read-only hard links into the home where that can be. What is there already stays,
    and what was changed there is not overwritten without --force.
    """
    done = app_of(ctx).trees.checkout(ref, path, **asked)
    verb = "Would write" if asked["dry_run"] else "Wrote"
    told = f"{verb} {counted(len(done.written), 'file')} of {done.ref}, kept {done.kept:,}"
    if done.removed:
        told += f", removed {len(done.removed):,}"
    _answer(done, told, as_json=as_json)


@click.command("files", cls=Command, example="treadle data files images@3 --only cats/")
@click.argument("ref")
@click.option(
    "--only", default="", metavar="GLOB", help="Only these files: a path, folder or glob."
)
@paging_options
@json_option
@click.pass_context
def files(
    ctx: click.Context, *, ref: str, only: str, limit: int, offset: int, as_json: bool
) -> None:
    """List the files of a version."""
    from treadle.data.trees.checkout import chosen

    found = chosen(app_of(ctx).trees.files(ref), only)
    if as_json:
        print_json(cut([_plain(entry) for entry in found], limit=limit, offset=offset))
        return
    print_listing(
        cut(found, limit=limit, offset=offset),
        as_json=False,
        headers=("path", "size", "kind", "digest"),
        row=lambda e: (_printable(e.path), size(e.size_bytes), e.kind, e.target or e.digest[:12]),
        empty="No files.",
    )


@click.command(
    "fsck",
    cls=Command,
    example="treadle data fsck\ntreadle data fsck --repair /backup/objects\n"
    "treadle data fsck --rebuild --dry-run",
)
@click.option(
    "--repair",
    default="",
    metavar="FROM",
    help="A remote, or a copy of the objects: name, folder or URL.",
)
@click.option("--rebuild", is_flag=True, help="First find chunks again that no row knows of.")
@dry_run_option
@json_option
@click.pass_context
def fsck(ctx: click.Context, *, repair: str, rebuild: bool, dry_run: bool, as_json: bool) -> None:
    """Read every object there is; name what is damaged or gone, and who suffers.

    Versions, runs, models and whatever else needs it. --repair takes whole objects and single
    chunks from a copy, from other packs, and from files of folders that were committed. Exit 1
    when damage remains.
    """
    data = client_of(ctx).data
    if dry_run and not rebuild:
        raise click.UsageError("--dry-run is for --rebuild; without --repair nothing is changed.")
    if rebuild:
        again = data.rebuild(dry_run=dry_run)
        chunks, packs = counted(again.chunks, "chunk"), counted(again.packs, "pack")
        told = f"{chunks} of {packs}, which no row knew of"
        lines = [f"damaged, left out  {digest[:12]}…" for digest in again.unreadable]
        told = "\n".join([*lines, f"{'Would find' if dry_run else 'Found'} {told}"])
        if dry_run:
            _answer(again, told, as_json=as_json)
            return
        click.echo(told, err=as_json)
    with progress_of("Checking") as progress:
        found = _with_keys(ctx, data.fsck(repair=repair, progress=progress))
    lines = [
        f"{'repaired' if d.repaired else d.what}  {d.object[:12]}…  {_sufferers(d)}"
        for d in found.damage
    ]
    lines.append(
        f"{counted(found.objects, 'object')}, {size(found.size_bytes)}, "
        f"{len(found.damage):,} damaged"
    )
    _answer(found, "\n".join(lines), as_json=as_json)
    if not found.is_sound:
        ctx.exit(1)


def _with_keys(ctx: click.Context, found: Checked) -> Checked:
    """Add the copies of the keys of encrypted objects that are damaged."""
    from treadle.cli.objects import MENDED_BY, damaged_keys
    from treadle.data.trees.entities import Damage

    damaged = [
        Damage(
            object=digest, what="a copy of the keys is damaged", versions=(), needed_by=(MENDED_BY,)
        )
        for digest in damaged_keys(ctx)
    ]
    return msgspec.structs.replace(found, damage=(*found.damage, *damaged))


def _sufferers(damage: Damage) -> str:
    named = damage.suffering
    more = f" and {len(named) - NAMED_AT_MOST:,} more" if len(named) > NAMED_AT_MOST else ""
    return ", ".join(named[:NAMED_AT_MOST]) + more or "nothing needs it"


@click.command(
    "gc",
    cls=Command,
    example="treadle data gc --dry-run\ntreadle data gc --yes\ntreadle data gc --remote origin",
)
@click.option(
    "--remote", default="", metavar="REMOTE", help="Free a remote's: its name, URL or folder."
)
@click.option(
    "--older-than",
    "hours",
    default=None,
    metavar="HOURS",
    type=click.FloatRange(0),
    help="Spare what was written later than so many hours ago. [default: 1; of a remote 24]",
)
@click.option(
    "--live",
    "live_percent",
    default=50.0,
    show_default=True,
    metavar="PERCENT",
    type=click.FloatRange(0, 100),
    help="Write packs anew of which less than so much is needed; 0 for none.",
)
@dry_run_option
@yes_option
@json_option
@click.pass_context
def gc(
    ctx: click.Context,
    *,
    remote: str,
    hours: float | None,
    live_percent: float,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Free the bytes that nothing needs: no version, run, model, evaluation or cached step.

    What deleted runs and experiments had is needed until `treadle gc` has removed their rows. It
    is safe beside whatever writes; an object that nothing names yet is spared for an hour always.
    With --remote it frees what no version there needs, whoever pushed it; packs go when nothing in
    them is needed.
    """
    if remote:
        from treadle.cli.remote_upkeep import sweep_remote  # only who asks pays

        sweep_remote(ctx, remote, hours=hours, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    data = client_of(ctx).data
    older_than = int((1 if hours is None else hours) * HOUR_US)
    asked: Any = {"older_than": older_than, "live_share": live_percent / 100}
    found = data.gc(dry_run=True, **asked)
    if not found.is_empty and not dry_run:
        if not yes:
            click.confirm(f"Remove {swept(found)} for good?", abort=True, err=True)
        with progress_of("Freeing") as progress:
            found = data.gc(progress=progress, **asked)
    verb = "Would remove" if dry_run else "Removed"
    told = "Everything is needed, or too young."
    if not found.is_empty:
        told = f"{verb} {swept(found)}."
    _answer(found, told, as_json=as_json)


def swept(found: Swept) -> str:
    """Say what a sweep removes, by kind."""
    kinds = (
        (found.packs, "chunk pack", found.pack_bytes),
        (found.objects, "object", found.object_bytes),
        (found.rewritten, "dead part", found.rewritten_bytes),
    )
    told = [f"{counted(len(some), what)} ({size(freed)})" for some, what, freed in kinds if some]
    return ", ".join(told) or "nothing"


FILE_COMMANDS = (commit, status, checkout, files, fsck, gc)


def _expanded(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the paths that are meant, also by a pattern that the shell has left as it is."""
    found: list[Path] = []
    for path in paths:
        is_pattern = not path.exists() and any(sign in str(path) for sign in "*?[")
        pattern = str(path.relative_to(path.anchor)) if path.anchor else str(path)
        matches = sorted(Path(path.anchor).glob(pattern)) if is_pattern else []
        found += matches or [path]
    return tuple(found)


def _files_among(path: Path) -> bool:
    from treadle.data.tables.sources import files_among

    return bool(files_among(path))


def _head(trees: Trees, name: str, branch: str) -> str:
    """Return what a branch is before a commit, nothing where it is not there."""
    from treadle.kernel.errors import NotFound

    try:
        return trees.version(f"{name}@{branch}").ref
    except NotFound:
        return ""


def _sentence(version: DatasetVersion, before: str) -> str:
    if version.ref == before:
        return f"{version.ref}  nothing changed  {version.digest}"
    stored = f"  stored {size(version.stored_bytes)}" if version.stored_bytes is not None else ""
    same = f"  the same as {version.dataset}@{version.same_as}" if version.same_as else ""
    told = f"{version.ref}  {amount(version)}  {size(version.size_bytes)}"
    return f"{told}{stored}  {version.digest}{same}"


def _answer(value: Any, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        click.echo(sentence)


def tell_diff(value: Any, diff: TreeDiff, clean: str, *, as_json: bool) -> None:
    """Say which files differ; `clean` when none does."""
    if as_json:
        print_json(value)
        return
    lines = [f"renamed  {_printable(r.before)} → {_printable(r.after)}" for r in diff.renamed]
    for word in ("added", "changed", "removed"):
        lines += [f"{word:<8} {_printable(path)}" for path in getattr(diff, word)]
    for line in lines[:NAMED_AT_MOST]:
        click.echo(line)
    if len(lines) > NAMED_AT_MOST:
        click.echo(f"… and {len(lines) - NAMED_AT_MOST:,} more; all of them with --json")
    if not lines:
        click.echo(clean)


def _plain(entry: TreeEntry) -> dict[str, Any]:
    """Return an entry as JSON shows it: the digest in place of all chunks."""
    return {
        "path": entry.path,
        "kind": entry.kind,
        "size_bytes": entry.size_bytes,
        "digest": entry.digest,
        "target": entry.target,
    }


def _printable(path: str) -> str:
    """Return a path as one line: names may hold anything."""
    return path if path.isprintable() else repr(path)
