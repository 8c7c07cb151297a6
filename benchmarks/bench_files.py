"""Files and folders as versions, beside the limits of this machine and DVC.

20,000 files of 20 KB and one file of 2 GB, all random. Each row is CPU seconds of the process and
its children, then wall seconds; the median of three, each from the same start. Push and pull go
through a remote in a folder. Limits (`cp -r`,
reading and digesting, hard-linking, a walk with stat) are taken in the same run.

`--small` takes a tenth of everything, `--once` one round, for a look.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from blake3 import blake3

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
SCALE = 10 if "--small" in sys.argv else 1
FILES = 20_000 // SCALE
FILE_BYTES = 20_000
LARGE_BYTES = 2_000_000_000 // SCALE
ROUNDS = 1 if "--once" in sys.argv else 3
TREADLE = [sys.executable, "-c", "from treadle.cli import main; main()"]
DVC = Path(os.environ.get("TREADLE_PEERS", ROOT / ".peers")) / "dvc" / "bin" / "dvc"


class Cost:
    """CPU and wall seconds of a block."""

    def __enter__(self) -> Self:
        self._cpu, self._wall = cpu_seconds(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu = cpu_seconds() - self._cpu
        self.wall = time.perf_counter() - self._wall


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measure(name: str, act: Callable[[], object], *, before: Callable[[], object]) -> Cost:
    rounds = []
    for _ in range(ROUNDS):
        before()
        with Cost() as cost:
            act()
        rounds.append(cost)
    cpu, wall = (statistics.median(getattr(c, a) for c in rounds) for a in ("cpu", "wall"))
    print(f"{name:<44}{cpu:>9.2f}{wall:>9.2f}", flush=True)
    return rounds[0]


def treadle(*args: str) -> str:
    done = subprocess.run([*TREADLE, *args], check=True, capture_output=True, text=True)
    return done.stdout


def dvc(*args: str) -> None:
    subprocess.run([str(DVC), *args], check=True, stdout=subprocess.DEVNULL)


def fresh(*paths: Path) -> Callable[[], None]:
    def clear() -> None:
        for path in paths:
            shutil.rmtree(path, ignore_errors=True)

    return clear


def read_and_digest(folder: Path) -> None:
    for entry in os.scandir(folder):
        blake3(Path(entry.path).read_bytes()).digest()


def link_all(source: Path, target: Path) -> None:
    target.mkdir()
    for entry in os.scandir(source):
        os.link(entry.path, target / entry.name)


def stat_all(folder: Path) -> None:
    for entry in os.scandir(folder):
        entry.stat(follow_symlinks=False)


def small_files(here: Path) -> None:
    source, copy, out = here / "in", here / "copy", here / "out"
    home = Path(os.environ["TREADLE_HOME"])
    source.mkdir()
    for number in range(FILES):
        (source / f"{number:05}.bin").write_bytes(os.urandom(FILE_BYTES))
    print(f"\n{FILES:,} files of {FILE_BYTES:,} bytes{'':<12}{'CPU s':>9}{'wall s':>9}")
    measure(
        "cp -r", lambda: subprocess.run(["cp", "-r", source, copy], check=True), before=fresh(copy)
    )
    measure("read and digest", lambda: read_and_digest(source), before=lambda: None)
    measure("hard-link", lambda: link_all(source, out), before=fresh(out))
    measure("walk with stat", lambda: stat_all(source), before=lambda: None)
    measure("treadle --version", lambda: treadle("--version"), before=lambda: None)
    commit = lambda: treadle("data", "commit", str(source), "--name", "many")  # noqa: E731
    measure("treadle data commit", commit, before=fresh(home))
    measure(
        "treadle data status, clean",
        lambda: treadle("data", "status", str(source)),
        before=lambda: None,
    )
    measure("treadle data commit, nothing new", commit, before=lambda: None)
    check_out = lambda *more: treadle("data", "checkout", "many", str(out), *more)  # noqa: E731
    measure("treadle data checkout --copy", lambda: check_out("--copy"), before=fresh(out))
    measure("treadle data checkout, first", check_out, before=fresh(out, home / "files"))
    measure("treadle data checkout, by links", check_out, before=fresh(out))
    share(here)
    if DVC.exists():
        small_files_of_dvc(source, here / "dvc")


def share(here: Path) -> None:
    far, other = here / "far", here / "other"
    push = lambda: treadle("data", "push", "many", "--to", str(far))  # noqa: E731
    pull = lambda: treadle("--home", str(other), "data", "pull", "many", "--from", str(far))  # noqa: E731
    measure("treadle data push", push, before=fresh(far))
    measure("treadle data push, nothing new", push, before=lambda: None)
    measure("treadle data pull", pull, before=fresh(other))
    measure("treadle data pull, nothing new", pull, before=lambda: None)
    fresh(far, other)()


def small_files_of_dvc(source: Path, repository: Path) -> None:
    def begin() -> None:
        fresh(repository)()
        shutil.copytree(source, repository / "in")
        os.chdir(repository)
        dvc("init", "--no-scm", "-q")

    measure("dvc add", lambda: dvc("add", "-q", "in"), before=begin)
    measure("dvc status, clean", lambda: dvc("status", "-q"), before=lambda: None)
    measure("dvc checkout", lambda: dvc("checkout", "-q"), before=fresh(repository / "in"))
    far, cache = repository.parent / "dvc-far", repository / ".dvc" / "cache"
    dvc("remote", "add", "-q", "-d", "far", str(far))
    push, pull = (lambda: dvc("push", "-q")), (lambda: dvc("fetch", "-q"))
    measure("dvc push", push, before=fresh(far))
    measure("dvc push, nothing new", push, before=lambda: None)
    measure("dvc fetch", pull, before=fresh(cache))
    measure("dvc fetch, nothing new", pull, before=lambda: None)
    fresh(far)()
    dvc("config", "cache.type", "hardlink")
    measure(
        "dvc checkout, by links", lambda: dvc("checkout", "-q"), before=fresh(repository / "in")
    )
    os.chdir(ROOT)
    fresh(repository)()


def large_file(here: Path) -> None:
    source, home = here / "large", Path(os.environ["TREADLE_HOME"])
    source.mkdir()
    path, copy = source / "large.bin", here / "large.copy"
    with path.open("wb") as file:
        for _ in range(LARGE_BYTES // 1_000_000):
            file.write(os.urandom(1_000_000))
    print(f"\nOne file of {LARGE_BYTES / 1e9:.1f} GB{'':<24}{'CPU s':>9}{'wall s':>9}")
    measure(
        "cp",
        lambda: subprocess.run(["cp", path, copy], check=True),
        before=lambda: copy.unlink(missing_ok=True),
    )
    copy.unlink()
    commit = lambda: treadle("data", "commit", str(source), "--name", "large")  # noqa: E731
    measure("treadle data commit", commit, before=fresh(home))
    measure(
        "treadle data checkout --copy",
        lambda: treadle("data", "checkout", "large", str(here / "out"), "--copy"),
        before=fresh(here / "out"),
    )
    fresh(here / "out")()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(f"peak memory of any of them: {peak:.0f} MB")
    with path.open("r+b") as file:
        file.seek(LARGE_BYTES // 2)
        rest = file.read()
        file.seek(LARGE_BYTES // 2)
        file.write(b"!" + rest)
    del rest
    print("one byte inserted:", commit().split("  ")[2:4])
    with path.open("ab") as file:
        file.write(os.urandom(LARGE_BYTES // 100))
    print(f"{LARGE_BYTES // 100 / 1e6:.0f} MB appended:", commit().split("  ")[2:4])


def main() -> None:
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    print(f"rounds: {ROUNDS}, {os.cpu_count()} cores, load {load}")
    with tempfile.TemporaryDirectory(prefix="treadle-files-") as folder:
        os.environ["TREADLE_HOME"] = f"{folder}/home"
        small_files(Path(folder))
        fresh(*Path(folder).iterdir())()
        large_file(Path(folder))


if __name__ == "__main__":
    main()
