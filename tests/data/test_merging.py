"""Merges of trees: the algebra against a brute-force oracle, and the verb."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.history.merging import merge_trees
from treadle.data.service import Data
from treadle.data.trees.entities import TreeEntry, check_tree, folders_above
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore

Tree = tuple[TreeEntry, ...]
Changes = dict[str, str | None]
PATHS = ("a", "a/x", "a/x/y", "b", "b/z", "c")
CONTENTS = ("one", "two", None)


def tree(files: dict[str, str | None]) -> Tree:
    """Make a whole tree; None is an empty folder. What lies below a file is left out."""
    kept = {
        path: content
        for path, content in sorted(files.items())
        if not any(files.get(above) for above in folders_above(path) if above in files)
    }
    with_folders = {
        path: content
        for path, content in kept.items()
        if content is not None or not any(other.startswith(f"{path}/") for other in kept)
    }
    return tuple(entry(path, content) for path, content in with_folders.items())


def entry(path: str, content: str | None) -> TreeEntry:
    if content is None:
        return TreeEntry(path, "folder", 0)
    return TreeEntry(path, "file", len(content), content.encode())


trees = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(CONTENTS)).map(tree)


@given(trees, trees)
def test_a_side_that_changed_nothing_gives_way(base: Tree, changed: Tree) -> None:
    assert merge_trees(base, base, changed) == (changed, ())
    assert merge_trees(base, changed, base) == (changed, ())


@given(trees, trees)
def test_what_both_sides_did_is_done(base: Tree, changed: Tree) -> None:
    assert merge_trees(base, changed, changed) == (changed, ())


@given(trees, trees, trees)
def test_which_side_is_ours_changes_nothing_but_the_words(
    base: Tree, ours: Tree, theirs: Tree
) -> None:
    merged, clashes = merge_trees(base, ours, theirs)
    mirrored, others = merge_trees(base, theirs, ours)

    assert [c.path for c in clashes] == [c.path for c in others]
    assert clashes or merged == mirrored


@given(trees, trees, trees)
def test_a_merge_is_their_changes_applied_to_ours(base: Tree, ours: Tree, theirs: Tree) -> None:
    """The oracle: change by change, and a clash where one meets another or makes no whole tree."""
    old, mine, other = ({e.path: e for e in side} for side in (base, ours, theirs))
    theirs_changed = {p for p in {*old, *other} if old.get(p) != other.get(p)}
    ours_changed = {p for p in {*old, *mine} if old.get(p) != mine.get(p)}
    meeting = {p for p in theirs_changed & ours_changed if mine.get(p) != other.get(p)}
    applied = {path: entry for path, entry in mine.items() if path not in meeting}
    for path in theirs_changed - meeting:
        applied.pop(path, None)
        if path in other:
            applied[path] = other[path]
    for low, high in itertools.permutations(list(applied), 2):
        is_below = high in folders_above(low)
        if is_below and high in applied and applied[high].kind == "folder":
            del applied[high]
    blocked = {h for low in applied for h in folders_above(low) if h in applied}

    merged, clashes = merge_trees(base, ours, theirs)

    assert {c.path for c in clashes} == meeting | blocked
    if not clashes:
        assert merged == tuple(applied[p] for p in sorted(applied))


@given(trees, trees, trees, st.sampled_from(["ours", "theirs"]))
def test_a_side_that_is_taken_settles_everything(
    base: Tree, ours: Tree, theirs: Tree, take: str
) -> None:
    plain, clashes = merge_trees(base, ours, theirs)

    merged, left = merge_trees(base, ours, theirs, take=take)  # type: ignore[arg-type]

    winner = {e.path: e for e in (ours if take == "ours" else theirs)}
    assert left == ()
    assert check_tree(merged) == merged
    assert clashes or merged == plain
    assert all(e == winner.get(e.path, e) for e in merged if e.path in {c.path for c in clashes})


# --- the verb ---


@pytest.fixture
def data(store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path) -> Data:
    return Data(store=store, objects=objects, home=tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    root.mkdir()
    return root


def commit(data: Data, root: Path, branch: str = "main", **files: str | None) -> str:
    for name, content in files.items():
        if content is None:
            (root / name).unlink()
        else:
            (root / name).write_text(content)
    return data.commit_files("pets", [root], branch=branch).ref


def fork(
    data: Data, root: Path, *, exp: dict[str, str | None], main: dict[str, str | None]
) -> None:
    """Version 1 on main, 2 on exp and 3 on main, each with changes of its own."""
    first = {"cat": "meow", "dog": "woof", "cow": "moo"}
    commit(data, root, **first)
    data.branch("pets", "exp")
    commit(data, root, "exp", **exp)
    for name, content in first.items():
        (root / name).write_text(content)
    for name in exp.keys() - first.keys():
        (root / name).unlink()
    commit(data, root, **main)


def content(data: Data, ref: str) -> dict[str, str]:
    found = {}
    for file in data.files(ref):
        with data.open(ref, file.path) as stream:
            found[file.path] = stream.read().decode()
    return found


def test_what_each_side_changed_comes_together_in_a_version_with_two_parents(
    data: Data, folder: Path
) -> None:
    fork(data, folder, exp={"cat": "purr", "fox": "ring"}, main={"dog": None})

    merged = data.merge("pets@exp", message="both")

    version = data.version("pets")
    assert (merged.kind, merged.version, merged.base, merged.taken) == (
        "merged",
        "pets@4",
        "pets@1",
        2,
    )
    assert (version.parents, version.message, version.branch) == ((3, 2), "both", "main")
    assert content(data, "pets") == {"cat": "purr", "cow": "moo", "fox": "ring"}
    assert data.merge("pets@exp").kind == "nothing"


def test_a_merge_stores_nothing_that_is_there(data: Data, folder: Path) -> None:
    fork(data, folder, exp={"cat": "purr" * 9000}, main={"dog": "growl" * 9000})

    merged = data.merge("pets@exp")

    assert (data.version(merged.version).stored_bytes or 0) < 1000


def test_what_both_changed_is_named_and_nothing_is_done(data: Data, folder: Path) -> None:
    fork(data, folder, exp={"cat": "purr", "dog": None}, main={"cat": "hiss", "dog": "growl"})

    merged = data.merge("pets@exp")

    assert [(c.path, c.why) for c in merged.conflicts] == [
        ("cat", "changed on both, not the same"),
        ("dog", "changed on ours, removed on theirs"),
    ]
    assert data.version("pets").ref == "pets@3"


@pytest.mark.parametrize(("take", "kept"), [("ours", "hiss"), ("theirs", "purr")])
def test_a_side_is_taken_where_they_differ(data: Data, folder: Path, take: str, kept: str) -> None:
    fork(data, folder, exp={"cat": "purr", "cow": "low"}, main={"cat": "hiss", "dog": "growl"})

    data.merge("pets@exp", take=take)  # type: ignore[arg-type]

    assert content(data, "pets") == {"cat": kept, "cow": "low", "dog": "growl"}


def test_a_branch_with_nothing_of_its_own_only_moves(data: Data, folder: Path) -> None:
    commit(data, folder, cat="meow")
    data.branch("pets", "exp")
    commit(data, folder, "exp", cat="purr")

    dry = data.merge("pets@exp", dry_run=True)
    before = data.version("pets").ref
    merged = data.merge("pets@exp")

    assert (dry.kind, before) == ("forward", "pets@1")
    assert (merged.kind, data.version("pets").ref) == ("forward", "pets@2")
    assert data.versions("pets").total == 2


def test_a_dry_run_of_a_merge_changes_nothing(data: Data, folder: Path) -> None:
    fork(data, folder, exp={"cat": "purr"}, main={"dog": "growl"})

    merged = data.merge("pets@exp", dry_run=True)

    assert (merged.kind, merged.version, merged.taken) == ("merged", "", 1)
    assert data.versions("pets").total == 3


def test_who_commits_during_a_merge_loses_nothing(
    data: Data, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork(data, folder, exp={"cat": "purr"}, main={"dog": "growl"})
    real, once = data.land, []

    def commit_then_land(*args: object, **named: object) -> object:
        if not once:
            once.append(True)
            commit(data, folder, cow="low")
        return real(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(data, "land", commit_then_land)
    merged = data.merge("pets@exp")

    assert data.version(merged.version).parents == (4, 2)
    assert content(data, "pets") == {"cat": "purr", "cow": "low", "dog": "growl"}


def test_a_merge_says_what_is_not_there(data: Data, folder: Path) -> None:
    commit(data, folder, cat="meow")

    with pytest.raises(NotFound, match="pets@exp"):
        data.merge("pets@exp")
    with pytest.raises(NotFound, match="Did you mean main"):
        data.merge("pets@1", into="mian")


def test_a_table_is_no_tree_to_merge(data: Data, folder: Path, csv: Path) -> None:
    fork(data, folder, exp={"cat": "purr"}, main={"dog": "growl"})
    data.commit("pets", csv)

    with pytest.raises(InvalidInput, match="pets@4 is a table"):
        data.merge("pets@exp")
