"""A TensorBoard log folder as runs, and a run as a log folder."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import msgspec

from treadle.exchange.tensorboard.events import (
    Event,
    Value,
    read_event,
    write_scalar,
    write_text,
    write_version,
)
from treadle.exchange.tensorboard.records import framed, frames
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.protobuf import Malformed
from treadle.tracking.entities import MetricPoint
from treadle.tracking.rules import KEY_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from treadle.tracking.entities import Run
    from treadle.tracking.service import Tracking

SOURCE = "treadle.tensorboard.source"
BATCH = 10_000
LATEST_S = 1e12
# What a metric's name may not hold becomes an underscore.
_KEPT = frozenset("_-./: ")
_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif"}


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one folder of event files, and what did not."""

    folder: str
    run_id: str
    points: int
    files: int
    left_out: dict[str, int]
    """How many values of each tag were neither number, image nor text (histograms, meshes …)."""


def read_logs(
    tracking: Tracking,
    folder: Path,
    *,
    experiment: str = "Default",
    on_run: Callable[[Brought], None] | None = None,
) -> tuple[Brought, ...]:
    """Read every folder below that holds event files as a run of an experiment.

    Numbers become metrics with their steps and instants, images and texts artifacts. Reading a
    folder again adds what is new to the run it has made before. Raises NotFound when there are no
    event files.
    """
    found = _folders(folder)
    if not found:
        raise NotFound(
            "TensorBoard event file", str(folder), hint="It is a --logdir of TensorBoard."
        )
    brought = []
    for place, files in found.items():
        done = _read_folder(tracking, place, files=files, root=folder, experiment=experiment)
        brought.append(done)
        if on_run is not None:
            on_run(done)
    return tuple(brought)


def write_logs(tracking: Tracking, run_id: str, folder: Path) -> Path:
    """Write a run as a log folder that TensorBoard opens; return its event file.

    TensorBoard keeps numbers in 32 bits. Params and tags become a table among the texts.
    """
    run = tracking.run(run_id)
    target = folder / f"{run.name or 'run'}-{run.id[:8]}".replace("/", "_")
    path = target / f"events.out.tfevents.{run.started_at // 1_000_000:010}.treadle.{run.id[:12]}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for data in _events_of(tracking, run):
                file.write(framed(data))
    except OSError as error:
        raise InvalidInput(f"Cannot write {path}: {error.strerror or error}.") from error
    return path


def _events_of(tracking: Tracking, run: Run) -> Iterator[bytes]:
    started = run.started_at / 1e6
    yield write_version(started)
    for title, values in (("params", run.params), ("tags", run.tags)):
        rows = "".join(f"| {_cell(k)} | {_cell(v)} |\n" for k, v in sorted(values.items()))
        if rows:
            text = f"| {title} | |\n| --- | --- |\n{rows}"
            yield write_text(f"run/{title}", text, step=0, seconds=started)
    for key in sorted(run.metrics):
        for point in tracking.history(run.id, key):
            yield write_scalar(key, point.value, step=point.step, seconds=point.at / 1e6)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _folders(folder: Path) -> dict[Path, list[Path]]:
    found: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*tfevents*")):
        if path.is_file():
            found.setdefault(path.parent, []).append(path)
    return found


def _read_folder(
    tracking: Tracking, place: Path, *, files: list[Path], root: Path, experiment: str
) -> Brought:
    source = str(place.resolve())
    events = _events(files)
    first = next(events, None)
    run_id = _run_for(
        tracking, source, first=first, name=_name(place, root=root), experiment=experiment
    )
    points: list[MetricPoint] = []
    total, kept, left_out = 0, 0, dict[str, int]()
    for event in _with(first, events):
        for value in event.values:
            if value.kind == "scalar":
                points.append(_point(value, event=event))
            elif value.kind == "other":
                left_out[value.tag] = left_out.get(value.tag, 0) + 1
            else:
                tracking.log_artifact(run_id, _path(value, step=event.step), value.data)
                kept += 1
        if len(points) >= BATCH:
            tracking.log_points(run_id, points)
            total, points = total + len(points), []
    tracking.log_points(run_id, points)
    return Brought(
        folder=source, run_id=run_id, points=total + len(points), files=kept, left_out=left_out
    )


def _run_for(
    tracking: Tracking, source: str, *, first: Event | None, name: str, experiment: str
) -> str:
    known = tracking.search_runs(
        experiment=experiment, where=f"tags.`{SOURCE}` = {_quoted(source)}"
    )
    if known.items:
        return known.items[0].id
    started = _instant(first.seconds if first else time.time())
    run = tracking.start_run(
        experiment=experiment, name=name, tags={SOURCE: source}, started_at=started, capture=False
    )
    tracking.end_run(run.id)
    return run.id


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


def _name(place: Path, *, root: Path) -> str:
    return root.resolve().name if place == root else str(place.relative_to(root))


def _events(files: list[Path]) -> Iterator[Event]:
    for path in files:
        with path.open("rb") as stream:
            for data in frames(stream):
                try:
                    yield read_event(data)
                except Malformed as error:
                    raise InvalidInput(f"{path} is no TensorBoard event file: {error}") from error


def _with(first: Event | None, rest: Iterator[Event]) -> Iterator[Event]:
    if first is not None:
        yield first
    yield from rest


def _point(value: Value, *, event: Event) -> MetricPoint:
    at = _instant(event.seconds)
    return MetricPoint(key=metric_name(value.tag), value=value.number, step=event.step, at=at)


def _instant(seconds: float) -> int:
    # A damaged or mistaken clock is no reason to lose the number.
    return int(seconds * 1e6) if abs(seconds) < LATEST_S else 0


def metric_name(tag: str) -> str:
    """Return a tag as the name of a metric: characters it may not hold become underscores."""
    made = "".join(c if c.isalnum() or c in _KEPT else "_" for c in tag) or "value"
    if len(made) <= KEY_LENGTH:
        return made
    # Two long tags with the same beginning stay two metrics.
    return f"{made[: KEY_LENGTH - 9]}-{hashlib.blake2b(tag.encode(), digest_size=4).hexdigest()}"


def _path(value: Value, *, step: int) -> str:
    parts = [part for part in metric_name(value.tag).split("/") if part not in {"", ".", ".."}]
    name = "/".join(parts) or "value"
    kind = next((k for head, k in _KINDS.items() if value.data.startswith(head)), "bin")
    ending = "md" if value.kind == "text" else kind
    return f"tensorboard/{name.replace(':', '_')}/{step:08}.{ending}"
