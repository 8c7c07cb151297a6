"""What is taken out of a remote: `treadle data rm --remote` and `treadle data gc --remote`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from treadle.cli.home import app_of
from treadle.cli.output import print_json, size
from treadle.cli.progress import progress_of
from treadle.kernel.clock import HOUR_US
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.remotes.entities import Removed, SweptRemote

HOURS = 24.0
NAMED_AT_MOST = 10
DIGITS = 12


def remove_there(
    ctx: click.Context,
    ref: str,
    remote: str,
    *,
    live: float,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take versions out of a remote, after showing which."""
    data = app_of(ctx).remote_upkeep
    found = data.remove_from_remote(ref, remote=remote, live_share=live, dry_run=True)
    if not (dry_run or as_json):
        click.echo(_listed(found), err=True)
    if dry_run:
        _answer(found, _listed(found), as_json=as_json)
        return
    if not yes:
        click.confirm(f"Remove {_named(found)} from {found.remote}?", abort=True, err=True)
    found = data.remove_from_remote(ref, remote=remote, live_share=live)
    told = f"Removed {_named(found)} from {found.remote}. To free the bytes: treadle data gc "
    _answer(found, f"{told}--remote {remote}", as_json=as_json)


def sweep_remote(
    ctx: click.Context,
    remote: str,
    *,
    hours: float | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Free what no version in a remote needs, after saying how much."""
    data = app_of(ctx).remote_upkeep
    older_than = int((HOURS if hours is None else hours) * HOUR_US)
    asked: Any = {"remote": remote, "older_than": older_than}
    found = data.gc_remote(dry_run=True, **asked)
    if not (found.is_empty or dry_run):
        if not yes:
            question = f"Remove {_freed(found)} from {found.remote} for good?"
            click.confirm(question, abort=True, err=True)
        with progress_of("Freeing") as progress:
            found = data.gc_remote(progress=progress, **asked)
    spared = f" Spared as too young or being pushed: {size(found.spared_bytes)}."
    told = f"{'Would remove' if dry_run else 'Removed'} {_freed(found)} from {found.remote}."
    if found.is_empty:
        told = f"All that lies in {found.remote} is needed, or too young."
    _answer(found, told + (spared if found.spared_bytes else ""), as_json=as_json)


def _freed(found: SweptRemote) -> str:
    kinds = (
        (len(found.packs), "chunk pack", found.pack_bytes),
        (len(found.objects), "object", found.object_bytes),
        (found.others, "description", found.other_bytes),
    )
    told = [f"{counted(count, what)} ({size(freed)})" for count, what, freed in kinds if count]
    return ", ".join(told) or "nothing"


def _listed(found: Removed) -> str:
    lines = [
        f"{found.dataset}@{held.number}  {held.digest[:DIGITS]}  in {found.remote}"
        for held in found.versions[:NAMED_AT_MOST]
    ]
    if len(found.versions) > NAMED_AT_MOST:
        lines.append(f"and {len(found.versions) - NAMED_AT_MOST:,} more")
    lines += [
        f"{found.dataset}@{name} there goes {f'back to {ref}' if ref else 'away'}"
        for name, ref in found.pointers.items()
    ]
    lines.append(f"gc would then free {size(found.freed_bytes)}.")
    if found.shared_bytes:
        lines.append(f"{size(found.shared_bytes)} of it lie in packs that others need, and stay.")
    return "\n".join(lines)


def _named(found: Removed) -> str:
    if len(found.versions) == 1:
        return f"{found.dataset}@{found.versions[0].number}"
    return f"{found.dataset} with its {counted(len(found.versions), 'version')}"


def _answer(found: Removed | SweptRemote, told: str, *, as_json: bool) -> None:
    _tell(found.notes)
    if as_json:
        print_json(found)
    else:
        click.echo(told)


def _tell(notes: Sequence[str]) -> None:
    for note in notes:
        click.echo(f"Note: {note}.", err=True)
