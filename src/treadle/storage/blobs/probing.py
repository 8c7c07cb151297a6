"""Finds out whether a place keeps who was first.

Some servers take every conditional put, others judge rightly only while writers come one after the
other: OpenStack Swift tells all of several at once that they were first.
"""

from __future__ import annotations

import contextlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from treadle.kernel.errors import NotFound, Unavailable
from treadle.kernel.ids import new_id
from treadle.storage.objects import read_up_to

if TYPE_CHECKING:
    from treadle.storage.ports import Blobs

WRITERS = 4
ROUNDS = 3
FIRST, SECOND = b"first", b"second"


def is_honest(blobs: Blobs) -> bool:
    """Let several create the same blob, one after the other and at once; say whether one did.

    Raises Unavailable when nothing can be written there at all.
    """
    return _in_turn(blobs) and all(_at_once(blobs) for _ in range(ROUNDS))


def _in_turn(blobs: Blobs) -> bool:
    key = f"probes/{new_id()}"
    try:
        told = blobs.create(key, FIRST), blobs.create(key, SECOND)
        with blobs.open(key) as stream:
            return told == (True, False) and read_up_to(stream, len(SECOND)) == FIRST
    except (Unavailable, NotFound):
        blobs.put(key, io.BytesIO(FIRST))  # refused as well: then it is not about the condition
        return False
    finally:
        _remove(blobs, key)


def _at_once(blobs: Blobs) -> bool:
    key = f"probes/{new_id()}"
    start = threading.Barrier(WRITERS)

    def create(number: int) -> bool:
        start.wait()
        return blobs.create(key, b"%d" % number)

    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            return sum(pool.map(create, range(WRITERS))) == 1
    finally:
        _remove(blobs, key)


def _remove(blobs: Blobs, key: str) -> None:
    # Who may write but not remove leaves it: a few bytes, once.
    with contextlib.suppress(Unavailable):
        blobs.delete(key)
