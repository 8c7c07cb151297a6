"""Points that could not be sent, in a file each run, until somebody sends them.

A file is lines of JSON: the place and the run, then `[key, value, step, instant]` each point, then
how the run ended if it did. It may be sent twice: a point is stored once. While its run is logged
to, a file ends in `.open`; a process that was killed leaves it so.
"""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from treadle.kernel.errors import Corrupt, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from treadle.client.ports import Place, Point
    from treadle.tracking.entities import EndStatus

    Send: TypeAlias = "Callable[[list[Point]], None]"

OPEN, WHOLE = ".open", ".jsonl"


class Spool:
    """The file of one run's unsent points; made when there are any."""

    def __init__(self, folder: Path, *, place: str, run_id: str) -> None:
        self._folder, self._place, self._run_id = folder, place, run_id
        self.path = folder / f"{run_id}-{os.getpid()}{OPEN}"
        self._is_used = False

    def of_this_process(self) -> Spool:
        """Return the spool a forked child uses for the same run."""
        return Spool(self._folder, place=self._place, run_id=self._run_id)

    def append(self, points: Sequence[Point]) -> None:
        """Write points behind those that are there, durably. Raises Unavailable."""
        self._write(points)

    def finish(self, *, status: EndStatus, error: str) -> Path:
        """Write how the run ended and give the file over to who sends it; return its path."""
        self._write([{"status": status, "error": error}])
        return self.leave()

    def leave(self) -> Path:
        """Give the file over to who sends it; return its path."""
        if self._is_used:
            self.path = self.path.rename(self.path.with_suffix(WHOLE))
            self._is_used = False
        return self.path

    def replay(self, send: Send, *, limit: int) -> None:
        """Send what is in the file, if there is one, and remove it."""
        if self._is_used:
            for points in batches(_points_in(self.path), limit=limit):
                send(points)
            self.path.unlink()
            self._is_used = False

    def _write(self, lines: Iterable[Any]) -> None:
        header = [] if self._is_used else [{"place": self._place, "run": self._run_id}]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in (*header, *lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(
                f"Cannot write unsent points to {self.path}: {error.strerror or error}."
            ) from error
        self._is_used = True


def send_spooled(place: Place) -> int:
    """Send every file left for a place, remove it, and return how many runs it was for."""
    sent = 0
    for path in sorted((*place.spool.glob(f"*{WHOLE}"), *place.spool.glob(f"*{OPEN}"))):
        if path.suffix == OPEN and _is_alive(int(path.stem.rpartition("-")[2])):
            continue
        header = next(_lines(path), None)
        if header is not None and header["place"] == place.name:
            _send_file(path, header["run"], place=place)
            path.unlink()
            sent += 1
    return sent


def batches(points: Iterable[Point], *, limit: int) -> Iterator[list[Point]]:
    """Return points in lists of at most `limit`."""
    rest = iter(points)
    while batch := list(islice(rest, limit)):
        yield batch


def _send_file(path: Path, run_id: str, *, place: Place) -> None:
    for points in batches(_points_in(path), limit=place.batch_limit):
        place.send(run_id, points)
    for line in _lines(path):
        if isinstance(line, dict) and "status" in line:
            place.end(run_id, status=line["status"], error=line["error"])


def _points_in(path: Path) -> Iterator[Point]:
    for line in _lines(path):
        if isinstance(line, list):
            key, value, step, at = line
            yield key, value, step, at


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith("\n"):
                return  # torn by a kill; who wrote it never said that it was kept
            try:
                yield json.loads(line)
            except ValueError as error:
                raise Corrupt(f"Line {number} of {path} is no JSON: {error}.") from error


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
