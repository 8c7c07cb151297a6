"""Where bytes are cut: at places their content chooses, so that an insertion moves few cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pyfastcdc import FastCDC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIB = 1 << 10


class Bounds(NamedTuple):
    """How long a chunk may be, in bytes; the usual length is a little above `usual`."""

    least: int
    usual: int
    most: int


# Both are part of the format: other bounds give other chunks, and what is stored is stored anew.
# For files the scan skips `least` bytes of each chunk: 0.14 CPU s a GB, half of `least` 0.20.
FILES = Bounds(192 * KIB, 256 * KIB, 1024 * KIB)
# Lists of files are small and change in single lines.
TREES = Bounds(4 * KIB, 8 * KIB, 64 * KIB)

# Stays in the processor's cache from the read to the digest.
WINDOW_BYTES = 8 << 20

# How sharply lengths keep to the usual one (section 3.5 of the FastCDC paper of 2020).
_NORMALIZED: Final = 2


def cut(data: bytes | bytearray | memoryview, bounds: Bounds) -> Iterator[tuple[int, int]]:
    """Yield start and stop of every chunk; together they are the data.

    The last chunk ends where the data ends: of a part of something longer, it must be cut again
    with what follows.
    """
    cutter = FastCDC(
        bounds.usual,
        min_size=bounds.least,
        max_size=bounds.most,
        normalized_chunking=_NORMALIZED,
    )
    return ((c.offset, c.offset + c.length) for c in cutter.cut_buf(data))


def cut_stream(
    read_into: Callable[[memoryview], int], bounds: Bounds, *, window: Callable[[], memoryview]
) -> Iterator[list[memoryview]]:
    """Yield the chunks of all that a `readinto` gives, some at a time.

    They lie in the window, one after the other from its start, and are good until the next.
    `window` is asked for each time anew and must be longer than a chunk may be; what is not cut yet
    is moved to its start.
    """
    view, held, got = window(), 0, 1
    while got:
        got = read_into(view[held:])
        held += got
        if got and held < len(view):
            continue
        cuts = list(cut(view[:held], bounds)) if held else []
        # The last one may go on beyond the window.
        tail = cuts.pop()[0] if got else held
        yield [view[start:stop] for start, stop in cuts]
        rest, held = view[tail:held], held - tail
        view = window()
        view[:held] = rest


def own_window() -> Callable[[], memoryview]:
    """Return memory of one's own to cut streams in."""
    view = memoryview(bytearray(WINDOW_BYTES))
    return lambda: view
