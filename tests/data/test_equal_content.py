"""Content that was there before: nothing changes at the head, and older than that it is new."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.data.branches.entities import GRACE_US
from treadle.data.entities import identity_of
from treadle.data.service import Data
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.entities import DatasetVersion
    from treadle.kernel.clock import FrozenClock


def numbers(*values: int) -> pa.Table:
    return pa.table({"x": list(values)})


def two(data: Data) -> tuple[DatasetVersion, DatasetVersion]:
    return data.commit("n", numbers(1)), data.commit("n", numbers(2))


def told(version: DatasetVersion) -> tuple[str, tuple[int, ...], int | None]:
    return version.ref, version.parents, version.same_as


def test_an_older_state_committed_again_is_the_newest_version(everywhere: Data) -> None:
    first, second = two(everywhere)

    third = everywhere.commit("n", numbers(1), message="as it was")

    assert told(third) == ("n@3", (2,), 1)
    assert third.digest == first.digest
    assert third.stored_bytes == 0
    assert everywhere.version("n") == third
    assert everywhere.versions("n").items == (third, second, first)
    assert [e.version.number for e in everywhere.log("n").items] == [3, 2, 1]
    assert everywhere.table("n").equals(numbers(1))


def test_nothing_is_stored_for_it(data: Data, objects: FolderObjectStore) -> None:
    two(data)
    before = {info.digest for info in objects.iterate()}

    data.commit("n", numbers(1))
    data.revert("n@2")

    assert {info.digest for info in objects.iterate()} == before
    assert data.fsck().damage == ()


def test_what_the_head_has_changes_nothing_however_often(everywhere: Data) -> None:
    two(everywhere)
    again = everywhere.commit("n", numbers(1))

    retried = [everywhere.commit("n", numbers(1), message="once more") for _ in range(3)]

    assert retried == [again] * 3
    assert everywhere.versions("n").total == 3


def test_of_writers_of_one_older_state_at_once_one_makes_the_version(everywhere: Data) -> None:
    two(everywhere)
    start = threading.Barrier(4)
    made: list[str] = []

    def write() -> None:
        start.wait()
        made.append(everywhere.commit("n", numbers(1)).ref)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == ["n@3"] * 4
    assert everywhere.versions("n").total == 3


def test_the_content_of_another_branch_is_a_version_of_this_one(data: Data) -> None:
    two(data)
    data.branch("n", "exp", at="n@1")
    data.commit("n", numbers(3), branch="exp")

    here = data.commit("n", numbers(3))

    assert told(here) == ("n@4", (2,), 3)
    assert data.version("n@exp").ref == "n@3"


def test_what_lies_further_on_is_not_jumped_to(data: Data) -> None:
    two(data)
    data.commit("n", numbers(3))
    data.branch("n", "exp", at="n@1")

    assert told(data.commit("n", numbers(3), branch="exp")) == ("n@4", (1,), 3)


def test_files_come_again_too(data: Data, tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    for text in ("meow", "hiss", "meow"):
        (folder / "cat.txt").write_text(text)
        last = data.commit("pets", folder)

    assert told(last) == ("pets@3", (2,), 1)
    assert [f.path for f in data.files("pets")] == ["cat.txt"]


def test_a_digest_is_the_oldest_version_that_has_it(data: Data) -> None:
    first, _ = two(data)
    data.commit("n", numbers(1))

    assert data.version(f"n@{first.digest[:12]}").ref == "n@1"
    data.remove("n@1")
    assert data.version(f"n@{first.digest}").ref == "n@3"
    data.commit("n", numbers(2))
    data.remove("n@3")
    with pytest.raises(NotFound, match="removed on"):
        data.version(f"n@{first.digest}")


def test_a_version_of_bytes_that_are_held_back_is_held_back(data: Data) -> None:
    two(data)
    held = data.quarantine("n@1", reason="units", evidence={})

    data.commit("n", numbers(1))

    assert data.is_quarantined("n@3")
    assert not data.is_quarantined("n@2")
    data.release_quarantine(held.id)
    assert not data.is_quarantined("n@3")


def test_content_that_is_held_is_not_held_twice(data: Data) -> None:
    two(data)
    held = data.quarantine("n@1", reason="units", evidence={})
    data.commit("n", numbers(1))

    assert data.quarantine("n@3", reason="again", evidence={}) == held
    assert data.decided_on("n@3") == (held,)
    assert data.kept_out("n") == {1: 1, 3: 1}
    data.release_quarantine(held.id)
    assert not data.is_quarantined("n@3")


def test_what_was_rejected_stays_so_when_its_first_version_is_forgotten(
    data: Data, clock: FrozenClock
) -> None:
    two(data)
    data.reject_quarantine(data.quarantine("n@1", reason="units", evidence={}).id)
    data.commit("n", numbers(1))
    data.commit("n", numbers(2))

    data.remove("n@1")
    clock.advance(GRACE_US + 1)
    data.forget_removed()

    assert data.is_quarantined("n@3")
    assert [(q.ref, q.state) for q in data.quarantines("n")] == [("n@3", "rejected")]


def test_a_removal_leaves_what_the_others_hold(data: Data) -> None:
    two(data)
    data.commit("n", numbers(1))

    assert data.remove("n@1", dry_run=True).freed_bytes == 0
    data.remove("n@1")
    data.gc(older_than=0)

    assert data.verify("n@3").rows == 1


# --- revert ---


def test_a_revert_has_the_content_and_the_history(everywhere: Data) -> None:
    first, _ = two(everywhere)

    found = everywhere.revert("n@1")
    made = everywhere.version("n")

    assert (found.kind, found.version, found.was, found.ref) == ("reverted", "n@3", "n@2", "n@1")
    assert told(made) == ("n@3", (2,), 1)
    assert (made.table, made.columns, made.message) == (first.table, first.columns, "revert to n@1")
    assert everywhere.verify("n@3").rows == 1


def test_a_revert_to_what_the_head_has_does_nothing(data: Data) -> None:
    two(data)
    data.commit("n", numbers(1))

    found = data.revert("n@1")

    assert (found.kind, found.version) == ("nothing", "n@3")
    assert data.versions("n").total == 3


def test_a_revert_can_be_tried(data: Data) -> None:
    two(data)

    assert data.revert("n@1", dry_run=True).kind == "reverted"
    with pytest.raises(Conflict, match="is n@2, not n@1"):
        data.revert("n@1", dry_run=True, expect="n@1")
    with pytest.raises(Conflict, match="is n@2, not n@1"):
        data.revert("n@1", expect="n@1")
    assert data.versions("n").total == 2


def test_a_revert_goes_on_the_branch_that_is_named(data: Data) -> None:
    two(data)
    data.branch("n", "exp")

    data.revert("n@1", branch="exp", message="trial")

    assert data.version("n").ref == "n@2"
    assert (data.version("n@exp").ref, data.version("n@exp").message) == ("n@3", "trial")
    with pytest.raises(NotFound, match="branch"):
        data.revert("n@1", branch="nowhere")


def test_what_is_removed_is_not_reverted_to(data: Data) -> None:
    two(data)
    data.remove("n@1")

    with pytest.raises(NotFound, match="treadle data restore n@1"):
        data.revert("n@1")


# --- merges ---


def test_a_merge_that_takes_nothing_is_known_to_have_been(everywhere: Data) -> None:
    two(everywhere)
    everywhere.branch("n", "exp", at="n@1")
    everywhere.commit("n", pa.table({"x": [2]}), branch="exp")  # made on 1: it is 2 itself
    everywhere.commit("n", numbers(2, 5), branch="exp")
    everywhere.commit("n", numbers(2, 5, 6))

    done = everywhere.merge("n@exp", key=["x"])

    assert (done.kind, done.taken, done.version) == ("merged", 0, "n@5")
    assert (everywhere.version("n").parents, everywhere.version("n").same_as) == ((4, 3), 4)
    assert everywhere.merge("n@exp").kind == "nothing"


# --- several homes ---


def home(folder: Path) -> Data:
    folder.mkdir()
    store = open_metadata(f"sqlite:///{folder / 'treadle.db'}")
    return Data(store=store, objects=FolderObjectStore(folder / "objects"), home=folder)


def state_of(data: Data) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the versions by what names them in every home, each with content and parents."""
    every = data.versions("n").items
    names = {v.number: v.identity for v in every}
    return {v.identity: (v.digest, tuple(names[p] for p in v.parents)) for v in every}


def test_a_revert_travels(tmp_path: Path) -> None:
    here, there, far = home(tmp_path / "a"), home(tmp_path / "b"), str(tmp_path / "far")
    two(here)
    here.push("n", to=far)
    there.pull("n", source=far)

    here.revert("n@1")
    sent = here.push("n", to=far)
    came = there.pull("n", source=far)

    assert (sent.versions, sent.chunks) == (("n@3",), 0)
    assert came.versions == ("n@3",)
    assert told(there.version("n")) == ("n@3", (2,), 1)
    assert there.table("n").equals(numbers(1))
    assert state_of(here) == state_of(there)


def test_the_same_revert_in_two_homes_is_one_version(tmp_path: Path) -> None:
    here, there, far = home(tmp_path / "a"), home(tmp_path / "b"), str(tmp_path / "far")
    two(here)
    here.push("n", to=far)
    there.pull("n", source=far)

    here.revert("n@1")
    there.commit("n", numbers(1))
    here.push("n", to=far)

    assert there.push("n", to=far).versions == ()
    assert there.pull("n", source=far).versions == ()


def test_who_pulled_a_revert_alone_goes_on_from_it(tmp_path: Path) -> None:
    here, there, far = home(tmp_path / "a"), home(tmp_path / "b"), str(tmp_path / "far")
    two(here)
    here.revert("n@1")
    here.push("n", to=far)
    there.pull("n@3", source=far)

    there.commit("n", numbers(2))
    there.revert("n@3")
    there.push("n", to=far)
    here.pull("n", source=far)

    assert [told(v) for v in here.versions("n").items] == [
        ("n@5", (4,), 1), ("n@4", (3,), 2), ("n@3", (2,), 1), ("n@2", (1,), None),
        ("n@1", (), None),
    ]  # fmt: skip
    assert here.version("n").ref == "n@5"


def test_first_bytes_here_that_have_a_history_there_are_that_version(tmp_path: Path) -> None:
    here, there, far = home(tmp_path / "a"), home(tmp_path / "b"), str(tmp_path / "far")
    two(here)
    here.commit("n", numbers(3))
    here.push("n", to=far)
    there.commit("n", numbers(2))

    plan = there.pull("n", source=far, dry_run=True)
    came = there.pull("n", source=far)

    assert len(plan.versions) == len(came.versions) == 2
    assert there.version("n").digest == here.version("n").digest
    assert there.push("n", to=far).versions == ()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["commit", "revert", "share"]),
        st.integers(1, 3),
    ),
    max_size=9,
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_homes_that_share_have_the_same_history_whatever_came_again(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    root = tmp_path_factory.mktemp("homes")
    homes, far = {"a": home(root / "a"), "b": home(root / "b")}, str(root / "far")
    homes["a"].commit("n", numbers(0))
    homes["a"].push("n", to=far)
    homes["b"].pull("n", source=far)

    for who, what, value in [*steps, ("a", "share", 0), ("b", "share", 0), ("a", "share", 0)]:
        data = homes[who]
        if what == "commit":
            made = data.commit("n", numbers(value))
            assert data.table(made.ref).equals(numbers(value))
        elif what == "revert":
            ref = f"n@{1 + value % data.versions('n').total}"
            digest = data.version(ref).digest
            data.revert(ref)
            assert data.version("n").digest == digest
        else:
            share(data, far)

    assert state_of(homes["a"]) == state_of(homes["b"])
    assert homes["a"].version("n").identity == homes["b"].version("n").identity
    assert all(
        version.identity
        == identity_of(
            version.digest, [homes["a"].version(f"n@{p}").identity for p in version.parents]
        )
        for version in homes["a"].versions("n").items
    )


def share(data: Data, far: str) -> None:
    """Pull, merge what went apart by taking ours, and push."""
    data.pull("n", source=far)
    try:
        data.push("n", to=far)
    except Conflict as error:
        theirs = (error.hint or "").split("treadle data merge ")[1].split()[0]
        data.merge(theirs, take="ours", key=["x"])
        data.push("n", to=far)


def test_a_dataset_needs_a_version_to_revert_to(data: Data) -> None:
    with pytest.raises(NotFound):
        data.revert("n@1")
    two(data)
    with pytest.raises((NotFound, InvalidInput)):
        data.revert("n@9")
