"""Modules that are imported when they are first used, for they are big and seldom needed.

The engines of tables are here ready to use: a command that needs none of them starts in half the
time.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["duckdb", "late", "np", "pa", "pc", "pq"]


class LateModule(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        # The next time it is found without this function.
        setattr(self, name, value)
        return value

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Go into a pickle by its name, as modules do that travel with a function."""
        return import_module, (self.__name__,)


def late(name: str) -> ModuleType:
    """Return a module that is imported at its first use; any thread may be the first.

    Type checkers want the plain import beside it, under `TYPE_CHECKING`.
    """
    return LateModule(name)


if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    duckdb, np = late("duckdb"), late("numpy")
    pa, pc, pq = late("pyarrow"), late("pyarrow.compute"), late("pyarrow.parquet")
