"""The same thing by code: what a page offers to copy."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from treadle.server.ui.widgets import Snippet

if TYPE_CHECKING:
    from pathlib import Path


def snippets(home: Path, *, command: str, python: str) -> tuple[Snippet, ...]:
    """Return a command and lines of Python that give what is on screen."""
    return (
        Snippet("Shell", f"treadle --home {shlex.quote(str(home))} {command}"),
        Snippet(
            "Python",
            f"import treadle\n\nclient = treadle.connect({str(home)!r})\n{python}",
        ),
    )
