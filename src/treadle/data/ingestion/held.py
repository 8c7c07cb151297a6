"""The rows that are held, and which parts of them a run has to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from treadle.data.ingestion.columns import reshaped
from treadle.data.ingestion.entities import KnownRanges
from treadle.data.tables.ranges import Range, has_range, plain_value
from treadle.kernel.late import np, pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treadle.data.ingestion.entities import IngestionBody
    from treadle.data.tables.parts import TableParts
    from treadle.data.tables.ranges import PartRanges
    from treadle.data.tables.writing import Behind


Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


class Chosen(NamedTuple):
    """Parts that may hold what came, by number; and how many rows of the others are too old."""

    numbers: Sequence[int] | None
    """None means all."""
    older: int
    starts: Sequence[int] = ()
    """The number of each part's first row; one more for the end."""

    def places(self, numbers: Numbers) -> Numbers:
        """Return the numbers of rows in the whole table, from those among the parts' rows."""
        if self.numbers is None or not len(numbers):
            return numbers
        starts = np.asarray(self.starts, dtype=np.int64)
        chosen = np.asarray(self.numbers, dtype=np.int64)
        lengths = starts[chosen + 1] - starts[chosen]
        firsts = np.concatenate([[0], np.cumsum(lengths)])
        which = np.searchsorted(firsts, numbers, side="right") - 1
        return np.asarray(numbers - firsts[which] + starts[chosen[which]])


class Held:
    """What a dataset holds, in the columns of its next version."""

    def __init__(
        self,
        parts: TableParts | None,
        schema: pa.Schema,
        *,
        body: IngestionBody,
        known: KnownRanges | None,
    ) -> None:
        self._parts = parts
        self._schema = schema
        self._body = body
        self._known = known
        self.ranges: KnownRanges | None = None
        """What was learned of the parts, for the next run."""
        self._is_same = parts is not None and bool(parts.entries) and parts.schema() == schema

    def batches(self, numbers: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of all parts, or of some."""
        if self._parts is not None:
            for batch in self._parts.batches(only=numbers):
                yield reshaped(batch, self._schema)

    def choose(self, came: Mapping[str, Range], bound: Any) -> Chosen:
        """Say which parts have to be read: those that may hold a key that came, or are half old.

        Without a key those that may hold an equal row, for which the watermark speaks.
        """
        if self._parts is None or not self._is_same:
            return Chosen(None, 0)
        mark, columns = self._body.watermark, self._body.key or (self._body.watermark,)
        try:
            low = None if bound is None else plain_value(bound, self._schema.field(mark).type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return Chosen(None, 0)
        found = self._ranges(self._parts, tuple(sorted({mark, *columns})))
        numbers, older = [], 0
        for number, part in enumerate(found):
            count = _older(part, mark, low) if low is not None else 0
            if count is None or _may_hold(part, came, columns):
                numbers.append(number)
            else:
                older += count
        starts = [0, *np.cumsum([part.rows for part in found]).tolist()]
        return Chosen(numbers, older, starts)

    def _ranges(self, parts: TableParts, columns: tuple[str, ...]) -> Sequence[PartRanges]:
        """Return the ranges of all parts; equal parts are listed as often as they are there."""
        is_known = self._known is not None and self._known.columns == columns
        known = self._known.parts if self._known is not None and is_known else None
        found = parts.ranges(columns, known=known)
        self.ranges = KnownRanges(columns=columns, parts=found)
        return [found[entry.digest] for entry in parts.entries]

    def last(self) -> tuple[Behind | None, Iterator[pa.RecordBatch]]:
        """Return the parts that stay as they are when rows are added, and the rows of the others.

        The last part is not full yet. Where columns change, every part does.
        """
        if self._parts is None or not self._is_same:
            return None, self.batches()
        behind = self._parts.all_but_last()
        return behind, self.batches([len(behind.entries)])


def _older(part: PartRanges, mark: str, low: Any) -> int | None:
    """Return how many rows of a part are not above the bound; None when its end does not say."""
    marks = part.ranges.get(mark)
    if marks is None:
        return None if part.rows else 0
    if marks.low is None or marks.low > low:
        return 0
    return part.rows - marks.nulls if marks.high <= low else None


def _may_hold(part: PartRanges, came: Mapping[str, Range], columns: Sequence[str]) -> bool:
    if not part.rows:
        return False
    both = [(part.ranges[c], came[c]) for c in columns if c in part.ranges and c in came]
    return all(held.meets(coming) for held, coming in both)


def range_of(low: pa.Scalar, high: pa.Scalar, nulls: int, type_: pa.DataType) -> Range | None:
    """Return the range of what came, None for a type whose ranges are not known."""
    if not has_range(type_):
        return None
    if not low.is_valid:
        return Range(None, None, nulls)
    return Range(plain_value(low, type_), plain_value(high, type_), nulls)
