from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"cloudpickle", "cryptography", "numpy", "pyarrow", "sqlalchemy"}


@pytest.mark.parametrize("package", ["treadle.pipelines", "treadle.tuning"])
def test_a_file_of_steps_is_cheap_to_import(package):
    program = f"import sys, {package}; print(*{{name.partition('.')[0] for name in sys.modules}})"

    loaded = subprocess.check_output([sys.executable, "-c", program], text=True)

    assert set(loaded.split()) & HEAVY == set()
