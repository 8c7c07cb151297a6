"""`treadle data`: commit, list, show, check datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from treadle.cli.data_diff import apply, diff
from treadle.cli.data_files import FILE_COMMANDS
from treadle.cli.data_history import HISTORY_COMMANDS
from treadle.cli.data_merge import merge
from treadle.cli.data_profile import profile
from treadle.cli.data_remotes import REMOTE_COMMANDS
from treadle.cli.group import Listing
from treadle.cli.home import client_of
from treadle.cli.ingestions import ingest, ingestions
from treadle.cli.output import (
    json_option,
    paging_options,
    print_json,
    print_listing,
    print_pairs,
    print_table,
    size,
    when,
    when_utc,
)
from treadle.cli.quarantines import quarantines
from treadle.data.branches.entities import MAIN
from treadle.data.entities import worst
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from treadle.data.contract_changes import Change
    from treadle.data.contracts import Contract, Role
    from treadle.data.entities import DatasetSummary, DatasetVersion, RowsHeld, Validation
    from treadle.data.service import Data


@click.group(
    "data",
    cls=Listing,
    example="treadle data\n"
    "treadle data commit flights.csv --name flights\n"
    "treadle data show flights@2",
)
@paging_options
@json_option
@click.pass_context
def command(ctx: click.Context, *, limit: int, offset: int, as_json: bool) -> None:
    """List datasets, each with its newest version; commit, show and check versions.

    A version is written NAME (the head of main), NAME@3, NAME@DIGEST, NAME@BRANCH, NAME@TAG or
    NAME@2013-07-04T12:00 (the newest at that time).
    """
    if ctx.invoked_subcommand:
        return
    print_listing(
        client_of(ctx).data.datasets(limit=limit, offset=offset),
        as_json=as_json,
        headers=("dataset", "versions", "rows", "size", "contract", "held", "committed (UTC)"),
        row=_dataset_row,
        empty="No datasets yet. Commit one: treadle data commit FILE.csv --name NAME",
    )


@command.command("show", example="treadle data show flights@2")
@click.argument("ref")
@json_option
@click.pass_context
def show(ctx: click.Context, *, ref: str, as_json: bool) -> None:
    """Show a version: who committed it, its files with their digests, its columns."""
    version = client_of(ctx).data.version(ref)
    if as_json:
        print_json(version)
        return
    print_pairs(
        [
            ("version", version.ref),
            ("files", f"{version.file_count:,}" if version.tree else ""),
            ("rows", f"{version.rows:,}" if version.is_table else ""),
            ("size", size(version.size_bytes)),
            ("stored anew", _stored(version)),
            ("committed", f"{when_utc(version.created_at)} by {version.actor}"),
            ("message", version.message),
            ("made on", ", ".join(f"{version.dataset}@{n}" for n in version.parents)),
            ("branch", "" if version.branch == MAIN else version.branch),
            ("code", version.code_commit),
            *_source(version),
            ("digest", version.digest),
            *([("same as", f"{version.dataset}@{version.same_as}")] if version.same_as else []),
            *(("file", f"{f.path}  {size(f.size_bytes)}  {f.digest}") for f in version.files),
            *(("column", f"{c.name}  {c.type}") for c in version.columns),
        ]
    )


@command.command("versions", example="treadle data versions flights --limit 5")
@click.argument("name")
@paging_options
@json_option
@click.pass_context
def versions(ctx: click.Context, *, name: str, limit: int, offset: int, as_json: bool) -> None:
    """List the versions of a dataset, newest first."""
    data = client_of(ctx).data
    verdicts = data.verdicts(name)

    def row(version: DatasetVersion) -> tuple[object, ...]:
        verdict = verdicts.get(version.number, "")
        at, digest = when(version.created_at), version.digest[:12]
        held = f"{version.rows:,}" if version.is_table else counted(version.file_count, "file")
        return version.ref, held, at, digest, verdict, version.message

    print_listing(
        data.versions(name, limit=limit, offset=offset),
        as_json=as_json,
        headers=("version", "rows", "committed (UTC)", "digest", "contract", "message"),
        row=row,
        empty="No more versions.",
    )


@command.command(
    "contract",
    example="treadle data contract flights > contract.toml\n"
    "treadle data contract flights --diff contract.toml\n"
    "treadle data contract flights --diff 1 2\n"
    "treadle data contract flights --versions\n"
    "treadle data contract flights --set contract.toml",
)
@click.argument("name")
@click.option(
    "--set", "source", type=click.Path(path_type=Path), help="Have it follow this TOML file."
)
@click.option("--diff", "is_diff", is_flag=True, help="Say what changed, and what breaks readers.")
@click.argument("sides", nargs=-1, metavar="[FILE | A [B]]")
@click.option("--versions", "is_list", is_flag=True, help="List the contracts it has had.")
@json_option
@click.pass_context
def contract(
    ctx: click.Context,
    *,
    name: str,
    source: Path | None,
    is_diff: bool,
    sides: tuple[str, ...],
    is_list: bool,
    as_json: bool,
) -> None:
    """Print what every version of a dataset must keep, or set it from an edited file.

    NAME@2 is its contract 2. --diff FILE says what a TOML file would change, --diff 1 2 what
    changed between two contracts (--diff 1: until now); it exits 1 when that breaks readers.
    """
    from treadle.data.contract_text import from_toml, to_toml
    from treadle.kernel.errors import NotFound

    data = client_of(ctx).data
    name, _, number = name.partition("@")
    if sides and not is_diff:
        raise click.UsageError(f"{sides[0]!r} goes with --diff.")
    if is_list:
        _print_contracts(data.contracts(name), as_json=as_json)
        return
    if source is not None:
        made = data.set_contract(name, from_toml(_text_of(source), name=source.name))
        click.echo(f"{made.dataset} follows contract {made.number} from now on", err=True)
    if is_diff:
        _print_changes(ctx, _between(data, name, number, sides), as_json=as_json)
        return
    known = data.contract(data.version(name).dataset)
    found = data.contract_numbered(name, _whole(number)) if number else known
    if found is None:
        raise NotFound("contract of", name, hint=f"Learn one: treadle data infer {name}")
    if as_json:
        print_json(found)
    else:
        click.echo(to_toml(found.body), nl=False)


@command.command("infer", example="treadle data infer flights@1 --role late=target --dry-run")
@click.argument("ref")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="COLUMN=ROLE",
    help="id, time, target, sensitive or known_after; others stay as they are.",
)
@click.option("--above", type=float, help="A numeric target above this is a yes.")
@click.option("--dry-run", is_flag=True, help="Print the contract, do not set it.")
@json_option
@click.pass_context
def infer(
    ctx: click.Context,
    *,
    ref: str,
    roles: tuple[str, ...],
    above: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Learn a contract from a version, have the dataset follow it, and print it as TOML.

    Roles that names and values speak for are suggested below it, as comments.
    """
    from treadle.data.contract_text import to_toml
    from treadle.data.suggestions import suggested_roles

    data = client_of(ctx).data
    version = data.version(ref)
    before = data.contract(version.dataset)
    given: dict[str, Role] = {}
    if before is not None:
        given |= {c.name: c.role for c in before.body.columns if c.role}
    for role in roles:
        given |= _pair(role)
    body = data.learn_contract(version.ref, roles=given, above=above)
    profile = data.known_profile(version.ref) or data.profile(version.ref)
    suggested = suggested_roles(profile, body)
    made = None if dry_run else data.set_contract(version.dataset, body)
    if as_json:
        told = [suggestion._asdict() for suggestion in suggested]
        number = None if made is None else made.number
        print_json({"number": number, "body": body, "suggested": told})
        return
    # Printed when it is set: whoever reads only the head of it ends this process.
    click.echo(to_toml(body), nl=False)
    for suggestion in suggested:
        click.echo(suggestion.comment)
    if made is not None:
        click.echo(f"{made.dataset} follows contract {made.number} from now on", err=True)


@command.command(
    "validate",
    example="treadle data validate flights@2\n"
    "treadle data validate flights@2 --quarantine --dry-run",
)
@click.argument("ref")
@click.option("--quarantine", is_flag=True, help="Hold the rows that fail and commit the others.")
@click.option("--dry-run", is_flag=True, help="With --quarantine: count, keep nothing.")
@json_option
@click.pass_context
def validate(
    ctx: click.Context, *, ref: str, quarantine: bool, dry_run: bool, as_json: bool
) -> None:
    """Check a version against its contract; exit 1 when it fails.

    With --quarantine the rows that break a failed check are kept apart with the reason, and the
    others become the next version; nothing is dropped: treadle data quarantines.
    """
    data = client_of(ctx).data
    if dry_run and not quarantine:
        raise click.UsageError(
            "--dry-run goes with --quarantine: validating alone changes nothing."
        )
    if dry_run:
        _print_failing(data.version(ref).ref, data.failing_rows(ref), as_json=as_json)
        return
    held = data.quarantine_rows(ref) if quarantine else None
    verdict = held.validation if held else data.validate(ref)
    if as_json:
        print_json(held or verdict)
    else:
        _print_verdict(verdict)
        if held:
            _print_held(held)
    if verdict.verdict == "fail":
        ctx.exit(1)


@command.command("splits", example="treadle data splits flights@1 flights@2")
@click.argument("train")
@click.argument("test")
@json_option
@click.pass_context
def splits(ctx: click.Context, *, train: str, test: str, as_json: bool) -> None:
    """Compare a TRAIN and a TEST version: rows, keys and time they share, labels, leaks.

    Exit 1 when they share what they must not.
    """
    found = client_of(ctx).data.compare_splits(train, test)
    if as_json:
        print_json(found)
    else:
        rows = [(c.verdict, c.check, c.column, c.message) for c in found]
        print_table(("verdict", "check", "column", "what"), rows, empty="")
    if worst(found) == "fail":
        ctx.exit(1)


command.add_command(profile)
command.add_command(quarantines)
for more in (
    *FILE_COMMANDS,
    *HISTORY_COMMANDS,
    *REMOTE_COMMANDS,
    apply,
    diff,
    merge,
    ingest,
    ingestions,
):
    command.add_command(more)


def _source(version: DatasetVersion) -> list[tuple[str, object]]:
    """Return where a version was read from, in lines."""
    source = version.source
    if source is None:
        return []
    lines: list[tuple[str, object]] = [("from", source.place), ("query", source.query)]
    return [*lines, ("up to", source.watermark), ("source was", source.mark)]


def _stored(version: DatasetVersion) -> str:
    return "" if version.stored_bytes is None else size(version.stored_bytes)


def _dataset_row(dataset: DatasetSummary) -> tuple[object, ...]:
    newest = dataset.latest
    verdict = "" if dataset.contract_number is None else dataset.verdict or "not checked"
    return (
        dataset.name,
        dataset.versions,
        f"{newest.rows:,}" if newest.is_table else counted(newest.file_count, "file"),
        size(newest.size_bytes),
        verdict,
        dataset.held or "",
        when(newest.created_at),
    )


def _print_verdict(verdict: Validation) -> None:
    noted = [c for c in verdict.checks if c.verdict != "pass"]
    rows = [(c.verdict, c.check, c.column, c.message) for c in noted]
    if rows:
        print_table(("verdict", "check", "column", "what"), rows, empty="")
    for check in noted:
        for example in check.examples if check.verdict == "fail" else ():
            cells = ", ".join(f"{name} {value}" for name, value in example.items())
            click.echo(f"  {check.check} {check.column}: {cells}")
    passed = len(verdict.checks) - len(noted)
    click.echo(
        f"{verdict.dataset_ref}: {verdict.verdict}, {passed} of {len(verdict.checks)} checks "
        f"of contract {verdict.contract_number} pass"
    )


def _print_failing(ref: str, counts: dict[str, int], *, as_json: bool) -> None:
    rows, by_check = counts[""], {name: n for name, n in counts.items() if name}
    if as_json:
        print_json({"version": ref, "rows": rows, "checks": by_check})
        return
    click.echo(f"would hold {counted(rows, 'row')} of {ref}")
    for name, count in by_check.items():
        click.echo(f"  {name}: {count:,}")


def _print_held(held: RowsHeld) -> None:
    if held.quarantine is None:
        click.echo("No row is held: no check that failed is about single rows.")
        return
    found = held.quarantine
    click.echo(
        f"{counted(found.rows, 'row')} held in quarantine {found.id[:12]}; "
        f"{held.version.ref} has the other {held.version.rows:,}"
    )


def _between(data: Data, name: str, number: str, sides: tuple[str, ...]) -> tuple[Change, ...]:
    """Return what changed from one contract to another, or to a file."""
    from treadle.data.contract_changes import changes
    from treadle.data.contract_text import from_toml

    start, dots, end = number.partition("..")
    numbers = [start, end] if dots else [number] if number else []
    given = [*numbers, *sides]
    known = data.contracts(name)
    newest = str(known[0].number) if known else "1"
    if len(given) == 1:
        given = [given[0], newest] if given[0].isdigit() else [newest, given[0]]
    if len(given) != len("AB"):
        raise click.UsageError("--diff takes a FILE, or the numbers of one or two contracts.")
    if given[1].isdigit():
        return data.contract_changes(name, _whole(given[0]), _whole(given[1]))
    path = Path(given[1])
    edited = from_toml(_text_of(path), name=path.name)
    return changes(data.contract_numbered(name, _whole(given[0])).body, edited)


def _whole(number: str) -> int:
    if not number.isdigit():
        raise click.BadParameter(f"{number!r} is not the number of a contract.")
    return int(number)


def _print_contracts(found: tuple[Contract, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"items": found, "total": len(found)})
        return
    print_table(
        ("contract", "set (UTC)", "columns", "relations", "digest"),
        [
            (
                c.number,
                when(c.created_at),
                len(c.body.columns),
                len(c.body.relations),
                c.digest[:12],
            )
            for c in found
        ],
        empty="No contract yet. Learn one: treadle data infer NAME",
    )


def _print_changes(ctx: click.Context, found: tuple[Change, ...], *, as_json: bool) -> None:
    if as_json:
        print_json([change._asdict() for change in found])
    else:
        print_table(
            ("effect", "where", "was", "would be"),
            [(c.effect, c.path, _claimed(c.before), _claimed(c.after)) for c in found],
            empty="It claims the same.",
        )
    if any(change.effect == "breaks" for change in found):
        ctx.exit(1)


def _claimed(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _pair(text: str) -> dict[str, Role]:
    column, sign, role = text.rpartition("=")
    if not sign:
        raise click.BadParameter(f"{text!r} is not COLUMN=ROLE, such as price=target.")
    return {column: cast("Role", role)}  # who learns the contract says what is no role


def _text_of(path: Path) -> str:
    from treadle.kernel.errors import InvalidInput, Unavailable

    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text.") from error
    except OSError as error:
        raise Unavailable(f"Cannot read {path}: {error.strerror or error}.") from error
