from __future__ import annotations

import os
import stat
import sys
import time
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from treadle.client import system
from treadle.client.system import ProcCounters, PsutilCounters, Sampling, gpu_levels

DEADLINE_S = 20.0


class Times(NamedTuple):
    user: float
    system: float
    idle: float
    iowait: float
    guest: float


class Told:
    """Counters that tell what they were given."""

    def __init__(self, *grown):
        self._grown = iter(grown)

    def grown(self):
        return next(self._grown)

    def levels(self):
        return {"memory_percent": 40.0}


def test_counters_become_rates_between_one_look_and_the_next():
    clock = iter([100.0, 110.0])
    counters = Told(
        {"cpu_busy": 5.0, "cpu_all": 20.0, "process_cpu": 1.0, "disk_read": 0},
        {"cpu_busy": 10.0, "cpu_all": 40.0, "process_cpu": 6.0, "disk_read": 20_000_000},
    )

    found = Sampling(counters, now=lambda: next(clock)).take()

    assert found["system/cpu_percent"] == pytest.approx(25.0)
    assert found["system/process_cpu_percent"] == pytest.approx(50.0)
    assert found["system/disk_read_mb_s"] == pytest.approx(2.0)
    assert found["system/memory_percent"] == pytest.approx(40.0)


def test_this_machine_tells_processor_memory_disk_and_network():
    sampling = Sampling(ProcCounters())
    sum(range(200_000))

    found = sampling.take()

    assert 0 < found["system/memory_percent"] <= 100
    assert 0 < found["system/disk_percent"] <= 100
    assert found["system/process_memory_mb"] > 10
    assert found["system/process_cpu_percent"] >= 0
    assert {"system/disk_read_mb_s", "system/network_sent_mb_s"} <= found.keys()


def test_a_machine_without_proc_tells_what_python_knows(tmp_path):
    found = Sampling(ProcCounters(tmp_path)).take()

    assert set(found) == {"system/process_cpu_percent", "system/disk_percent", "system/disk_mb"}


def test_gpus_are_asked_through_nvidia_smi(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nprint('0, 35, 1000, 4000')\nprint('1, 0, 0, 4000')\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    found = gpu_levels()

    assert found["gpu_0_percent"] == 35
    assert found["gpu_0_memory_percent"] == pytest.approx(25.0)
    assert found["gpu_1_percent"] == 0


def test_a_gpu_that_does_not_say_how_busy_it_is_is_left_out(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nprint('0, [N/A], [N/A], [N/A]')\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    assert gpu_levels() == {}


def test_a_long_run_has_system_metrics_and_a_short_one_has_none(home, monkeypatch):
    with home.run("short") as short:
        pass
    monkeypatch.setattr(system, "FIRST_S", 0.01)
    monkeypatch.setattr(system, "INTERVAL_S", 0.03)
    deadline = time.monotonic() + DEADLINE_S

    with home.run("long") as run:
        while len(run.history("system/memory_percent")) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)

    names = set(home.tracking.run(run.id).metrics)
    assert {"system/cpu_percent", "system/memory_percent", "system/disk_percent"} <= names
    assert home.tracking.run(short.id).metrics == {}


def test_system_metrics_can_be_switched_off(home, monkeypatch):
    monkeypatch.setattr(system, "FIRST_S", 0.0)

    with home.run(system_metrics=False) as run:
        assert run._sampler is None


def test_psutil_tells_the_same_where_it_is_installed():
    installed = SimpleNamespace(
        Process=lambda: SimpleNamespace(
            cpu_times=lambda: SimpleNamespace(user=1.0, system=0.5),
            memory_info=lambda: SimpleNamespace(rss=5_000_000),
        ),
        cpu_times=lambda: Times(user=3.0, system=1.0, idle=5.0, iowait=1.0, guest=2.0),
        disk_io_counters=lambda: None,
        net_io_counters=lambda *, pernic: {
            "lo": SimpleNamespace(bytes_recv=9, bytes_sent=9),
            "eth0": SimpleNamespace(bytes_recv=2, bytes_sent=3),
        },
        virtual_memory=lambda: SimpleNamespace(percent=40.0, total=10e6, available=6e6),
    )

    counters = PsutilCounters(installed)

    assert counters.grown() == {
        "cpu_busy": 4.0,
        "cpu_all": 10.0,
        "process_cpu": 1.5,
        "network_received": 2,
        "network_sent": 3,
    }
    assert counters.levels()["memory_mb"] == pytest.approx(4.0)
    assert counters.levels()["process_memory_mb"] == pytest.approx(5.0)


def test_gpus_are_asked_through_pynvml_where_it_is_installed(monkeypatch):
    installed = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(used=1e9, total=4e9),
        nvmlDeviceGetUtilizationRates=lambda _: SimpleNamespace(gpu=35),
    )
    monkeypatch.setitem(sys.modules, "pynvml", installed)

    assert gpu_levels() == {
        "gpu_0_percent": 35,
        "gpu_0_memory_percent": pytest.approx(25.0),
        "gpu_0_memory_mb": pytest.approx(1000.0),
    }
