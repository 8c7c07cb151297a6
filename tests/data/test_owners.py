"""Two databases that keep their objects in one place: neither removes what the other needs."""

from __future__ import annotations

import io
import os
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from treadle import connect
from treadle.kernel.errors import Conflict, Corrupt, NotFound
from treadle.kernel.settings import load_settings
from treadle.server.inference.__main__ import open_runtime
from treadle.storage.metadata import open_metadata
from treadle.storage.owners import Owner, Owners, Place
from treadle.storage.stores import open_blobs

if TYPE_CHECKING:
    from treadle.client import Client


@pytest.fixture(params=["folder", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    is_folder = request.param == "folder"
    url = (tmp_path / "objects").as_uri() if is_folder else request.getfixturevalue("s3_url")
    monkeypatch.setenv("TREADLE_OBJECTS_URL", url)
    return url


def of_yesterday(url: str) -> None:
    for path in Path(urlsplit(url).path).glob("??/*"):
        os.utime(path, (time.time() - 86_400,) * 2)


def committed(home: Path, text: str) -> Client:
    (home / "in").mkdir(parents=True)
    (home / "in" / "text").write_text(text)
    client = connect(home / ".treadle")
    client.data.commit_files("notes", [home / "in"])
    return client


def test_what_another_database_needs_is_not_removed(tmp_path: Path, shared: str) -> None:
    with committed(tmp_path / "a", "ours") as ours, committed(tmp_path / "b", "theirs") as theirs:
        of_yesterday(shared)
        with pytest.raises(Conflict, match=r"not this database's alone.*b/.treadle"):
            ours.data.gc(older_than=0)
        with pytest.raises(Conflict, match="Nothing was removed"):
            theirs.data.gc(dry_run=True)

        assert ours.data.fsck().damage == theirs.data.fsck().damage == ()


def test_who_is_alone_sweeps_as_ever(tmp_path: Path, shared: str) -> None:
    with committed(tmp_path / "a", "ours") as ours:
        assert ours.data.gc(older_than=0).is_empty


def test_a_first_sweep_leaves_a_mark_for_others(tmp_path: Path, shared: str) -> None:
    with connect(tmp_path / "a") as ours, connect(tmp_path / "b") as theirs:
        planned = ours.data.gc(dry_run=True)
        before = list(open_blobs(shared).list("owners"))
        ours.data.gc()
        with pytest.raises(Conflict):
            theirs.data.gc()

    assert planned.is_empty
    assert before == []


def test_a_database_that_is_gone_is_forgotten(tmp_path: Path, shared: str) -> None:
    with committed(tmp_path / "gone", "theirs"):
        pass
    with committed(tmp_path / "a", "ours") as ours:
        owners = ours._app.owners
        gone = owners.others()[0]
        forgotten = owners.forget(gone.id)
        with pytest.raises(NotFound):
            owners.forget(gone.id)
        of_yesterday(shared)
        ours.data.gc(older_than=0)

        assert forgotten == gone
        assert ours.data.fsck().damage == ()


def test_a_tenant_below_is_another_place(tmp_path: Path, shared: str) -> None:
    with committed(tmp_path / "a", "ours") as ours:
        tenant = ours._app.tenant("team")
        (tmp_path / "text").write_text("a tenant's")
        tenant.data.commit_files("notes", [tmp_path / "text"])

        assert ours.data.gc(older_than=0).is_empty
        assert tenant.data.gc(older_than=0).is_empty
        assert tenant.data.fsck().damage == ()
        tenant.close()


def test_an_encrypted_home_is_marked_as_well(
    tmp_path: Path, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_OBJECTS_KEY", "5e" * 32)
    with (
        committed(tmp_path / "a", "ours"),
        committed(tmp_path / "b", "theirs") as theirs,
        pytest.raises(Conflict),
    ):
        theirs.data.gc()


def test_a_database_that_is_moved_stays_the_same_owner(tmp_path: Path) -> None:
    url = (tmp_path / "objects").as_uri()
    with closing(open_metadata(f"sqlite:///{tmp_path}/a.db")) as store:
        Owners(url, store=store).mark()
    (tmp_path / "a.db").rename(tmp_path / "b.db")
    with closing(open_metadata(f"sqlite:///{tmp_path}/b.db")) as store:
        owners = Owners(url, store=store)

        owners.require_alone()
        assert [owner.id for owner in owners.owners()] == [owners.own_id]


def test_a_copy_of_a_database_is_seen_by_where_it_is(tmp_path: Path, shared: str) -> None:
    with committed(tmp_path / "a", "ours"):
        pass
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "in" / "text").write_text("a copy's")
    with connect(tmp_path / "b" / ".treadle") as copy:
        copy.data.commit_files("notes", [tmp_path / "b" / "in"])
        copy._app.owners.mark()
        (owner,) = copy._app.owners.owners()

    assert [place.database.split("/")[-3] for place in owner.places] == ["a", "b"]


def test_a_server_is_one_place_from_every_host() -> None:
    owner = Owner(id="01", database="postgresql://db/treadle", host="one")

    assert owner.seen_at(Place("postgresql://db/treadle", "two")) is owner
    assert len(owner.seen_at(Place("postgresql://other/treadle", "two")).places) == 2


def test_a_mark_of_ones_own_that_is_damaged_is_written_anew(tmp_path: Path) -> None:
    url = (tmp_path / "objects").as_uri()
    with closing(open_metadata(f"sqlite:///{tmp_path}/a.db")) as store:
        own = Owners(url, store=store).own_id
        (tmp_path / "objects" / "owners").mkdir(parents=True)
        (tmp_path / "objects" / "owners" / own).write_text("?")
        Owners(url, store=store).mark()

        assert [owner.id for owner in Owners(url, store=store).owners()] == [own]


def test_what_inference_would_put_bears_the_mark(tmp_path: Path) -> None:
    with connect(tmp_path / "home") as client:
        client.data.datasets()  # makes the database
    runtime = open_runtime(load_settings(tmp_path / "home"))

    runtime.models._serving._objects.put(io.BytesIO(b"anything"))

    marks = open_blobs((tmp_path / "home" / "objects").as_uri()).list("owners")
    assert len(list(marks)) == 1


def test_a_mark_that_is_damaged_is_no_leave_to_remove(tmp_path: Path) -> None:
    (tmp_path / "objects" / "owners").mkdir(parents=True)
    (tmp_path / "objects" / "owners" / "01").write_text("?")
    with closing(open_metadata(f"sqlite:///{tmp_path}/a.db")) as store, pytest.raises(Corrupt):
        Owners((tmp_path / "objects").as_uri(), store=store).require_alone()
