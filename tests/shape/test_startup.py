"""DESIGN section 11: what starting costs, in CPU time: who else is busy here adds nothing to it.

The best of seven runs is judged: noise only adds.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from treadle import connect

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
begin = time.process_time()
import treadle
print(time.process_time() - begin)
"""
LIST_MODULES = """
import sys, treadle
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
LIST_MODULES_OF_COMMAND = """
import sys
from treadle.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print()
print(*sorted(sys.modules))
"""
# What only other commands need: tables, services of other nouns, the client, the web.
OTHERS = {
    "duckdb",
    "http",
    "jinja2",
    "numpy",
    "pyarrow",
    "treadle.analysis",
    "treadle.client",
    "treadle.registry",
    "treadle.serving",
    "urllib.request",
    "yaml",
}
DATABASE = {"asyncio", "sqlalchemy", "treadle.app"}
TABLES = {"treadle.data.checks", "treadle.data.diffs", "treadle.data.profiling"}
# Each with what it must not import, and the most modules of our own that it may.
COMMANDS = [
    ("--version", OTHERS | DATABASE | {"msgspec", "treadle.data"}, 10),
    ("--help", OTHERS | DATABASE | {"msgspec", "treadle.data"}, 10),
    ("data status pets", OTHERS | DATABASE | TABLES, 38),
    ("data log pets", OTHERS | TABLES | {"treadle.tracking"}, 86),
    ("data checkout pets out", OTHERS | TABLES | {"treadle.tracking"}, 82),
    ("data push pets --to ./far", OTHERS | TABLES | {"treadle.tracking"}, 94),
    ("data commit pets --name pets", OTHERS | TABLES, 94),
]


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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the home of a project, and `pets` committed there."""
    here = tmp_path_factory.mktemp("project")
    (here / "pets").mkdir()
    (here / "pets" / "dog").write_bytes(b"a dog")
    with connect(here / ".treadle") as client:
        client.data.commit_files("pets", [here / "pets"])
    return here


@pytest.mark.parametrize(("command", "unwanted", "most"), COMMANDS)
def test_a_command_imports_no_more_than_it_needs(command, unwanted, most, project, environment):
    program = [sys.executable, "-c", LIST_MODULES_OF_COMMAND, "--home", ".treadle"]

    told = subprocess.check_output(
        [*program, *command.split()], env=environment, cwd=project, text=True
    )

    loaded = set(told.splitlines()[-1].split())
    assert loaded & unwanted == set()
    assert len([name for name in loaded if name.partition(".")[0] == "treadle"]) <= most


def test_help_takes_at_most_150_ms(environment):
    seconds = [cpu_seconds([str(TREADLE), "--help"], environment) for _ in range(RUNS)]

    assert min(seconds) <= 0.150


def cpu_seconds(command: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
