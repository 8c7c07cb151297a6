"""Versions shared between homes: through a folder, buckets of real servers, and the web."""

from __future__ import annotations

import http.server
import io
import random
import shutil
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from treadle.data.contracts import ContractBody, TableRule
from treadle.data.entities import DatasetVersion, FileEntry
from treadle.data.remotes.depot import open_depot
from treadle.data.remotes.reading import read_chunks
from treadle.data.service import Data
from treadle.data.versions import add_version
from treadle.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from treadle.storage import events
from treadle.storage.blobs.folder import FolderBlobs
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore, put_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

from treadle.storage.metadata import SqlMetadataStore


class Home(NamedTuple):
    data: Data
    store: SqlMetadataStore
    objects: FolderObjectStore
    folder: Path


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Callable[[str], Home]]:
    opened: list[SqlMetadataStore] = []

    def make(name: str) -> Home:
        folder = tmp_path / name
        store = open_metadata(f"sqlite:///{folder / 'treadle.db'}")
        opened.append(store)
        objects = FolderObjectStore(folder / "objects")
        return Home(Data(store=store, objects=objects, home=folder), store, objects, folder)

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def here(new_home: Callable[[str], Home]) -> Home:
    return new_home("here")


@pytest.fixture
def there(new_home: Callable[[str], Home]) -> Home:
    return new_home("there")


@pytest.fixture
def far(tmp_path: Path) -> str:
    return str(tmp_path / "far")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for number in range(3):
        write(root / "cats" / f"{number}.png", noise(number))
    return root


def noise(seed: int, size: int = 300_000) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - the same at every run


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def files_of(folder: str | Path, kind: str) -> list[Path]:
    return [path for path in Path(folder).joinpath(kind).rglob("*") if path.is_file()]


def test_a_version_comes_back_in_another_home_as_it_was(
    here: Home, there: Home, folder: Path, far: str, tmp_path: Path
) -> None:
    version = here.data.commit("images", folder, message="cats")

    here.data.push("images", to=far)
    there.data.pull("images", source=far)
    there.data.checkout("images@1", tmp_path / "out")

    pulled = there.data.version("images")
    for field in ("id", "number", "digest", "message", "actor", "created_at", "code_commit"):
        assert getattr(pulled, field) == getattr(version, field)
    assert (tmp_path / "out" / "cats" / "2.png").read_bytes() == noise(2)
    assert there.data.fsck().damage == ()


@pytest.mark.parametrize(("server", "notes"), [("s3_url", 0), ("azure_url", 0), ("swift_url", 1)])
def test_versions_go_through_the_buckets_of_servers(
    request: pytest.FixtureRequest, here: Home, there: Home, folder: Path, server: str, notes: int
) -> None:
    url = request.getfixturevalue(server)
    here.data.commit("images", folder)

    sent = here.data.push("images", to=url)
    again = here.data.push("images", to=url)
    there.data.pull("images", source=url)

    assert (sent.versions, len(sent.notes), again.versions) == (("images@1",), notes, ())
    assert there.data.verify("images").ref == "images@1"


def test_a_table_of_before_chunks_travels_whole(here: Home, there: Home, far: str) -> None:
    """Such tables were one object each, and the file they came from another."""
    kept = put_bytes(here.objects, b"rows"), put_bytes(here.objects, b"a,b")
    file = FileEntry(path="trips.csv", digest=kept[1].digest, size_bytes=3)
    draft = DatasetVersion(
        id="0" * 32, dataset="trips", number=0, digest="ab" * 32, files=(file,),
        table=kept[0].digest, columns=(), rows=3, size_bytes=3, message="", actor="ann",
        code_commit=None, created_at=0,
    )  # fmt: skip
    with here.store.write() as tx:
        add_version(tx, draft)

    sent = here.data.push("trips", to=far)
    there.data.pull("trips", source=far)

    assert (sent.objects, sent.chunks) == (2, 0)
    assert set(there.objects.iterate()) == set(kept)
    assert there.data.version("trips").rows == 3


def test_a_table_travels_in_chunks(here: Home, there: Home, far: str, csv) -> None:
    here.data.commit("trips", csv)

    here.data.push("trips", to=far)
    there.data.pull("trips", source=far)

    assert there.data.verify("trips").rows == 3
    assert there.data.table("trips").equals(here.data.table("trips"))


def test_only_what_is_missing_travels(here: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    first = here.data.push("images", to=far)
    write(folder / "cats" / "3.png", noise(3))
    here.data.commit("images", folder)

    second = here.data.push("images", to=far)
    third = here.data.push("images", to=far)

    assert first.size_bytes > 900_000
    assert second.versions == ("images@2",)
    assert 300_000 < second.size_bytes < 310_000
    assert (third.versions, third.size_bytes) == ((), 0)


def test_a_pack_of_which_all_is_missing_travels_as_it_is(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    there.data.pull("images", source=far)

    (pack,) = files_of(far, "packs")
    assert [info.digest for info in there.objects.iterate()] == [pack.name]


def test_of_a_pack_that_is_known_in_part_only_the_rest_travels(
    here: Home, there: Home, folder: Path, far: str, tmp_path: Path
) -> None:
    here.data.commit("images", folder)
    write(tmp_path / "some" / "1.png", noise(1))
    there.data.commit("some", tmp_path / "some")
    there.data.push("some", to=far)

    sent = here.data.push("images", to=far)
    got = there.data.pull("images", source=far)

    assert sent.packs == 0
    assert 600_000 < sent.size_bytes < 610_000
    assert 600_000 < got.size_bytes < 610_000
    assert there.data.verify("images").file_count == 3


def test_one_version_can_travel_alone(here: Home, there: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    write(folder / "cats" / "3.png", noise(3))
    here.data.commit("images", folder)
    here.data.push("images", to=far)

    got = there.data.pull("images@2", source=far)
    rest = there.data.pull("images", source=far)

    assert (got.versions, rest.versions) == (("images@2",), ("images@1",))
    assert there.data.version("images").number == 2


def test_the_plans_write_nothing(here: Home, there: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)

    planned = here.data.push("images", to=far, dry_run=True)
    assert not Path(far).exists()
    sent = here.data.push("images", to=far)
    fetched = there.data.pull("images", source=far, dry_run=True)

    assert planned == sent
    assert (fetched.versions, fetched.size_bytes) == (sent.versions, sent.size_bytes)
    assert there.data.datasets().items == ()
    assert list(there.objects.iterate()) == []


def both_have_another_second(here: Home, there: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    there.data.pull("images", source=far)
    write(folder / "cats" / "3.png", noise(3))
    here.data.commit("images", folder, message="here")
    here.data.push("images", to=far)
    (folder / "cats" / "3.png").unlink()
    write(folder / "cats" / "4.png", noise(4))
    there.data.commit("images", folder, message="there")


def test_who_has_not_pulled_what_others_pushed_is_refused(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    both_have_another_second(here, there, folder, far)

    with pytest.raises(Conflict, match=r"has images@main at .*, which is not here.*Pull it first"):
        there.data.push("images", to=far)


def test_after_a_pull_and_a_merge_both_are_kept_everywhere(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    both_have_another_second(here, there, folder, far)

    got = there.data.pull("images", source=far)
    with pytest.raises(Conflict, match="Merge it first: treadle data merge images@3 --into main"):
        there.data.push("images", to=far)
    there.data.merge("images@3", into="main")
    there.data.push("images", to=far)
    back = here.data.pull("images", source=far)

    assert got.notes[0] == "images@2 of the remote is images@3 here"
    assert "treadle data merge images@3 --into main" in got.notes[1]
    assert back.versions == ("images@3", "images@4")
    assert {e.path for e in here.data.files("images")} >= {"cats/3.png", "cats/4.png"}
    assert here.data.version("images").parents == (3, 2)
    assert {v.digest for v in here.data.versions("images").items} == {
        v.digest for v in there.data.versions("images").items
    }


def test_force_puts_ones_own_after_it_and_loses_nothing(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    both_have_another_second(here, there, folder, far)

    there.data.push("images", to=far, force=True)
    here.data.pull("images", source=far)

    assert [v.message for v in here.data.versions("images").items] == ["there", "here", ""]
    assert here.data.version("images").message == "here"


def test_branches_and_tags_go_along(here: Home, there: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    here.data.branch("images", "trial")
    write(folder / "cats" / "3.png", noise(3))
    here.data.commit_files("images", [folder], branch="trial")
    here.data.tag("images@1", "v1")
    here.data.push("images", to=far)
    there.data.pull("images", source=far)

    here.data.tag("images@2", "v2")
    named = here.data.push("images", to=far)
    there.data.pull("images", source=far)

    assert named.pointers == ("v2",)
    assert {p.name: p.number for p in there.data.pointers("images")} == {
        "main": 1, "trial": 2, "v1": 1, "v2": 2,
    }  # fmt: skip
    assert there.data.version("images@trial").parents == (1,)


def test_who_pulled_the_newest_alone_goes_on_from_it(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    here.data.commit("images", folder)
    write(folder / "cats" / "3.png", noise(3))
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    there.data.pull("images@2", source=far)
    write(folder / "cats" / "4.png", noise(4))
    there.data.commit("images", folder)

    there.data.push("images", to=far)
    there.data.pull("images", source=far)

    assert there.data.version("images@2").parents == (1,)
    assert here.data.pull("images", source=far).versions == ("images@3",)
    assert here.data.version("images").number == 3


def test_a_tag_that_is_another_there_is_told(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    both_have_another_second(here, there, folder, far)
    here.data.tag("images@1", "good")
    here.data.push("images", to=far)
    there.data.tag("images@2", "good")

    got = there.data.pull("images", source=far)

    assert "images@good stays images@2; the remote has images@1" in got.notes


def test_the_same_bytes_committed_in_two_homes_are_one_version(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    here.data.commit("images", folder)
    there.data.commit("images", folder)
    here.data.push("images", to=far)

    assert there.data.push("images", to=far).versions == ()
    assert there.data.pull("images", source=far).versions == ()


def test_the_contract_goes_along(here: Home, there: Home, far: str, csv) -> None:
    here.data.commit("trips", csv)
    here.data.set_contract("trips", ContractBody(table=TableRule(min_rows=1)))
    here.data.set_contract("trips", ContractBody(table=TableRule(min_rows=2)))
    here.data.push("trips", to=far)

    got = there.data.pull("trips", source=far)

    assert there.data.contract("trips").body.table.min_rows == 2
    assert there.data.contract("trips").number == 2
    assert there.data.validate("trips").contract_number == 2
    assert got.notes[0].startswith("trips follows the contract of")


def test_a_contract_that_was_set_here_stays(here: Home, there: Home, far: str, csv) -> None:
    here.data.commit("trips", csv)
    here.data.set_contract("trips", ContractBody(table=TableRule(min_rows=1)))
    here.data.push("trips", to=far)
    there.data.commit("trips", csv)
    there.data.set_contract("trips", ContractBody(table=TableRule(min_rows=3)))

    got = there.data.pull("trips", source=far)

    assert there.data.contract("trips").body.table.min_rows == 3
    assert got.notes[0].startswith("trips keeps the contract that was set here")


def test_a_contract_alone_is_pushed_too(here: Home, there: Home, far: str, csv) -> None:
    here.data.commit("trips", csv)
    here.data.push("trips", to=far)
    there.data.pull("trips", source=far)
    here.data.set_contract("trips", ContractBody(table=TableRule(min_rows=2)))

    here.data.push("trips", to=far)
    there.data.pull("trips", source=far)

    assert there.data.contract("trips").body.table.min_rows == 2


@pytest.mark.parametrize("kind", ["packs", "records", "indexes"])
def test_what_is_damaged_in_the_remote_is_not_taken(
    here: Home, there: Home, folder: Path, far: str, kind: str
) -> None:
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    path = max(files_of(far, kind), key=lambda found: found.stat().st_mtime_ns)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)

    with pytest.raises(Corrupt, match="damaged"):
        there.data.pull("images", source=far)

    assert there.data.datasets().items == ()


def test_a_pack_that_lies_about_what_it_holds_is_not_taken(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    depot = open_depot(far)
    (index,) = (index for _, index in depot.indexes(depot.index_names([])))
    first, second = index.entries[:32], index.entries[44:76]
    swapped = second + index.entries[32:44] + first + index.entries[76:]
    lie = type(index)(index.format, index.pack, index.size_bytes, swapped)
    turn = depot.turn("images")
    state = type(turn.state)(
        dataset="images", versions=turn.state.versions, indexes=(depot.put_index(lie, era=0),)
    )
    depot.advance(turn, state, era=0, at=0, is_locked=False)

    with pytest.raises(Corrupt):
        there.data.pull("images", source=far)

    assert list(there.objects.iterate()) == []


def test_chunks_are_read_for_a_repair(here: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    wanted = {chunk for entry in here.data.files("images") for chunk in entry.chunks}

    found = dict(read_chunks(open_depot(far), {*wanted, b"\0" * 32}))

    assert found.keys() == wanted
    assert sorted(map(len, found.values())) == sorted(
        place.raw_length for place in here.data._reader.find(list(wanted)).values()
    )


def test_a_remote_is_named_once(here: Home, far: str) -> None:
    made = here.data.add_remote("origin", far)

    assert here.data.add_remote("origin", far) == made
    assert [remote.url for remote in here.data.remotes()] == [f"file://{far}"]
    with pytest.raises(Conflict, match="The remote 'origin' is"):
        here.data.add_remote("origin", f"{far}2")


def test_the_only_remote_need_not_be_named(here: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    here.data.add_remote("nas", far)

    assert here.data.push("images").remote == f"file://{far}"


def test_of_several_remotes_origin_is_meant(here: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    here.data.add_remote("a", f"{far}/a")
    here.data.add_remote("b", f"{far}/b")

    with pytest.raises(InvalidInput, match="There are several remotes: a, b"):
        here.data.push("images")
    here.data.add_remote("origin", f"{far}/origin")

    assert here.data.push("images").remote == f"file://{far}/origin"


def test_a_remote_that_is_forgotten_keeps_what_it_has(here: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    here.data.add_remote("origin", far)
    here.data.push("images")

    here.data.remove_remote("origin")

    assert here.data.remotes() == ()
    assert here.data.push("images", to=far).versions == ()
    with pytest.raises(NotFound, match="remote add origin URL"):
        here.data.push("images")


@pytest.mark.parametrize(
    "url", ["s3://key:secret@bucket/a", "https://user@host/a", "az://c/p?sig=secret"]
)
def test_credentials_are_never_stored(here: Home, url: str) -> None:
    with pytest.raises(InvalidInput, match="holds credentials or a query"):
        here.data.add_remote("origin", url)

    assert here.data.remotes() == ()


@pytest.mark.parametrize(("name", "url"), [("a/b", "/tmp/x"), ("", "/tmp/x"), ("a", "ftp://h/x")])  # noqa: S108 - never made
def test_what_cannot_be_a_remote_is_refused(here: Home, name: str, url: str) -> None:
    with pytest.raises(InvalidInput):
        here.data.add_remote(name, url)


def test_what_is_no_remote_is_said(there: Home, far: str) -> None:
    with pytest.raises(NotFound, match="Nothing was ever pushed there"):
        there.data.pull("images", source=far)


def test_what_a_remote_does_not_have_is_said(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    here.data.commit("images", folder)
    here.data.push("images", to=far)

    with pytest.raises(NotFound, match="'pets in "):
        there.data.pull("pets", source=far)
    with pytest.raises(NotFound, match="The newest there is images@1"):
        there.data.pull("images@7", source=far)


def test_a_remote_of_a_later_format_is_refused(there: Home, far: str) -> None:
    write(Path(far) / "format", b'{"format":4}')

    with pytest.raises(InvalidInput, match="is of format 4, not 3"):
        there.data.pull("images", source=far)


def test_what_later_versions_add_is_passed_over(
    here: Home, there: Home, folder: Path, far: str
) -> None:
    write(Path(far) / "format", b'{"format":1,"made_by":"somebody"}')
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    (ref,) = files_of(far, "refs")
    ref.write_bytes(ref.read_bytes().replace(b"{", b'{"branch":"main",', 1))

    there.data.pull("images", source=far)

    assert there.data.version("images").number == 1


def test_a_remote_that_was_made_anew_is_seen(here: Home, folder: Path, far: str) -> None:
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    shutil.rmtree(far)

    again = here.data.push("images", to=far)

    assert again.versions == ("images@1",)
    assert again.size_bytes > 900_000


def test_many_pushes_are_found_again(here: Home, there: Home, folder: Path, far: str) -> None:
    for number in range(7):
        write(folder / "count", b"%d" % number)
        here.data.commit("images", folder)
        here.data.push("images", to=far)

    got = there.data.pull("images", source=far)

    assert len(got.versions) == 7
    assert open_depot(far).turn("images").number == 7


class Blind(FolderBlobs):
    """Takes every conditional put, as some servers do."""

    probed = 0

    def create(self, key: str, data: bytes) -> bool:
        Blind.probed += key.startswith("probes/")
        self.put(key, io.BytesIO(data))
        return True


def test_where_nobody_keeps_who_was_first_the_database_does(
    here: Home, there: Home, folder: Path, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "treadle.data.remotes.depot.open_blobs", lambda url: Blind(Path(url[len("file://") :]))
    )
    monkeypatch.setattr(Blind, "probed", 0)
    here.data.commit("images", folder)

    sent = here.data.push("images", to=far)
    write(folder / "more", b"more")
    here.data.commit("images", folder)
    again = here.data.push("images", to=far)
    there.data.pull("images", source=far)

    assert Blind.probed == 2
    assert "this home's database orders its pushes" in sent.notes[0]
    assert again.notes == sent.notes
    assert there.data.version("images").number == 2
    with here.store.read() as tx:
        kinds = [event.kind for event in events.read(tx.connection)]
    assert kinds.count("remote.probed") == 1


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web(far: str) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=far))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_any_web_server_can_hand_out_a_remote(
    here: Home, there: Home, folder: Path, far: str, web: str
) -> None:
    here.data.commit("images", folder)
    here.data.push("images", to=far)
    write(folder / "more", b"more")
    here.data.commit("images", folder)
    here.data.push("images", to=far)

    got = there.data.pull("images", source=web)

    assert got.versions == ("images@1", "images@2")
    assert there.data.verify("images").file_count == 4
    there.data.commit("images", folder / "cats")
    with pytest.raises(Unavailable, match="can only be read"):
        there.data.push("images", to=web)
    with pytest.raises(Unavailable, match="cannot be listed"):
        there.data.remote_datasets(web)
