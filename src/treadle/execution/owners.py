"""Which process drives something long, and whether it is still alive."""

from __future__ import annotations

import os
import socket
from pathlib import Path

# Another machine's driver beats every 10 s; this long in silence, and it is gone.
BEAT_S = 10.0
SILENCE_S = 120.0


def this_process() -> str:
    """Name this process so that no other one, now or later, has the same name."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_gone(owner: str, *, silent_s: float) -> bool:
    """Say whether the process of that name has ended; elsewhere, whether it has gone silent."""
    host, pid, started = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return silent_s > SILENCE_S
    return not _is_running(int(pid)) or _started(int(pid)) != started


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, but there
        return True
    return True


def _started(pid: int) -> str:
    # Process ids are used again; with the tick at which it began (proc(5), field 22) one is unique.
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
