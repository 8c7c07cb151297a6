from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def until(look: Callable[[], T], *, patience_s: float = 60.0) -> T:
    """Look again and again until there is something true to see, and return it."""
    deadline = time.monotonic() + patience_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not seen within {patience_s} s"
        time.sleep(0.01)
    return seen
