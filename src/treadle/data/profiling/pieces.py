"""Where the values of a scan wait until they are looked at: in memory, or in one temporary file."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from treadle.analysis.ordered import Ordered
from treadle.kernel.late import np

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Self

    from numpy.typing import NDArray

MEMORY_BYTES = 256 << 20
"""What all columns together hold before pieces go to the file."""
_FEWEST_VALUES = 4_096


class Shelf:
    """A temporary file for sorted pieces; nothing is written while everything fits in memory."""

    def __init__(self, *, columns: int, memory: int = MEMORY_BYTES) -> None:
        self.piece_values = max(_FEWEST_VALUES, memory // (8 * max(1, columns)))
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def put(self, piece: NDArray[Any]) -> int:
        """Write a piece; return where it lies."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="treadle-profile-")  # noqa: SIM115 - closed above
        place = self._file.tell()
        self._file.write(piece.data)
        return place

    def get(self, place: int, *, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return a piece without reading it yet."""
        if self._file is None:
            raise AssertionError("nothing was put")
        self._file.flush()
        return np.memmap(self._file, dtype=dtype, mode="r", offset=place, shape=(size,))


class Collected:
    """The values of one column, sorted a piece at a time."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._waiting: list[NDArray[Any]] = []
        self._held = 0
        self._kept: list[tuple[int, int, np.dtype[Any]]] = []

    def add(self, values: NDArray[Any]) -> None:
        """Take values in any order."""
        if not len(values):
            return
        self._waiting.append(values)
        self._held += len(values)
        if self._held >= self._shelf.piece_values:
            piece = self._sorted()
            self._waiting, self._held = [], 0
            self._kept.append((self._shelf.put(piece), len(piece), piece.dtype))

    def ordered(self) -> Ordered:
        """Return everything that was added."""
        kept = [self._shelf.get(at, size=size, dtype=dtype) for at, size, dtype in self._kept]
        if self._waiting:
            self._waiting = [self._sorted()]
        return Ordered([*kept, *self._waiting], stretch=max(self._shelf.piece_values, 1 << 18))

    def _sorted(self) -> NDArray[Any]:
        piece = np.concatenate(self._waiting)
        piece.sort()
        return piece
