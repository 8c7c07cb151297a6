"""DESIGN section 11: what starting costs. The best of seven runs is judged: noise only adds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUNS = 7
TREADLE = Path(sys.executable).with_name("treadle")
HEAVY = {
    "alembic",
    "cryptography",
    "duckdb",
    "granian",
    "jinja2",
    "numpy",
    "pandas",
    "pyarrow",
    "rich",
    "sklearn",
    "sqlalchemy",
    "starlette",
}
TIME_THE_IMPORT = """
import time
begin = time.perf_counter()
import treadle
print(time.perf_counter() - begin)
"""
LIST_MODULES = """
import sys, treadle
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The child's environment, in which bytecode is written and kept."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def test_import_takes_at_most_100_ms(environment):
    command = [sys.executable, "-c", TIME_THE_IMPORT]

    seconds = [
        float(subprocess.check_output(command, env=environment, text=True)) for _ in range(RUNS)
    ]

    assert min(seconds) <= 0.100


def test_import_brings_no_web_framework_sql_toolkit_or_data_engine(environment):
    loaded = subprocess.check_output(
        [sys.executable, "-c", LIST_MODULES], env=environment, text=True
    )

    assert set(loaded.split()) & HEAVY == set()


def test_help_takes_at_most_150_ms(environment):
    seconds = [wall_seconds([str(TREADLE), "--help"], environment) for _ in range(RUNS)]

    assert min(seconds) <= 0.150


def wall_seconds(command: list[str], environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin
