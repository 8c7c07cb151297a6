"""The servers that are compared, each started for real and ended with its whole family."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_LIMIT_S = 60


class Server(NamedTuple):
    """Where a server answers, who it is and how long it took to begin."""

    address: str
    pid: int
    started_s: float


@contextlib.contextmanager
def genuine(python: Path, url: str, *, folder: Path, workers: int) -> Iterator[Server]:
    """MLflow's own server on a database."""
    port = free_port()
    command = [
        str(python.with_name("mlflow")), "server", "--port", str(port), "--workers", str(workers),
        "--backend-store-uri", url.replace("postgresql:", "postgresql+psycopg:"),
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    with running(command, port=port, folder=folder, extra={}) as server:
        yield server


@contextlib.contextmanager
def treadle(url: str, *, folder: Path) -> Iterator[Server]:
    """`treadle up` on a database, whole: pages, API, scheduler, inference process."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("treadle")), "--home", str(folder), "up",
        "--port", str(port), "--inference-port", "0",
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    extra = {"TREADLE_METADATA_URL": url}
    with running(command, port=port, folder=folder, extra=extra) as server:
        yield server


@contextlib.contextmanager
def running(
    command: list[str], *, port: int, folder: Path, extra: dict[str, str]
) -> Iterator[Server]:
    """Run a server in a group of its own until the block ends."""
    begun = time.perf_counter()
    with (folder / f"server-{port}.log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=environment(extra)
        )
    try:
        while not healthy(port):
            if server.poll() is not None or time.perf_counter() - begun > START_LIMIT_S:
                sys.exit(Path(log.name).read_text(errors="replace")[-3000:])
            time.sleep(0.01)
        yield Server(f"http://127.0.0.1:{port}", server.pid, time.perf_counter() - begun)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def environment(extra: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with what is added, without what slows starts down."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **extra}


def healthy(port: int) -> bool:
    """Say whether /health is answered with 200."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def memory_mb(pid: int, *, at_most: bool = False) -> float:
    """Return the memory of a process and all below it (RSS, as `ps` would sum it), in MB.

    `at_most` sums what each rose to at any time.
    """
    told = "VmHWM:" if at_most else "VmRSS:"
    total = 0.0
    for one in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/status").read_text().splitlines():
                if line.startswith(told):
                    total += int(line.split()[1]) / 1024
    return total


def cpu_s(pid: int) -> float:
    """Return the processor time that a process and all below it have used, in seconds."""
    ticks = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Callable[[], str]]:
    """A PostgreSQL of our own, durable as its defaults are; call it for one more database."""
    bin_dir = max(Path("/usr/lib/postgresql").glob("*/bin"))
    data, port = folder / "pg", free_port()
    data.mkdir()
    as_nobody = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    if as_nobody:
        shutil.chown(data, "nobody")
    initdb = ["initdb", "-D", str(data), "-U", "app", "-A", "trust", "--locale=C", "-E", "UTF8"]
    quietly([*as_nobody, str(bin_dir / initdb[0]), *initdb[1:]])
    ctl = [*as_nobody, str(bin_dir / "pg_ctl"), "-D", str(data), "-w"]
    quietly([*ctl, "-o", f"-p {port} -c listen_addresses=127.0.0.1 -k {data}", "start"])
    made = iter(range(100))

    def database() -> str:
        name = f"bench{next(made)}"
        where = ["-h", "127.0.0.1", "-p", str(port), "-U", "app"]
        quietly([str(bin_dir / "createdb"), *where, name])
        return f"postgresql://app@127.0.0.1:{port}/{name}"

    try:
        yield database
    finally:
        quietly([*ctl, "-m", "fast", "stop"])


def quietly(command: list[str]) -> None:
    """Run a command that must succeed, without its words."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
