"""Everything that stores, moves and removes versions, in any order: what is to be readable is."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import tempfile
import time
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from treadle.data import sources
from treadle.data.contracts import ColumnRule, ContractBody
from treadle.data.service import Data
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
PATHS = st.sampled_from(["a.raw", "b.raw", "cats/c.raw"])
BRANCHES = st.sampled_from(["main", "exp"])
SEEDS = st.integers(0, 5)


class Home:
    """A home, and what each version in it is known to hold."""

    def __init__(self, folder: Path, key: str) -> None:
        url = (folder / "objects").as_uri()
        self.folder = folder
        self.store = open_metadata(f"sqlite:///{folder / 'treadle.db'}")
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

    def require(self, known: dict[str, object]) -> None:
        assert {ref: self.read(ref) for ref in known} == known
        assert self.data.fsck().damage == ()


class Together(RuleBasedStateMachine):
    """Two homes and a remote; the second only pulls."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="together-"))
        self.known: dict[str, object] = {}
        self.removed: dict[str, object] = {}
        self.pushed: dict[str, object] = {}
        self.held: dict[str, int] = {}
        self.orders = 0

    def teardown(self) -> None:
        try:
            self.here.sweep()
            self.here.require(self.known)
            for identifier, count in self.held.items():
                assert self.here.data.held_rows(identifier).total == count
            self.pull()
        finally:
            self.here.store.close()
            self.there.store.close()
            shutil.rmtree(self.root)

    @initialize(key=st.sampled_from(["", KEY]))
    def begin(self, key: str) -> None:
        self.here, self.there = Home(self.root / "here", key), Home(self.root / "there", key)
        self.here.data.add_remote("origin", str(self.root / "far"), encrypted=bool(key))
        with closing(sqlite3.connect(self.root / "shop.db")) as shop:
            shop.execute("CREATE TABLE orders (id INTEGER)")
        shop_url = f"sqlite:///{self.root / 'shop.db'}"
        orders = sources.sql(shop_url, "SELECT id FROM orders")
        self.here.data.ingestions.set("orders", orders, watermark="id")

    @rule(path=PATHS, seed=SEEDS, branch=BRANCHES)
    def commit_files(self, path: str, seed: int, branch: str) -> None:
        files = {**self.head("pets", branch), path: noise(seed)}
        folder = self.root / "work"
        shutil.rmtree(folder, ignore_errors=True)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        with self.on(branch):
            self.learn(self.here.data.commit_files("pets", [folder], branch=branch).ref, files)

    @rule(row=st.integers(0, 400), delay=st.floats(0, BOUND), branch=BRANCHES)
    def commit_table(self, row: int, delay: float, branch: str) -> None:
        rows = {**(self.head("trips", branch) or dict.fromkeys(range(300), 1.0)), row: delay}
        with self.on(branch):
            self.learn(self.here.data.commit("trips", table_of(rows), branch=branch).ref, rows)

    @rule(name=st.sampled_from(["pets", "trips"]))
    def branch(self, name: str) -> None:
        with suppress(NotFound, Conflict):
            self.here.data.branch(name, "exp")

    @rule(name=st.sampled_from(["pets", "trips"]))
    def merge(self, name: str) -> None:
        ours, theirs = self.head(name, "main"), self.head(name, "exp")
        with suppress(NotFound):
            key = ["id"] if name == "trips" else None
            done = self.here.data.merge(f"{name}@exp", key=key)
            if done.kind == "merged":
                found = self.here.read(f"{name}@main")
                assert isinstance(found, dict)
                assert all(found[k] in {ours.get(k), theirs.get(k)} for k in found)
                self.learn(self.here.data.version(f"{name}@main").ref, found)

    @rule(name=st.sampled_from(["pets", "trips"]))
    def tag(self, name: str) -> None:
        with suppress(NotFound, Conflict):
            self.here.data.tag(name, "kept")

    @precondition(lambda self: self.known)
    @rule(pick=st.randoms(use_true_random=False))
    def remove(self, pick: random.Random) -> None:
        ref = pick.choice(sorted(self.known))
        with suppress(Conflict):
            self.here.data.remove(ref)
            self.removed[ref] = self.known.pop(ref)

    @precondition(lambda self: self.removed)
    @rule()
    def restore(self) -> None:
        for ref, held in self.removed.items():
            self.here.data.restore(ref)
            self.known[ref] = held
        self.removed.clear()

    @precondition(lambda self: self.head("trips", "main"))
    @rule(row=st.integers(0, 400))
    def quarantine(self, row: int) -> None:
        rows = {**self.head("trips", "main"), row: BOUND + 1}
        bound = ColumnRule(name="delay", type="float", high=BOUND)
        self.here.data.set_contract("trips", ContractBody(columns=(bound,)))
        bad = self.here.data.commit("trips", table_of(rows))
        self.learn(bad.ref, rows)
        done = self.here.data.quarantine_rows(bad.ref)
        assert done.quarantine is not None
        self.held[done.quarantine.id] = sum(delay > BOUND for delay in rows.values())
        self.learn(done.version.ref, {r: d for r, d in rows.items() if d <= BOUND})

    @rule()
    def ingest(self) -> None:
        self.orders += 1
        with closing(sqlite3.connect(self.root / "shop.db")) as shop:
            shop.execute("INSERT INTO orders VALUES (?)", (self.orders,))
            shop.commit()
        self.here.data.ingest("orders")
        ref = self.here.data.version("orders").ref
        self.learn(ref, dict.fromkeys(range(1, self.orders + 1)))

    @rule()
    def push(self) -> None:
        for name in sorted({ref.partition("@")[0] for ref in self.known}):
            self.here.data.push(name)
        self.pushed |= self.known

    @rule()
    def pull(self) -> None:
        for name in sorted({ref.partition("@")[0] for ref in self.pushed}):
            self.there.data.pull(name, source=str(self.root / "far"))
        self.there.require(self.pushed)

    @rule()
    def sweep(self) -> None:
        self.here.sweep()
        self.here.require({**self.known})

    @rule()
    def sweep_there(self) -> None:
        self.there.sweep()
        self.there.require({})

    @precondition(lambda self: self.known)
    @rule(act=st.sampled_from(["sweep", "push"]), step=st.integers(1, 40))
    def be_killed(self, act: str, step: int) -> None:
        key = KEY if (self.root / "here" / "objects" / "encrypted").exists() else ""
        self.here.store.close()  # no connection may be open where a process forks
        self.there.store.close()
        child = os.fork()
        if not child:
            try:
                die_at(step)
                home = Home(self.root / "here", key)
                if act == "sweep":
                    home.sweep()
                else:
                    for name in sorted({ref.partition("@")[0] for ref in self.known}):
                        home.data.push(name)
            except BaseException:  # noqa: BLE001 - told by the exit code
                os._exit(1)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in {0, -signal.SIGKILL}
        self.here.require(self.known)

    def head(self, name: str, branch: str) -> dict:
        try:
            return dict(self.known[self.here.data.version(f"{name}@{branch}").ref])
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

    def step(real: Callable) -> Callable:
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


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(6_000 * (1 + seed))  # noqa: S311 - the same at every run


def table_of(rows: dict) -> pa.Table:
    ids = sorted(rows)
    return pa.table({"id": ids, "delay": [rows[row] for row in ids]})


def rows_of(table: pa.Table) -> dict:
    values = table["delay"] if "delay" in table.column_names else [None] * len(table)
    return {row["id"]: row.get("delay") for row in table.to_pylist()} if len(values) else {}


TestTogether = Together.TestCase
TestTogether.settings = settings(
    max_examples=int(os.environ.get("EXAMPLES", "12")),
    stateful_step_count=int(os.environ.get("STEPS", "12")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
