"""How much memory this process and its children take together."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

import pyarrow as pa

PAUSE_S = 0.5
_LIBC = ctypes.CDLL(None)


def give_back() -> None:
    """Return freed memory to the system, which Arrow and glibc keep otherwise."""
    pa.default_memory_pool().release_unused()
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)


class MemoryWatch:
    """Samples the proportional set size of the process tree (shared pages counted once)."""

    def __init__(self) -> None:
        self._peak = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """End the watch and return the peak in MB."""
        self._over.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._over.wait(PAUSE_S):
            self._peak = max(self._peak, tree_megabytes(os.getpid()))


def tree_megabytes(pid: int) -> float:
    """Return the memory of a process and all below it, in MB."""
    own = _pss_kilobytes(pid) / 1000 * 1.024
    return own + sum(tree_megabytes(child) for child in _children(pid))


def _pss_kilobytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it ended between listing and reading
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    except OSError:
        return found
    return found
