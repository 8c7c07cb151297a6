"""The story of a home: the facts worth a line, newest first, with the state each is told in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.kernel.clock import format_day
from treadle.server.ui.places import event_place
from treadle.server.ui.sentences import sentence
from treadle.server.ui.widgets import Moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from treadle.storage.events import Event

# Kinds that move the story on; the others stand on the page of events.
TOLD = (
    "dataset.committed",
    "dataset.pulled",
    "contract.set",
    "dataset.validated",
    "dataset.quarantined",
    "dataset.quarantine_released",
    "dataset.quarantine_rejected",
    "pipeline.finished",
    "study.created",
    "run.ended",
    "gate.evaluated",
    "model.version_registered",
    "model.alias_set",
    "release.moved",
    "labels.joined",
    "labels.state_changed",
    "monitor.window_evaluated",
    "alert.opened",
    "alert.closed",
    "retrain.decided",
    "retrain.ended",
    "policy.set",
)


def story(events: Iterable[Event], *, replays: bool) -> tuple[Moment, ...]:
    """Return events as moments; a replay's own day stands beside the time it was played at."""
    return tuple(
        Moment(
            at_us=event.recorded_at,
            text=sentence(event),
            state=mood(event),
            href=event_place(event),
            day=format_day(event.at) if replays else "",
        )
        for event in events
    )


def mood(event: Event) -> str:
    """Return the state an event is told in, as one word."""
    found = _MOODS.get(event.kind, "done")
    if isinstance(found, str):
        return found
    try:
        return found(event.facts())
    except (KeyError, TypeError):  # of an older or newer form: told without a state
        return ""


def _window(facts: dict[str, Any]) -> str:
    return "quiet" if facts["state"] == "ok" else str(facts["state"])


def _release(facts: dict[str, Any]) -> str:
    return str(facts["release"]["state"])


_VERDICTS = {"pass": "passed", "warn": "warning", "fail": "blocked"}
_MOODS: dict[str, str | Callable[[dict[str, Any]], str]] = {
    "dataset.validated": lambda f: _VERDICTS[f["verdict"]],
    "dataset.quarantined": "quarantined",
    "dataset.quarantine_rejected": "blocked",
    "pipeline.finished": lambda f: "finished" if f["state"] == "done" else str(f["state"]),
    "run.ended": lambda f: str(f["status"]),
    "gate.evaluated": lambda f: "passed" if f["report"]["passed"] else "refused",
    "model.alias_set": lambda f: "champion" if f["alias"] == "champion" else "done",
    "release.moved": _release,
    "labels.joined": lambda f: "done" if f["state"] == "accepted" else "quarantined",
    "monitor.window_evaluated": _window,
    "alert.opened": "alert",
    "alert.closed": "resolved",
    "retrain.decided": "active",
}
