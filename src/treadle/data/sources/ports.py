"""The seam of sources."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec

from treadle.data.entities import Provenance
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


class Above(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that are asked for: those whose `column` is above `value`, or is null.

    `key` names the columns that tell rows apart; repetitions of a key count once.
    """

    column: str
    value: Any
    key: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are being read: batches, and where they come from.

    `older` is the number of rows that the source left out because they are not `Above`; None when
    it leaves none out, and every row is among the batches.
    """

    batches: pa.RecordBatchReader
    origin: Provenance
    older: int | None = None


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """Files of a source, here now: `paths` are regular files, ordered."""

    paths: tuple[Path, ...]
    origin: Provenance


@runtime_checkable
class DataSource(Protocol):
    """A place from which rows or files come.

    **No secrets**: a Provenance, a message, a log line holds no password and no token. Those come
    from the environment when they are needed. **Nothing is written** to the source. **One state**:
    all that one reading gives was there at one instant, where the source can promise that.
    **Threads**: a source has no state; a reading belongs to the thread that made it.
    """

    @property
    def has_files(self) -> bool:
        """Say whether it has files; otherwise it has rows and no files."""

    def origin(self) -> Provenance:
        """Say where it is; asks nobody, so its `mark` is empty."""

    def read(
        self, *, since: Provenance | None = None, above: Above | None = None
    ) -> AbstractContextManager[Reading | None]:
        """Open the rows; let go of everything when the block ends.

        None when the source is sure that nothing changed `since`. It may give rows that are not
        `above`, too, but must not leave out one that is. Raises Unavailable when it cannot be
        reached, InvalidInput with its own words when it refuses; also while batches are taken.
        """

    def fetch(self, folder: Path, *, since: Provenance | None = None) -> Fetched | None:
        """Have the files as they are, written into a folder if they are not on this machine.

        None when the source is sure that nothing changed `since`. Raises InvalidInput when the
        source has rows and no files.
        """


@contextmanager
def passing_errors(reading: Reading) -> Iterator[Reading]:
    """Have what goes wrong while batches are taken arrive as it was raised.

    Arrow hands rows over as a C stream, in which an error is only a text.
    """
    failed: list[Exception] = []

    def taken() -> Iterator[pa.RecordBatch]:
        try:
            yield from reading.batches
        except Exception as error:
            failed.append(error)
            raise

    batches = pa.RecordBatchReader.from_batches(reading.batches.schema, taken())
    try:
        yield msgspec.structs.replace(reading, batches=batches)
    except Exception as error:
        if failed and failed[0] is not error:
            raise failed[0] from None
        raise
