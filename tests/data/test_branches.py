"""Branches, tags and the log, on both stores where SQL matters."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.branches.graph import ancestors, descends, merge_base, without
from treadle.kernel.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from treadle.data.entities import DatasetVersion
    from treadle.data.service import Data


def numbers(*values: int) -> pa.Table:
    return pa.table({"x": list(values)})


def forked(data: Data) -> tuple[DatasetVersion, DatasetVersion]:
    """Version 1 on main, 2 on exp, 3 on main."""
    data.commit("n", numbers(1))
    data.branch("n", "exp")
    there = data.commit("n", numbers(1, 2), branch="exp")
    here = data.commit("n", numbers(1, 3))
    return here, there


def test_a_dataset_alone_means_main_and_a_branch_what_was_committed_there(everywhere: Data) -> None:
    here, there = forked(everywhere)

    assert everywhere.version("n").ref == everywhere.version("n@latest").ref == "n@3"
    assert everywhere.version("n@main") == here
    assert everywhere.version("n@exp") == there
    assert (here.parents, here.branch) == ((1,), "main")
    assert (there.parents, there.branch) == ((1,), "exp")
    assert [d.latest.ref for d in everywhere.datasets().items] == ["n@3"]


def test_the_log_follows_one_branch_and_names_what_points_where(everywhere: Data) -> None:
    forked(everywhere)
    everywhere.tag("n@1", "first")

    log = everywhere.log("n@exp")

    assert [(e.version.number, e.branches, e.tags) for e in log.items] == [
        (2, ("exp",), ()),
        (1, (), ("first",)),
    ]
    assert [v.number for v in everywhere.history("n")] == [3, 1]
    assert [e.version.number for e in everywhere.log("n", every=True).items] == [3, 2, 1]


def test_the_log_comes_page_by_page(data: Data) -> None:
    for i in range(5):
        data.commit("n", numbers(i))

    page = data.log("n", limit=2, offset=1)

    assert [e.version.number for e in page.items] == [4, 3]
    assert (page.total, page.next_offset) == (5, 3)


def test_a_tag_moves_only_by_force(everywhere: Data) -> None:
    forked(everywhere)
    everywhere.tag("n@1", "v1")
    with pytest.raises(Conflict, match="Tag n@v1 is n@1 already"):
        everywhere.tag("n@2", "v1")

    moved = everywhere.tag("n@2", "v1", force=True)

    assert everywhere.version("n@v1").number == moved.number == 2


def test_a_branch_moves_only_by_force_and_then_the_next_commit_is_made_there(data: Data) -> None:
    forked(data)
    with pytest.raises(Conflict, match="Branch n@main is at n@3 already"):
        data.branch("n", "main", at="n@1")

    data.branch("n", "main", at="1", force=True)
    after = data.commit("n", numbers(4))

    assert (after.number, after.parents) == (4, (1,))


def test_a_deleted_branch_leaves_its_versions(everywhere: Data) -> None:
    forked(everywhere)

    gone = everywhere.delete_branch("n", "exp")

    assert gone.version == "n@2"
    assert everywhere.version("n@2").branch == "exp"
    with pytest.raises(NotFound):
        everywhere.version("n@exp")


def test_main_cannot_be_deleted(data: Data) -> None:
    forked(data)

    with pytest.raises(Conflict, match="main of n cannot be deleted"):
        data.delete_branch("n", "main")


def test_a_deleted_tag_is_gone(data: Data) -> None:
    forked(data)
    data.tag("n@1", "v1")

    data.delete_tag("n", "v1")

    assert [p.name for p in data.pointers("n")] == ["main", "exp"]


def test_a_tag_and_a_branch_have_different_names(data: Data) -> None:
    forked(data)

    with pytest.raises(Conflict, match="n@exp is a branch already"):
        data.tag("n@1", "exp")


@pytest.mark.parametrize(
    "name", ["latest", "Latest", "facade", "ABCDEF12", "2013-07-04T12:00", "3", "", "a/b", "a b"]
)
def test_a_name_that_could_mean_something_else_is_refused(data: Data, name: str) -> None:
    forked(data)

    with pytest.raises(InvalidInput):
        data.branch("n", name)


def test_a_commit_on_a_branch_that_is_not_there_gets_the_near_miss(data: Data) -> None:
    forked(data)

    with pytest.raises(NotFound, match="Did you mean exp"):
        data.commit("n", numbers(9), branch="exq")
    with pytest.raises(NotFound, match="treadle data branch n other"):
        data.commit("n", numbers(9), branch="other")
    with pytest.raises(NotFound, match="committed on main"):
        data.commit("new", numbers(9), branch="other")
    assert data.datasets().total == 1


def test_a_tag_takes_no_commit(data: Data) -> None:
    forked(data)
    data.tag("n@1", "v1")

    with pytest.raises(NotFound, match="stays at n@1"):
        data.commit("n", numbers(9), branch="v1")


def test_the_same_commit_on_the_same_version_is_one_and_a_branch_moves_on_to_it(data: Data) -> None:
    data.commit("n", numbers(1))
    data.branch("n", "exp")
    there = data.commit("n", numbers(2), branch="exp")

    again = data.commit("n", numbers(2))

    assert again == there
    assert data.version("n").ref == "n@2"


def test_who_expects_another_head_is_told_who_is_there(everywhere: Data) -> None:
    forked(everywhere)

    with pytest.raises(Conflict, match="Branch main of n is n@3, not n@1"):
        everywhere.commit("n", numbers(9), expect="n@1")
    assert everywhere.commit("n", numbers(9), expect="3").parents == (3,)


def test_writers_at_once_all_land_one_after_the_other(everywhere: Data) -> None:
    everywhere.commit("n", numbers(0))
    writers = [
        threading.Thread(target=everywhere.commit, args=("n", numbers(i))) for i in range(1, 5)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    found = everywhere.versions("n").items

    assert [(v.number, v.parents) for v in found] == [
        (5, (4,)),
        (4, (3,)),
        (3, (2,)),
        (2, (1,)),
        (1, ()),
    ]


def test_only_one_of_two_who_expect_the_same_head_lands(everywhere: Data) -> None:
    everywhere.commit("n", numbers(0))
    refused: list[Conflict] = []

    def commit(value: int) -> None:
        try:
            everywhere.commit("n", numbers(value), expect="n@1")
        except Conflict as error:
            refused.append(error)

    writers = [threading.Thread(target=commit, args=(i,)) for i in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(refused) == 1
    assert everywhere.version("n").ref == "n@2"


@st.composite
def graphs(draw: st.DrawFn) -> dict[int, tuple[int, ...]]:
    """Versions with up to two parents each, all of them older."""
    links: dict[int, tuple[int, ...]] = {1: ()}
    for number in range(2, draw(st.integers(2, 12))):
        older = st.integers(1, number - 1)
        links[number] = tuple(draw(st.lists(older, min_size=1, max_size=2, unique=True)))
    return links


@given(graphs(), st.data())
def test_the_base_of_a_merge_is_the_nearest_that_both_descend_from(
    links: dict[int, tuple[int, ...]], data: st.DataObject
) -> None:
    one, other = (data.draw(st.sampled_from(sorted(links))) for _ in range(2))

    base = merge_base(links, one, other)

    common = {n for n in links if descends(links, one, n) and descends(links, other, n)}
    assert base in common
    assert not any(descends(links, n, base) for n in common - {base})
    assert base == merge_base(links, other, one)


@given(graphs(), st.data())
def test_versions_taken_out_change_nothing_for_those_that_are_left(
    links: dict[int, tuple[int, ...]], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(links))))

    left = without(links, gone)

    assert left.keys() == links.keys() - gone
    for number in left:
        assert ancestors(left, number) == ancestors(links, number) - gone
