"""Files in and out by the unmodified MLflow client: its own server and Treadle, side by side.

`./run bench artifacts` sends a file of 1 GB whole and in parts, fetches it, and does the same with
2,000 small files; for each the time of the client, the processor time of the server and what its
memory rose by. `--rounds N` changes the three rounds, `--megabytes N` the size of the file. The
genuine server takes none in parts into a folder: its client then sends the file whole.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

from bench_mlflow import HERE, Table, load
from mlflow_servers import Server, cpu_s, family, genuine, memory_mb, treadle

WORKS = {
    "large": "1 file",
    "parts": "1 file in parts",
    "fetch large": "1 file fetched",
    "small": "2,000 files",
    "fetch small": "2,000 files fetched",
}
BLOCK = 1 << 20
FILES = HERE / "files.py"


def measure(table: Table, name: str, server: Server, peer: Path, folder: Path) -> None:
    """Have the client do each work once, and say what it cost the server."""
    for work, line in WORKS.items():
        renew(folder / "large.bin")
        forget_peak(server.pid)
        before, held = cpu_s(server.pid), memory_mb(server.pid)
        done = load(peer, server.address, work.split()[0], folder, program=FILES)
        table.add(f"{line}, s", name, done["seconds"])
        table.add(f"{line}: processor of the server, s", name, cpu_s(server.pid) - before)
        rise = memory_mb(server.pid, at_most=True) - held
        table.add(f"{line}: memory on top, MB", name, rise)


def renew(file: Path) -> None:
    """Change a file, so that no server has its bytes already."""
    with file.open("r+b") as opened:
        opened.write(os.urandom(BLOCK))


def forget_peak(pid: int) -> None:
    """Let the peak of the memory of a process and all below it count from now."""
    for one in family(pid):
        with contextlib.suppress(OSError):
            Path(f"/proc/{one}/clear_refs").write_text("5")


def bench(peer: Path, *, rounds: int, megabytes: int) -> None:
    table = Table()
    with tempfile.TemporaryDirectory(prefix="treadle-bench-") as name, contextlib.ExitStack() as up:
        folder = Path(name)
        with (folder / "large.bin").open("wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(BLOCK))
        url = f"sqlite:///{folder / 'theirs.db'}"
        theirs = up.enter_context(genuine(peer, url, folder=folder, workers=1))
        own_url = f"sqlite:///{folder / 'ours.db'}"
        own = up.enter_context(treadle(own_url, folder=folder / "home"))
        for _ in range(rounds):
            measure(table, "genuine", theirs, peer, folder)
            measure(table, "Treadle", own, peer, folder)
        table.show(f"{megabytes} MB, {rounds} rounds, load {os.getloadavg()[0]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=1024)
    asked = parser.parse_args()
    root = Path(os.environ.get("TREADLE_PEERS", Path(__file__).parents[1] / ".peers"))
    peer = root / "mlflow-new" / "bin" / "python"
    if not peer.exists():
        sys.exit(f"No MLflow at {peer}: ./run test makes that environment.")
    bench(peer, rounds=asked.rounds, megabytes=asked.megabytes)


if __name__ == "__main__":
    main()
