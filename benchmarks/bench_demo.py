"""The demo three times, each in a fresh home: seconds, peak memory, seconds to a live endpoint.

Time is taken from outside, starting the interpreter included; memory is the demo's own sum over its
processes (shared pages counted once); the endpoint counts as live when the demo says its address.
A number on the command line (`bench_demo.py 1`) changes how often.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TIMES = 3
TREADLE = str(Path(sys.executable).with_name("treadle"))
ARGUMENTS = ["demo", "flights", "--headless", "--check", "--inference-port", "0"]
LIVE = re.compile(r"([\d.]+) s +live: http")
PEAK = re.compile(r"(\d+) MB at the peak")
HELD = re.compile(r"(\d+) of (\d+) claims held")


@dataclass(frozen=True)
class Played:
    seconds: float
    live_seconds: float
    peak_mb: float
    claims: str
    exit_code: int

    def row(self, name: str) -> str:
        numbers = f"{self.seconds:>8.1f} s{self.live_seconds:>8.1f} s{self.peak_mb:>7.0f} MB"
        return f"{name:<8}{numbers}{self.claims:>10}{self.exit_code:>6}"


def play() -> Played:
    with tempfile.TemporaryDirectory(prefix="treadle-bench-") as folder:
        begun = time.perf_counter()
        done = subprocess.run(
            [TREADLE, "--home", f"{folder}/home", *ARGUMENTS],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        seconds = time.perf_counter() - begun
    if done.returncode != 0:
        print(done.stdout)
    return Played(
        seconds=seconds,
        live_seconds=number(LIVE, done.stdout),
        peak_mb=number(PEAK, done.stdout),
        claims="/".join(found.groups()) if (found := HELD.search(done.stdout)) else "none",
        exit_code=done.returncode,
    )


def number(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    return float(found[1]) if found else float("nan")


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else TIMES
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"{times} times, {os.cpu_count()} cores, load before {load}\n")
    print(f"{'':<8}{'all':>10}{'live':>10}{'peak':>10}{'claims':>10}{'exit':>6}")
    runs = []
    for turn in range(1, times + 1):
        runs.append(play())
        print(runs[-1].row(str(turn)), flush=True)
    median = Played(
        seconds=statistics.median(run.seconds for run in runs),
        live_seconds=statistics.median(run.live_seconds for run in runs),
        peak_mb=statistics.median(run.peak_mb for run in runs),
        claims="",
        exit_code=max(run.exit_code for run in runs),
    )
    print(median.row("median"))
    return median.exit_code


if __name__ == "__main__":
    sys.exit(main())
