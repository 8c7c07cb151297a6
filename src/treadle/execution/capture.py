"""Keeping the end of what work prints, whoever prints it: Python, C code or a child process."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_LIMIT_BYTES = 64 << 10
DRAIN_S = 2.0
_BLOCK = 8 << 10


class Tail:
    """The last bytes of something long, and how many were dropped before them."""

    def __init__(self, *, limit: int = LOG_LIMIT_BYTES) -> None:
        self._limit = limit
        self._blocks: deque[bytes] = deque()
        self._held = 0
        self._dropped = 0
        self._lock = threading.Lock()

    def add(self, block: bytes) -> None:
        """Add bytes at the end, dropping whole blocks at the start that are over the limit."""
        with self._lock:
            self._blocks.append(block)
            self._held += len(block)
            while self._held - len(self._blocks[0]) >= self._limit:
                gone = len(self._blocks.popleft())
                self._held -= gone
                self._dropped += gone

    def text(self) -> str:
        """Return what is kept as text; says how much is missing before it."""
        with self._lock:
            kept = b"".join(self._blocks)
            over = max(0, len(kept) - self._limit)
            dropped = self._dropped + over
        # PostgreSQL holds no NUL in a text.
        text = kept[over:].decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
        return f"… {dropped} bytes before this were dropped\n{text}" if dropped else text


@contextlib.contextmanager
def capturing(tail: Tail) -> Iterator[None]:
    """Send what this process writes to stdout and stderr to a tail until the block ends."""
    reader, writer = os.pipe()
    with _redirected(writer):
        os.close(writer)
        thread = threading.Thread(target=_drain, args=(reader, tail), daemon=True)
        thread.start()
        try:
            yield
        finally:
            _flush()
    # A child the work left behind may hold the pipe open; its words are not worth a longer wait.
    thread.join(timeout=DRAIN_S)


@contextlib.contextmanager
def _redirected(writer: int) -> Iterator[None]:
    _flush()
    saved = os.dup(1), os.dup(2)
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    try:
        yield
    finally:
        for descriptor, original in zip((1, 2), saved, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # Work may have closed or replaced them; that is no reason to lose its result.
        with contextlib.suppress(ValueError, OSError):
            stream.flush()


def _drain(reader: int, tail: Tail) -> None:
    with os.fdopen(reader, "rb", buffering=0) as source:
        while block := source.read(_BLOCK):
            tail.add(block)
