"""Which process a run belongs to, and whether that process is gone."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import msgspec

PROC = Path("/proc")
STATE, STARTED = 0, 19
"""Places in /proc/PID/stat after the name: what the process is doing, and when it began."""
OVER = frozenset("ZX")


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process, so named that no other is taken for it: numbers of processes are used again.

    `machine` is where its number means it: containers of one machine are several.
    """

    machine: str
    boot: str
    pid: int
    started: str


def this_process() -> Process:
    """Return the process that asks."""
    pid = os.getpid()
    names = [socket.gethostname(), _read(Path("/etc/machine-id"))]
    with contextlib.suppress(OSError):
        names.append(str((PROC / "self/ns/pid").readlink()))
    boot = _read(PROC / "sys/kernel/random/boot_id")
    return Process(machine="/".join(names), boot=boot, pid=pid, started=_started(pid) or "")


def is_gone(process: Process) -> bool:
    """Say whether a process is known to be gone. Of another machine's nothing is known."""
    here = this_process()
    if here.machine != process.machine:
        return False
    return here.boot != process.boot or _started(process.pid) not in {process.started, None}


def _started(pid: int) -> str | None:
    """Return when a process began, empty when there is none, None when that cannot be told."""
    try:
        # The name, in parentheses, may hold anything, also parentheses.
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return _unless_there(pid)
    return "" if fields[STATE] in OVER else fields[STARTED]


def _unless_there(pid: int) -> str | None:
    # Where there is no /proc, or it hides what others run.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return None
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
