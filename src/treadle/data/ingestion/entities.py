"""What ingestion speaks of: how a dataset grows from a source, and what one run of it took."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from treadle.data.sources.functions import FunctionSource
from treadle.data.sources.patterns import FilesSource
from treadle.data.sources.places import FilesAt
from treadle.data.sources.queries import SqlSource
from treadle.data.tables.ranges import PartRanges
from treadle.kernel.digests import digest_json

Mode = Literal["append", "upsert"]
SchemaChange = Literal["refuse", "widen"]
StoredSource: TypeAlias = SqlSource | FilesAt | FilesSource | FunctionSource


class IngestionBody(msgspec.Struct, frozen=True, kw_only=True):
    """How a dataset grows: rows whose `watermark` rises come from a source.

    `lateness` is how far behind the highest watermark a row may still arrive: a time (`2h`, `7d`)
    or a number, as the watermark is. `key` names the columns that tell rows apart; without it, rows
    that are equal in every column are told apart by how many there are.
    """

    source: StoredSource
    watermark: str
    key: tuple[str, ...] = ()
    lateness: str = ""
    mode: Mode = "append"
    schema_change: SchemaChange = "refuse"

    @property
    def digest(self) -> str:
        """Return what names this text."""
        return digest_json(self)

    def is_same_stream(self, other: IngestionBody) -> bool:
        """Say whether a watermark of one means the same for the other."""
        return (self.source, self.watermark) == (other.source, other.watermark)


class Ingestion(msgspec.Struct, frozen=True, kw_only=True):
    """An ingestion as it was set: each change of it has the next number."""

    dataset: str
    number: int
    body: IngestionBody
    created_at: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows that were read.

    `read` = `new` + `replaced` + `duplicate` + `changed` + `without_watermark` + `older`. Of those
    that were taken, `late` had a watermark that had been passed already. `changed` have a key that
    is held with another watermark, and were left as they are held (mode append). `older` were read
    though they are beyond the lateness; `beyond` is how many of that age, read or not, are at the
    source and not held.
    """

    read: int = 0
    new: int = 0
    replaced: int = 0
    late: int = 0
    duplicate: int = 0
    changed: int = 0
    without_watermark: int = 0
    older: int = 0
    beyond: int = 0

    @property
    def taken(self) -> int:
        """Return how many rows change the dataset."""
        return self.new + self.replaced


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did: the version it made, or None when there was nothing new."""

    dataset: str
    version: str | None
    watermark: str
    counts: Counts
    is_unchanged: bool = False


class KnownRanges(msgspec.Struct, frozen=True, kw_only=True):
    """Between which values columns of the parts lie that are held, by the parts' digests."""

    columns: tuple[str, ...]
    parts: dict[str, PartRanges]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far an ingestion has come: the highest watermark, and the state of the source.

    `revision` rises with every change, so that two runs at once notice each other.
    """

    dataset: str
    revision: int
    watermark: str
    source_mark: str
    counts: Counts
    at: int
