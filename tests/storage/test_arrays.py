from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.storage import arrays
from treadle.storage.arrays import Booleans, Doubles, Longs

COLUMNS = [
    pytest.param(Longs, st.integers(-(1 << 63), (1 << 63) - 1), id="bigint[]"),
    pytest.param(Doubles, st.floats(allow_nan=False), id="float8[]"),
    pytest.param(Booleans, st.booleans(), id="boolean[]"),
]


@pytest.fixture
def connection(postgres_url):
    with psycopg.connect(postgres_url) as opened:
        arrays.teach(opened)
        yield opened


@pytest.mark.parametrize(("kind", "elements"), COLUMNS)
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_postgresql_reads_a_packed_column_as_it_was(connection, kind, elements, data):
    column = data.draw(st.lists(elements, min_size=1, max_size=100))

    told = connection.execute(
        "SELECT a, pg_typeof(a)::text FROM (SELECT %s AS a) t", [kind(column)]
    )

    found, of_type = told.fetchone()
    assert list(map(repr, found)) == list(map(repr, column))
    assert (
        of_type == {Longs: "bigint[]", Doubles: "double precision[]", Booleans: "boolean[]"}[kind]
    )
