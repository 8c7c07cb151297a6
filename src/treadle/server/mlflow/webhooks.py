"""Webhooks of the registry: create, get, list, change, delete, test."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, cast, get_args

import msgspec

from treadle.kernel.errors import InvalidInput, NotFound, Refused, TreadleError
from treadle.monitoring.webhooks.entities import Topic
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import ABSENT, INVALID, WireError
from treadle.server.mlflow.wire import Answer, Ask, Empty, ms, some

if TYPE_CHECKING:
    from treadle.monitoring.webhooks.entities import Webhook, WebhookStatus
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Handler, Route

NOUNS = (
    "ENTITY_UNSPECIFIED", "REGISTERED_MODEL", "MODEL_VERSION", "MODEL_VERSION_TAG",
    "MODEL_VERSION_ALIAS", "PROMPT", "PROMPT_VERSION", "PROMPT_TAG", "PROMPT_VERSION_TAG",
    "PROMPT_ALIAS", "BUDGET_POLICY",
)  # fmt: skip
ACTIONS = ("ACTION_UNSPECIFIED", "CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED")
STATES = ("", "ACTIVE", "DISABLED")
PAGE_MOST = 1000


class WireEvent(msgspec.Struct):
    entity: str | int = 0
    action: str | int = 0


class CreateWebhook(Ask):
    needs = ("name", "url", "events")
    name: str = ""
    url: str = ""
    events: tuple[WireEvent, ...] = ()
    description: str = ""
    secret: str = ""
    status: str | int = "ACTIVE"


class UpdateWebhook(Ask):
    name: str = ""
    url: str = ""
    events: tuple[WireEvent, ...] = ()
    description: str | None = None
    secret: str | None = None
    status: str | int | None = None


class ListWebhooks(Ask):
    max_results: int = 100
    page_token: str = ""


class TestWebhook(Ask):
    event: WireEvent | None = None


class WireWebhook(Answer):
    webhook_id: str
    name: str
    url: str
    events: list[WireEvent]
    description: str | msgspec.UnsetType
    status: str
    creation_timestamp: int | msgspec.UnsetType
    last_updated_timestamp: int | msgspec.UnsetType


class OneWebhook(Answer):
    webhook: WireWebhook


class WebhookPage(Answer):
    webhooks: list[WireWebhook] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class WireResult(Answer):
    success: bool
    response_status: int | msgspec.UnsetType
    response_body: str | msgspec.UnsetType
    error_message: str | msgspec.UnsetType


class Tested(Answer):
    result: WireResult


def create(call: Call) -> OneWebhook:
    """Make a webhook."""
    asked = call.read(CreateWebhook)
    made = call.app.webhooks.create(
        asked.name,
        url=asked.url,
        topics=[_topic(event) for event in asked.events],
        description=asked.description,
        secret=asked.secret,
        status=_status(asked.status),
    )
    return OneWebhook(webhook=on_wire(made))


def get(call: Call) -> OneWebhook:
    """Return a webhook."""
    return OneWebhook(webhook=on_wire(call.app.webhooks.webhook(call.path["webhook_id"])))


def list_all(call: Call) -> WebhookPage:
    """Return a page of webhooks."""
    asked = call.read(ListWebhooks)
    size = asked.max_results or 100
    if not 1 <= size <= PAGE_MOST:
        raise WireError(INVALID, "max_results must be between 1 and 1000.")
    page = call.app.webhooks.webhooks(limit=size, offset=limits.offset_of(asked.page_token))
    more = page.next_offset
    return WebhookPage(
        webhooks=some(on_wire(found) for found in page.items),
        next_page_token=msgspec.UNSET if more is None else limits.token_of(more),
    )


def update(call: Call) -> OneWebhook:
    """Change a webhook in what is given."""
    asked = call.read(UpdateWebhook)
    changed = call.app.webhooks.change(
        call.path["webhook_id"],
        name=asked.name or None,
        url=asked.url or None,
        topics=[_topic(event) for event in asked.events] or None,
        description=asked.description,
        secret=asked.secret,
        status=None if asked.status is None else _status(asked.status),
    )
    return OneWebhook(webhook=on_wire(changed))


def delete(call: Call) -> Empty:
    """Delete a webhook."""
    call.app.webhooks.delete(call.path["webhook_id"])
    return Empty()


def test(call: Call) -> Tested:
    """Send an example."""
    asked = call.read(TestWebhook)
    topic = None if asked.event is None else _topic(asked.event)
    answer = call.app.webhooks.test(call.path["webhook_id"], topic)
    problem = f"Failed to test webhook: {answer.error}" if answer.error else msgspec.UNSET
    return Tested(
        result=WireResult(
            success=not answer.error and answer.status < 400,  # noqa: PLR2004 - as the genuine server counts
            response_status=answer.status or msgspec.UNSET,
            response_body=answer.body or msgspec.UNSET,
            error_message=problem,
        )
    )


def on_wire(webhook: Webhook) -> WireWebhook:
    """Return a webhook as MLflow's client reads it; its secret is never told."""
    return WireWebhook(
        webhook_id=webhook.id,
        name=webhook.name,
        url=webhook.url,
        events=[_event(topic) for topic in webhook.topics],
        description=webhook.description or msgspec.UNSET,
        status=webhook.status.upper(),
        creation_timestamp=ms(webhook.created_at),
        last_updated_timestamp=ms(webhook.updated_at),
    )


def _event(topic: Topic) -> WireEvent:
    noun, _, action = topic.partition(".")
    return WireEvent(entity=noun.upper(), action=action.upper())


def _topic(event: WireEvent) -> Topic:
    noun = _named(event.entity, NOUNS, "entity").lower()
    action = _named(event.action, ACTIONS, "action").lower()
    topic = f"{noun}.{action}"
    if topic in get_args(Topic):
        return cast("Topic", topic)
    known = sorted(t.partition(".")[2] for t in get_args(Topic) if t.partition(".")[0] == noun)
    raise WireError(
        INVALID,
        f"Invalid action '{action}' for entity '{noun}'. Valid actions are: {known}",
    )


def _status(status: str | int) -> WebhookStatus:
    return "active" if _named(status, STATES, "status") == "ACTIVE" else "disabled"


def _named(value: str | int, names: tuple[str, ...], what: str) -> str:
    if isinstance(value, int) and 0 < value < len(names):
        return names[value]
    if value in names[1:]:
        return str(value)
    raise WireError(INVALID, f"{value!r} is no {what} of a webhook.")


def _worded(handler: Handler) -> Handler:
    @wraps(handler)
    def asked(call: Call) -> object:
        try:
            return handler(call)
        except TreadleError as error:
            raise _in_words(error) from error

    return asked


def _in_words(error: TreadleError) -> Exception:
    if isinstance(error, NotFound):
        return WireError(ABSENT, f"Webhook with ID {error.data['name']} not found.")
    if isinstance(error, Refused):
        return WireError(INVALID, str(error))
    kind = error.data.get("kind")
    if isinstance(error, InvalidInput) and kind == "webhook_name":
        return WireError(
            INVALID,
            f"Webhook name {error.data['name']!r} is invalid. It must start and end with a letter "
            "or digit, be less than 63 characters long, and contain only letters, digits, dots "
            "(.), underscores (_), and hyphens (-).",
        )
    return error


ROUTES: tuple[Route, ...] = tuple(
    (method, path, _worded(handler))
    for method, path, handler in (
        ("POST", "/mlflow/webhooks", create),
        ("GET", "/mlflow/webhooks", list_all),
        ("GET", "/mlflow/webhooks/{webhook_id}", get),
        ("PATCH", "/mlflow/webhooks/{webhook_id}", update),
        ("DELETE", "/mlflow/webhooks/{webhook_id}", delete),
        ("POST", "/mlflow/webhooks/{webhook_id}/test", test),
    )
)
