"""Notifiers: a log file, and a webhook to an allowed host."""

from __future__ import annotations

import http
import http.client
import logging
import time
from pathlib import Path  # noqa: TC003 - part of the public signature
from urllib.parse import urlsplit

import msgspec

from treadle.kernel.clock import format_instant
from treadle.kernel.errors import Refused, Unavailable
from treadle.monitoring.entities import Alert  # noqa: TC001 - part of the public signature

TIMEOUT_S = 5.0
ATTEMPTS = 3
PAUSE_S = 0.2
# These say "not now"; any other 3xx or 4xx would say the same a moment later.
_PASSING = (http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS)
_LOGGER = logging.getLogger("treadle.alerts")


class LogNotifier:
    """Writes each alert as one JSON line to a file and to Python's logging."""

    name = "log"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, alert: Alert) -> None:
        """Deliver one alert."""
        _LOGGER.warning("%s: %s (%s)", alert.endpoint, alert.title, alert.cause)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(message(alert) + b"\n")
        except OSError as error:
            raise Unavailable(f"Cannot write {self._path}: {error.strerror or error}.") from error


class WebhookNotifier:
    """Posts each alert as JSON to a URL whose host an administrator allowed.

    Redirects are not followed: an allowed host must not be able to send us elsewhere.
    """

    name = "webhook"

    def __init__(
        self, url: str, *, allowed_hosts: tuple[str, ...], pause_s: float = PAUSE_S
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Refused(f"{url!r} is no web address.", hint="Use http://… or https://….")
        if parts.hostname not in {host.lower() for host in allowed_hosts}:
            raise Refused(
                f"Webhooks may not go to {parts.hostname!r}.",
                hint="Add the host to webhook_hosts in settings.toml.",
                host=parts.hostname,
            )
        self._parts = parts
        self._pause_s = pause_s

    def send(self, alert: Alert) -> None:
        """Deliver one alert; what may pass is tried three times before it raises Unavailable."""
        body = message(alert)
        answer = self._post(body, alert_id=alert.id)
        for attempt in range(1, ATTEMPTS):
            if not answer.may_pass:
                break
            time.sleep(self._pause_s * attempt)
            answer = self._post(body, alert_id=alert.id)
        if answer.taken:
            return
        raise Unavailable(
            f"{self._parts.hostname} did not take the alert: {answer.problem}.",
            hint="It stands in the log all the same; see it with: treadle status",
        )

    def _post(self, body: bytes, *, alert_id: str) -> _Answer:
        secure = self._parts.scheme == "https"
        make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = make(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_S)
        headers = {"content-type": "application/json", "idempotency-key": alert_id}
        query = f"?{self._parts.query}" if self._parts.query else ""
        try:
            connection.request("POST", f"{self._parts.path or '/'}{query}", body, headers)
            return _Answer(status=connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            return _Answer(error=str(error) or type(error).__name__)
        finally:
            connection.close()


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver said: its status, or why there was none."""

    status: int = 0
    error: str = ""

    @property
    def taken(self) -> bool:
        return http.HTTPStatus.OK <= self.status < http.HTTPStatus.MULTIPLE_CHOICES

    @property
    def may_pass(self) -> bool:
        server_trouble = self.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        return bool(self.error) or server_trouble or self.status in _PASSING

    @property
    def problem(self) -> str:
        return self.error or f"status {self.status}"


def message(alert: Alert) -> bytes:
    """Return what receivers get: the alert as JSON with a readable time."""
    body = msgspec.to_builtins(alert)
    body["opened"] = format_instant(alert.opened_at)
    return msgspec.json.encode(body)
