"""What happens to webhooks. Addresses may hold keys, so that only their hosts are told."""

from __future__ import annotations

from typing import ClassVar

from treadle.monitoring.webhooks.entities import Topic, WebhookStatus
from treadle.storage.events import Fact


class WebhookCreated(Fact, frozen=True, kw_only=True):
    """A webhook was made."""

    kind: ClassVar[str] = "webhook.created"

    id: str
    name: str
    host: str
    topics: tuple[Topic, ...]

    def subject(self) -> str:
        return f"webhook/{self.name}"


class WebhookChanged(Fact, frozen=True, kw_only=True):
    """A webhook was changed; it is now so."""

    kind: ClassVar[str] = "webhook.changed"

    id: str
    name: str
    host: str
    topics: tuple[Topic, ...]
    status: WebhookStatus

    def subject(self) -> str:
        return f"webhook/{self.name}"


class WebhookDeleted(Fact, frozen=True, kw_only=True):
    """A webhook is gone."""

    kind: ClassVar[str] = "webhook.deleted"

    id: str
    name: str

    def subject(self) -> str:
        return f"webhook/{self.name}"
