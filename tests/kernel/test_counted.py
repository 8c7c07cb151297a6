"""Counts in messages."""

from __future__ import annotations

import pytest

from treadle.kernel.errors import counted


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1234, "1,234 rows")]
)
def test_one_alone_has_no_plural(count, told):
    assert counted(count, "row") == told
