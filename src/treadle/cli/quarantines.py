"""`treadle data quarantines`: versions and rows that are held back until somebody decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from treadle.kernel.errors import InvalidInput, NotFound, counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.data.entities import HeldRow, Quarantine
    from treadle.data.service import Data

HELD = "held"
SHORT = 12


def chosen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what narrows held rows down."""
    where = click.option(
        "--where",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Only rows with this value, as show prints it; may be given for several columns.",
    )
    check = click.option(
        "--check", default="", metavar="CHECK", help="Only rows that break it ('range price')."
    )
    return check(where(command))


@click.group(
    "quarantines",
    cls=Listing,
    example="treadle data quarantines --state held\n"
    "treadle data quarantines show prices@3\n"
    "treadle data quarantines reject outcomes@31 --dry-run",
)
@click.option("--dataset", metavar="NAME", help="Only of this dataset.")
@click.option(
    "--state", type=click.Choice(["held", "released", "rejected"]), help="Only in this state."
)
@click.option("--kind", type=click.Choice(["version", "rows"]), help="Only versions, or only rows.")
@paging_options
@json_option
@click.pass_context
def quarantines(
    ctx: click.Context,
    *,
    dataset: str | None,
    state: str | None,
    kind: str | None,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List what is kept out of training, gates and evaluation, newest first; decide on it.

    A version as a whole, or the rows of one that break its contract.
    """
    if ctx.invoked_subcommand:
        return
    found = _all(client_of(ctx).data, dataset)
    print_listing(
        cut(
            [q for q in found if state in {None, q.state} and kind in {None, q.kind}],
            limit=limit,
            offset=offset,
        ),
        as_json=as_json,
        headers=("version", "kind", "state", "rows", "since (UTC)", "id", "reason"),
        row=lambda q: (q.ref, q.kind, q.state, f"{q.rows:,}", when(q.at), q.id[:SHORT], q.reason),
        empty="Nothing is in quarantine.",
    )


@quarantines.command(
    "show",
    example="treadle data quarantines show prices@3\n"
    "treadle data quarantines show prices@3 --check 'range price' --where shop=north --json",
)
@click.argument("what")
@chosen_options
@paging_options
@json_option
@click.pass_context
def show(
    ctx: click.Context,
    *,
    what: str,
    check: str,
    where: tuple[str, ...],
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """Show the rows in a quarantine (prices@3, or its id): what each breaks, its values."""
    data = client_of(ctx).data
    found = _found(data, what, kind="rows")
    page = data.held_rows(found.id, check=check, where=_values(where), limit=limit, offset=offset)
    if not as_json:
        told = _where_to(found)
        click.echo(f"{found.ref}: {counted(found.rows, 'row')} {found.state}{told}", err=True)
    names = list(page.items[0].values) if page.items else []
    print_listing(
        page,
        as_json=as_json,
        headers=("row", "breaks", *names),
        row=_cells,
        empty="No more rows.",
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
        told = f"would hold {found.ref}: {counted(found.rows, 'row')}"
        _would(told, found.ref, found.rows, as_json=as_json)
        return
    _decided(data.quarantine(found.ref, reason=reason, evidence={"by": "hand"}), as_json=as_json)


@quarantines.command(
    "release",
    example="treadle data quarantines release outcomes@31\n"
    "treadle data quarantines release prices@3 --check 'range price' --dry-run",
)
@click.argument("what")
@chosen_options
@yes_option
@dry_run_option
@json_option
@click.pass_context
def release(
    ctx: click.Context,
    *,
    what: str,
    check: str,
    where: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let what is held be used after all: a version (outcomes@31), or rows (by their id).

    Labels of a version count from then on; rows come back in a new version.
    """
    data = client_of(ctx).data
    held, values = _found(data, what, state=HELD), _values(where)
    rows = _meant(data, held, check, values)
    if dry_run:
        since = f"held since {when(held.at)} UTC"
        told = f"would release {held.ref}: {counted(rows, 'row')}, {since}"
        _would(told, held.ref, rows, as_json=as_json)
        return
    if not yes:
        question = f"Use {_named(held, rows)} after all? It was held: {held.reason}"
        click.confirm(question, abort=True, err=True)
    if held.kind == "version":
        _decided(data.release_quarantine(held.id), as_json=as_json)
    else:
        _decided(data.release_rows(held.id, check=check, where=values), as_json=as_json)


@quarantines.command(
    "reject",
    example="treadle data quarantines reject outcomes@31 --yes\n"
    "treadle data quarantines reject prices@3 --where shop=north --yes",
)
@click.argument("what")
@chosen_options
@yes_option
@dry_run_option
@json_option
@click.pass_context
def reject(
    ctx: click.Context,
    *,
    what: str,
    check: str,
    where: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Never use what is held, a version (outcomes@31) or rows; it stays stored and named."""
    data = client_of(ctx).data
    held, values = _found(data, what, state=HELD), _values(where)
    rows = _meant(data, held, check, values)
    if dry_run:
        since = f"held since {when(held.at)} UTC"
        told = f"would reject {held.ref}: {counted(rows, 'row')}, {since}"
        _would(told, held.ref, rows, as_json=as_json)
        return
    if not yes:
        question = f"Never use {_named(held, rows)}? It was held: {held.reason}"
        click.confirm(question, abort=True, err=True)
    if held.kind == "version":
        _decided(data.reject_quarantine(held.id), as_json=as_json)
    else:
        _decided(data.reject_rows(held.id, check=check, where=values), as_json=as_json)


def _all(data: Data, dataset: str | None = None) -> list[Quarantine]:
    both = (*data.quarantines(dataset), *data.row_quarantines(dataset))
    return sorted(both, key=lambda q: q.id, reverse=True)


def _found(data: Data, what: str, *, kind: str = "", state: str = "") -> Quarantine:
    """Return the quarantine that a version, or the start of an id, means."""
    fitting = [q for q in _all(data) if kind in {"", q.kind} and state in {"", q.state}]
    meant = [q for q in fitting if q.ref == what or (what and q.id.startswith(what))]
    name, sign, _ = what.partition("@")
    if not meant and sign and kind != "rows" and any(q.dataset == name for q in fitting):
        meant = [q for q in data.decided_on(what) if state in {"", q.state}]
    if not meant:
        known = {q.ref: q for q in fitting}
        hint = "" if known else "Nothing is held: treadle data quarantines"
        raise NotFound("held version" if not kind else "held rows of", what, known=known, hint=hint)
    if len(meant) > 1 and {q.kind for q in meant} == {"rows"} and not state:
        return next((q for q in meant if not q.part_of), meant[0])
    if len(meant) > 1:
        ids = ", ".join(f"{q.id[:SHORT]} ({q.kind}, {q.state})" for q in meant)
        raise InvalidInput(f"{what} means {len(meant)} quarantines.", hint=f"Name one: {ids}.")
    return meant[0]


def _values(where: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in where:
        column, sign, value = text.partition("=")
        if not sign:
            raise click.BadParameter(f"{text!r} is not COLUMN=VALUE, such as shop=north.")
        pairs[column] = value
    return pairs


def _meant(data: Data, held: Quarantine, check: str, values: dict[str, str]) -> int:
    """Return how many rows are meant."""
    if not (check or values):
        return held.rows
    if held.kind == "version":
        raise InvalidInput(
            f"{held.ref} is held as a whole: --check and --where choose among held rows.",
            hint=f"Hold only what fails: treadle data validate {held.ref} --quarantine",
        )
    return data.held_rows(held.id, check=check, where=values, limit=1).total


def _named(held: Quarantine, rows: int) -> str:
    return held.ref if held.kind == "version" else f"{counted(rows, 'row')} of {held.ref}"


def _would(told: str, ref: str, rows: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"version": ref, "rows": rows})
    else:
        click.echo(told)


def _where_to(found: Quarantine) -> str:
    if found.released_number:
        return f", back in {found.dataset}@{found.released_number}"
    return f"; without them: {found.dataset}@{found.clean_number}" if found.clean_number else ""


def _cells(row: HeldRow) -> tuple[object, ...]:
    return row.row, ", ".join(row.checks), *row.values.values()


def _decided(decided: Quarantine, *, as_json: bool) -> None:
    if as_json:
        print_json(decided)
    elif decided.kind == "version":
        click.echo(f"{decided.ref} is {decided.state}")
    else:
        told = _where_to(decided) if decided.released_number else ""
        verb = "is" if decided.rows == 1 else "are"
        click.echo(f"{counted(decided.rows, 'row')} of {decided.ref} {verb} {decided.state}{told}")
