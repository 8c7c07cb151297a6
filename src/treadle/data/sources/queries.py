"""Rows that a query of a database gives."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from treadle.data.entities import Provenance
from treadle.data.sources import adbc, duckdb_query, postgresql_query, sqlite_query
from treadle.data.sources.ports import Reading, passing_errors
from treadle.data.sources.secrets import bare, filled
from treadle.data.sources.settling import settled
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treadle.data.sources.ports import Above, Fetched

ENGINES = {
    "sqlite": sqlite_query.rows,
    "duckdb": duckdb_query.rows,
    "postgresql": postgresql_query.rows,
    "postgres": postgresql_query.rows,
}


class SqlSource(msgspec.Struct, frozen=True, tag="sql"):
    """What a query gives, read in one read-only transaction where the engine has one."""

    url: str
    query: str

    def __post_init__(self) -> None:
        scheme = _scheme(self.url)
        if scheme not in ENGINES and not scheme.startswith(adbc.PREFIX):
            known = ", ".join(f"{name}://" for name in ENGINES)
            raise InvalidInput(
                f"No database is known by {bare(self.url)!r}.",
                hint=f"Use {known}, or adbc+DRIVER:// for anything with an ADBC driver.",
            )
        if not self.query.strip().rstrip(";"):
            raise InvalidInput("The query is empty.", hint="Give a SELECT.")

    @property
    def has_files(self) -> bool:
        """Return False."""
        return False

    def origin(self) -> Provenance:
        """Say which database and which query."""
        return Provenance(kind="sql", place=bare(self.url), query=one_line(self.query))

    @contextmanager
    def read(
        self, *, since: Provenance | None = None, above: Above | None = None
    ) -> Iterator[Reading | None]:
        """Run the query. A database cannot say that nothing changed: `since` is not asked."""
        del since
        scheme = _scheme(self.url)
        rows = ENGINES.get(scheme, adbc.rows)
        query = self.query.strip().rstrip("; \n\t")
        with rows(filled(self.url), query, above=above) as answer:
            reading = Reading(
                batches=settled(answer.batches), origin=self.origin(), older=answer.older
            )
            with passing_errors(reading) as passed:
                yield passed

    def fetch(self, folder: Path, *, since: Provenance | None = None) -> Fetched | None:  # noqa: ARG002 - the seam's signature
        """Raise InvalidInput: a query has rows."""
        raise InvalidInput(
            "A query gives rows, not files.", hint="Commit it as a table: leave out --as files."
        )


def sql(url: str, query: str) -> SqlSource:
    """Say that a query's rows are the source: `sql("postgresql://app@db/shop", "select …")`.

    `${NAME}` in the address stands for a variable of the environment, so that no password is
    written down. The query runs read-only.
    """
    return SqlSource(url, query)


def one_line(query: str) -> str:
    """Return a query as it is shown: without comments at its end or needless space."""
    return " ".join(query.split()).rstrip("; ")


def _scheme(url: str) -> str:
    # As others write it: `postgresql+psycopg://`, `sqlite+pysqlite://`.
    scheme = url.partition(":")[0].lower()
    return scheme if scheme.startswith(adbc.PREFIX) else scheme.partition("+")[0]
