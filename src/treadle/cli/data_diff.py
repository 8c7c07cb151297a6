"""`treadle data diff` and `apply`: what is different between two versions, and carried over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treadle.cli.data_files import tell_diff
from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import dry_run_option, json_option, print_json
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.diffs.entities import DiffSummary, RowChange, SchemaChange
    from treadle.data.diffs.rows import TableDiff
    from treadle.data.service import Data

SHOWN = 20
CELL_CHARACTERS = 40
CELLS_SHOWN = 6
_SIGNS = {"added": "+", "removed": "-", "renamed": "=", "retyped": "~"}


@click.command(
    "diff",
    cls=Command,
    example="treadle data diff flights@2 flights@3\n"
    "treadle data diff flights@3 flights.csv --key flight --key day\n"
    "treadle data diff flights@2 flights@3 --out changes.parquet",
)
@click.argument("before")
@click.argument("after")
@click.option(
    "--key",
    "key",
    multiple=True,
    metavar="COLUMN",
    help="Columns that name a row; else those of the contract, or found.",
)
@click.option(
    "--limit",
    type=click.IntRange(0),
    help=f"At most so many rows of each kind: {SHOWN}, with --json and --out all.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rows to a file: .parquet, .csv or .jsonl.",
)
@json_option
@click.pass_context
def diff(
    ctx: click.Context,
    *,
    before: str,
    after: str,
    key: tuple[str, ...],
    limit: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Say what two versions differ in: the rows and cells of tables, else files.

    BEFORE and AFTER are versions, or a CSV or Parquet file in place of a table. Exit 1 when
    something differs. With --json a line says what was compared, then each row is a line.
    """
    data = client_of(ctx).data
    if _are_files(data, before, after):
        found = data.diff_files(before, after)
        tell_diff(found, found, "Nothing differs", as_json=as_json)
        is_empty = found.is_empty
    else:
        _require_writable(out)
        with data.diff(before, after, key=key or None) as told:
            _tell(told, limit=limit, out=out, as_json=as_json)
            is_empty = told.summary.is_empty
    if not is_empty:
        ctx.exit(1)


@click.command(
    "apply",
    cls=Command,
    example="treadle data diff flights@2 flights@3 --out changes.parquet\n"
    "treadle data apply changes.parquet --onto flights@exp --dry-run\n"
    "treadle data apply changes.parquet --onto flights@exp -m 'the corrections of May'",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--onto", required=True, metavar="NAME[@BRANCH]", help="What gets the changes.")
@click.option("--message", "-m", default="", help="Why.")
@dry_run_option
@json_option
@click.pass_context
def apply(
    ctx: click.Context, *, file: Path, onto: str, message: str, dry_run: bool, as_json: bool
) -> None:
    """Commit what a branch has with the changes of a diff, a .parquet file of diff --out.

    The rows that it changes or removes must be there as it has them; others may be there too. Rows
    keep their order, those that it adds come last.
    """
    found = client_of(ctx).data.apply(file, onto=onto, message=message, dry_run=dry_run)
    counts = (
        f"{counted(found.added, 'row')} added, {found.removed:,} removed, {found.changed:,} changed"
    )
    if as_json:
        print_json(found)
    elif found.kind == "nothing":
        click.echo(f"Nothing differs in {found.diff}: {found.into} stays {found.was}.")
    elif dry_run:
        click.echo(f"Would apply {found.diff} to {found.was} ({found.into}): {counts}")
    else:
        click.echo(f"{found.version} is {found.was} with {found.diff}: {counts}")


def _are_files(data: Data, *refs: str) -> bool:
    """Say whether both are versions that hold files; who is neither is asked for as a table."""
    from treadle.kernel.errors import NotFound

    try:
        return not any(data.version(ref).is_table for ref in refs)
    except NotFound:
        return False


def _require_writable(out: Path | None) -> None:
    """Refuse a file that could not be written before the work is done."""
    from treadle.data.diffs.writing import require_ending
    from treadle.kernel.errors import NotFound

    if out is None:
        return
    require_ending(out)
    if not out.absolute().parent.is_dir():
        raise NotFound("folder", str(out.parent))


def _tell(told: TableDiff, *, limit: int | None, out: Path | None, as_json: bool) -> None:
    from treadle.data.diffs.writing import write_diff

    if as_json:
        _print_lines([told.summary])
        if out is None:
            _print_lines(told.changes(limit=limit))
    else:
        _print_summary(told.summary)
    if out is not None:
        written = write_diff(told, out, limit=limit)
        click.echo(f"Wrote {counted(written, 'row')} to {out}", err=True)
    elif not as_json:
        _print_rows(told, SHOWN if limit is None else limit)


def _print_lines(values: Any) -> None:
    import msgspec

    for value in values:
        click.echo(msgspec.json.encode(value).decode())


def _print_summary(found: DiffSummary) -> None:
    click.echo(f"{found.before} → {found.after}, {key_sentence(found)}")
    for change in found.schema:
        click.echo(f"{_SIGNS[change.kind]} column {_column_sentence(change)}")
    counts = found.counts
    click.echo(
        f"{counted(counts.added, 'row')} added, {counts.removed:,} removed, "
        f"{counts.changed:,} changed, "
        f"{counts.unchanged:,} unchanged ({counts.rows_before:,} → {counts.rows_after:,})"
    )
    if counts.changed_cells:
        cells = (f"{_printable(n)} {c:,}" for n, c in counts.changed_cells.items())
        click.echo(f"changed cells: {', '.join(cells)}")
    if counts.repeated_keys:
        click.echo(
            f"{counts.repeated_keys:,} keys name several rows: those rows are told as added and "
            "removed, for nothing says which is which",
            err=True,
        )


def key_sentence(found: DiffSummary) -> str:
    """Say by what rows were told apart."""
    names = ", ".join(_printable(name) for name in found.key.columns)
    told = {
        "given": f"by {names}",
        "contract": f"by {names}, the contract's key",
        "found": f"by {names}, found to repeat in no row (name another with --key)",
        "none": "without a key: rows are added or removed, not changed (name one with --key)",
    }
    return told[found.key.source]


def _column_sentence(change: SchemaChange) -> str:
    name = _printable(change.column)
    if change.kind == "renamed":
        return f"{_printable(change.before)} → {name}, the same values"
    if change.kind == "retyped":
        return f"{name}  {change.before} → {change.after}, compared as {change.compared_as}"
    if change.kind == "added":
        return f"{name}  {change.after}, {change.values or 0:,} values"
    return f"{name}  {change.before}"


def _print_rows(told: TableDiff, limit: int) -> None:
    rows = [
        (change.kind, *(_value(v) for v in change.key.values()), _cells_sentence(change))
        for change in told.changes(kinds=("changed", "added", "removed"), limit=limit)
    ]
    if rows:
        _print_aligned(told.key.columns, rows)
    counts = told.counts
    more = counts.changed + counts.added + counts.removed - len(rows)
    if more:
        click.echo(f"… and {more:,} more; all of them with --json or --out FILE.parquet")


def _print_aligned(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    key = [_printable(name) for name in names]
    lines = [("", *key, "what"), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)] + [0]
    click.echo("")
    for place, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo(text.rstrip() if place else click.style(text.rstrip(), bold=True))


def _cells_sentence(change: RowChange) -> str:
    from treadle.data.diffs.writing import cells_of

    cells = [cell for cell in cells_of(change) if cell[0] not in change.key]
    told = [_cell_sentence(change.kind, *cell) for cell in cells[:CELLS_SHOWN]]
    if len(cells) > CELLS_SHOWN:
        told.append(f"… {len(cells) - CELLS_SHOWN:,} more cells")
    return ", ".join(told)


def _cell_sentence(kind: str, name: str, before: Any, after: Any) -> str:
    if kind == "changed":
        return f"{_printable(name)} {_value(before)} → {_value(after)}"
    return f"{_printable(name)} {_value(after if kind == 'added' else before)}"


def _value(value: Any) -> str:
    text = "null" if value is None else _printable(str(value))
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"


def _printable(text: str) -> str:
    """Return a text as one line: cells may hold anything."""
    return text if text.isprintable() and text else repr(text)
