"""The same thing by code: what a page offers to copy."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from treadle.server.ui.answer import root_of
from treadle.server.ui.widgets import Snippet

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request


def snippets(home: Path, *, python: str, command: str = "") -> tuple[Snippet, ...]:
    """Return a command, where there is one, and lines of Python that give what is on screen."""
    shell = Snippet("Shell", f"treadle --home {shlex.quote(str(home))} {command}")
    code = f"import treadle\n\nclient = treadle.connect({str(home)!r})\n{python}"
    return (*((shell,) if command else ()), Snippet("Python", code))


def mlflow_snippet(request: Request, python: str) -> Snippet:
    """Return lines for who has MLflow's client: it takes this server for its own."""
    address = f"{request.url.scheme}://{request.url.netloc}{root_of(request)}"
    return Snippet("MLflow", f"import mlflow\n\nmlflow.set_tracking_uri({address!r})\n{python}")
