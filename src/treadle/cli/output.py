"""How the command speaks: tables for people, JSON for programs.

Every listing is the same JSON as in the API: `items`, `total` (how many there are in all) and
`next_offset` (null on the last page). Instants are microseconds since 1970 in JSON and minutes in
UTC for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from treadle.kernel.clock import as_datetime
from treadle.kernel.errors import counted
from treadle.kernel.paging import Page, page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.serving.entities import Endpoint

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")

SECOND_US = 1_000_000
MINUTE_S = 60
HOUR_S = 3600

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Say what would happen, change nothing."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def paging_options(function: F) -> F:
    """Add --limit and --offset."""
    limit = click.option(
        "--limit",
        default=50,
        show_default=True,
        type=click.IntRange(1, 10_000),
        help="At most so many.",
    )
    offset = click.option(
        "--offset",
        default=0,
        show_default=True,
        type=click.IntRange(0),
        help="Leave out so many first.",
    )
    return limit(offset(function))


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def print_listing(
    page: Page[T],
    *,
    as_json: bool,
    headers: Sequence[str],
    row: Callable[[T], Sequence[object]],
    empty: str,
) -> None:
    """Print a page of a list; `empty` says what to do when there is nothing."""
    if as_json:
        print_json(page)
        return
    print_table(headers, [row(item) for item in page.items], empty=empty)
    if page.next_offset is not None:
        shown = len(page.items)
        click.echo(f"{shown} of {page.total}; go on with --offset {page.next_offset}", err=True)


def cut(items: Sequence[T], *, limit: int, offset: int) -> Page[T]:
    """Return the page that was asked for of a list that comes whole."""
    return page_of(tuple(items[offset : offset + limit]), total=len(items), offset=offset)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows under headers; `empty` says what to do when there are none."""
    if not rows:
        click.echo(empty)
        return
    texts = [list(headers), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(headers))]
    for place, row in enumerate(texts):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        line = "  ".join(padded).rstrip()
        # Where nobody looks, click takes the style away again.
        click.echo(line if place else click.style(line, bold=True))


def print_pairs(pairs: Sequence[tuple[str, object]]) -> None:
    """Print names with their values, aligned; what has no value is left out."""
    texts = [(name, _text(value)) for name, value in pairs]
    width = max(len(name) for name, _ in pairs)
    for name, text in texts:
        if text:
            click.echo(f"{name.ljust(width)}  {text}")


def when(instant: int | None) -> str:
    """Write an instant for a person: the minute, in UTC. Headers say UTC once for all rows."""
    return "" if instant is None else as_datetime(instant).strftime("%Y-%m-%d %H:%M")


def when_utc(instant: int | None) -> str:
    """Write an instant that stands alone."""
    return "" if instant is None else f"{when(instant)} UTC"


def lasted(microseconds: int | None) -> str:
    """Write a duration for a person."""
    if microseconds is None:
        return ""
    seconds = microseconds / SECOND_US
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S:.0f} min {seconds % MINUTE_S:.0f} s"
    return f"{seconds // HOUR_S:.0f} h {seconds % HOUR_S // MINUTE_S:.0f} min"


def size(count: int) -> str:
    """Write a number of bytes for a person."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004 - decimal units
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def amount(version: DatasetVersion) -> str:
    """Say how many rows a version has, or files where it is no table."""
    if version.is_table:
        return counted(version.rows, "row")
    return counted(version.file_count, "file")


def served(endpoint: Endpoint) -> str:
    """Say who answers an endpoint."""
    told = [f"{v.version} {v.role} {v.share:.0%}" for v in endpoint.answering]
    told += [f"{v.version} in shadow" for v in endpoint.shadows]
    return ", ".join(told) or "nobody yet"


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
