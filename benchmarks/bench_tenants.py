"""What 200 tenants cost that sleep: CPU time of a minute of their caretaker, and memory.

On SQLite, or on the PostgreSQL named by `TREADLE_METADATA_URL` (an empty database).
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server.caretaker import Caretaker

TENANTS = 200
MINUTE_S = 60.0


def memory_mb() -> float:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def measure(root: App) -> None:
    for number in range(TENANTS):
        with root.tenant(f"team-{number}") as tenant:
            tenant.tracking.default_experiment()
    before = memory_mb()
    with Caretaker(root) as caretaker:
        begun = time.monotonic()
        time.sleep(10.0)  # the first looks open and seal each of them
        cpu_s = time.process_time()
        time.sleep(MINUTE_S)
        cpu_s = time.process_time() - cpu_s
        awake, lasted_s = len(caretaker.awake), time.monotonic() - begun
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"{TENANTS} tenants, {awake} awake, {root.store.dialect}, {lasted_s:.0f} s, load {load}")
    print(f"CPU of a minute: {cpu_s:.2f} s")
    print(f"memory: {before:.1f} MB before, {memory_mb():.1f} MB after")


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        App(
            Settings(home=Path(home), metadata_url=os.environ.get("TREADLE_METADATA_URL", ""))
        ) as root,
    ):
        measure(root)


if __name__ == "__main__":
    main()
