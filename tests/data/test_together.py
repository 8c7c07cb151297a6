"""Everything that stores, moves and removes versions, in any order: what is to be readable is."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from treadle.data import sources
from treadle.data.contracts import ColumnRule, ContractBody
from treadle.data.service import Data
from treadle.kernel.clock import FrozenClock
from treadle.kernel.errors import Conflict, NotFound
from treadle.storage.blobs.folder import FolderBlobs
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.objects import FolderObjectStore
from treadle.storage.owners import Owners
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

KEY = "5e" * 32
BOUND = 100.0
PATHS = ("a.raw", "b.raw", "cats/c.raw")
BRANCHES = ("main", "exp")
NAMES = ("pets", "trips")
STEPS = 50
DAY_US = 86_400_000_000


class Home:
    """A home, and what each version in it is known to hold."""

    def __init__(self, folder: Path, *, key: str, clock: FrozenClock) -> None:
        url = (folder / "objects").as_uri()
        self.folder = folder
        self.store = open_metadata(f"sqlite:///{folder / 'treadle.db'}", clock=clock)
        owners = Owners(url, store=self.store)
        objects = open_objects(url, key=key, before_put=owners.mark)
        self.data = Data(store=self.store, objects=objects, home=folder, owners=owners)

    def read(self, ref: str) -> object:
        version = self.data.version(ref)
        if version.is_table:
            return rows_of(self.data.table(ref))
        return {
            entry.path: self.data.open(ref, entry.path).read()
            for entry in self.data.files(ref)
            if entry.is_file
        }

    def sweep(self) -> None:
        yesterday = time.time() - 86_400
        for path in (self.folder / "objects").rglob("*"):
            if path.is_file() and len(path.name) == 64:
                os.utime(path, (yesterday, yesterday))
        self.data.gc(older_than=0, live_share=1.0)

    def require(self, known: dict[str, Any]) -> None:
        assert {ref: self.read(ref) for ref in known} == known
        assert self.data.fsck().damage == ()


class Together:
    """Two homes and a remote, a source that grows, and what each version is known to hold."""

    def __init__(self, root: Path, *, seed: int, key: str) -> None:
        self.root = root
        self.key = key
        self.dice = random.Random(seed)  # noqa: S311 - the same at every run
        self.known: dict[str, Any] = {}
        self.removed: dict[str, Any] = {}
        self.pushed: dict[str, Any] = {}
        self.held: dict[str, int] = {}
        self.orders = 0
        self.clock = FrozenClock(1_372_939_200_000_000)
        self.here, self.there = (Home(root / name, key=key, clock=self.clock) for name in "ab")
        self.here.data.add_remote("origin", str(root / "far"), encrypted=bool(key))
        with closing(sqlite3.connect(root / "shop.db")) as shop:
            shop.execute("CREATE TABLE orders (id INTEGER)")
        orders = sources.sql(f"sqlite:///{root / 'shop.db'}", "SELECT id FROM orders")
        self.here.data.ingestions.set("orders", orders, watermark="id")
        for act in (self.commit_files, self.commit_table):
            act(branch="main")
        for name in NAMES:
            self.here.data.branch(name, "exp")

    def close(self) -> None:
        self.here.store.close()
        self.there.store.close()

    def require_all(self) -> None:
        """Require all that is to be readable of the first home."""
        self.here.require(self.known)
        held = {each: self.here.data.held_rows(each).total for each in self.held}
        assert held == self.held

    def commit_files(self, branch: str = "") -> None:
        branch = branch or self.dice.choice(BRANCHES)
        files = self.head("pets", branch)
        for path in self.dice.sample(PATHS, self.dice.randint(1, len(PATHS))):
            files[path] = self.dice.randbytes(self.dice.randrange(40_000))
        folder = self.root / "work"
        shutil.rmtree(folder, ignore_errors=True)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        with self.on(branch):
            self.learn(self.here.data.commit_files("pets", [folder], branch=branch).ref, files)

    def commit_table(self, branch: str = "") -> None:
        branch = branch or self.dice.choice(BRANCHES)
        rows = self.head("trips", branch) or dict.fromkeys(range(300), 1.0)
        rows[self.dice.randrange(400)] = self.dice.uniform(0, BOUND)
        with self.on(branch):
            self.learn(self.here.data.commit("trips", table_of(rows), branch=branch).ref, rows)

    def branch(self) -> None:
        with suppress(NotFound, Conflict):
            self.here.data.branch(self.dice.choice(NAMES), "exp")

    def merge(self) -> None:
        name = self.dice.choice(NAMES)
        ours, theirs = self.head(name, "main"), self.head(name, "exp")
        with suppress(NotFound, Conflict):  # what both descend from may be removed
            key = ["id"] if name == "trips" else None
            done = self.here.data.merge(f"{name}@exp", key=key)
            if done.kind == "merged":
                found = self.here.read(f"{name}@main")
                assert isinstance(found, dict)
                assert all(found[k] in {ours.get(k), theirs.get(k)} for k in found)
                self.learn(self.here.data.version(f"{name}@main").ref, found)

    def tag(self) -> None:
        with suppress(NotFound, Conflict):
            self.here.data.tag(self.dice.choice(NAMES), "kept")

    def remove(self) -> None:
        with suppress(Conflict, IndexError):
            ref = self.dice.choice(sorted(self.known))
            self.here.data.remove(ref)
            self.removed[ref] = self.known.pop(ref)

    def restore(self) -> None:
        for ref, held in self.removed.items():
            self.here.data.restore(ref)
            self.known[ref] = held
        self.removed.clear()

    def quarantine(self) -> None:
        rows = {**self.head("trips", "main"), self.dice.randrange(400): BOUND + 1}
        bound = ColumnRule(name="delay", type="number", high=BOUND)
        self.here.data.set_contract("trips", ContractBody(columns=(bound,)))
        bad = self.here.data.commit("trips", table_of(rows))
        self.learn(bad.ref, rows)
        done = self.here.data.quarantine_rows(bad.ref)
        assert done.quarantine is not None
        self.held[done.quarantine.id] = sum(delay > BOUND for delay in rows.values())
        self.learn(done.version.ref, {r: d for r, d in rows.items() if d <= BOUND})

    def ingest(self) -> None:
        self.orders += 1
        with closing(sqlite3.connect(self.root / "shop.db")) as shop:
            shop.execute("INSERT INTO orders VALUES (?)", (self.orders,))
            shop.commit()
        self.here.data.ingest("orders")
        ref = self.here.data.version("orders").ref
        self.learn(ref, dict.fromkeys(range(1, self.orders + 1)))

    def push(self) -> None:
        for name in sorted({ref.partition("@")[0] for ref in self.known}):
            # What was pushed and is forgotten here is no loss there.
            self.here.data.push(name, force=True)
        self.pushed |= self.known

    def pull(self) -> None:
        for name in sorted({ref.partition("@")[0] for ref in self.pushed}):
            self.there.data.pull(name, source=str(self.root / "far"))
        self.there.require(self.pushed)

    def sweep(self) -> None:
        self.here.sweep()
        self.require_all()

    def sweep_there(self) -> None:
        self.there.sweep()
        self.there.require({})

    def let_a_week_pass(self) -> None:
        """Let what was removed be forgotten for good."""
        self.clock.advance(8 * DAY_US)
        self.removed.clear()
        self.sweep()

    def be_killed(self) -> None:
        act, step = (
            self.dice.choice((self.here.sweep, self.push, self.commit_files)),
            self.dice.randrange(1, 30),
        )
        self.close()  # no connection may be open where a process forks
        child = os.fork()
        if not child:
            with suppress(BaseException):
                die_at(step)
                act()
                os._exit(0)
            os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in {0, -signal.SIGKILL}
        self.require_all()

    def head(self, name: str, branch: str) -> dict[Any, Any]:
        try:
            ref = self.here.data.version(f"{name}@{branch}").ref
            if ref not in self.known:  # made by one who was killed after
                self.known[ref] = self.here.read(ref)
            return dict(self.known[ref])
        except NotFound:
            return {}

    @staticmethod
    def on(branch: str) -> AbstractContextManager[None]:
        """Let a commit to a branch that nobody made be refused."""
        return suppress(NotFound) if branch != "main" else nullcontext()

    def learn(self, ref: str, held: object) -> None:
        assert self.known.get(ref, held) == held
        self.removed.pop(ref, None)
        self.known[ref] = held


def die_at(fatal: int) -> None:
    """Have this process killed at one of its writes."""
    steps = 0

    def step(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: object, **named: object) -> object:
            nonlocal steps
            steps += 1
            if steps == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **named)

        return counted

    for kind, name in [
        (FolderBlobs, "put"),
        (FolderBlobs, "create"),
        (FolderObjectStore, "put"),
        (FolderObjectStore, "delete"),
        (SqlMetadataStore, "_commit"),
        (os, "replace"),
        (os, "link"),
        (Path, "rename"),
    ]:
        setattr(kind, name, step(getattr(kind, name)))


def table_of(rows: dict[Any, Any]) -> pa.Table:
    ids = sorted(rows)
    return pa.table({"id": ids, "delay": [rows[row] for row in ids]})


def rows_of(table: pa.Table) -> dict[Any, Any]:
    values = table["delay"] if "delay" in table.column_names else [None] * len(table)
    return {row["id"]: row.get("delay") for row in table.to_pylist()} if len(values) else {}


ACTIONS = (
    *(Together.commit_files, Together.remove) * 4,
    *(Together.commit_table, Together.be_killed, Together.merge, Together.let_a_week_pass) * 2,
    *(Together.branch, Together.tag, Together.restore, Together.quarantine, Together.ingest),
    *(Together.push, Together.pull, Together.sweep, Together.sweep_there),
)


@pytest.mark.parametrize(("seed", "key"), [(0, ""), (1, KEY), (2, KEY), (3, "")])
def test_whatever_happens_what_is_to_be_readable_is(tmp_path: Path, seed: int, key: str) -> None:
    together = Together(tmp_path, seed=seed, key=key)
    for act in together.dice.choices(ACTIONS, k=STEPS):
        act(together)

    together.sweep()
    together.push()
    together.pull()
    together.close()
