"""The words for states, each with the icon and the tone it is shown with.

A state is never told by colour alone: the icon's shape and the word carry it, the tone only helps.
A word that is not here is shown plainly, so that a new state is visible before it is pretty.
"""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """How a state is drawn: ``tone`` names a colour pair, ``icon`` a symbol of ``icons.html``."""

    tone: str
    icon: str


PLAIN = Look("neutral", "dot")

_GOOD = Look("ok", "check")
_BAD = Look("bad", "cross")
_CARE = Look("warn", "alert")
_MOVING = Look("info", "moving")
_WAITING = Look("neutral", "ring")
_OFF = Look("neutral", "minus")

_LOOKS: dict[str, Look] = {
    # ties of a column to the target
    "suspect": _CARE,
    # runs, steps, jobs
    "scheduled": _WAITING,
    "queued": _WAITING,
    "running": _MOVING,
    "finished": _GOOD,
    "failed": _BAD,
    "killed": _OFF,
    "cached": _GOOD,
    "deleted": _OFF,
    # traces
    "ok": _GOOD,
    "error": _BAD,
    "in_progress": _MOVING,
    "unspecified": _WAITING,
    # model versions
    "production": Look("ok", "up"),
    "staging": Look("info", "up"),
    "archived": _OFF,
    "pending": _WAITING,
    # stations and stages
    "idle": _WAITING,
    "active": _MOVING,
    "done": _GOOD,
    "skipped": _OFF,
    # gates, checks, contracts
    "passed": _GOOD,
    "refused": _BAD,
    "blocked": _BAD,
    "stopped": _BAD,
    "undecided": _CARE,
    "warning": _CARE,
    "unchecked": _WAITING,
    "quarantined": _CARE,
    "held": _CARE,
    "released": _GOOD,
    "rejected": _OFF,
    "breaks": _BAD,
    "loosens": _CARE,
    "tightens": Look("info", "up"),
    "other": _OFF,
    # variants and releases
    "live": Look("ok", "up"),
    "canary": Look("info", "up"),
    "shadow": Look("info", "ring"),
    "champion": Look("ok", "star"),
    "challenger": Look("info", "star"),
    "retired": _OFF,
    "promoted": _GOOD,
    "no gain": _OFF,
    "rolled back": Look("bad", "back"),
    # endpoints and monitors
    "healthy": _GOOD,
    "degraded": _CARE,
    "down": _BAD,
    "quiet": _GOOD,
    "waiting": _WAITING,
    # what becomes of requests that break a contract
    "warned": _CARE,
    # alerts and findings
    "alert": Look("bad", "alert"),
    "open": Look("bad", "alert"),
    "watched": _CARE,
    "ignored": _OFF,
    "resolved": _GOOD,
    "injected": Look("warn", "flag"),
    # what differs
    "added": Look("ok", "plus"),
    "removed": Look("bad", "minus"),
    "changed": Look("info", "moving"),
    "renamed": Look("info", "dot"),
    "retyped": Look("info", "dot"),
    # signatures and the log
    "verified": _GOOD,
    "unsigned": _CARE,
    "broken": _BAD,
}


def look(state: str) -> Look:
    """Say how a state is drawn."""
    return _LOOKS.get(state.lower().replace("_", " "), PLAIN)


def known() -> tuple[str, ...]:
    """Every state that has a look of its own."""
    return tuple(_LOOKS)
