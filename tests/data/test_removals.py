"""Versions that are removed, restored, and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from msgspec.structs import replace

from treadle.data.branches.entities import GRACE_US, Need
from treadle.data.service import Data
from treadle.kernel.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.kernel.clock import FrozenClock
    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore


def numbers(*values: int) -> pa.Table:
    return pa.table({"x": list(values)})


def three(data: Data) -> None:
    for i in range(3):
        data.commit("n", numbers(i))


def test_who_reads_a_removed_version_is_told_who_removed_it_and_how_it_comes_back(
    everywhere: Data,
) -> None:
    three(everywhere)

    everywhere.remove("n@2")

    with pytest.raises(NotFound, match=r"removed on 2013-07-04T12:00:00Z by user:.*restore n@2"):
        everywhere.table("n@2")
    assert [v.number for v in everywhere.versions("n").items] == [3, 1]
    assert [v.ref for v in everywhere.removed("n")] == ["n@2"]
    assert [v.ref for v in everywhere.restore("n@2")] == ["n@2"]
    assert everywhere.table("n@2").num_rows == 1


def test_a_version_that_a_branch_or_tag_points_at_stays(everywhere: Data) -> None:
    three(everywhere)
    everywhere.tag("n@1", "v1")

    for ref, what in (("n@3", "branch main"), ("n@1", "tag v1")):
        with pytest.raises(Conflict, match=f"{what} needs {ref}"):
            everywhere.remove(ref, force=True)


def test_a_dataset_goes_whole_and_comes_back_with_its_names(everywhere: Data) -> None:
    three(everywhere)
    everywhere.tag("n@1", "v1")

    everywhere.remove("n")

    with pytest.raises(NotFound, match=r"No dataset 'n'.*treadle data restore n$"):
        everywhere.version("n")
    assert everywhere.datasets().items == ()
    assert [v.number for v in everywhere.restore("n")] == [1, 2, 3]
    assert everywhere.version("n@v1").number == 1
    assert everywhere.datasets().total == 1


def test_what_was_removed_comes_back_when_it_is_committed_again(data: Data) -> None:
    three(data)
    data.branch("n", "main", at="n@1", force=True)
    data.remove("n@2")

    assert data.commit("n", numbers(1)).ref == "n@2"
    assert data.removed("n") == ()


def test_the_content_of_a_removed_version_is_a_new_one_further_on(data: Data) -> None:
    three(data)
    data.remove("n@2")

    again = data.commit("n", numbers(1))

    assert (again.ref, again.parents, again.same_as) == ("n@4", (3,), None)
    assert [v.number for v in data.removed("n")] == [2]


def test_what_is_the_same_as_a_forgotten_version_is_the_same_as_the_oldest_left(
    data: Data, clock: FrozenClock
) -> None:
    three(data)
    data.revert("n@1")
    data.revert("n@2")
    data.revert("n@1")
    data.remove("n@1")
    data.remove("n@2")
    clock.advance(GRACE_US)

    data.forget_removed()

    assert {v.number: v.same_as for v in data.versions("n").items} == {
        3: None,
        4: None,
        5: None,
        6: 4,
    }


def test_a_digest_that_several_versions_have_says_not_which_is_to_go(data: Data) -> None:
    first = data.commit("n", numbers(0))
    data.commit("n", numbers(1))
    data.revert("n@1")
    data.commit("n", numbers(2))

    with pytest.raises(InvalidInput, match=r"the content of 2 versions: n@1, n@3"):
        data.remove(f"n@{first.digest[:12]}")
    data.remove("n@1")
    data.remove(f"n@{first.digest[:12]}")

    assert [v.number for v in data.versions("n").items] == [4, 2]


def test_a_dataset_goes_on_counting_after_it_was_removed(data: Data) -> None:
    three(data)
    data.remove("n")

    after = data.commit("n", numbers(9))

    assert (after.ref, after.parents) == ("n@4", ())
    assert data.version("n").ref == "n@4"


def test_a_week_later_it_is_forgotten_and_its_number_is_never_given_again(
    everywhere: Data, clock: FrozenClock
) -> None:
    three(everywhere)
    everywhere.branch("n", "main", at="n@1", force=True)
    everywhere.remove("n@3")
    everywhere.remove("n@2")
    everywhere.gc(older_than=0)
    kept = everywhere.restore("n@2")
    everywhere.remove("n@2")

    clock.advance(GRACE_US)

    assert [v.ref for v in kept] == ["n@2"]
    with pytest.raises(NotFound, match="more than 7 days ago"):
        everywhere.restore("n@2")
    everywhere.gc(older_than=0)
    with pytest.raises(NotFound, match="n has one version: n@1"):
        everywhere.version("n@2")
    assert everywhere.commit("n", numbers(2)).ref == "n@4"


def test_what_was_made_on_a_forgotten_version_descends_from_what_that_was_made_on(
    data: Data, clock: FrozenClock
) -> None:
    three(data)
    data.remove("n@2")
    clock.advance(GRACE_US)

    forgotten = data.forget_removed()

    assert [v.ref for v in forgotten] == ["n@2"]
    assert data.version("n@3").parents == (1,)
    assert [e.version.number for e in data.log("n").items] == [3, 1]


def test_a_dry_run_says_what_gc_would_free_and_gc_frees_it(
    store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path, clock: FrozenClock
) -> None:
    data = Data(store=store, objects=objects)
    (tmp_path / "in").mkdir()
    for i in range(2):
        (tmp_path / "in" / "file").write_bytes(bytes(range(i, 256)) * 400)
        data.commit_files("f", [tmp_path / "in"])

    would = data.remove("f@1", dry_run=True)
    still = data.version("f@1").ref
    data.remove("f@1")
    clock.advance(GRACE_US)
    swept = data.gc(older_than=0, dry_run=True)
    data.gc(older_than=0)

    assert (would.refs, still) == (("f@1",), "f@1")
    assert 0 < would.freed_bytes <= swept.size_bytes < would.freed_bytes + 1000
    assert data.fsck().damage == ()


def test_what_others_need_is_named_and_only_records_are_forced_past(
    store: SqlMetadataStore, objects: FolderObjectStore
) -> None:
    needs = [Need("n@1", "run 1 first"), Need("n@2", "endpoint late", is_record=False)]
    data = Data(
        store=store, objects=objects, needed_by=lambda refs: [n for n in needs if n.ref in refs]
    )
    three(data)

    with pytest.raises(Conflict, match=r"run 1 first needs n@1.*--force"):
        data.remove("n@1")
    with pytest.raises(Conflict, match="endpoint late needs n@2"):
        data.remove("n@2", force=True)
    assert data.remove("n@1", force=True).refs == ("n@1",)


def test_a_version_that_a_contract_looks_up_stays(data: Data) -> None:
    three(data)
    data.commit("other", pa.table({"x": list(range(50))}))
    body = data.infer_contract("other").body
    column = replace(body.columns[0], references="n@1")
    data.set_contract("other", replace(body, columns=(column,)))

    with pytest.raises(Conflict, match="the contract of other needs n@1"):
        data.remove("n@1")
