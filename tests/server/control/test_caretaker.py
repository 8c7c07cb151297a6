"""Tenants are looked after as the home itself is, and cost next to nothing while they sleep."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from tests.execution.until import until
from treadle.app import App
from treadle.execution.entities import Work
from treadle.kernel.settings import Settings
from treadle.server import caretaker
from treadle.server.caretaker import Caretaker
from treadle.storage import marks

WORK = Work(target="platform:node", arguments={})
AGES = 10_000_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def root(request, tmp_path):
    """A home on each metadata store."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with App(Settings(home=tmp_path / "home", metadata_url=url)) as app:
        yield app


@pytest.fixture
def care(root):
    made = Caretaker(root, quiet_s=0.0)
    yield made
    made.stop()


@pytest.fixture
def settled(monkeypatch):
    """Take files as they are, however fresh: what the tests write has other sizes."""
    monkeypatch.setattr(marks, "SETTLED_NS", 0)


def made(root, name, *, experiment="late"):
    with root.tenant(name) as tenant:
        tenant.tracking.experiment(experiment)


def enqueue(root, name):
    with root.tenant(name) as tenant:
        return tenant.jobs.enqueue(WORK).id


def state(root, name, job_id):
    with root.tenant(name) as tenant:
        return tenant.jobs.job(job_id).state


def seals(root, name):
    with root.tenant(name) as tenant:
        return len(tenant.log.checkpoints())


def test_a_job_of_a_tenant_that_appears_meanwhile_is_done(root, monkeypatch):
    monkeypatch.setattr(caretaker, "LOOK_S", 0.05)
    made(root, "red")

    with Caretaker(root):
        job_id = enqueue(root, "blue")

        assert until(lambda: state(root, "blue", job_id) == "done")


@pytest.mark.usefixtures("settled")
def test_a_tenant_in_which_nothing_waits_is_sealed_and_sleeps(root, care):
    made(root, "red")

    care.look()

    assert care.awake == ()
    assert seals(root, "red") == 1


@pytest.mark.usefixtures("settled")
def test_who_sleeps_is_not_opened_until_something_happens(root, care, monkeypatch):
    opened = []
    tenant = root.tenant
    made(root, "red")
    made(root, "blue")
    until(lambda: not care.look() and quiet(care, root))
    monkeypatch.setattr(root, "tenant", lambda name, **how: (opened.append(name), tenant(name))[1])

    care.look()
    before = list(opened)
    with App(root.settings) as other:
        made(other, "blue", experiment="early")
    care.look()

    assert (before, opened) == ([], ["blue"])


def quiet(care, root):
    """Whether no mark has changed since it was looked at."""
    asleep = {name: sleep.mark for name, sleep in care._asleep.items()}
    return care.awake == () and asleep == root.tenants()


def test_a_tenant_with_work_stays_awake_until_it_is_done(root, care, settled):
    job_id = enqueue(root, "red")

    care.look()
    during = care.awake
    until(lambda: not care.look() and care.awake == ())

    assert during == ("red",)
    assert state(root, "red", job_id) == "done"


def test_no_more_are_awake_than_may_be_and_each_has_its_turn(root, monkeypatch, request):
    monkeypatch.setattr(caretaker, "TURN_S", 0.0)
    monkeypatch.setattr(caretaker, "AGAIN_S", 0.0)
    monkeypatch.setattr(caretaker, "WORKER_IDLE_S", 0.2)
    jobs = {name: enqueue(root, name) for name in ("a", "b", "c")}
    most = []

    care = Caretaker(root, most_awake=1)
    request.addfinalizer(care.stop)
    until(lambda: not care.look() and not most.append(len(care.awake)) and all_done(root, jobs))

    assert max(most) == 1


def all_done(root, jobs):
    return all(state(root, name, job_id) == "done" for name, job_id in jobs.items())


def test_one_tenant_with_a_damaged_database_keeps_no_other_from_its_turn(tmp_path, caplog):
    with App(Settings(home=tmp_path / "home")) as root:
        made(root, "red")
        folder = root.home / "tenants" / "bad"
        folder.mkdir()
        (folder / "treadle.db").write_bytes(b"no database" * 1000)
        care = Caretaker(root)

        care.look()

        care.stop()
        assert seals(root, "red") == 1
    assert "tenant bad" in caplog.text


def test_a_bug_in_one_tenant_is_told_and_keeps_no_other_from_its_turn(
    tmp_path, caplog, monkeypatch, request
):
    def broken(self):
        if self.app.home.name == "a":
            raise ZeroDivisionError
        return False

    monkeypatch.setattr(caretaker._Awake, "has_work", broken)
    with App(Settings(home=tmp_path / "home")) as root:
        made(root, "a")
        made(root, "b")
        care = Caretaker(root)
        request.addfinalizer(care.stop)

        care.look()

        assert seals(root, "b") == 1
    assert "tenant a could not be looked after" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert care.awake == ()


def test_a_tenant_that_was_deleted_is_let_go(tmp_path, request):
    with App(Settings(home=tmp_path / "home")) as root:
        enqueue(root, "red")
        care = Caretaker(root)
        request.addfinalizer(care.stop)
        care.look()
        shutil.rmtree(root.home / "tenants" / "red")

        care.look()

        assert care.awake == ()


def test_a_file_written_a_moment_ago_has_no_mark_that_could_hide_the_next_write(tmp_path):
    database = tmp_path / "treadle.db"
    database.write_bytes(b"x")
    fresh = marks.mark_of_file(database)
    before = time.time_ns() - AGES
    os.utime(database, ns=(before, before))

    assert fresh is None
    assert marks.mark_of_file(database) == ((before, 1),)
