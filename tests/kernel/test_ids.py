from __future__ import annotations

import threading
import time
import uuid

from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.ids import first_id_at, id_time, is_id, new_id, new_ids

MILLISECONDS = st.integers(min_value=0, max_value=(1 << 48) - 1)


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = uuid.UUID(new_id())

    assert made.version == 7
    assert made.variant == uuid.RFC_4122


def test_an_id_is_32_lowercase_hex_digits() -> None:
    assert is_id(new_id())


def test_an_id_carries_its_instant() -> None:
    before = time.time_ns() // 1_000_000 * 1000

    made = id_time(new_id())

    assert before <= made <= time.time_ns() // 1000


@given(st.lists(st.integers(min_value=0, max_value=50), max_size=20))
def test_later_ids_are_greater(counts: list[int]) -> None:
    made = [identifier for count in counts for identifier in new_ids(count)]

    assert made == sorted(set(made))


def test_ids_made_in_threads_are_all_different() -> None:
    made: list[list[str]] = []
    threads = [threading.Thread(target=lambda: made.append(new_ids(500))) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({identifier for batch in made for identifier in batch}) == 4000
    assert made == [sorted(batch) for batch in made]


@given(MILLISECONDS)
def test_the_first_id_of_an_instant_carries_it(milliseconds: int) -> None:
    first = first_id_at(milliseconds * 1000)

    assert is_id(first)
    assert id_time(first) == milliseconds * 1000


@given(MILLISECONDS, MILLISECONDS)
def test_ids_sort_as_their_instants(one: int, other: int) -> None:
    ids = sorted([first_id_at(one * 1000), first_id_at(other * 1000)])

    assert [id_time(i) // 1000 for i in ids] == sorted([one, other])


def test_the_first_id_of_an_instant_is_below_every_id_made_since() -> None:
    first = first_id_at(time.time_ns() // 1000)

    assert first < new_id()


@given(st.text(max_size=40))
def test_only_hex_of_the_right_length_is_an_id(text: str) -> None:
    looks_right = len(text) == 32 and set(text) <= set("0123456789abcdef")

    assert is_id(text) == looks_right
