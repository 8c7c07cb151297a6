"""Keep the control process small: what others would import for nothing is not there for it.

pyarrow imports pandas, where it is installed, as soon as it is given a list, to ask whether that is
one of its series: 40 MB for nothing here. Who trains may need it, and trains in a worker.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Without(MetaPathFinder):
    """Says that packages are not installed, whether they are or not."""

    def __init__(self, *packages: str) -> None:
        self._packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for these packages; leave all others to who finds them."""
        del path, target
        if fullname.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def stay_lean() -> None:
    """Do without pandas in this process from now on, unless it is here already."""
    if not any(isinstance(finder, Without) for finder in sys.meta_path):
        sys.meta_path.insert(0, Without("pandas"))
