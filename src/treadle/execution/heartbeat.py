"""Saying "still here" from a thread while something long goes on."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from treadle.kernel.errors import TreadleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def beating(beat: Callable[[], None], *, every_s: float) -> Iterator[None]:
    """Call `beat` every so many seconds in a thread until the block is left.

    A store that cannot be reached is told on stderr and tried again at the next beat.
    """
    stop = threading.Event()

    def beat_on() -> None:
        while not stop.wait(every_s):
            try:
                beat()
            except TreadleError as error:
                print(f"treadle: heartbeat failed: {error}", file=sys.stderr)  # noqa: T201 - nobody above this thread to tell

    thread = threading.Thread(target=beat_on, name="treadle-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
