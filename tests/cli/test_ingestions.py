"""`treadle data commit --from`, `ingest` and `ingestions`, as a user types them."""

from __future__ import annotations

import sqlite3

import pytest


@pytest.fixture
def shop(tmp_path):
    made = sqlite3.connect(tmp_path / "shop.db")
    made.execute("CREATE TABLE orders (id INTEGER, at TIMESTAMP)")
    made.execute("INSERT INTO orders VALUES (1, '2026-03-01 12:00:00'), (2, NULL)")
    made.commit()
    made.close()
    return tmp_path


SOURCE = ("--from", "sqlite:///shop.db", "--sql", "SELECT * FROM orders")


def test_a_query_is_committed_and_told(cli, shop):
    cli("data", "commit", "--name", "orders", *SOURCE, cwd=shop)
    told = cli("data", "show", "orders", cwd=shop).out

    assert "sqlite:///shop.db" in told
    assert "SELECT * FROM orders" in told


def test_a_dataset_is_set_run_listed_and_removed(cli, shop):
    words = ("--watermark", "at", "--key", "id")
    cli("data", "ingestions", "set", "orders", *SOURCE, *words, cwd=shop)
    done = cli("data", "ingest", "orders", cwd=shop).out
    listed = cli("data", "ingestions", "--json", cwd=shop).json
    removed = cli("data", "ingestions", "remove", "orders", "--yes", cwd=shop).out

    assert "orders@1" in done
    assert "1 row without a watermark" in done
    assert [each["dataset"] for each in listed["items"]] == ["orders"]
    assert "grows no longer" in removed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--sql", "SELECT 1"), "--sql needs the database"),
        ((), "give a path"),
        (("x.csv", "--from", "sqlite:///shop.db"), "not both"),
        (("--format", "csv"), "go with an address"),
    ],
)
def test_options_that_do_not_fit_say_which(cli, shop, words, told):
    answer = cli("data", "commit", "--name", "x", *words, cwd=shop)

    assert told in answer.err
