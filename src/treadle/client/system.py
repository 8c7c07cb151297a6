"""What the machine does while a run lasts: processor, memory, disk, network, GPU.

Read from psutil where it is installed, else from /proc; GPUs through pynvml or nvidia-smi where
they are. What a machine does not tell is left out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FIRST_S, INTERVAL_S = 5.0, 10.0
MB = 1e6
PROC = Path("/proc")
SECTOR_BYTES = 512
LOOPBACK = "lo"
NVIDIA_SMI = ("nvidia-smi", "--format=csv,noheader,nounits")
NVIDIA_FIELDS = "index,utilization.gpu,memory.used,memory.total"


class Counters(Protocol):
    """What only ever grows on a machine, and how full it is now."""

    def grown(self) -> dict[str, float]:
        """Return processor seconds (busy, all) and bytes (disk, network) since the start."""
        ...

    def levels(self) -> dict[str, float]:
        """Return what is in use now."""
        ...


class SystemSampler:
    """Logs `system/…` metrics from a thread of its own; a short run never hears of it."""

    def __init__(self, log: Callable[[Mapping[str, float]], None]) -> None:
        self._log = log
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="treadle-system", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no further sample."""
        self._stopped.set()

    def _work(self) -> None:
        if self._stopped.wait(FIRST_S):
            return
        sample = Sampling(machine())
        while not self._stopped.wait(INTERVAL_S - FIRST_S if sample.is_first else INTERVAL_S):
            self._log(sample.take())


class Sampling:
    """Turns counters into rates: what happened between one look and the next."""

    def __init__(self, counters: Counters, *, now: Callable[[], float] = time.monotonic) -> None:
        self._counters, self._now = counters, now
        self._at, self._grown = now(), counters.grown()
        self.is_first = True

    def take(self) -> dict[str, float]:
        """Return the metrics of this moment."""
        self.is_first = False
        at, grown = self._now(), self._counters.grown()
        passed, before = max(at - self._at, 1e-9), self._grown
        self._at, self._grown = at, grown
        step = {name: value - before.get(name, value) for name, value in grown.items()}
        found = {f"system/{n}_mb_s": step[n] / passed / MB for n in step if n in RATES}
        if step.get("cpu_all", 0.0) > 0:
            found["system/cpu_percent"] = 100 * step["cpu_busy"] / step["cpu_all"]
        if "process_cpu" in step:
            found["system/process_cpu_percent"] = 100 * step["process_cpu"] / passed
        levels = {**self._counters.levels(), **gpu_levels()}
        return found | {f"system/{name}": value for name, value in levels.items()}


RATES = frozenset({"disk_read", "disk_write", "network_received", "network_sent"})


def machine() -> Counters:
    """Return this machine's counters: psutil's if it is installed, else those of /proc."""
    try:
        return PsutilCounters(import_module("psutil"))
    except ImportError:
        return ProcCounters()


class PsutilCounters:
    """Counters as psutil tells them."""

    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil
        self._process = psutil.Process()

    def grown(self) -> dict[str, float]:
        """Return processor seconds and bytes since the start."""
        times = self._psutil.cpu_times()
        own = self._process.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # Guests are counted in user and nice already.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        found = {
            "cpu_busy": total - idle,
            "cpu_all": total,
            "process_cpu": own.user + own.system,
        }
        if (disk := self._psutil.disk_io_counters()) is not None:
            found |= {"disk_read": disk.read_bytes, "disk_write": disk.write_bytes}
        networks = self._psutil.net_io_counters(pernic=True)
        outer = [each for name, each in networks.items() if name != LOOPBACK]
        return found | {
            "network_received": sum(each.bytes_recv for each in outer),
            "network_sent": sum(each.bytes_sent for each in outer),
        }

    def levels(self) -> dict[str, float]:
        """Return memory and disk in use."""
        memory = self._psutil.virtual_memory()
        return {
            "memory_percent": memory.percent,
            "memory_mb": (memory.total - memory.available) / MB,
            "process_memory_mb": self._process.memory_info().rss / MB,
            **disk_levels(),
        }


class ProcCounters:
    """Counters as Linux tells them in /proc; elsewhere only those that Python knows."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc

    def grown(self) -> dict[str, float]:
        """Return processor seconds and bytes since the start."""
        own = os.times()
        found = {"process_cpu": own.user + own.system}
        with contextlib.suppress(OSError, ValueError, IndexError):
            found |= self._processors()
        with contextlib.suppress(OSError, ValueError, IndexError):
            found |= self._disks()
        with contextlib.suppress(OSError, ValueError, IndexError):
            found |= self._networks()
        return found

    def levels(self) -> dict[str, float]:
        """Return memory and disk in use."""
        found = disk_levels()
        with contextlib.suppress(OSError, ValueError, KeyError):
            lines = (line.split() for line in self._lines("meminfo"))
            known = {name.rstrip(":"): int(rest[0]) * 1024 for name, *rest in lines}
            used = known["MemTotal"] - known["MemAvailable"]
            found["memory_percent"] = 100 * used / known["MemTotal"]
            found["memory_mb"] = used / MB
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = int(self._lines("self/statm")[0].split()[1])
            found["process_memory_mb"] = pages * os.sysconf("SC_PAGE_SIZE") / MB
        return found

    def _processors(self) -> dict[str, float]:
        ticks = os.sysconf("SC_CLK_TCK")
        # user nice system idle iowait irq softirq steal; guests are counted in user and nice.
        times = [int(part) / ticks for part in self._lines("stat")[0].split()[1:9]]
        total = sum(times)
        return {"cpu_busy": total - times[3] - times[4], "cpu_all": total}

    def _disks(self) -> dict[str, float]:
        whole = {path.name for path in Path("/sys/block").iterdir()}
        rows = [r for line in self._lines("diskstats") if (r := line.split())[2] in whole]
        # A device built of others would count their bytes again.
        rows = [row for row in rows if not row[2].startswith(("loop", "ram", "dm-", "md"))]
        return {
            "disk_read": sum(int(row[5]) for row in rows) * SECTOR_BYTES,
            "disk_write": sum(int(row[9]) for row in rows) * SECTOR_BYTES,
        }

    def _networks(self) -> dict[str, float]:
        parts = [line.partition(":") for line in self._lines("net/dev")[2:]]
        rows = [rest.split() for name, _, rest in parts if name.strip() != LOOPBACK]
        return {
            "network_received": sum(int(row[0]) for row in rows),
            "network_sent": sum(int(row[8]) for row in rows),
        }

    def _lines(self, name: str) -> list[str]:
        return (self._proc / name).read_text(encoding="ascii").splitlines()


def disk_levels() -> dict[str, float]:
    """Return how full the disk of the working folder is."""
    try:
        usage = shutil.disk_usage(Path.cwd())
    except OSError:  # the folder was removed meanwhile
        return {}
    return {"disk_percent": 100 * usage.used / usage.total, "disk_mb": usage.used / MB}


def gpu_levels() -> dict[str, float]:
    """Return how busy and how full each NVIDIA GPU is; nothing where there is none."""
    try:
        return _by_nvml(import_module("pynvml"))
    except ImportError:
        return _by_nvidia_smi()


def _by_nvml(nvml: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    try:
        nvml.nvmlInit()
        for index in range(nvml.nvmlDeviceGetCount()):
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            memory = nvml.nvmlDeviceGetMemoryInfo(device)
            busy = nvml.nvmlDeviceGetUtilizationRates(device).gpu
            found |= _gpu(index, busy=busy, used_mb=memory.used / MB, total_mb=memory.total / MB)
    except nvml.NVMLError:  # no driver, or it was taken away: then there is nothing to tell
        return {}
    return found


def _by_nvidia_smi() -> dict[str, float]:
    if shutil.which(NVIDIA_SMI[0]) is None:
        return {}
    found: dict[str, float] = {}
    # A driver that hangs or has no GPU has nothing to tell; some fields may be "[N/A]".
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        command = [*NVIDIA_SMI, f"--query-gpu={NVIDIA_FIELDS}"]
        said = subprocess.run(command, capture_output=True, check=True, text=True, timeout=5)
        for line in said.stdout.splitlines():
            index, busy, used, total = (float(part) for part in line.split(","))
            mebi = 1.048576
            found |= _gpu(int(index), busy=busy, used_mb=used * mebi, total_mb=total * mebi)
    return found


def _gpu(index: int, *, busy: float, used_mb: float, total_mb: float) -> dict[str, float]:
    return {
        f"gpu_{index}_percent": busy,
        f"gpu_{index}_memory_percent": 100 * used_mb / total_mb,
        f"gpu_{index}_memory_mb": used_mb,
    }
