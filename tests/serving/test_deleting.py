"""A version that is about to answer an endpoint cannot be deleted, whoever comes first."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from treadle.app import App
from treadle.errors import NotFound, Refused, TreadleError
from treadle.kernel.settings import Settings
from treadle.serving.entities import Variant

EXAMPLE = pa.table({"temp": [50.0, 60.0]})
# How long one waits, inside of its transaction, for another to slip past it.
PATIENCE_S = 1.0


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request, tmp_path):
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with App(Settings(home=tmp_path / "home", metadata_url=url)) as made:
        for _ in range(2):
            made.registry.register("late", lambda t: t["temp"].to_numpy(), example=EXAMPLE)
        made.serving.create_endpoint("late", "late")
        yield made


def serve(app):
    app.serving.set_traffic("late", [Variant(name="a", version="late@2")], reason="try it")


def delete(app):
    app.registry.delete_version("late", 2)


def is_whole(app):
    """Whether every version that answers is there."""
    served = {v.version for v in app.serving.endpoint("late").variants}
    return served <= {version.ref for version in app.registry.versions("late")}


def at_once(app, first, second, *, pausing):
    """Do two things in threads: the second begins when the first has looked and not yet written."""
    looked, past = threading.Event(), threading.Event()
    errors: list[TreadleError | None] = [None, None]

    def paused(*args, **more):
        found = original(*args, **more)
        if threading.current_thread() is threads[0] and not looked.is_set():
            looked.set()
            past.wait(PATIENCE_S)
        return found

    def run(place, do):
        try:
            do(app)
        except TreadleError as error:
            errors[place] = error
        finally:
            past.set() if place else looked.set()

    def then():
        looked.wait()
        run(1, second)

    owner, name = pausing
    original = getattr(owner, name)
    setattr(owner, name, paused)
    threads = [threading.Thread(target=run, args=(0, first)), threading.Thread(target=then)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_traffic_set_while_a_version_is_being_deleted_does_not_find_it(app):
    app.registry._guard = app._needed_by  # by its instance, so that it can be paused

    errors = at_once(app, delete, serve, pausing=(app.registry, "_guard"))

    assert errors[0] is None
    assert isinstance(errors[1], NotFound)
    assert is_whole(app)


def test_a_version_deleted_while_it_is_given_traffic_is_refused(app):
    errors = at_once(app, serve, delete, pausing=(app.registry, "version"))

    assert errors[0] is None
    assert isinstance(errors[1], Refused)
    assert is_whole(app)


def test_two_who_set_traffic_at_once_make_two_revisions(app):
    errors = at_once(app, serve, serve, pausing=(app.registry, "version"))

    assert errors == [None, None]
    assert app.serving.endpoint("late").revision == 2
    assert len(app.serving.history("late")) == 2


def test_a_model_deleted_while_an_endpoint_is_made_for_it_is_refused(app):
    def make(app):
        app.serving.create_endpoint("later", "late")

    def delete_all(app):
        app.registry.delete_model("late")

    errors = at_once(app, make, delete_all, pausing=(app.registry, "hold"))

    assert errors[0] is None
    assert isinstance(errors[1], Refused)
