"""Files at an address: HTTP, object stores, and whatever fsspec reaches."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.data.entities import Provenance
from treadle.data.sources.buckets import fetch_objects
from treadle.data.sources.formats import FORMATS, rows_of
from treadle.data.sources.mounted import fetch_mounted
from treadle.data.sources.ports import Fetched, Reading, passing_errors
from treadle.data.sources.secrets import bare, filled
from treadle.data.sources.web import fetch_page
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.data.sources.ports import Above

MAX_BYTES = 10 << 30
"""More is only fetched when it is asked for: a mistyped prefix can mean a whole bucket."""
_WEB = ("http", "https")
_BUCKETS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "az": "az",
    "abfs": "az",
    "abfss": "az",
}


class FilesAt(msgspec.Struct, frozen=True, tag="url"):
    """A file at an address, or every file below one that ends with a slash or has a star.

    `headers` go with HTTP requests; `format` tells what the name does not.
    """

    address: str
    format: str = ""
    headers: dict[str, str] = {}
    max_bytes: int | None = MAX_BYTES

    def __post_init__(self) -> None:
        scheme, separator, rest = self.address.partition("://")
        if not separator or not scheme or not rest:
            raise InvalidInput(
                f"{self.address!r} is no address.", hint="Write one such as https://HOST/FILE.csv."
            )
        if self.format and self.format not in FORMATS:
            raise InvalidInput(
                f"No format {self.format!r}.", hint=f"There is: {', '.join(FORMATS)}."
            )

    @property
    def kind(self) -> str:
        """What reaches it: `http`, `objects` or `fsspec`."""
        scheme = self.address.partition("://")[0].lower()
        return "http" if scheme in _WEB else "objects" if scheme in _BUCKETS else "fsspec"

    @property
    def has_files(self) -> bool:
        """Return True."""
        return True

    def origin(self) -> Provenance:
        """Say which address, without its secrets."""
        return Provenance(kind=self.kind, place=bare(self.address))

    @contextmanager
    def read(
        self, *, since: Provenance | None = None, above: Above | None = None
    ) -> Iterator[Reading | None]:
        """Fetch the files aside and read their rows; all, whatever they should be above."""
        del above
        with tempfile.TemporaryDirectory(prefix="treadle-") as folder:
            fetched = self.fetch(Path(folder), since=since)
            if fetched is None:
                yield None
                return
            with rows_of(fetched.paths) as batches:
                reading = Reading(batches=batches, origin=fetched.origin)
                with passing_errors(reading) as passed:
                    yield passed

    def fetch(self, folder: Path, *, since: Provenance | None = None) -> Fetched | None:
        """Fetch the files into a folder, each under its name there."""
        here = self.origin()
        mark = since.mark if since is not None and since.is_same_place(here) else ""
        address = filled(self.address)
        if self.kind == "http":
            headers = {name: filled(value) for name, value in self.headers.items()}
            got = fetch_page(
                address,
                folder,
                headers=headers,
                mark=mark,
                limit=self.max_bytes,
                kind=self.format,
            )
        elif self.kind == "objects":
            scheme, _, rest = address.partition("://")
            got = fetch_objects(
                f"{_BUCKETS[scheme.lower()]}://{rest}", folder, mark=mark, limit=self.max_bytes
            )
        else:
            got = fetch_mounted(address, folder, mark=mark, limit=self.max_bytes)
        if got is None:
            return None
        paths, found = got
        return Fetched(paths=paths, origin=msgspec.structs.replace(here, mark=found))


def url(
    address: str,
    *,
    format: str = "",  # noqa: A002 - the word a user looks for
    headers: dict[str, str] | None = None,
    max_bytes: int | None = MAX_BYTES,
) -> FilesAt:
    """Say that files at an address are the source: https://, s3://, gs://, az://, sftp://, ….

    `${NAME}` in the address or in a header stands for a variable of the environment. `format` (csv,
    parquet, jsonl, arrow) tells what the file's name does not; `max_bytes=None` lifts the bound.
    """
    return FilesAt(address, format, headers or {}, max_bytes)
