"""The `treadle` command."""

from __future__ import annotations

import atexit
import gc
import os
import sys

MADE_BEFORE_A_LOOK = 10_000
"""Objects. What a command makes at its start are modules, in which there is nothing to find."""


def main() -> None:
    """Run the command; what `treadle` on the command line calls."""
    gc.set_threshold(MADE_BEFORE_A_LOOK)
    atexit.register(_leave)
    if sys.platform == "linux":  # elsewhere Arrow comes without it
        # Its other allocator keeps 40 MB that were freed while a table is committed.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    try:
        from treadle.cli.root import run

        run()
    except KeyboardInterrupt:  # before click was there to catch it, or after
        sys.exit(130)


def _leave() -> None:
    # At its end all goes at once: to look for circles in it takes as long as some commands.
    # DuckDB's own circles are let be looked for: of what is left it says that it leaked.
    if "_duckdb" not in sys.modules:
        gc.freeze()
