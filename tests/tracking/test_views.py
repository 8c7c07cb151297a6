"""Saved views: a query under a name."""

from __future__ import annotations

import pytest

from treadle.kernel.errors import InvalidInput, NotFound
from treadle.tracking.views import Views


@pytest.fixture
def views(store):
    return Views(store=store)


def test_a_view_is_found_by_its_name_and_replaced_by_the_same(views, clock):
    views.save("late trials", query="?experiment=late&order=metric.log_loss")
    views.save("all", query="")
    clock.advance(1_000_000)
    views.save("late trials", query="experiment=late")

    found = views.views()

    assert [(view.name, view.query) for view in found] == [
        ("all", ""),
        ("late trials", "experiment=late"),
    ]
    assert found[1].created_at == found[0].created_at + 1_000_000
    assert views.views("compare") == ()


def test_a_removed_view_is_gone_and_a_wrong_name_gets_the_near_miss(views):
    views.save("late trials", query="experiment=late")

    with pytest.raises(NotFound, match="late trials"):
        views.remove("late trial")
    views.remove("late trials")

    assert views.views() == ()


def test_saving_and_removing_are_told(views, store):
    views.save("mine", query="status=failed")
    views.remove("mine")

    with store.read() as tx:
        kinds = tx.connection.exec_driver_sql("SELECT kind FROM events ORDER BY seq").all()

    assert [kind for (kind,) in kinds] == ["view.saved", "view.removed"]


@pytest.mark.parametrize(
    ("name", "query", "page"),
    [
        ("", "a=1", "runs"),
        ("  ", "a=1", "runs"),
        ("x" * 101, "a=1", "runs"),
        ("line\nbreak", "a=1", "runs"),
        ("long", "x" * 8001, "runs"),
        ("odd", "a\x00b", "runs"),
        ("where", "a=1", "nowhere"),
    ],
)
def test_what_is_no_view_is_refused(views, name, query, page):
    with pytest.raises(InvalidInput):
        views.save(name, query=query, page=page)


def test_there_is_an_end_to_views(views, monkeypatch):
    monkeypatch.setattr("treadle.tracking.views.VIEWS_MOST", 2)
    views.save("a", query="")
    views.save("b", query="")

    with pytest.raises(Exception, match="2 views already"):
        views.save("c", query="")

    assert [view.name for view in views.views()] == ["a", "b"]
