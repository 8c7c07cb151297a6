"""Homes with their objects, as earlier release states left them: all that can be done is done."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.upgrade.write_home import START, lay_out, pets, trips
from treadle import connect
from treadle.kernel.clock import PlayedClock
from treadle.kernel.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.client import Client

HOMES = sorted((Path(__file__).parent / "homes").iterdir())
NUMBERS = (1, 2, 3)


@pytest.fixture(params=HOMES, ids=lambda path: path.name)
def old_home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text('clock = "played"\n', encoding="utf-8")
    PlayedClock(home / "clock").set(START)
    database = sqlite3.connect(home / "treadle.db")
    database.executescript((request.param / "home.sql").read_text(encoding="utf-8"))
    database.close()
    for kept in request.param.glob("?" * 64):
        path = home / "objects" / kept.name[:2] / kept.name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, path)
        os.utime(path, (START // 1_000_000,) * 2)
    return home


@pytest.fixture
def client(old_home: Path) -> Iterator[Client]:
    with connect(old_home) as opened:
        yield opened


def read_all(client: Client, folder: Path) -> None:
    """Read every version of the home, whole, and compare it with what was written then."""
    for number in NUMBERS:
        out = folder / str(number)
        client.data.checkout(f"pets@{number}", out, copy=True)
        found = {p.relative_to(out).as_posix(): p for p in out.rglob("*")}
        files = {k: p.read_bytes() for k, p in found.items() if p.is_file() and not p.is_symlink()}
        assert files == pets(number)
        assert found["empty"].is_dir()
        assert str(found["latest"].readlink()) == "cats/two.raw"
        table = client.data.table(f"trips@{number}")
        assert table.sort_by("id").to_pydict() == trips(number).to_pydict()
    assert client.data.table("cities").to_pydict() == {"id": [1, 2], "city": ["Bern", "Basel"]}


def test_a_home_is_small() -> None:
    sizes = [sum(path.stat().st_size for path in home.iterdir()) for home in HOMES]

    assert sizes
    assert max(sizes) < 200_000


def test_every_version_is_read_and_sound(client: Client, tmp_path: Path) -> None:
    read_all(client, tmp_path / "out")

    assert client.data.fsck().damage == ()
    assert client.data.validate("trips@1").verdict == "pass"
    assert [q.version_number for q in client.data.quarantines("trips")] == [2]
    assert client.data.contract("trips") is not None
    assert client.governance.verify().ok


def test_a_sweep_takes_nothing_that_is_needed(client: Client, tmp_path: Path) -> None:
    swept = client.data.gc(older_than=0, live_share=1.0)

    assert (swept.packs, swept.objects) == ((), ())
    assert client.data.fsck().damage == ()
    read_all(client, tmp_path / "out")


def test_new_versions_lean_on_the_chunks_of_old_ones(client: Client, tmp_path: Path) -> None:
    lay_out(tmp_path / "pets", 3)
    (tmp_path / "pets" / "new.txt").write_text("new")
    again = client.data.commit_files("pets", [tmp_path / "pets"])
    table = client.data.commit("trips", trips(3).append_column("new", pa.array(range(210))))

    assert again.stored_bytes is not None
    assert again.stored_bytes < 2_000
    assert (again.ref, table.ref) == ("pets@4", "trips@4")
    assert client.data.gc(older_than=0).packs == ()
    read_all(client, tmp_path / "out")


def test_an_older_state_can_be_the_newest_again(client: Client, tmp_path: Path) -> None:
    lay_out(tmp_path / "pets", 1)
    every = client.data.versions("pets").items

    same = client.data.revert("trips@3")
    back = client.data.revert("trips@1")
    files = client.data.commit_files("pets", [tmp_path / "pets"])

    assert [v.identity for v in every] == [v.digest for v in every]
    assert (same.kind, back.version) == ("nothing", "trips@4")
    assert (files.ref, files.parents, files.same_as) == ("pets@4", (3,), 1)
    assert client.data.table("trips").equals(client.data.table("trips@1"))
    assert client.data.fsck().damage == ()


def test_old_tables_are_compared_and_merged(client: Client) -> None:
    with client.data.diff("trips@1", "trips@2", key=["id"]) as diff:
        changed = diff.counts
    with client.data.diff("trips@1", "trips@3", key=["id"]) as diff:
        more = diff.counts
    client.data.branch("trips", "late", at="trips@2")
    one_more = trips(2).set_column(1, "delay", pa.array([5.0, *trips(2)["delay"].to_pylist()[1:]]))
    client.data.commit("trips", one_more, branch="late")
    merged = client.data.merge("trips@late", key=["id"])
    rows = client.data.table("trips@main").sort_by("id")["delay"].to_pylist()

    assert (changed.changed, changed.added, more.added, more.changed) == (1, 0, 10, 0)
    assert (merged.kind, merged.base) == ("merged", "trips@2")
    assert rows == [5.0, *trips(3)["delay"].to_pylist()[1:]]


def test_old_versions_travel_and_come_back(client: Client, tmp_path: Path) -> None:
    far = str(tmp_path / "far")
    for name in ("pets", "trips", "cities"):
        client.data.push(name, to=far)
    with connect(tmp_path / "there") as there:
        for name in ("pets", "trips", "cities"):
            there.data.pull(name, source=far)
        read_all(there, tmp_path / "out")

        assert there.data.fsck().damage == ()
        assert client.data.push("pets", to=far).is_empty


def test_old_versions_are_removed_and_restored(client: Client, tmp_path: Path) -> None:
    client.data.remove("pets@1")
    client.data.gc(older_than=0)
    client.data.restore("pets@1")

    read_all(client, tmp_path / "out")


def test_an_old_home_marks_its_objects(client: Client, old_home: Path) -> None:
    client.data.gc()
    with connect(old_home.parent / "other") as other:
        other._app.owners.url = client._app.owners.url
        with pytest.raises(Conflict, match="are not this database's alone"):
            other.data.gc()
