"""What starting costs: `import treadle` and `treadle --help` beside a Python that does nothing.

Each command is timed 20 times, in turns so that a busy moment hits all alike. The minimum is what
it costs, the median what it cost here. With bytecode: one round before is not counted.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 20
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import treadle": [sys.executable, "-c", "import treadle"],
    "treadle --help": [str(Path(sys.executable).with_name("treadle")), "--help"],
}


def milliseconds(command: list[str]) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return (time.perf_counter() - begun) * 1000


def main() -> None:
    for command in COMMANDS.values():
        milliseconds(command)
    rounds = [[milliseconds(command) for command in COMMANDS.values()] for _ in range(ROUNDS)]
    columns = dict(zip(COMMANDS, zip(*rounds, strict=True), strict=True))
    least = min(columns["python -c pass"])
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"{ROUNDS} rounds, {os.cpu_count()} cores, load {load}\n")
    print(f"{'command':<16}{'min ms':>8}{'median ms':>11}{'of a bare start':>17}")
    for name, times in columns.items():
        ratio = f"{min(times) / least:.1f} ×"
        print(f"{name:<16}{min(times):>8.0f}{statistics.median(times):>11.0f}{ratio:>17}")


if __name__ == "__main__":
    main()
