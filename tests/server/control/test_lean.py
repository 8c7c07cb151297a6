from __future__ import annotations

import subprocess
import sys

CODE = """
from treadle.server.lean import stay_lean
stay_lean()
stay_lean()
import pyarrow as pa
pa.array([1, 2])
pa.table({"a": ["b"]}).schema.empty_table()
try:
    import pandas
except ModuleNotFoundError as error:
    print("absent:", error.name)
"""


def test_arrow_does_without_pandas_and_so_does_who_asks_for_it():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)

    assert done.stdout == "absent: pandas\n"
