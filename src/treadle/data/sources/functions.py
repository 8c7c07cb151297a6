"""Rows that a Python function returns or yields."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.entities import Provenance
from treadle.data.sources.formats import conformed, require_same
from treadle.data.sources.ports import Reading, passing_errors
from treadle.data.sources.settling import settled
from treadle.data.tables.intake.records import of_records
from treadle.execution.targets import check_target, resolve
from treadle.kernel.errors import InvalidInput, TreadleError
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.sources.ports import Above, Fetched


class FunctionSource(msgspec.Struct, frozen=True, tag="function"):
    """What a function returns or yields: frames, Arrow tables and batches, or lists of dicts.

    `target` names it (`package.module:name`, `/folder/file.py:name`), so that it can be stored;
    `call` is the function itself where it is only used now.
    """

    target: str
    call: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        if self.call is None:
            check_target(self.target)

    @property
    def has_files(self) -> bool:
        """Return False."""
        return False

    def origin(self) -> Provenance:
        """Say which function."""
        return Provenance(kind="function", place=self.target)

    @contextmanager
    def read(
        self, *, since: Provenance | None = None, above: Above | None = None
    ) -> Iterator[Reading | None]:
        """Call it. If it takes an argument, that is the value that rows should be above, or None.

        It is called within the block, and may do its work while batches are taken.
        """
        del since
        call = self.call or resolve(self.target)
        with self._explained():
            given = call(above.value if above else None) if _takes_one(call) else call()
            lots = self._raised(_lots(given, where=self.target))
            first = next(lots, None)
        if first is None:
            raise InvalidInput(
                f"{self.target} gave nothing, not even a table without rows.",
                hint="Have it return an empty table with the columns it has.",
            )
        schema = first.schema
        batches = pa.RecordBatchReader.from_batches(schema, self._batches(first, lots))
        with passing_errors(Reading(batches=batches, origin=self.origin())) as passed:
            yield passed

    def fetch(self, folder: Path, *, since: Provenance | None = None) -> Fetched | None:  # noqa: ARG002 - the seam's signature
        """Raise InvalidInput: a function gives rows."""
        raise InvalidInput(
            "A function gives rows, not files.",
            hint="Have it write files, and commit their folder.",
        )

    def _batches(
        self, first: pa.RecordBatchReader, others: Iterator[pa.RecordBatchReader]
    ) -> Iterator[pa.RecordBatch]:
        yield from first
        for other in others:
            require_same(other.schema, first.schema, where=self.target, first="what it gave first")
            for batch in other:
                yield conformed(batch, first.schema, where=self.target)

    def _raised(self, lots: Iterator[pa.RecordBatchReader]) -> Iterator[pa.RecordBatchReader]:
        with self._explained():
            yield from lots

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except TreadleError:
            raise
        except Exception as error:
            raise InvalidInput(
                f"{self.target} raised {type(error).__name__}: {error}",
                hint="Call it by itself to see where.",
            ) from error


def function(call: Callable[..., Any] | str) -> FunctionSource:
    """Say that a function is the source; by name (`"shop.feeds:orders"`) it can be stored."""
    if isinstance(call, str):
        return FunctionSource(call)
    module = inspect.getmodule(call)
    name = getattr(call, "__qualname__", type(call).__name__)
    return FunctionSource(f"{module.__name__ if module else '?'}:{name}", call)


def _takes_one(call: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        given = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(parameter.kind in kinds for parameter in given)


def _lots(given: object, *, where: str) -> Iterator[pa.RecordBatchReader]:
    if is_rows(given):
        yield _reader(given, where=where)
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
        for lot in given:
            yield _reader(lot, where=where)
    else:
        raise _unusable(given, where)


def is_rows(given: object) -> bool:
    """Say whether something is one lot of rows, not several of them."""
    is_list = isinstance(given, list) and all(isinstance(row, Mapping) for row in given)
    return is_list or hasattr(given, "__arrow_c_stream__") or hasattr(given, "__arrow_c_array__")


def _reader(given: object, *, where: str) -> pa.RecordBatchReader:
    if not is_rows(given):
        raise _unusable(given, where)
    if isinstance(given, list):
        return of_records(given).to_reader()
    if hasattr(given, "__arrow_c_stream__"):
        return settled(pa.RecordBatchReader.from_stream(given))
    batch = pa.record_batch(given)
    return settled(pa.RecordBatchReader.from_batches(batch.schema, [batch]))


def _unusable(given: object, where: str) -> InvalidInput:
    return InvalidInput(
        f"{where} gave a {type(given).__name__}, which has no rows.",
        hint="Return or yield a frame, an Arrow table or batch, or a list of dicts.",
    )
