"""Push, pull and sweep by processes that are killed at each of their writes, or push at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from treadle.data.remotes.depot import open_depot
from treadle.data.service import Data
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore

if TYPE_CHECKING:
    from pathlib import Path

OPEN = """
    import os, signal, sys
    from pathlib import Path
    from treadle.data.entities import DatasetVersion
    from treadle.data.remotes.depot import open_depot
    from treadle.data.remotes.pull import chunks_of
    from treadle.data.remotes.reading import RemoteReader
    from treadle.data.service import Data
    from treadle.kernel.errors import Conflict
    from treadle.storage.blobs.folder import FolderBlobs
    from treadle.storage.metadata import SqlMetadataStore, open_metadata
    from treadle.storage.objects import FolderObjectStore

    def opened(folder):
        store = open_metadata(f"sqlite:///{folder / 'treadle.db'}")
        return Data(store=store, objects=FolderObjectStore(folder / "objects"), home=folder)
"""

# One process imports all of it, and forks for each step at which to die.
DIE_AT_EACH_STEP = (
    OPEN
    + """
    here, there, far = (Path(arg) for arg in sys.argv[1:4])

    def act():
        if sys.argv[4] == "push":
            opened(here).push("pets", to=str(far))
        elif sys.argv[4] == "sweep":
            data = opened(here)
            if len(open_depot(str(far)).turn("pets").state.versions) == 2:
                data.remove_from_remote("pets@1", remote=str(far), live_share=1)
            data.gc_remote(remote=str(far), older_than=0)
        else:
            opened(there).pull("pets", source=str(far))

    def check():
        if sys.argv[4] == "sweep":
            depot = open_depot(str(far))
            state = depot.turn("pets").state
            records = depot.records([held.record for held in state.versions], DatasetVersion)
            reader = RemoteReader(depot, state.indexes)
            chunks = chunks_of(records, reader)
            assert {digest for digest, _ in reader.each(reader.find(list(chunks)))} == chunks
            assert records
        elif sys.argv[4] == "push":
            depot = open_depot(str(far))
            if depot.is_remote() and depot.turn("pets").number:
                data = opened(there)
                data.pull("pets", source=str(far))
                assert data.fsck().damage == ()
        else:
            data = opened(there)
            assert all(data.verify(v.ref) for d in data.datasets().items
                       for v in data.versions(d.name).items)
            assert data.fsck().damage == ()

    def die_at(fatal):
        steps = 0
        def step(real):
            def counted(*args, **named):
                nonlocal steps
                steps += 1
                if steps == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **named)
            return counted
        for kind, name in [
            (FolderBlobs, "put"), (FolderBlobs, "create"), (FolderBlobs, "delete"),
            (FolderObjectStore, "put"),
            (SqlMetadataStore, "_commit"), (os, "replace"), (os, "link"),
        ]:
            setattr(kind, name, step(getattr(kind, name)))

    def in_child(work):
        child = os.fork()
        if not child:
            try:
                work()
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    for fatal in range(1, 100):
        code = in_child(lambda: (die_at(fatal), act()))
        checked = in_child(check)
        print(code, checked)
        if code == 0 or checked:
            break
"""
)


def opened(folder: Path) -> Data:
    store = open_metadata(f"sqlite:///{folder / 'treadle.db'}")
    return Data(store=store, objects=FolderObjectStore(folder / "objects"), home=folder)


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(300_000)  # noqa: S311 - the same at every run


def commit(home: Path, folder: Path, *seeds: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / f"{seed}").write_bytes(noise(seed))
    data = opened(home)
    data.commit("pets", folder)
    data._store.close()


def killed_at_each_step(tmp_path: Path, verb: str) -> list[list[int]]:
    """Return how each try ended, and whether what was left then was sound; the last is whole."""
    script = textwrap.dedent(DIE_AT_EACH_STEP)
    places = [str(tmp_path / name) for name in ("here", "there", "far")]
    done = subprocess.run(
        [sys.executable, "-c", script, *places, verb], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return [[int(code) for code in line.split()] for line in done.stdout.splitlines()]


def packs_of(far: Path) -> list[Path]:
    return [path for path in (far / "packs").rglob("*") if path.is_file()]


def test_a_push_that_is_killed_at_any_step_leaves_nothing_half(tmp_path: Path) -> None:
    commit(tmp_path / "here", tmp_path / "in", 1, 2)
    commit(tmp_path / "here", tmp_path / "in", 3)

    ends = killed_at_each_step(tmp_path, "push")

    assert ends[-1] == [0, 0]
    assert set(map(tuple, ends[:-1])) == {(-9, 0)}
    assert len(ends) > 12
    # What had travelled was used again: each pack went as it is, once.
    assert len(packs_of(tmp_path / "far")) == 2


def test_a_pull_that_is_killed_at_any_step_leaves_nothing_half(tmp_path: Path) -> None:
    commit(tmp_path / "here", tmp_path / "in", 1, 2)
    commit(tmp_path / "here", tmp_path / "in", 3)
    data = opened(tmp_path / "here")
    data.push("pets", to=str(tmp_path / "far"))
    data._store.close()

    ends = killed_at_each_step(tmp_path, "pull")

    assert ends[-1] == [0, 0]
    assert set(map(tuple, ends[:-1])) == {(-9, 0)}
    assert len(ends) > 6  # what came before each death does not come again
    there = opened(tmp_path / "there")
    there.gc(older_than=0)
    assert {info.digest for info in there._objects.iterate()} == {
        path.name for path in packs_of(tmp_path / "far")
    }
    there._store.close()


def test_a_sweep_that_is_killed_at_any_step_leaves_all_that_is_named(tmp_path: Path) -> None:
    commit(tmp_path / "here", tmp_path / "in", 1, 2)
    (tmp_path / "in" / "1").unlink()
    commit(tmp_path / "here", tmp_path / "in", 3)
    data = opened(tmp_path / "here")
    data.push("pets", to=str(tmp_path / "far"))

    ends = killed_at_each_step(tmp_path, "sweep")

    assert ends[-1] == [0, 0]
    assert set(map(tuple, ends[:-1])) == {(-9, 0)}
    assert len(ends) > 15
    # What was left by the deaths went as well: two files are needed, in a pack each.
    assert len(packs_of(tmp_path / "far")) == 2
    assert data.gc_remote(remote=str(tmp_path / "far"), older_than=0).is_empty
    data._store.close()


PUSH_WHEN_TOLD = (
    OPEN
    + """
    home, far, force = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "force"
    data = opened(home)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print(*data.push("pets", to=far, force=force).versions)
    except Conflict as error:
        print(error)
"""
)


def push_at_once(homes: list[Path], url: str, how: str) -> list[str]:
    script = textwrap.dedent(PUSH_WHEN_TOLD)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(home), url, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for home in homes
    ]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * len(homes)
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    return [writer.communicate()[0] for writer in writers]


@pytest.fixture(params=["folder", "s3_url", "azure_url"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return (tmp_path / "far").as_uri()
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def homes(tmp_path: Path, url: str) -> list[Path]:
    """Three that share a version, and each has another second one; the place was probed."""
    made = [tmp_path / name for name in ("a", "b", "c")]
    for number, home in enumerate(made, start=2):
        commit(home, tmp_path / f"in-{home.name}", 1)
        data = opened(home)
        data.push("pets", to=url)
        data._probed(open_depot(url))
        data._store.close()
        commit(home, tmp_path / f"in-{home.name}", number)
    return made


def test_of_writers_at_once_one_lands_and_the_others_are_told(homes: list[Path], url: str) -> None:
    told = push_at_once(homes, url, "unforced")

    assert sorted(text.startswith("pets@2") for text in told) == [False, False, True]
    assert sum("is not here" in text and "Pull it first" in text for text in told) == 2
    assert len(open_depot(url).turn("pets").state.versions) == 2


def test_writers_at_once_who_force_all_land(homes: list[Path], url: str) -> None:
    told = push_at_once(homes, url, "force")

    assert told == ["pets@2\n"] * 3
    state = open_depot(url).turn("pets").state
    assert [held.number for held in state.versions] == [1, 2, 3, 4]
    assert len({held.digest for held in state.versions}) == 4
