"""Digests: BLAKE3 names bytes, SHA-256 chains the log, and JSON has one canonical form."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
from blake3 import blake3

if TYPE_CHECKING:
    from typing import BinaryIO

CHUNK_BYTES = 1 << 20

_CANONICAL = msgspec.json.Encoder(order="deterministic")


def digest_bytes(data: bytes | memoryview) -> str:
    """Return the BLAKE3 digest of bytes as 64 hex digits."""
    return blake3(data).hexdigest()


def digest_stream(stream: BinaryIO) -> tuple[str, int]:
    """Return the BLAKE3 digest and the size in bytes of what is left in a stream."""
    hasher, size = blake3(), 0
    while block := stream.read(CHUNK_BYTES):
        hasher.update(block)
        size += len(block)
    return hasher.hexdigest(), size


def canonical_json(value: Any) -> bytes:
    """Encode a value as JSON with sorted keys and no spaces: equal values give equal bytes."""
    return _CANONICAL.encode(value)


def digest_json(value: Any) -> str:
    """Return the BLAKE3 digest of a value's canonical JSON."""
    return digest_bytes(canonical_json(value))


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 digest of bytes as hex, as the event log is chained."""
    return hashlib.sha256(data).hexdigest()
