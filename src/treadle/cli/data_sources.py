"""The options by which a command is told a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treadle.data.ingestion.entities import StoredSource

F = TypeVar("F", bound="Callable[..., Any]")


def source_options(function: F) -> F:
    """Add what says where data comes from."""
    options = (
        click.option(
            "--from",
            "place",
            metavar="URL|FUNCTION",
            help="A database (with --sql), an address, or a function: feeds.py:orders.",
        ),
        click.option("--sql", metavar="QUERY|@FILE", help="What to ask the database for."),
        click.option(
            "--format",
            "form",
            type=click.Choice(["csv", "parquet", "jsonl", "arrow"]),
            help="What the file of an address is, if its name does not tell.",
        ),
        click.option(
            "--header",
            "headers",
            multiple=True,
            metavar="NAME: VALUE",
            help="Sent with HTTP requests; ${NAME} stands for a variable.",
        ),
        click.option(
            "--max-bytes",
            type=click.IntRange(0),
            metavar="N",
            help="Fetch no more than this (10 GiB if not given); 0 is no bound.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


DATABASES = ("sqlite:", "postgres:", "postgresql:", "duckdb:", "adbc+")


def source_of(
    paths: Sequence[str],
    /,
    *,
    place: str | None,
    sql: str | None,
    form: str | None,
    headers: Sequence[str],
    max_bytes: int | None,
) -> StoredSource | None:
    """Return the source that options mean, or None for plain paths of this machine."""
    if place and paths:
        raise click.UsageError(f"Give either --from or paths, not both: {place}, {paths[0]}.")
    if sql and not place:
        raise click.UsageError("--sql needs the database: --from sqlite:///FILE, postgresql://….")
    addresses = [p for p in (place, *paths) if p and "://" in p]
    if sql and place:
        from treadle.data import sources

        return sources.sql(place, _query(sql))
    if addresses:
        if place and place.startswith(DATABASES):
            raise click.UsageError(f"{place.partition('://')[0]} is a database: ask it by --sql.")
        if len(addresses) + bool(place) < len(paths) + bool(place) or len(addresses) > 1:
            raise click.UsageError("Give one address at a time; a star or a final / means several.")
        from treadle.data import sources
        from treadle.data.sources.places import MAX_BYTES

        limit = MAX_BYTES if max_bytes is None else max_bytes or None
        given = dict(_header(header) for header in headers)
        return sources.url(addresses[0], format=form or "", headers=given, max_bytes=limit)
    if headers or form or max_bytes is not None:
        raise click.UsageError("--format, --header and --max-bytes go with an address.")
    if place:
        return _here(place)
    return None


def _here(place: str) -> StoredSource:
    """Return the function or the files that `--from` means when it is no address."""
    from treadle.data import sources

    where, colon, _ = place.rpartition(":")
    if not colon:
        return sources.files(Path(place).expanduser().absolute())
    if where.endswith(".py"):
        # Stored, it must be found from any folder.
        return sources.function(f"{Path(where).expanduser().resolve()}:{place.rpartition(':')[2]}")
    return sources.function(place)


def _query(text: str) -> str:
    from treadle.kernel.errors import Unavailable

    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"Cannot read {text[1:]}: {error.strerror or error}.") from error


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or "\n" in text or "\r" in text:
        raise click.BadParameter(f"{text!r} is not NAME: VALUE.", param_hint="--header")
    return name.strip(), value.strip()
