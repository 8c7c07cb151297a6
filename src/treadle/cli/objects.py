"""`treadle objects`: what is stored, whether it is encrypted, and the keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from treadle.cli.group import Listing
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
from treadle.kernel.errors import InvalidInput, NotFound, counted

if TYPE_CHECKING:
    from treadle.kernel.settings import Settings
    from treadle.storage.encryption.objects import EncryptedObjectStore
    from treadle.storage.encryption.rotation import Rotation
    from treadle.storage.owners import Owners


COPIES = (
    "It was moved; or these are copies, which cannot be told apart, and what one alone needs the "
    "other sweeps away: then give each its own place (TREADLE_OBJECTS_URL)."
)
MENDED_BY = "Write them anew: treadle objects keys add"


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """How much is stored, and how much of it could be read by anybody who gets at it."""

    url: str
    objects: int
    size_bytes: int
    plain_objects: int
    plain_bytes: int
    master: str


@click.group("objects", cls=Listing, example="treadle objects\ntreadle objects keys")
@json_option
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Count what is stored, and say whether it is encrypted; exchange the keys."""
    if ctx.invoked_subcommand:
        return
    settings = _settings(ctx)
    found = _count(settings)
    if as_json:
        print_json(found)
        return
    click.echo(f"{counted(found.objects, 'object')}, {size(found.size_bytes)}, in {found.url}")
    if not found.master:
        click.echo("Not encrypted: setting `objects_key` is empty.")
        return
    plain = f"{found.plain_objects:,} from before are not: treadle objects encrypt"
    click.echo(f"Encrypted under master key {found.master}.")
    if found.plain_objects:
        click.echo(plain)


@command.command("encrypt", example="treadle objects encrypt --dry-run\ntreadle objects encrypt")
@dry_run_option
@json_option
@click.pass_context
def encrypt(ctx: click.Context, *, dry_run: bool, as_json: bool) -> None:
    """Encrypt what was stored before the key was set; each object is whole at any moment.

    What the disk or the bucket keeps of removed bytes (snapshots, versions) stays plain.
    """
    store = _encrypted(_settings(ctx))
    if not dry_run:
        _owners(ctx).mark()
    count, done = 0, 0
    with progress_of("Encrypting") as progress:
        for info in store.plain.iterate() if dry_run else store.encrypt_what_is_plain():
            count, done = count + 1, done + info.size_bytes
            progress(info.size_bytes)
    if as_json:
        print_json({"objects": count, "size_bytes": done})
    else:
        verb = "Would encrypt" if dry_run else "Encrypted"
        click.echo(f"{verb} {counted(count, 'object')}, {size(done)}.")


@command.group("keys", cls=Listing, example="treadle objects keys\ntreadle objects keys new FILE")
@paging_options
@json_option
@click.pass_context
def keys(ctx: click.Context, *, limit: int, offset: int, as_json: bool) -> None:
    """List the data keys that encrypt objects; make, add or rotate keys."""
    if ctx.invoked_subcommand:
        return
    ring = _encrypted(_settings(ctx)).keys
    print_listing(
        cut(ring.listed(), limit=limit, offset=offset),
        as_json=as_json,
        headers=("data key", "made (UTC)", "for new objects"),
        row=lambda key: (key.id, when(key.made_at), "yes" if key.is_current else ""),
        empty="No data key yet: the first object makes it.",
    )
    for digest in ring.damaged():
        click.echo(f"A copy of the keys is damaged: {digest[:12]}…  {MENDED_BY}", err=True)


@keys.command("new", example="treadle objects keys new ~/treadle.key")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def new(*, path: Path) -> None:
    """Make a master key in a file that only you can read; set it as TREADLE_OBJECTS_KEY.

    Who loses it loses every object, so keep a copy apart from the objects.
    """
    from treadle.storage.encryption.keyring import write_new_key

    made = write_new_key(path)
    click.echo(f"Made master key {made.id}. Use it: export TREADLE_OBJECTS_KEY={path.absolute()}")


@keys.command("add", example="treadle objects keys add")
@dry_run_option
@click.pass_context
def add(ctx: click.Context, *, dry_run: bool) -> None:
    """Make a new data key: what is stored from now on is encrypted with it.

    Processes that run take it up when they start again.
    """
    ring = _encrypted(_settings(ctx)).keys
    if dry_run:
        click.echo(f"Would add a data key to {len(ring.listed()):,} under {ring.master_id}.")
        return
    click.echo(f"Added data key {ring.add().id.hex()}.")


@keys.command("rotate", example="treadle objects keys rotate --to ~/next.key")
@click.option(
    "--to",
    "path",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file of the new master key: treadle objects keys new.",
)
@dry_run_option
@json_option
@click.pass_context
def rotate(ctx: click.Context, *, path: Path, dry_run: bool, as_json: bool) -> None:
    """Wrap the data keys with another master key; no object is written anew.

    Processes that run go on; those that start need the new key set. The old one opens nothing more.
    Killed, it is run again. Encrypted remotes have keys of their own: `data remote rotate-key`.
    """
    from treadle.storage.encryption.keyring import master_key
    from treadle.storage.encryption.rotation import rotate as rotated

    ring = _encrypted(_settings(ctx)).keys
    done = rotated(ring, master_key(str(path)), dry_run=dry_run)
    if as_json:
        print_json(done)
        return
    click.echo(wrapped(done, dry_run=dry_run))
    if not dry_run:
        click.echo(f"From now on: export TREADLE_OBJECTS_KEY={path.absolute()}")


@command.group("owners", cls=Listing, example="treadle objects owners")
@paging_options
@json_option
@click.pass_context
def owners(ctx: click.Context, *, limit: int, offset: int, as_json: bool) -> None:
    """List the databases whose objects lie in this place; one alone may remove any."""
    if ctx.invoked_subcommand:
        return
    found = _owners(ctx)
    own = found.own_id
    print_listing(
        cut(found.owners(), limit=limit, offset=offset),
        as_json=as_json,
        headers=("owner", "database", "host", "since (UTC)", "this one"),
        row=lambda o: (o.id, o.database, o.host, when(o.since), "yes" if o.id == own else ""),
        empty="No database has put an object here since there are marks.",
    )
    for owner in found.owners():
        if owner.also:
            click.echo(f"{owner.id} was {' and '.join(map(str, owner.places))}. {COPIES}", err=True)


@owners.command("forget", example="treadle objects owners forget 019d…")
@click.argument("owner_id", metavar="ID")
@dry_run_option
@click.pass_context
def forget(ctx: click.Context, *, owner_id: str, dry_run: bool) -> None:
    """Remove the mark of a database that is gone for good.

    What only that one needed is nobody's then, and goes with the next `treadle data gc`.
    """
    found = _owners(ctx)
    known = {owner.id: owner for owner in found.owners()}
    if owner_id not in known:
        raise NotFound("owner", owner_id, known=known)
    if dry_run:
        click.echo(f"Would forget {known[owner_id]}.")
        return
    click.echo(f"Forgot {found.forget(owner_id)}.")


def wrapped(found: Rotation, *, dry_run: bool) -> str:
    """Say what the exchange of a master key did."""
    if not found.before:
        return f"Under {found.after} already: {counted(found.data_keys, 'data key')}."
    verb = "Would wrap" if dry_run else "Wrapped"
    all_ = counted(found.data_keys, "data key")
    return f"{verb} {all_} with {found.after} in place of {found.before}."


def damaged_keys(ctx: click.Context) -> tuple[str, ...]:
    """Return the copies of the keys that cannot be read; none where nothing is encrypted."""
    settings = _settings(ctx)
    return _encrypted(settings).keys.damaged() if settings.objects_key else ()


def _settings(ctx: click.Context) -> Settings:
    from treadle.kernel.settings import load_settings

    home = ctx.find_root().obj
    if str(home).startswith(("http://", "https://")):
        raise InvalidInput(
            f"The objects of {home} and their keys are not seen from here.",
            hint="Run it on the machine of the home.",
        )
    return load_settings(home)


def _owners(ctx: click.Context) -> Owners:
    from treadle.storage.metadata import open_metadata
    from treadle.storage.owners import owners_of

    settings = _settings(ctx)
    store = open_metadata(settings.where_metadata())
    ctx.call_on_close(store.close)
    return owners_of(settings, store=store)


def _encrypted(settings: Settings) -> EncryptedObjectStore:
    from treadle.storage.stores import open_encrypted

    if not settings.objects_key:
        raise InvalidInput(
            "No master key is set, so nothing is encrypted.",
            hint="Make one: treadle objects keys new FILE; then set TREADLE_OBJECTS_KEY=FILE.",
        )
    return open_encrypted(settings.where_objects(), key=settings.objects_key)


def _count(settings: Settings) -> Stored:
    from treadle.storage.stores import open_objects

    url = settings.where_objects()
    store: Any = _encrypted(settings) if settings.objects_key else open_objects(url)
    plain = store.plain if settings.objects_key else store
    sizes = [info.size_bytes for info in store.iterate()]
    bare = [info.size_bytes for info in plain.iterate()]
    return Stored(
        url=url,
        objects=len(sizes),
        size_bytes=sum(sizes),
        plain_objects=len(bare),
        plain_bytes=sum(bare),
        master=store.keys.master_id if settings.objects_key else "",
    )
