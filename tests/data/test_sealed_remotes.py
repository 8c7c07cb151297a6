"""Remotes of homes that encrypt: encrypted themselves, or plain when somebody says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from treadle.data.service import Data
from treadle.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from treadle.storage.metadata import open_metadata
from treadle.storage.stores import open_blobs, open_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from treadle.storage.metadata import SqlMetadataStore

KEY, OTHER = "5e" * 32, "0d" * 32
SECRET = "nobody else is to read this"


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Callable[..., Data]]:
    opened: list[SqlMetadataStore] = []

    def make(name: str, key: str = KEY) -> Data:
        store = open_metadata(f"sqlite:///{tmp_path / name / 'treadle.db'}")
        opened.append(store)
        objects = open_objects((tmp_path / name / "objects").as_uri(), key=key)
        return Data(store=store, objects=objects, home=tmp_path / name)

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def here(new_home: Callable[..., Data], tmp_path: Path) -> Data:
    data = new_home("here")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.txt").write_text(f"{SECRET}\n" * 200)
    data.commit_files("notes", [tmp_path / "notes"])
    data.commit("people", pa.table({"id": [1, 2], "name": [SECRET, "x"]}))
    data.infer_contract("people")
    return data


@pytest.fixture(params=["folder", "s3"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    is_folder = request.param == "folder"
    return (tmp_path / "far").as_uri() if is_folder else request.getfixturevalue("s3_url")


def test_an_encrypted_remote_takes_all_and_shows_nothing(
    here: Data, new_home: Callable[..., Data], far: str, tmp_path: Path
) -> None:
    here.add_remote("origin", far, encrypted=True)
    sent = [here.push("notes"), here.push("people")]
    there = new_home("there")
    there.pull("notes", source=far)
    there.pull("people", source=far)

    files = [path for path in (tmp_path / "far").rglob("*") if path.is_file()]
    assert all(each.versions for each in sent)
    assert not any(b"nobody" in path.read_bytes() for path in files)
    assert not any(b"people" in path.read_bytes() for path in files)
    assert there.open("notes", "one.txt").read().startswith(SECRET.encode())
    assert there.table("people").to_pydict() == here.table("people").to_pydict()
    assert [c.digest for c in there.contracts("people")] == [
        c.digest for c in here.contracts("people")
    ]
    assert here.push("notes").is_empty


def test_what_is_damaged_comes_back_from_an_encrypted_remote(here: Data, tmp_path: Path) -> None:
    here.add_remote("origin", str(tmp_path / "far"), encrypted=True)
    here.push("notes")
    here.push("people")
    for path in (tmp_path / "here" / "objects" / "encrypted").glob("??/*"):
        path.unlink()
    (tmp_path / "notes" / "one.txt").unlink()

    here.fsck(repair="origin")

    assert here.fsck().damage == ()


def test_a_home_that_encrypts_sends_nothing_to_a_plain_place_unasked(
    here: Data, tmp_path: Path
) -> None:
    here.add_remote("origin", str(tmp_path / "far"))
    with pytest.raises(InvalidInput, match="would hold it plain"):
        here.push("notes")
    with pytest.raises(InvalidInput, match="would hold it plain"):
        here.push("notes", to=str(tmp_path / "elsewhere"), dry_run=True)
    nothing = not (tmp_path / "far").exists()
    told = here.add_remote("origin", str(tmp_path / "far"), plain=True)

    assert nothing
    assert told.is_plain
    assert here.remotes() == (told,)
    assert here.push("notes").versions == ("notes@1",)


def test_a_plain_home_sends_as_ever(new_home: Callable[..., Data], tmp_path: Path) -> None:
    data = new_home("plain", key="")
    data.commit("people", pa.table({"id": [1]}))

    assert data.push("people", to=str(tmp_path / "far")).versions == ("people@1",)


def test_without_the_key_an_encrypted_remote_is_closed(
    here: Data, new_home: Callable[..., Data], tmp_path: Path
) -> None:
    far = str(tmp_path / "far")
    here.add_remote("origin", far, encrypted=True)
    here.push("notes")

    with pytest.raises(InvalidInput, match="is encrypted, and there is no key here"):
        new_home("plain", key="").pull("notes", source=far)
    with pytest.raises(Unavailable, match="under master key"):
        new_home("other", key=OTHER).pull("notes", source=far)
    with pytest.raises(InvalidInput, match="no key here"):
        new_home("plain2", key="").add_remote("new", str(tmp_path / "new"), encrypted=True)


def test_what_is_plain_does_not_become_encrypted(here: Data, tmp_path: Path) -> None:
    here.add_remote("origin", str(tmp_path / "far"), plain=True)
    here.push("notes")

    with pytest.raises(Conflict, match="a remote already, and not encrypted"):
        here.add_remote("again", str(tmp_path / "far"), encrypted=True)
    with pytest.raises(InvalidInput, match="either encrypted or plain"):
        here.add_remote("both", str(tmp_path / "both"), encrypted=True, plain=True)


def test_the_master_key_of_a_remote_is_exchanged_and_nothing_else(
    here: Data, new_home: Callable[..., Data], tmp_path: Path, far: str
) -> None:
    here.add_remote("origin", far, encrypted=True)
    here.push("notes")
    before = contents(far)

    planned = here.rotate_remote_key(new=OTHER, dry_run=True)
    same = contents(far) == before
    done = here.rotate_remote_key(new=OTHER)
    again = here.rotate_remote_key(new=OTHER)
    new_home("there", key=OTHER).pull("notes", source=far)

    assert same
    assert (planned.data_keys, planned.before, planned.after) == (1, done.before, done.after)
    assert again.before == ""
    changed = {key for key, held in before.items() if contents(far).get(key) != held}
    assert {key.partition("/")[0] for key in changed} == {"keys"}
    with pytest.raises(Unavailable, match=r"The remote .* is encrypted under master key") as caught:
        here.pull("notes")
    assert "treadle objects keys rotate --to FILE" in str(caught.value)
    assert "data remote rotate-key NAME --from OLD-FILE" in str(caught.value)


def test_a_home_whose_key_was_exchanged_brings_the_remote_along(
    here: Data, new_home: Callable[..., Data], tmp_path: Path
) -> None:
    far = str(tmp_path / "far")
    here.add_remote("origin", far, encrypted=True)
    here.push("notes")
    later = new_home("later", key=OTHER)

    later.rotate_remote_key(remote=far, old=KEY)
    later.pull("notes", source=far)
    back = new_home("plain", key="").rotate_remote_key(remote=far, old=OTHER, new=KEY)

    assert back.data_keys == 1
    assert here.push("notes").is_empty


def test_only_what_has_keys_has_them_exchanged(
    here: Data, new_home: Callable[..., Data], tmp_path: Path
) -> None:
    here.add_remote("plain", str(tmp_path / "far"), plain=True)
    here.push("notes")

    with pytest.raises(InvalidInput, match="not encrypted: it has no keys"):
        here.rotate_remote_key(new=OTHER)
    with pytest.raises(NotFound, match="remote at"):
        here.rotate_remote_key(remote=str(tmp_path / "nowhere"), new=OTHER)
    here.add_remote("sealed", str(tmp_path / "sealed"), encrypted=True)
    with pytest.raises(InvalidInput, match="This home has no master key"):
        new_home("bare", key="").rotate_remote_key(remote=str(tmp_path / "sealed"), new=OTHER)


def contents(far: str) -> dict[str, tuple[int, int]]:
    """Everything that lies in a place, how large it is and since when."""
    blobs = open_blobs(far)
    folders = ("indexes", "keys", "packs", "records", "refs")
    return {i.key: (i.size_bytes, i.put_at) for f in folders for i in blobs.list(f)}
