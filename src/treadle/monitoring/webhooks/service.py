"""The verbs of webhooks, and their delivery from a cursor over the event log."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.clock import Clock, SystemClock
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.paging import Page, page_of
from treadle.monitoring.webhooks import payloads, sending, store
from treadle.monitoring.webhooks.entities import Answer, Topic, Waiting, Webhook, WebhookStatus
from treadle.monitoring.webhooks.facts import WebhookChanged, WebhookCreated, WebhookDeleted
from treadle.monitoring.webhooks.lockbox import Lockbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.monitoring.webhooks.entities import News
    from treadle.storage.keys import Signer
    from treadle.storage.ports import MetadataStore

MOST = 1000
ATTEMPTS = 8
SECOND_US = 1_000_000
LONGEST_PAUSE_S = 300
AT_ONCE = 100
# Longer than one telling lasts: whoever holds a claim renews it after each.
CLAIM_US = 30 * SECOND_US
TEXT_LENGTH = 10_000

_NAME = re.compile(r"(?=.{1,63}$)[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


class Webhooks:
    """Addresses that are told of the registry. May be shared by threads and processes.

    A webhook is told in the order of the log of everything after it was made. What a receiver does
    not take is tried again, ever later; after ATTEMPTS it is left out and the next is told. What is
    told twice because an answer was lost carries the same delivery id.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        signer: Signer,
        hosts: tuple[str, ...],
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._lockbox = Lockbox(signer)
        self._hosts = hosts
        # Not the project's clock: receivers live in the machine's time, whatever is replayed.
        self._clock = clock or SystemClock()

    def create(
        self,
        name: str,
        *,
        url: str,
        topics: Sequence[Topic],
        description: str = "",
        secret: str = "",
        status: WebhookStatus = "active",
    ) -> Webhook:
        """Make a webhook. Raises Refused for a host that is not in `webhook_hosts`."""
        host = sending.check_url(url, allowed=self._hosts).hostname or ""
        with self._store.write() as tx:
            made = Webhook(
                id=str(uuid.uuid4()),
                name=_checked_name(name),
                url=url,
                topics=_checked_topics(topics),
                description=_checked_text(description),
                status=status,
                has_secret=bool(secret),
                created_at=tx.at,
                updated_at=tx.at,
            )
            closed = self._lockbox.close(_checked_text(secret))
            store.add(tx, made, secret=closed, told=store.end_of_log(tx))
            tx.emit(WebhookCreated(id=made.id, name=made.name, host=host, topics=made.topics))
        return made

    def webhook(self, webhook_id: str) -> Webhook:
        """Return a webhook. Raises NotFound."""
        return self._waiting(webhook_id).webhook

    def webhooks(self, *, limit: int = 100, offset: int = 0) -> Page[Webhook]:
        """Return webhooks, newest first."""
        if not 1 <= limit <= MOST:
            raise InvalidInput(f"A page has 1 to {MOST} webhooks, not {limit}.")
        with self._store.read() as tx:
            found, total = store.page(tx, limit=limit, offset=offset)
        return page_of(found, total=total, offset=offset)

    def change(
        self,
        webhook_id: str,
        *,
        name: str | None = None,
        url: str | None = None,
        topics: Sequence[Topic] | None = None,
        description: str | None = None,
        secret: str | None = None,
        status: WebhookStatus | None = None,
    ) -> Webhook:
        """Change a webhook in what is given. One that was disabled is told of nothing it missed."""
        with self._store.write() as tx:
            was = store.find(tx, webhook_id, lock=True)
            if was is None:
                raise NotFound("webhook", webhook_id)
            now = was.webhook
            changed = msgspec.structs.replace(
                now,
                name=now.name if name is None else _checked_name(name),
                url=now.url if url is None else url,
                topics=now.topics if topics is None else _checked_topics(topics),
                description=now.description if description is None else _checked_text(description),
                status=now.status if status is None else status,
                has_secret=now.has_secret if secret is None else bool(secret),
                updated_at=tx.at,
                last_error="",
            )
            host = sending.check_url(changed.url, allowed=self._hosts).hostname or ""
            woken = now.status == "disabled" and changed.status == "active"
            store.change(
                tx,
                changed,
                secret=None if secret is None else self._lockbox.close(_checked_text(secret)),
                told=store.end_of_log(tx) if woken else None,
            )
            tx.emit(
                WebhookChanged(
                    id=changed.id,
                    name=changed.name,
                    host=host,
                    topics=changed.topics,
                    status=changed.status,
                )
            )
        return changed

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook. Raises NotFound."""
        with self._store.write() as tx:
            was = store.find(tx, webhook_id, lock=True)
            if was is None:
                raise NotFound("webhook", webhook_id)
            store.remove(tx, webhook_id)
            tx.emit(WebhookDeleted(id=webhook_id, name=was.webhook.name))

    def test(self, webhook_id: str, topic: Topic | None = None) -> Answer:
        """Send an example, and return what the receiver said of it."""
        waiting = self._waiting(webhook_id)
        chosen = topic or waiting.webhook.topics[0]
        secret = self._lockbox.open(waiting.secret)
        if secret is None:
            return Answer(error="another home has encrypted the secret")
        return sending.send(
            waiting.webhook.url,
            topic=_checked_topics([chosen])[0],
            data=payloads.example_of(chosen),
            at=self._clock.now(),
            delivery_id=str(uuid.uuid4()),
            secret=secret,
            allowed=self._hosts,
        )

    def deliver_due(self) -> int:
        """Tell every webhook that is due what it has not been told; return how much was taken.

        One after the other: who must not wait for receivers uses a `Courier`.
        """
        return sum(self.deliver(each.webhook.id) for each in self.due())

    def due(self) -> tuple[Waiting, ...]:
        """Return the webhooks that may be told now, those that wait longest first."""
        with self._store.read() as tx:
            return store.due(tx, now=self._clock.now(), end=store.end_of_log(tx))

    def deliver(self, webhook_id: str) -> int:
        """Tell one webhook what it has not been told, if it is due; return how much was taken.

        Of all who ask at once, in whatever process, one does it: the others return at once. One
        that dies is followed by another when its claim has run out.
        """
        waiting = self._claimed(webhook_id)
        return 0 if waiting is None else self._deliver(waiting)

    def is_any_behind(self) -> bool:
        """Say whether a webhook that is active has not been told of everything yet."""
        with self._store.read() as tx:
            return store.is_any_behind(tx)

    def _waiting(self, webhook_id: str) -> Waiting:
        with self._store.read() as tx:
            found = store.find(tx, webhook_id)
        if found is None:
            raise NotFound("webhook", webhook_id)
        return found

    def _claimed(self, webhook_id: str) -> Waiting | None:
        with self._store.read() as tx:
            waiting = store.find(tx, webhook_id)
        if waiting is None or self._lockbox.open(waiting.secret) is None:
            return None  # deleted meanwhile; or its own home tells it
        now = self._clock.now()
        with self._store.write() as tx:
            return store.claim(tx, webhook_id, now=now, until=now + CLAIM_US)

    def _deliver(self, waiting: Waiting) -> int:
        with self._store.read() as tx:
            end = store.end_of_log(tx)
            found = store.events_after(tx, waiting.told, kinds=payloads.KINDS, limit=AT_ONCE)
        # Whoever sees an event sees all before it: numbers are given under the log's lock.
        behind = end if len(found) < AT_ONCE else found[-1].seq
        secret = self._lockbox.open(waiting.secret) or ""
        taken, told, attempts = 0, waiting.told, waiting.attempts
        error = waiting.webhook.last_error
        for event in found:
            news = payloads.news_of(event)
            if news is None or news.topic not in waiting.webhook.topics:
                continue
            answer = self._tell(waiting.webhook, news, secret=secret)
            attempts += 1
            if not answer.taken and answer.may_pass and attempts < ATTEMPTS:
                self._pause(waiting.webhook, told=told, attempts=attempts, answer=answer)
                return taken
            error = "" if answer.taken else f"{news.topic} was not taken: {answer.problem}"
            taken, told, attempts = taken + answer.taken, news.seq, 0
            if not self._advance(waiting.webhook, told=told, error=error, claim_us=CLAIM_US):
                return taken  # it was deleted, or another has gone on from here
        self._advance(waiting.webhook, told=max(behind, told), error=error)
        return taken

    def _tell(self, webhook: Webhook, news: News, *, secret: str) -> Answer:
        return sending.send(
            webhook.url,
            topic=news.topic,
            data=news.data,
            at=news.at,
            # The same for each attempt, so that a receiver knows what it has seen.
            delivery_id=str(uuid.uuid5(uuid.UUID(webhook.id), str(news.seq))),
            secret=secret,
            allowed=self._hosts,
        )

    def _pause(self, webhook: Webhook, *, told: int, attempts: int, answer: Answer) -> None:
        pause_s = min(2 ** (attempts - 1), LONGEST_PAUSE_S)
        with self._store.write() as tx:
            store.advance(
                tx,
                webhook.id,
                told=told,
                attempts=attempts,
                due_at=self._clock.now() + pause_s * SECOND_US,
                error=answer.problem,
            )

    def _advance(self, webhook: Webhook, *, told: int, error: str, claim_us: int = 0) -> bool:
        due_at = self._clock.now() + claim_us if claim_us else 0
        with self._store.write() as tx:
            return store.advance(tx, webhook.id, told=told, attempts=0, due_at=due_at, error=error)


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:100]!r} cannot name a webhook.",
            hint="Use 1 to 63 letters, digits and `. _ -`, a letter or digit at both ends.",
            kind="webhook_name",
            name=name,
        )
    return name


def _checked_topics(topics: Sequence[str]) -> tuple[Topic, ...]:
    try:
        found = msgspec.convert(tuple(dict.fromkeys(topics)), tuple[Topic, ...])
    except msgspec.ValidationError as error:
        raise InvalidInput(f"A webhook cannot be told of that: {error}.") from error
    if not found:
        raise InvalidInput("A webhook is told of something.", kind="webhook_topics")
    return found


def _checked_text(text: str) -> str:
    if len(text) > TEXT_LENGTH or "\x00" in text:
        raise InvalidInput(f"A text of a webhook has at most {TEXT_LENGTH} characters, no NUL.")
    return text
