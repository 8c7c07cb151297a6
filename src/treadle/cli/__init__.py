"""The `treadle` command."""

from __future__ import annotations


def main() -> None:
    """Run the command; what `treadle` on the command line calls."""
    from treadle.cli.root import run

    run()
