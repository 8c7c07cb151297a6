"""The fault bench in short: a week of each kind of fault; `benchmarks/bench_faults.py` is whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import bench_faults as bench

from treadle.data.tables.sources import read_file

if TYPE_CHECKING:
    import pyarrow as pa

    from treadle.data.contracts import ContractBody

WEEK = np.datetime64("2013-06-14")
FAULTS = bench.SEEN + bench.HELD_OUT


@pytest.fixture(scope="module")
def tables(flights_files: dict[str, Path]) -> dict[str, pa.Table]:
    return {name: read_file(flights_files[name]) for name in bench.ROLES}


@pytest.fixture(scope="module")
def contracts(tables: dict[str, pa.Table]) -> dict[str, ContractBody]:
    return {name: bench.learned(name, table) for name, table in tables.items()}


def test_thirty_kinds_are_known() -> None:
    assert len({fault.name for fault in FAULTS}) == 30


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_seen(
    fault: bench.Fault, tables: dict[str, pa.Table], contracts: dict[str, ContractBody]
) -> None:
    found = bench.caught_by(fault, tables[fault.table], contracts[fault.table], WEEK)

    assert found
