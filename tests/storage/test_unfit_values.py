"""A value no store can hold is the caller's mistake, not ours."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from treadle.kernel.errors import InvalidInput
from treadle.storage.keys import keys

ROW = {"id": "one", "public": "a key", "created_at": 0}


@pytest.mark.parametrize("unfit", [{"id": "half \ud800"}, {"created_at": 1 << 63}], ids=str)
def test_a_value_no_store_can_hold_is_refused_and_nothing_is_kept(store, unfit):
    store.migrate()

    with pytest.raises(InvalidInput, match="cannot be stored"), store.write() as tx:
        tx.execute(insert(keys), [ROW, ROW | {"id": "two"} | unfit])

    with store.read() as tx:
        assert tx.execute(select(keys.c.id)).all() == []


@pytest.mark.parametrize("unfit", ["\ud800", "\x00"], ids=ascii)
def test_what_no_row_can_have_is_not_found_or_refused(store, unfit):
    store.migrate()

    try:
        with store.read() as tx:
            found = tx.execute(select(keys.c.id).where(keys.c.id == unfit)).all()
    except InvalidInput:
        found = []

    assert found == []


def test_a_row_that_is_there_already_is_told_as_that(store):
    store.migrate()

    with pytest.raises(IntegrityError), store.write() as tx:
        tx.execute(insert(keys), [ROW, ROW])
