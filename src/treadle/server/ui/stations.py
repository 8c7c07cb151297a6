"""The stations of the loop picture: each one state and one number, from what the services say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treadle.kernel.clock import format_day
from treadle.kernel.errors import noun_of
from treadle.server.ui import places
from treadle.server.ui.formats import number
from treadle.server.ui.stages import walk
from treadle.server.ui.widgets import LOOP, LoopNode, LoopPicture, Stage, Stat

if TYPE_CHECKING:
    from treadle.data.entities import DatasetSummary
    from treadle.governance.entities import GateTotals
    from treadle.monitoring.entities import Alert, WindowReport
    from treadle.registry.entities import Model
    from treadle.release.entities import Release
    from treadle.serving.entities import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopFacts:
    """What the picture is made of. Tuples of releases and alerts are newest first."""

    now: int
    replays: bool
    events: int
    datasets: tuple[DatasetSummary, ...]
    runs: int
    runs_running: int
    gates: GateTotals
    models: tuple[Model, ...]
    releases: tuple[Release, ...]
    endpoints: tuple[Endpoint, ...]
    predictions: int
    labels: int
    labels_held: int
    window: WindowReport | None
    reference_loss: float | None
    alerts_open: tuple[Alert, ...]
    alerts_ever: int
    retrains: int


@dataclass(frozen=True, slots=True)
class Told:
    """What one station says."""

    state: str
    value: int | float | str | None
    unit: str
    href: str
    note: str = ""


def picture(facts: LoopFacts) -> LoopPicture:
    """Return the loop picture."""
    tellers = {
        "data": _data,
        "contract": _contract,
        "train": _train,
        "gate": _gate,
        "register": _register,
        "release": _release,
        "serve": _serve,
        "log": _log,
        "labels": _labels,
        "monitor": _monitor,
        "alert": _alert,
        "retrain": _retrain,
    }
    nodes = []
    for key, label in LOOP.items():
        told = tellers[key](facts)
        nodes.append(LoopNode(key, label, told.state, told.value, told.unit, told.href, told.note))
    return LoopPicture(nodes=tuple(nodes), stages=_stages(facts), stats=_stats(facts))


def _data(f: LoopFacts) -> Told:
    count = len(f.datasets)
    newest = max(f.datasets, key=lambda d: d.latest.created_at, default=None)
    note = f"newest {newest.latest.ref}" if newest else ""
    return Told(_done(count), count, noun_of(count, "dataset"), "/data", note)


def _contract(f: LoopFacts) -> Told:
    bound = [d for d in f.datasets if d.contract_number is not None]
    held = sum(d.held for d in bound)
    broken = sum(d.verdict == "fail" and not d.held for d in bound)
    if broken:
        return Told("failed", broken, noun_of(broken, "contract") + " broken", "/data")
    if held:
        return Told("done", held, noun_of(held, "version") + " held back", "/data")
    return Told(_done(len(bound)), len(bound), noun_of(len(bound), "contract") + " kept", "/data")


def _train(f: LoopFacts) -> Told:
    state = "active" if f.runs_running else _done(f.runs)
    running = f", {f.runs_running} running" if f.runs_running else ""
    return Told(state, f.runs, noun_of(f.runs, "run") + running, "/runs")


def _gate(f: LoopFacts) -> Told:
    said = f"{f.gates.passed} of {f.gates.judged}" if f.gates.judged else None
    return Told(_done(f.gates.judged), said, "candidates passed", "/events?kind=gate.evaluated")


def _register(f: LoopFacts) -> Told:
    newest = max(f.models, key=lambda m: m.updated_at, default=None)
    if newest is None or not newest.latest:
        return Told("idle", None, "no version yet", "/models")
    ref, count = f"{newest.name}@{newest.latest}", sum(m.latest for m in f.models)
    return Told("done", ref, f"{count} {noun_of(count, 'version')}", places.version_place(ref))


def _release(f: LoopFacts) -> Told:
    if not f.releases:
        return Told("idle", None, "none yet", "/endpoints")
    newest = f.releases[0]
    state = "active" if newest.is_open else "done"
    href = places.release_place(newest.endpoint, newest.id)
    return Told(state, newest.state, newest.candidate, href, newest.reason or newest.why)


def _serve(f: LoopFacts) -> Told:
    serving = [e for e in f.endpoints if e.variants]
    if not serving:
        return Told("idle", None, "nothing serves yet", "/endpoints")
    first = serving[0]
    others = f", {len(serving) - 1} more" if len(serving) > 1 else ""
    return Told(
        "done", champion(first), f"answers {first.name}{others}", places.endpoint_place(first.name)
    )


def _log(f: LoopFacts) -> Told:
    href = places.endpoint_place(f.endpoints[0].name) if f.endpoints else "/endpoints"
    return Told(_done(f.predictions), f.predictions, noun_of(f.predictions, "prediction"), href)


def _labels(f: LoopFacts) -> Told:
    held = f", {number(f.labels_held)} held" if f.labels_held else ""
    return Told(_done(f.labels), f.labels, f"joined{held}", "/events?kind=labels.joined")


def _monitor(f: LoopFacts) -> Told:
    if f.window is None:
        return Told("idle", None, "no window yet", "/monitors")
    unit = f"log-loss, {format_day(f.window.start)}"
    return Told("done", f.window.log_loss, unit, places.monitor_place(f.window.monitor))


def _alert(f: LoopFacts) -> Told:
    count = len(f.alerts_open)
    if count:
        first = f.alerts_open[0]
        return Told(
            "failed", count, f"open: {first.kind}", places.monitor_place(first.monitor), first.title
        )
    closed = f"{f.alerts_ever} closed" if f.alerts_ever else "open"
    return Told(_done(f.alerts_ever), f.alerts_ever and "none open", closed, "/monitors")


def _retrain(f: LoopFacts) -> Told:
    unit = noun_of(f.retrains, "challenger") + " trained"
    return Told(_done(f.retrains), f.retrains, unit, "/events?kind=retrain.decided")


def _stages(f: LoopFacts) -> tuple[Stage, ...]:
    # The gates have a station of their own.
    return tuple(s for s in walk(f.releases[0]) if s.name != "gates") if f.releases else ()


def _stats(f: LoopFacts) -> tuple[Stat, ...]:
    first = (
        Stat("Day", format_day(f.now), note="the past, replayed")
        if f.replays
        else Stat("Events", f.events, note="in one chain")
    )
    return (first, *_quality(f), _champion(f))


def _quality(f: LoopFacts) -> tuple[Stat, ...]:
    loss, ratio = (f.window.log_loss, f.window.calibration) if f.window else (None, None)
    known = f.reference_loss is not None
    between = f"95 % [{ratio.low:.2f}, {ratio.high:.2f}]" if ratio else "no labels yet"
    return (
        Stat("Log-loss", loss, note=f"held out {number(f.reference_loss)}" if known else ""),
        Stat("Observed / predicted", ratio.estimate if ratio else None, note=between),
    )


def _champion(f: LoopFacts) -> Stat:
    live = next((r for r in f.releases if r.state == "live"), None)
    if live is None:
        return Stat("Champion", None, note="nothing is live")
    since = live.ended_at or live.created_at
    return Stat("Champion", live.candidate, note=f"since {format_day(since)}")


def champion(endpoint: Endpoint) -> str:
    """Return the version that answers most of an endpoint's requests, or an empty text."""
    live = [v for v in endpoint.variants if v.role == "live"]
    return max(live, key=lambda v: v.share).version if live else ""


def _done(count: int) -> str:
    return "done" if count else "idle"
