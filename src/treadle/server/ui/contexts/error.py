"""What the error page is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.widgets import Link, Page


@dataclass(frozen=True, slots=True)
class ErrorContext:
    """Error: what was asked, why it is not here, what to do next; the traceback only of a bug."""

    page: Page
    status: int
    title: str
    message: str
    next_step: str
    near: tuple[Link, ...]
    traceback: str
