from __future__ import annotations

import threading

from treadle.kernel.actors import acting_as, current_actor


def test_without_a_name_the_system_user_acts() -> None:
    assert current_actor().startswith("user:")


def test_the_innermost_name_acts() -> None:
    with acting_as("policy:late"), acting_as("user:ann"):
        inner = current_actor()

    assert inner == "user:ann"


def test_the_name_ends_with_its_block() -> None:
    before = current_actor()

    with acting_as("user:ann"):
        pass

    assert current_actor() == before


def test_another_thread_has_its_own_actor() -> None:
    seen: list[str] = []

    with acting_as("user:ann"):
        thread = threading.Thread(target=lambda: seen.append(current_actor()))
        thread.start()
        thread.join()

    assert seen != ["user:ann"]
