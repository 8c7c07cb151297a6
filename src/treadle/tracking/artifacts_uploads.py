"""Streams of an upload in parts: a part with a head of its own, and parts joined to a file."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, BinaryIO

from treadle.kernel.digests import CHUNK_BYTES
from treadle.storage.objects import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PART_HEAD_BYTES = 32


def headed(stream: BinaryIO) -> BinaryIO:
    """Return a stream behind a head that no other begins with."""

    def blocks() -> Iterator[bytes]:
        yield secrets.token_bytes(PART_HEAD_BYTES)
        while block := stream.read(CHUNK_BYTES):
            yield block

    return stream_of(blocks())


def joined(parts: Iterable[Iterator[bytes]]) -> BinaryIO:
    """Return the blocks of all parts as one stream."""
    return stream_of(block for part in parts for block in part)
