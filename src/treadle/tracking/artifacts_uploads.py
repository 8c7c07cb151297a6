"""Where a part of an upload lies in the file, as far as that can be told when it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.storage.ports import Span
from treadle.tracking.store import artifacts as store

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction
    from treadle.tracking.store.artifacts import Upload

# S3 takes larger parts; ones that large are written apart, so that no place is beyond a disk's end.
PLACED_MOST_BYTES = 1 << 30


def place_of_part(tx: Transaction, upload: Upload, number: int, *, size: int | None) -> Span | None:
    """Give a part its place in the file; None for one that must lie apart.

    Clients cut a file into equal parts but for the last. One that does not fit that, that says no
    size, that is the last of several and comes first, or that comes again, waits apart and is
    copied when the upload is complete.
    """
    if size is None or not 0 < size <= PLACED_MOST_BYTES:
        return None
    is_last = number == upload.parts
    each = upload.part_bytes or (size if not is_last or number == 1 else None)
    if each is None or size > each or (size < each and not is_last):
        return None
    if upload.part_bytes is None:
        store.set_part_bytes(tx, upload.id, each)
    span = Span((number - 1) * each, (number - 1) * each + size)
    return span if store.claim_place(tx, upload.id, number, span) else None
