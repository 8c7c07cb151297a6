"""What is taken out of a remote: versions by name, and then what none there needs."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from treadle.data.remotes.marks import PushMark
from treadle.data.service import Data
from treadle.kernel.clock import DAY_US, FrozenClock, SystemClock
from treadle.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from treadle.storage.blobs.folder import FolderBlobs
from treadle.storage.metadata import open_metadata
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treadle.data.remotes.depot import Depot
    from treadle.storage.metadata import SqlMetadataStore

KEY = "5e" * 32


class Home(NamedTuple):
    data: Data
    store: SqlMetadataStore
    folder: Path

    def commit(self, *seeds: int, name: str = "images", **options: str) -> str:
        """Commit files of noise, each a few chunks; return the version's digest."""
        root = self.folder / "in" / name
        for old in root.glob("*"):
            old.unlink()
        for seed in seeds:
            root.mkdir(parents=True, exist_ok=True)
            (root / f"{seed}").write_bytes(noise(seed))
        return self.data.commit(name, root, **options).digest


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(SystemClock().now())


@pytest.fixture
def new_home(tmp_path: Path, clock: FrozenClock) -> Iterator[Callable[..., Home]]:
    opened: list[SqlMetadataStore] = []

    def make(name: str, key: str = "") -> Home:
        folder = tmp_path / name
        store = open_metadata(f"sqlite:///{folder / 'treadle.db'}", clock=clock)
        opened.append(store)
        objects = open_objects((folder / "objects").as_uri(), key=key)
        return Home(Data(store=store, objects=objects, home=folder), store, folder)

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def here(new_home: Callable[..., Home]) -> Home:
    return new_home("here")


@pytest.fixture
def there(new_home: Callable[..., Home]) -> Home:
    return new_home("there")


@pytest.fixture
def far(tmp_path: Path) -> str:
    return (tmp_path / "far").as_uri()


@pytest.fixture(params=["folder", "s3_url", "azure_url", "sealed"])
def shared(
    request: pytest.FixtureRequest, new_home: Callable[..., Home], tmp_path: Path
) -> tuple[Home, Home, str]:
    """Two homes and a place between them, of each kind."""
    is_sealed = request.param == "sealed"
    homes = [new_home(name, key=KEY if is_sealed else "") for name in ("here", "there")]
    url = (tmp_path / "far").as_uri()
    if is_sealed:
        homes[0].data.add_remote("origin", url, encrypted=True)
    elif request.param != "folder":
        url = request.getfixturevalue(request.param)
    return homes[0], homes[1], url


def noise(seed: int, size: int = 60_000) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same at every run


def depot_of(home: Home, url: str) -> Depot:
    depot = home.data._depot(url)
    depot.is_remote()
    return depot


def keys_of(home: Home, url: str, *folders: str) -> set[str]:
    depot = depot_of(home, url)
    return {info.key for folder in folders for info in depot.blobs.list(folder)}


def of_yesterday(far: str, kind: str = "") -> None:
    for path in (Path(far.removeprefix("file://")) / kind).rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 2 * 86_400,) * 2)


def test_what_was_pushed_by_mistake_is_taken_back(shared: tuple[Home, Home, str]) -> None:
    here, there, url = shared
    here.commit(1, 2)
    here.data.push("images", to=url)
    packs = keys_of(here, url, "packs")
    here.commit(1, 3)
    here.data.push("images", to=url)

    removed = here.data.remove_from_remote("images@2", remote=url)
    planned = here.data.gc_remote(remote=url, older_than=0, dry_run=True)
    swept = here.data.gc_remote(remote=url, older_than=0)
    there.data.pull("images", source=url)

    assert [held.number for held in removed.versions] == [2]
    assert removed.pointers == {"main": "images@1"}
    assert removed.freed_bytes == swept.pack_bytes > 60_000
    assert (planned.packs, planned.size_bytes) == (swept.packs, swept.size_bytes)
    assert keys_of(here, url, "packs") == packs
    assert [v.number for v in there.data.versions("images").items] == [1]
    assert there.data.verify("images").ref == "images@1"
    assert here.data.gc_remote(remote=url, older_than=0).packs == ()


def test_what_was_swept_is_sent_again_when_it_is_needed(shared: tuple[Home, Home, str]) -> None:
    here, there, url = shared
    here.commit(1, 2)
    here.data.push("images", to=url)
    here.data.remove_from_remote("images", remote=url)
    here.data.gc_remote(remote=url, older_than=0)
    nothing = keys_of(here, url, "packs", "indexes")

    sent = here.data.push("images", to=url, force=True)
    here.data.gc_remote(remote=url, older_than=0)
    again = here.data.push("images", to=url)
    there.data.pull("images", source=url)

    assert nothing == set()
    assert sent.versions == ("images@1",)
    assert again.is_empty
    assert there.data.verify("images").ref == "images@1"


def test_a_plan_writes_nothing(here: Home, far: str) -> None:
    here.commit(1)
    here.data.push("images", to=far)
    here.commit(2)
    here.data.push("images", to=far)
    before = {path: path.read_bytes() for path in files_of(far)}

    removed = here.data.remove_from_remote("images@1", remote=far, dry_run=True)
    here.data.gc_remote(remote=far, older_than=0, dry_run=True)

    assert removed.freed_bytes > 60_000
    assert {path: path.read_bytes() for path in files_of(far)} == before


def test_where_nothing_is_to_be_removed_nothing_is_written(here: Home, far: str) -> None:
    here.commit(1)
    here.data.push("images", to=far)
    before = set(files_of(far))

    swept = here.data.gc_remote(remote=far, older_than=0)

    assert swept.is_empty
    assert set(files_of(far)) == before
    assert (Path(far.removeprefix("file://")) / "format").read_text().startswith('{"format":1')


def files_of(far: str) -> list[Path]:
    return [path for path in Path(far.removeprefix("file://")).rglob("*") if path.is_file()]


def test_a_pack_of_which_others_need_little_is_written_anew(
    here: Home, there: Home, far: str
) -> None:
    here.commit(1, 2, 3)
    here.commit(1)
    here.data.push("images", to=far)

    planned = here.data.remove_from_remote("images@1", remote=far, live_share=0, dry_run=True)
    removed = here.data.remove_from_remote("images@1", remote=far)
    swept = here.data.gc_remote(remote=far, older_than=0)
    there.data.pull("images", source=far)

    assert (planned.freed_bytes, removed.shared_bytes) == (0, 0)
    assert planned.shared_bytes > 120_000
    assert removed.freed_bytes > 120_000
    assert len(swept.packs) == 1
    assert sum(path.stat().st_size for path in files_of(far)) < 70_000
    assert there.data.verify("images").ref == "images@2"


def test_a_pack_that_another_dataset_needs_is_left(here: Home, there: Home, far: str) -> None:
    here.commit(1, 2, 3)
    here.data.push("images", to=far)
    here.commit(2, 3, name="others")
    here.data.push("others", to=far)
    here.commit(1)
    here.data.push("images", to=far)

    removed = here.data.remove_from_remote("images@1", remote=far, live_share=1)
    here.data.gc_remote(remote=far, older_than=0)
    there.data.pull("others", source=far)
    there.data.pull("images", source=far)

    assert removed.shared_bytes > 120_000
    assert there.data.verify("others").ref == "others@1"
    assert there.data.verify("images").ref == "images@2"


def test_what_is_young_and_what_was_there_lately_stays(here: Home, there: Home, far: str) -> None:
    here.commit(1)
    here.commit(2)
    here.data.push("images", to=far)
    turn = depot_of(there, far).turn("images")
    of_yesterday(far)
    here.data.remove_from_remote("images@1", remote=far)

    young = here.data.gc_remote(remote=far)
    late = there.data._pull_at(depot_of(there, far), turn, "images", dry_run=False, progress=int)
    of_yesterday(far)
    old = here.data.gc_remote(remote=far)

    assert (young.packs, young.spared_bytes) == ((), 0)
    assert late.versions == ("images@1", "images@2")
    assert len(old.packs) == 1


def test_a_pull_of_what_is_swept_meanwhile_says_who_removed_it(
    here: Home, there: Home, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.commit(1)
    here.commit(2)
    here.data.push("images", to=far)
    at_the_first(monkeypatch, "open", "packs/", lambda: taken_out(here, "images@1", far))

    with pytest.raises(NotFound, match=r"images@1 in .* removed it from there on"):
        there.data.pull("images@1", source=far)

    assert there.data.pull("images", source=far).versions == ("images@2",)


def test_a_pull_of_all_takes_what_is_left(
    here: Home, there: Home, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.commit(1)
    here.commit(2)
    here.data.push("images", to=far)
    at_the_first(monkeypatch, "open", "packs/", lambda: taken_out(here, "images@1", far))

    pulled = there.data.pull("images", source=far)

    assert pulled.versions == ("images@2",)
    assert there.data.fsck().damage == ()


def taken_out(home: Home, ref: str, far: str) -> None:
    home.data.remove_from_remote(ref, remote=far)
    home.data.gc_remote(remote=far, older_than=0)


def at_the_first(
    monkeypatch: pytest.MonkeyPatch, verb: str, prefix: str, act: Callable[[], object]
) -> None:
    """Do something before the first call of a verb of blobs with a key of this kind."""
    real, done = getattr(FolderBlobs, verb), []

    def called(self: FolderBlobs, key: str, *args: object, **named: object) -> object:
        if key.startswith(prefix) and not done:
            done.append(key)
            act()
        return real(self, key, *args, **named)

    monkeypatch.setattr(FolderBlobs, verb, called)


def test_a_push_that_leans_on_what_is_swept_sends_it(
    here: Home, there: Home, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.commit(1)
    here.data.push("images", to=far)
    there.commit(1, name="others")
    here.data.remove_from_remote("images", remote=far)
    at_the_first(
        monkeypatch,
        "create",
        "refs/others",
        lambda: (of_yesterday(far), here.data.gc_remote(remote=far, older_than=0)),
    )

    there.data.push("others", to=far)
    here.data.pull("others", source=far)

    assert here.data.verify("others").ref == "others@1"


def test_what_a_push_under_way_has_sent_is_spared(here: Home, far: str) -> None:
    here.commit(1)
    here.data.push("images", to=far)
    here.data.remove_from_remote("images", remote=far)
    (index,) = depot_of(here, far).index_names([])
    of_yesterday(far)

    with PushMark(depot_of(here, far), "images") as mark:
        mark.note([index])
        spared = here.data.gc_remote(remote=far, older_than=0)
    swept = here.data.gc_remote(remote=far, older_than=0)

    assert (spared.packs, len(swept.packs)) == ((), 1)
    assert spared.spared_bytes > 60_000
    assert keys_of(here, far, "pushes") == set()


def test_the_mark_of_a_push_that_was_killed_goes_in_time(here: Home, far: str) -> None:
    here.commit(1)
    here.data.push("images", to=far)
    PushMark(depot_of(here, far), "images").write()
    PushMark(depot_of(here, far), "new").write()
    young = here.data.gc_remote(remote=far, older_than=0)
    of_yesterday(far, "pushes")

    old = here.data.gc_remote(remote=far, older_than=0)

    assert (young.others, old.others) == (0, 2)
    assert keys_of(here, far, "pushes") == set()
    assert here.data.remote_datasets(far) == ["images"]


def test_branches_fall_back_and_tags_go(here: Home, there: Home, far: str) -> None:
    here.commit(1)
    here.data.branch("images", "exp")
    middle = here.commit(2, branch="exp")
    here.data.tag("images@exp", "v2")
    here.commit(3, branch="exp")
    last = here.data.version("images@exp").identity
    here.data.push("images", to=far)

    removed = here.data.remove_from_remote(f"images@{middle[:12]}", remote=far)
    first = here.data.remove_from_remote("images@1", remote=far)
    state = depot_of(here, far).turn("images").state

    assert removed.pointers == {"v2": ""}
    assert first.pointers == {"main": ""}
    assert state.branches == {"exp": last}
    assert [held.parents for held in state.versions] == [()]
    there.data.pull("images", source=far)
    assert there.data.verify("images@exp").ref == "images@3"


def test_a_version_that_was_removed_is_not_pushed_again_unasked(
    here: Home, there: Home, far: str
) -> None:
    here.commit(1)
    here.commit(2)
    here.data.push("images", to=far)
    there.data.pull("images", source=far)
    here.data.remove_from_remote("images@2", remote=far)

    pushed = there.data.push("images", to=far)
    pulled = there.data.pull("images", source=far)
    there.commit(3)
    beside = there.data.push("images", to=far)
    forced = there.data.push("images@2", to=far, force=True)

    assert pushed.is_empty
    assert "images@2 was removed from" in pushed.notes[0]
    assert "treadle data rm images@2" in pulled.notes[0]
    assert beside.versions == ("images@3",)
    assert forced.versions == ("images@2",)
    state = depot_of(here, far).turn("images").state
    assert ([held.number for held in state.versions], state.removed) == ([1, 2, 3], ())


def test_what_is_gone_there_is_said(here: Home, there: Home, far: str) -> None:
    here.commit(1)
    here.data.push("images", to=far)
    here.data.remove_from_remote("images", remote=far)

    with pytest.raises(NotFound, match="removed it from there on"):
        there.data.pull("images", source=far)
    with pytest.raises(NotFound, match="removed it from there on"):
        here.data.remove_from_remote("images@1", remote=far)
    with pytest.raises(NotFound, match="No dataset 'birds"):
        here.data.remove_from_remote("birds", remote=far)
    assert there.data.remote_datasets(far) == []


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_head_that_was_removed_here_is_not_somebody_elses(
    here: Home, far: str, clock: FrozenClock, is_forgotten: bool
) -> None:
    here.commit(1)
    second = here.commit(2)
    here.data.add_remote("nas", far)
    here.data.push("images")
    here.data.branch("images", "main", at="images@1", force=True)
    here.data.remove("images@2")
    clock.advance(8 * DAY_US if is_forgotten else 0)
    here.data.forget_removed()
    here.commit(3)

    told = "which was here and was removed for good" if is_forgotten else "images@2, which was rem"
    with pytest.raises(Conflict, match=told) as caught:
        here.data.push("images")

    assert "treadle data rm images@2 --remote nas" in str(caught.value)
    here.data.remove_from_remote(f"images@{second[:12]}", remote="nas")
    assert here.data.push("images").versions == ("images@3",)


def test_what_can_only_be_read_is_not_swept(here: Home) -> None:
    with pytest.raises(Unavailable, match="can only be read: nothing is removed from it"):
        here.data.gc_remote(remote="https://example.org/data")
    with pytest.raises(Unavailable, match="folder or bucket behind it"):
        here.data.remove_from_remote("images", remote="https://example.org/data")


def test_a_head_behind_which_ours_went_is_told(here: Home, far: str) -> None:
    here.commit(1)
    here.commit(2)
    here.data.push("images", to=far)
    here.data.branch("images", "main", at="images@1", force=True)
    here.data.remove("images@2")

    (note,) = here.data.push("images", to=far).notes

    assert "at images@2 still, which was removed here" in note
    assert f"treadle data rm images@2 --remote {far}" in note


def test_two_sweeps_at_once_remove_the_same(
    here: Home, there: Home, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.commit(1)
    here.commit(2)
    here.data.push("images", to=far)
    here.data.remove_from_remote("images@1", remote=far)
    at_the_first(
        monkeypatch, "create", "eras/", lambda: there.data.gc_remote(remote=far, older_than=0)
    )

    late = here.data.gc_remote(remote=far, older_than=0)

    assert late.packs == ()
    assert len(keys_of(here, far, "packs")) == 1
    assert there.data.pull("images", source=far).versions == ("images@2",)


def test_older_versions_of_treadle_refuse_a_remote_that_was_swept(here: Home, far: str) -> None:
    here.commit(1)
    here.data.push("images", to=far)
    here.data.remove_from_remote("images@1", remote=far)

    assert (Path(far.removeprefix("file://")) / "format").read_text().startswith('{"format":3')


def test_a_digest_that_several_versions_have_says_not_which_is_to_go(here: Home, far: str) -> None:
    digest = here.commit(1)
    here.commit(2)
    here.data.revert("images@1")
    here.data.push("images", to=far)

    with pytest.raises(InvalidInput, match=r"the content of 2 versions there: images@1, images@3"):
        here.data.remove_from_remote(f"images@{digest[:12]}", remote=far)

    assert here.data.remove_from_remote("images@1", remote=far).versions[0].number == 1
