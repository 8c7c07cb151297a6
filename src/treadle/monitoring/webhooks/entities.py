"""A webhook, what it is told of, and what became of a delivery."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Topic = Literal[
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
    "budget_policy.exceeded",
]
"""What a webhook may be told of, in MLflow's words. No budget is ever exceeded here."""

WebhookStatus = Literal["active", "disabled"]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An address that is told of topics. Its secret is known to the store alone."""

    id: str
    name: str
    url: str
    topics: tuple[Topic, ...]
    description: str = ""
    status: WebhookStatus = "active"
    has_secret: bool = False
    created_at: int
    updated_at: int
    last_error: str = ""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook with how far it has been told, how often it failed since, and when it is due."""

    webhook: Webhook
    secret: str
    told: int
    attempts: int
    due_at: int


class News(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell: its place in the log, its topic and what receivers get of it."""

    seq: int
    at: int
    topic: Topic
    data: dict[str, Any]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver said: its status and the beginning of its body, or why there was none."""

    status: int = 0
    body: str = ""
    error: str = ""

    @property
    def taken(self) -> bool:
        """Whether the receiver took it."""
        return not self.error and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers

    @property
    def may_pass(self) -> bool:
        """Whether the same may be taken a while later."""
        return bool(self.error) or self.status >= 500 or self.status in {408, 429}  # noqa: PLR2004 - HTTP's own numbers

    @property
    def problem(self) -> str:
        """Why it was not taken."""
        return self.error or f"status {self.status}"
