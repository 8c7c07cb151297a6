from __future__ import annotations

import pyarrow as pa
import pytest

from treadle.demo.flights_data import installed_tables, read_table


@pytest.fixture(scope="session")
def tables() -> dict[str, pa.Table]:
    return {name: read_table(path) for name, path in installed_tables().items()}


@pytest.fixture(scope="session")
def january(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The first seventeen days of flights: small enough to be recounted row by row."""
    flights = tables["flights"].filter(
        (pa.compute.field("month") == 1) & (pa.compute.field("day") <= 17)
    )
    return {**tables, "flights": flights}
