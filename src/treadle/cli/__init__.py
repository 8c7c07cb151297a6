"""The `treadle` command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; what `treadle` on the command line calls."""
    try:
        from treadle.cli.root import run

        run()
    except KeyboardInterrupt:  # before click was there to catch it, or after
        sys.exit(130)
