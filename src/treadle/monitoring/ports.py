"""The seam of monitoring: who is told of an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from treadle.monitoring.entities import Alert


class Notifier(Protocol):
    """Tells somebody about an alert.

    **Failure**: raises Unavailable when the message could not be delivered; the caller records that
    and goes on. **Idempotence**: may be called twice for one alert; receivers know it by its id.
    """

    name: str

    def send(self, alert: Alert) -> None:
        """Deliver one alert."""
        ...
