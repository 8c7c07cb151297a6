"""Pushes, removals, pulls and sweeps of a remote, interleaved request by request, some killed.

Whatever happened: every version that the remote names is there whole, and after one more sweep
nothing else is.
"""

from __future__ import annotations

import io
import itertools
import random
import shutil
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.data.entities import DatasetVersion
from treadle.data.remotes import depot as depots
from treadle.data.remotes import keys, push, sweeping
from treadle.data.remotes.cache import Cache
from treadle.data.remotes.depot import Depot
from treadle.data.remotes.pull import chunks_of
from treadle.data.remotes.reading import RemoteReader
from treadle.data.service import Data
from treadle.kernel.errors import Conflict, NotFound
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore, read_up_to
from treadle.storage.ports import BlobInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.ports import Blobs, Span

URL = "file:///shared"
NOWHERE = cast("Blobs", None)
FOR_EVER = 1_000_000


class Killed(BaseException):
    """What ends a process that is killed; nothing in the code catches it."""


class Memory:
    """Blobs in memory; its clock counts the writes."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[bytes, int]] = {}
        self._ticks = itertools.count(1)

    def put(self, key: str, stream: BinaryIO) -> None:
        self.held[key] = (read_up_to(stream, 1 << 30), next(self._ticks))

    def create(self, key: str, data: bytes) -> bool:
        if key in self.held:
            return False
        self.held[key] = (data, next(self._ticks))
        return True

    def open(self, key: str, *, span: Span | None = None) -> io.BytesIO:
        if key not in self.held:
            raise NotFound("blob", key)
        data = self.held[key][0]
        return io.BytesIO(data if span is None else data[span.start : span.stop])

    def stat(self, key: str) -> BlobInfo | None:
        known = self.held.get(key)
        return BlobInfo(key, len(known[0]), known[1]) if known else None

    def delete(self, key: str) -> None:
        self.held.pop(key, None)

    def list(self, folder: str) -> list[BlobInfo]:
        return [
            BlobInfo(key, len(data), at)
            for key, (data, at) in list(self.held.items())
            if key.startswith(f"{folder}/")
        ]


class Actor:
    """Somebody who does something, one request at a time, when told."""

    def __init__(self, memory: Memory, act: Callable[[Blobs], object]) -> None:
        self._memory = memory
        self._act = act
        self._may_go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._is_killed = False
        self.is_done = self.has_succeeded = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._stands.acquire()

    def finish(self, requests: int = FOR_EVER) -> int:
        """Let it make so many requests, one by one, and be about to make another; count them."""
        made = 0
        while not self.is_done and made < requests:
            self._may_go.release()
            self._stands.acquire()
            made += 1
        return made

    def kill(self) -> None:
        self._is_killed = True
        self.finish()

    def _run(self) -> None:
        try:
            self._act(cast("Blobs", self))
            self.has_succeeded = True
        except (Killed, Conflict, NotFound):
            pass  # as it may be: what it left is what counts
        except BaseException as error:  # noqa: BLE001 - looked at by who let it act
            self.error = error
        self.is_done = True
        self._stands.release()

    def __getattr__(self, verb: str) -> Callable[..., object]:
        def call(*args: object, **named: object) -> object:
            if not self._is_killed:
                self._stands.release()
                self._may_go.acquire()
            if self._is_killed:
                raise Killed
            return getattr(self._memory, verb)(*args, **named)

        return call


class Home(Data):
    """A home whose remote is what it is given."""

    blobs: Blobs

    def _depot(self, where: str) -> Depot:
        return depot_on(self.blobs)

    def _probed(self, depot: Depot) -> bool:
        return True


def depot_on(blobs: Blobs) -> Depot:
    return Depot(URL, blobs, cache=Cache(None), seal=lambda _, same: same)


class Homes:
    """Homes in folders, each with one database that all who act in it share."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stores: dict[str, SqlMetadataStore] = {}

    def at(self, name: str, blobs: Blobs) -> Home:
        folder = self._root / name
        if name not in self._stores:
            self._stores[name] = open_metadata(f"sqlite:///{folder / 'treadle.db'}")
        objects = FolderObjectStore(folder / "objects")
        home = Home(store=self._stores[name], objects=objects, home=folder)
        home.blobs = blobs
        return home

    def commit(self, name: str, dataset: str, *seeds: int) -> None:
        root = self._root / name / "in" / "-".join(map(str, seeds))
        root.mkdir(parents=True)
        for seed in seeds:
            (root / f"{seed}").write_bytes(noise(seed))
        self.at(name, NOWHERE).commit(dataset, root)

    def copied(self, name: str, folder: str) -> Homes:
        shutil.copytree(self._root / name, Path(folder) / name)
        return Homes(Path(folder))

    def close(self) -> None:
        for store in self._stores.values():
            store.close()


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(3_000)  # noqa: S311 - the same at every run


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    """Three with versions that have much in common, and one that is empty."""
    homes = Homes(tmp_path_factory.mktemp("homes"))
    homes.commit("a", "pets", 1, 2)
    homes.commit("a", "pets", 2, 3)
    homes.commit("b", "cats", 1, 2, 3)
    homes.commit("c", "pets", 1, 2)
    homes.commit("c", "pets", 1, 4)
    homes.at("new", NOWHERE).datasets()
    yield homes
    homes.close()


def with_home(home: str, act: Callable[[Home], object]) -> Callable[[Homes, Blobs], object]:
    return lambda homes, blobs: act(homes.at(home, blobs))


def pull(homes: Homes, blobs: Blobs) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(homes.copied("new", folder)) as copied:
        data = copied.at("new", blobs)
        data.pull("pets", source=URL)
        for version in data.versions("pets").items:
            data.verify(version.ref)


ACTS: dict[str, Callable[[Homes, Blobs], object]] = {
    "push pets": with_home("a", lambda data: data.push("pets", to=URL)),
    "push cats": with_home("b", lambda data: data.push("cats", to=URL)),
    "push other pets": with_home("c", lambda data: data.push("pets", to=URL, force=True)),
    "remove the last": with_home("c", lambda data: data.remove_from_remote("pets@latest")),
    "remove the first": with_home(
        "c", lambda data: data.remove_from_remote("pets@1", live_share=1)
    ),
    "remove all": with_home("c", lambda data: data.remove_from_remote("pets")),
    "sweep": with_home("b", lambda data: data.gc_remote(older_than=0)),
    "pull": pull,
}
PUSHED = {"push pets": ("pets", 2), "push cats": ("cats", 1), "push other pets": ("pets", 2)}


class Story(NamedTuple):
    """What was done before, who acts at once, who goes when, and who is killed then."""

    before: list[str]
    acts: list[str]
    turns: list[tuple[int, int, bool]]
    marks_count: bool


stories = st.builds(
    Story,
    before=st.lists(st.sampled_from([*ACTS][:-1]), max_size=4),
    acts=st.lists(st.sampled_from([*ACTS]), min_size=2, max_size=4),
    turns=st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(0, 9).map(lambda n: n == 0)),
        max_size=40,
    ),
    marks_count=st.booleans(),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories)
def test_whatever_comes_between_what_is_named_is_there_and_nothing_else(
    homes: Homes, story: Story
) -> None:
    judge(homes, story)


@pytest.mark.parametrize(
    "acts",
    [
        pytest.param(["push cats", "sweep"], id="a push that leans on what is swept"),
        pytest.param(["sweep", "push cats"], id="a sweep of what somebody leans on"),
        pytest.param(["sweep", "push other pets"], id="a sweep of what is sent anew"),
    ],
)
def test_wherever_one_stands_still_another_does_all_of_his(homes: Homes, acts: list[str]) -> None:
    """What both are about is there already, and named by nobody."""
    judge_at_each_request(homes, acts, [(1, FOR_EVER, False)])


def test_what_was_given_up_is_not_taken_up_by_the_next_sweep(homes: Homes) -> None:
    """A push was killed, so that a sweep spares what is young; the one before it stands still."""
    acts = ["sweep", "push pets", "sweep", "push cats"]
    then = [(1, 12, True), (2, FOR_EVER, False), (3, FOR_EVER, False)]

    judge_at_each_request(homes, acts, then, marks_count=True)


def judge_at_each_request(
    homes: Homes, acts: list[str], then: list[tuple[int, int, bool]], *, marks_count: bool = False
) -> None:
    """Let the first stand still before each of its requests, while the others act."""
    before = ["push other pets", "remove all"]
    for at in range(len_of(homes, before, acts[0])):
        judge(homes, Story(before, acts, [(0, at, False), *then], marks_count))


def len_of(homes: Homes, before: list[str], act: str) -> int:
    """Return how many requests somebody makes when nobody else does anything."""
    memory = Memory()
    with one_by_one(marks_count=False):
        for each in before:
            told(memory, each, homes).finish()
        return told(memory, act, homes).finish()


@contextmanager
def one_by_one(*, marks_count: bool) -> Iterator[None]:
    """Let nobody make two requests at once, and marks of pushes count for ever, or never."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depots, "READERS", 1)
        patch.setattr(push, "SENDERS", 1)
        patch.setattr(sweeping, "READERS", 1)
        patch.setattr(sweeping, "MARK_US", FOR_EVER if marks_count else 0)
        yield


def judge(homes: Homes, story: Story) -> None:
    memory = Memory()
    with one_by_one(marks_count=story.marks_count):
        for act in story.before:
            told(memory, act, homes).finish()
        actors = [told(memory, act, homes) for act in story.acts]
        play(actors, story.turns)
        whole(memory)
    with one_by_one(marks_count=False):
        last = told(memory, "sweep", homes)
        last.finish()

    assert [actor.error for actor in (*actors, last) if actor.error] == []
    assert stored(memory) == whole(memory)
    was_removed = any(act.startswith("remove") for act in (*story.before, *story.acts))
    landed = [a for a, actor in zip(story.acts, actors, strict=True) if actor.has_succeeded]
    assert was_removed or all(is_there(memory, *PUSHED[a]) for a in landed if a in PUSHED)


def told(memory: Memory, act: str, homes: Homes) -> Actor:
    return Actor(memory, lambda blobs: ACTS[act](homes, blobs))


def play(actors: list[Actor], turns: list[tuple[int, int, bool]]) -> None:
    """Let them act in turn, some killed then, and the others to the end."""
    for who, steps, is_last in turns:
        actor = actors[who % len(actors)]
        actor.finish(steps)
        if is_last:
            actor.kill()
    for actor in actors:
        actor.finish()


def whole(memory: Memory) -> set[str]:
    """Read every version that is named, whole; return all keys that it takes."""
    depot = depot_on(cast("Blobs", memory))
    taken: set[str] = set()
    for dataset in depot.datasets():
        turn = depot.turn(dataset)
        state = turn.state
        records = [turn.record, *state.contracts, *(held.record for held in state.versions)]
        versions = depot.records([held.record for held in state.versions], DatasetVersion)
        reader = RemoteReader(depot, state.indexes)
        chunks = chunks_of(versions, reader)
        assert {digest for digest, _ in reader.each(reader.find(list(chunks)))} == chunks
        taken |= {keys.record_key(name) for name in records}
        taken |= {keys.index_key(name) for name in state.indexes}
        taken |= {keys.pack_key(index.pack) for index in reader.indexes.values()}
    return taken


def stored(memory: Memory) -> set[str]:
    return {key for key in memory.held if key.partition("/")[0] in sweeping.FOLDERS}


def is_there(memory: Memory, dataset: str, count: int) -> bool:
    return len(depot_on(cast("Blobs", memory)).turn(dataset).state.versions) >= count
