"""DVC's repositories, made and pulled by the real dvc, and by hand where it would be slow."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import pytest
from obstore.store import S3Store

from treadle import connect
from treadle.exchange.dvc.entities import Out, dataset_name
from treadle.exchange.dvc.parsing import read_config, read_outs
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.client import Client

ROOT = Path(__file__).parents[2]
DVC = Path(os.environ.get("TREADLE_PEERS", ROOT / ".peers")) / "dvc" / "bin" / "dvc"
QUIET = {"DVC_NO_ANALYTICS": "1", "PYTHONWARNINGS": "ignore"}
WHEN = 1_700_000_000


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with connect(tmp_path / "home") as opened:
        yield opened


def git(folder: Path, *args: str, at: int = WHEN) -> str:
    env = {
        **os.environ,
        "GIT_AUTHOR_NAME": "Ann",
        "GIT_AUTHOR_EMAIL": "ann@example.org",
        "GIT_COMMITTER_NAME": "Bob",
        "GIT_COMMITTER_EMAIL": "bob@example.org",
        "GIT_AUTHOR_DATE": f"{at} +0000",
        "GIT_COMMITTER_DATE": f"{at} +0000",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    command = ["git", "-c", "init.defaultBranch=main", "-C", str(folder), *args]
    return subprocess.run(command, check=True, env=env, capture_output=True, text=True).stdout


def dvc(folder: Path, *args: str) -> None:
    if not DVC.exists():
        sentence = f"There is no {DVC}: ./run test installs it."
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    env = {**os.environ, **QUIET, "DVC_SITE_CACHE_DIR": str(folder.parent / "site")}
    done = subprocess.run([str(DVC), *args], check=False, cwd=folder, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits of a file and a folder, by the real dvc."""
    root = tmp_path_factory.mktemp("dvc") / "theirs"
    (root / "data" / "images" / "cats").mkdir(parents=True)
    git(root, "init", "-q")
    dvc(root, "init", "-q")
    (root / "data" / "raw.csv").write_text("x\n1\n")
    (root / "data" / "images" / "dog.txt").write_text("woof")
    (root / "data" / "images" / "cats" / "one.txt").write_text("meow")
    dvc(root, "add", "-q", "data/raw.csv", "data/images")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    (root / "data" / "images" / "cats" / "two.txt").write_text("purr")
    dvc(root, "add", "-q", "data/images")
    git(root, "add", ".")
    git(root, "commit", "-qm", "another cat\n\nwho purrs", at=WHEN + 60)
    return root


def content(client: Client, ref: str) -> dict[str, bytes]:
    found = {}
    for entry in client.data.files(ref):
        with client.data.open_entry(entry) as stream:
            found[entry.path] = stream.read()
    return found


def test_every_output_comes_with_its_history(client: Client, theirs: Path) -> None:
    dry = client.exchange.import_dvc(theirs, dry_run=True)
    report = client.exchange.import_dvc(theirs)
    again = client.exchange.import_dvc(theirs)

    first, second = reversed(client.data.versions("data.images").items)
    assert (dry.came, report.came, report.left_out) == (report.came, {"dataset versions": 3}, ())
    assert (again.came, again.known) == ({}, {"dataset versions": 3})
    assert content(client, "data.raw.csv") == {"raw.csv": b"x\n1\n"}
    assert content(client, second.ref) == {
        "cats/one.txt": b"meow",
        "cats/two.txt": b"purr",
        "dog.txt": b"woof",
    }
    assert (second.message, second.actor) == (
        "another cat\n\nwho purrs",
        "Ann <ann@example.org>",
    )
    assert (first.created_at, second.created_at) == (WHEN * 10**6, (WHEN + 60) * 10**6)
    assert second.code_commit == git(theirs, "rev-parse", "HEAD").strip()
    assert second.parents == (1,)


def test_dvc_pulls_what_was_written_for_it(client: Client, tmp_path: Path) -> None:
    source = tmp_path / "photos"
    (source / "cats").mkdir(parents=True)
    (source / "cats" / "one.txt").write_text("meow")
    (source / "dog.txt").write_bytes(os.urandom(400_000))
    (source / "newest").symlink_to("dog.txt")
    client.data.commit("photos", source)
    shared = tmp_path / "shared"

    dry = client.exchange.export_dvc("photos", shared, dry_run=True)
    untouched = not shared.exists()
    done = client.exchange.export_dvc("photos", shared)
    again = client.exchange.export_dvc("photos", shared)
    dvc(shared, "pull", "-q")

    assert (dry.files, untouched) == (2, True)
    assert (done.new_files, again.new_files, done.hint) == (2, 0, "")
    assert [left.why for left in done.left_out] == ["DVC keeps no links"]
    assert (shared / "photos" / "cats" / "one.txt").read_text() == "meow"
    assert (shared / "photos" / "dog.txt").read_bytes() == (source / "dog.txt").read_bytes()


# --- by hand ---


class Theirs:
    """A DVC repository made by hand: what dvc would have written, without its start."""

    def __init__(self, root: Path, *, layout: str = ".dvc/cache/files/md5") -> None:
        self.root, self.layout, self.at = root, layout, WHEN
        (root / ".dvc").mkdir(parents=True)
        (root / ".dvc" / "config").write_text("")
        git(root, "init", "-q")

    def keep(self, data: bytes, *, md5: str = "") -> str:
        md5 = md5 or hashlib.md5(data, usedforsecurity=False).hexdigest()
        place = self.root / self.layout / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return md5

    def folder(self, **files: bytes) -> str:
        listed = [{"md5": self.keep(data), "relpath": name} for name, data in files.items()]
        text = json.dumps(listed).encode()
        return self.keep(text, md5=f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir")

    def commit(self, path: str, md5: str, *, extra: str = "\n  hash: md5") -> str:
        file = self.root / f"{path}.dvc"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"outs:\n- md5: {md5}\n  path: {file.stem}{extra}\n")
        return self.save(f"{path} is {md5[:4]}")

    def save(self, message: str) -> str:
        self.at += 60
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", message, at=self.at)
        return git(self.root, "rev-parse", "HEAD").strip()


@pytest.fixture
def made(tmp_path: Path) -> Theirs:
    made = Theirs(tmp_path / "made")
    (made.root / ".gitignore").write_text("/.dvc/cache\n/store\n")
    return made


def test_a_missing_object_is_named_and_only_its_version_stays_behind(
    client: Client, made: Theirs
) -> None:
    made.commit("d", made.folder(a=b"1", b=b"2"))
    made.commit("d", made.folder(a=b"1", b=b"gone"))
    gone = hashlib.md5(b"gone", usedforsecurity=False).hexdigest()
    place = made.root / made.layout / gone[:2] / gone[2:]
    place.unlink()
    made.commit("d", made.folder(a=b"1", c=b"3"))

    report = client.exchange.import_dvc(made.root)
    place.write_bytes(b"gone")
    later = client.exchange.import_dvc(made.root)

    (left,) = report.left_out
    assert f"b ({gone})" in left.why
    assert report.came == {"dataset versions": 2}
    assert later.came == {"dataset versions": 1}
    assert content(client, "d") == {"a": b"1", "c": b"3"}


def test_damaged_bytes_are_named_and_do_not_come(client: Client, made: Theirs) -> None:
    md5 = made.keep(b"right")
    made.keep(b"wrong", md5=md5)
    made.commit("d", md5)

    report = client.exchange.import_dvc(made.root)

    assert "is damaged" in report.left_out[0].why
    assert client.data.datasets().total == 0


def test_what_went_back_to_an_older_state_is_a_version_that_says_so(
    client: Client, made: Theirs
) -> None:
    old, new = made.keep(b"old"), made.keep(b"new")
    for md5 in (old, new, old):
        made.commit("d", md5)

    client.exchange.import_dvc(made.root)
    again = client.exchange.import_dvc(made.root)
    (client.home / "imports" / "dvc").unlink()
    client.exchange.import_dvc(made.root)

    assert content(client, "d") == {"d": b"old"}
    found = client.data.versions("d").items
    assert [(v.parents, v.same_as) for v in found] == [((2,), 1), ((1,), None), ((), None)]
    assert client.data.version("d").ref == "d@3"
    assert again.came == {}


def test_branches_of_git_that_were_merged_are_parents(client: Client, made: Theirs) -> None:
    made.commit("d", made.folder(a=b"1"))
    git(made.root, "checkout", "-qb", "side")
    made.commit("d", made.folder(a=b"1", b=b"2"))
    git(made.root, "checkout", "-q", "main")
    made.commit("d", made.folder(a=b"1", c=b"3"))
    git(made.root, "merge", "-q", "-s", "ours", "--no-commit", "side", at=made.at)
    made.commit("d", made.folder(a=b"1", b=b"2", c=b"3"))

    client.exchange.import_dvc(made.root)

    newest = client.data.version("d")
    assert len(newest.parents) == 2
    assert sorted(content(client, newest.ref)) == ["a", "b", "c"]
    assert client.data.log("d").total == 4


@pytest.mark.parametrize("layout", [".dvc/cache", "store/files/md5", "store"])
def test_bytes_come_from_the_old_cache_and_from_remotes(
    client: Client, tmp_path: Path, layout: str
) -> None:
    made = Theirs(tmp_path / "made", layout=layout)
    (made.root / ".gitignore").write_text("/.dvc/cache\n/store\n")
    config = "[core]\n    remote = there\n['remote \"there\"']\n    url = ../store\n"
    (made.root / ".dvc" / "config").write_text(config)
    made.commit("d", made.keep(b"bytes"))

    client.exchange.import_dvc(made.root)

    assert content(client, "d") == {"d": b"bytes"}


def test_bytes_come_from_a_bucket(client: Client, made: Theirs, s3_url: str) -> None:
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    md5 = made.keep(b"far away")
    shutil.rmtree(made.root / ".dvc" / "cache")
    key = f"files/md5/{md5[:2]}/{md5[2:]}"
    obstore.put(S3Store(bucket, prefix=prefix), key, b"far away")
    (made.root / ".dvc" / "config").write_text(f"['remote \"s\"']\n    url = {s3_url}\n")
    made.commit("d", md5)

    report = client.exchange.import_dvc(made.root)

    assert report.left_out == ()
    assert content(client, "d") == {"d": b"far away"}


def test_an_old_md5_of_a_text_is_the_one_with_short_line_ends(client: Client, made: Theirs) -> None:
    md5 = hashlib.md5(b"a\nb\n", usedforsecurity=False).hexdigest()
    made.commit("d", made.keep(b"a\r\nb\r\n", md5=md5), extra="")

    client.exchange.import_dvc(made.root)

    assert content(client, "d") == {"d": b"a\r\nb\r\n"}


def test_outputs_of_a_pipeline_come_from_its_lock(client: Client, made: Theirs) -> None:
    md5 = made.keep(b"model")
    lock = (
        "schema: '2.0'\nstages:\n  train:\n    cmd: python train.py\n    outs:\n"
        f"    - {{path: out/model.bin, hash: md5, md5: {md5}, size: 5}}\n"
    )
    (made.root / "train").mkdir()
    (made.root / "train" / "dvc.lock").write_text(lock)
    made.save("trained")

    client.exchange.import_dvc(made.root)

    assert content(client, "train.out.model.bin") == {"model.bin": b"model"}


def test_a_dataset_that_has_other_versions_is_left_alone(
    client: Client, made: Theirs, tmp_path: Path
) -> None:
    made.commit("d", made.keep(b"1"))
    client.exchange.import_dvc(made.root)
    (tmp_path / "d").write_text("mine")
    client.data.commit("d", tmp_path / "d")
    made.commit("d", made.keep(b"2"))

    report = client.exchange.import_dvc(made.root)
    other = client.exchange.import_dvc(made.root, prefix="theirs.")

    assert "d@2 is not from here" in report.left_out[0].why
    assert content(client, "d") == {"d": b"mine"}
    assert other.came == {"dataset versions": 2}


def test_a_folder_that_is_no_repository_is_said(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No DVC repository"):
        client.exchange.import_dvc(tmp_path)
    (tmp_path / ".dvc").mkdir()
    with pytest.raises(InvalidInput, match="no checkout of Git"):
        client.exchange.import_dvc(tmp_path)


def test_a_repository_that_is_there_is_not_changed_by_an_export(
    client: Client, made: Theirs, tmp_path: Path
) -> None:
    (tmp_path / "d").write_text("mine")
    client.data.commit("d", tmp_path / "d")

    done = client.exchange.export_dvc("d", made.root)

    assert (made.root / ".dvc" / "config").read_text() == ""
    assert done.hint == "dvc remote add treadle remote && dvc pull -r treadle"


def test_what_was_exported_comes_back_as_the_same_version(
    client: Client, made: Theirs, tmp_path: Path
) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    (source / "one").write_text("meow")
    version = client.data.commit("photos", source)
    client.exchange.export_dvc("photos", made.root)
    (made.root / ".dvc" / "config").write_text("['remote \"r\"']\nurl = ../remote\n")
    made.save("from elsewhere")

    client.exchange.import_dvc(made.root, prefix="back.")

    assert client.data.version("back.photos").digest == version.digest


MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize(
    ("text", "outs", "why"),
    [
        (f"outs:\n- {{md5: {MD5}, path: a, hash: md5}}", [Out("in/a", MD5)], ""),
        (f"wdir: ..\nouts:\n- {{md5: {MD5}, path: a}}", [Out("a", MD5, is_text_md5=True)], ""),
        (f"outs:\n- {{md5: {MD5}, path: a, cache: false}}", [], ""),
        (f"outs:\n- {{md5: {MD5}, path: ../../a}}", [], "outside"),
        (f"outs:\n- {{md5: {MD5}, path: s3://a/b}}", [], "outside"),
        ("outs:\n- {etag: abc, path: a}", [], "no MD5"),
        ("", [], ""),
        ("[1, 2]", [], ""),
    ],
)
def test_a_dvc_file_is_read(text: str, outs: list[Out], why: str) -> None:
    found, left = read_outs("in/x.dvc", text)

    assert found == outs
    assert why in "".join(reason for _, reason in left)
    assert bool(why) == bool(left)


def test_a_broken_file_of_theirs_is_named(client: Client, made: Theirs) -> None:
    (made.root / "x.dvc").write_text("outs: [")
    made.save("broken")

    report = client.exchange.import_dvc(made.root)

    assert [(left.what, left.why) for left in report.left_out] == [
        ("x.dvc of x.dvc", "x.dvc is no YAML.")
    ]


def test_a_configuration_is_read() -> None:
    text = "[core]\n    remote = a\n['remote \"a\"']\n    url = s3://b/c%20d\n"

    assert read_config(text) == {"core": {"remote": "a"}, "remote:a": {"url": "s3://b/c%20d"}}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/raw.csv", "data.raw.csv"),
        ("a b/ü", "a-b.-"),
        (".hidden/x", "hidden.x"),
        ("_", "data"),
    ],
)
def test_a_path_is_a_name(path: str, name: str) -> None:
    assert dataset_name(path) == name
