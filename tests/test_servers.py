from __future__ import annotations

import socket

import obstore
import psycopg
import pytest
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store


def test_postgres_answers_in_an_empty_database(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()

    assert tables == (0,)


def test_s3_keeps_bytes(s3_url):
    store = S3Store.from_url(s3_url)

    obstore.put(store, "a/b", b"bytes")

    assert obstore.get(store, "a/b").bytes() == b"bytes"


def test_s3_refuses_to_create_what_exists(s3_url):
    store = S3Store.from_url(s3_url)
    obstore.put(store, "once", b"first", mode="create")

    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "once", b"second", mode="create")

    assert obstore.get(store, "once").bytes() == b"first"


def test_s3_refuses_to_replace_what_has_changed(s3_url):
    store = S3Store.from_url(s3_url)
    seen = obstore.put(store, "head", b"first")
    obstore.put(store, "head", b"second")

    with pytest.raises(PreconditionError):
        obstore.put(store, "head", b"third", mode={"e_tag": seen["e_tag"]})

    assert obstore.get(store, "head").bytes() == b"second"


def test_chromium_shows_a_page(page):
    page.goto("data:text/html,<title>shuttle</title><h1>warp and weft</h1>")

    assert page.title() == "shuttle"
    assert page.locator("h1").inner_text() == "warp and weft"


def test_other_machines_are_out_of_reach():
    with socket.socket() as outward, pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
        outward.connect(("192.0.2.1", 80))
