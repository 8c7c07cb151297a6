"""What the home page is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.rows import AlertRow, EndpointRow
    from treadle.server.ui.widgets import LoopPicture, Moment, Notice, Page


@dataclass(frozen=True, slots=True)
class HomeContext:
    """Home: the loop, the story so far, who serves, what alarms."""

    page: Page
    picture: LoopPicture
    story: tuple[Moment, ...]
    endpoints: tuple[EndpointRow, ...]
    alerts: tuple[AlertRow, ...]
    notice: Notice | None = None
