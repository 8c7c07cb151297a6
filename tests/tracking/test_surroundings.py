from __future__ import annotations

import subprocess
import sys

import pytest

from treadle.tracking.surroundings import container_limits, masked, packages

PRINT_PROGRAM = "from treadle.tracking.surroundings import program; print(program())"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--rate", "0.1"], ["--rate", "0.1"]),
        (["--api-key", "abc"], ["--api-key", "***"]),
        (["--password=abc", "x"], ["--password=***", "x"]),
        (["db_token=abc"], ["db_token=***"]),
        (["--secret", "--verbose", "x"], ["--secret", "--verbose", "x"]),
        (["https://me:abc@example.org"], ["https://example.org"]),
    ],
)
def test_arguments_that_look_like_secrets_are_masked(given, kept):
    assert masked(given) == kept


def test_a_script_is_told_by_its_path(tmp_path):
    (tmp_path / "train.py").write_text(PRINT_PROGRAM)

    said = subprocess.check_output([sys.executable, "train.py"], cwd=tmp_path, text=True)

    assert said.strip() == "train.py"


def test_a_module_is_told_by_its_name(tmp_path):
    (tmp_path / "train.py").write_text(PRINT_PROGRAM)

    said = subprocess.check_output([sys.executable, "-m", "train"], cwd=tmp_path, text=True)

    assert said.strip() == "train"


def test_the_packages_say_which_python_and_system_they_are_for():
    lines = packages().decode().splitlines()

    assert any(line.startswith("# Python 3.") for line in lines)
    assert all("==" in line or " @ " in line for line in lines if not line.startswith("#"))


def test_the_least_of_the_limits_of_all_groups_above_counts(tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/outer/inner\n")
    groups = tmp_path / "groups"
    (groups / "outer" / "inner").mkdir(parents=True)
    (groups / "outer" / "cpu.max").write_text("150000 100000\n")
    (groups / "outer" / "memory.max").write_text("4000000000\n")
    (groups / "outer" / "inner" / "cpu.max").write_text("400000 100000\n")
    (groups / "outer" / "inner" / "memory.max").write_text("max\n")

    assert container_limits(groups, own=own) == {"cpu_limit": "1.5", "memory_limit_mb": "4000"}


def test_a_process_without_limits_has_none(tmp_path):
    assert container_limits(tmp_path, own=tmp_path / "absent") == {}
