"""Finds out whether a place keeps who was first: some servers take every conditional put."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

from treadle.kernel.errors import NotFound, Unavailable
from treadle.kernel.ids import new_id
from treadle.storage.objects import read_up_to

if TYPE_CHECKING:
    from treadle.storage.ports import Blobs

FIRST, SECOND = b"first", b"second"


def is_honest(blobs: Blobs) -> bool:
    """Create the same blob twice and say whether the second was told so, and the first stayed.

    Raises Unavailable when nothing can be written there at all.
    """
    key = f"probes/{new_id()}"
    try:
        told = blobs.create(key, FIRST), blobs.create(key, SECOND)
        with blobs.open(key) as stream:
            return told == (True, False) and read_up_to(stream, len(SECOND)) == FIRST
    except (Unavailable, NotFound):
        blobs.put(key, io.BytesIO(FIRST))  # refused as well: then it is not about the condition
        return False
    finally:
        # Who may write but not remove leaves it: a few bytes, once.
        with contextlib.suppress(Unavailable):
            blobs.delete(key)
