"""What every Notifier must do. Subclass the suite; give it yours, its receiver, and a dead one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from treadle.kernel.errors import Unavailable
from treadle.monitoring.entities import Alert

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.monitoring.ports import Notifier


class NotifierContract:
    """Override the three fixtures; every test must pass."""

    @pytest.fixture
    def notifier(self) -> Notifier:
        """The notifier under test."""
        raise pytest.UsageError("Give the suite a fixture named notifier")

    @pytest.fixture
    def received(self) -> Callable[[], list[dict[str, Any]]]:
        """Says what arrived at the other end so far, each message decoded from JSON."""
        raise pytest.UsageError("Give the suite a fixture named received")

    @pytest.fixture
    def unreachable(self) -> Notifier:
        """A notifier of the same kind whose other end cannot be reached."""
        raise pytest.UsageError("Give the suite a fixture named unreachable")

    def test_it_says_its_name(self, notifier: Notifier) -> None:
        assert notifier.name

    def test_an_alert_arrives_with_what_moved_why_and_by_how_much(
        self, notifier: Notifier, received: Callable[[], list[dict[str, Any]]]
    ) -> None:
        alert = alert_of("1")

        notifier.send(alert)

        (message,) = received()
        assert message["id"] == alert.id
        assert message["endpoint"] == alert.endpoint
        assert message["title"] == alert.title
        assert message["cause"] == alert.cause
        assert message["size"] == alert.size
        assert message["interval"] == list(alert.interval or ())

    def test_a_message_says_when_in_words(
        self, notifier: Notifier, received: Callable[[], list[dict[str, Any]]]
    ) -> None:
        notifier.send(alert_of("1"))

        assert received()[0]["opened"] == "2013-07-12T00:00:00Z"

    def test_alerts_arrive_in_order(
        self, notifier: Notifier, received: Callable[[], list[dict[str, Any]]]
    ) -> None:
        notifier.send(alert_of("1"))
        notifier.send(alert_of("2"))

        assert [m["id"] for m in received()] == [alert_of("1").id, alert_of("2").id]

    def test_the_same_alert_may_be_sent_twice_and_is_known_by_its_id(
        self, notifier: Notifier, received: Callable[[], list[dict[str, Any]]]
    ) -> None:
        notifier.send(alert_of("1"))
        notifier.send(alert_of("1"))

        assert {m["id"] for m in received()} == {alert_of("1").id}

    def test_text_of_any_language_arrives_whole(
        self, notifier: Notifier, received: Callable[[], list[dict[str, Any]]]
    ) -> None:
        notifier.send(alert_of("1", title="Verspätung\n≥ 15 Minuten"))

        assert received()[0]["title"] == "Verspätung\n≥ 15 Minuten"

    def test_what_cannot_be_delivered_raises_unavailable(self, unreachable: Notifier) -> None:
        with pytest.raises(Unavailable):
            unreachable.send(alert_of("1"))


def alert_of(digit: str, *, title: str = "Outcomes are more frequent than predicted") -> Alert:
    """Return an alert like those a monitor opens."""
    return Alert(
        id=digit * 32,
        monitor="late",
        endpoint="late",
        kind="calibration",
        title=title,
        cause="carrier = EV: 45% observed, 28% predicted, n=1,204",
        size=1.61,
        interval=(1.42, 1.8),
        window_start=1_372_982_400_000_000,
        window_end=1_373_587_200_000_000,
        state="open",
        opened_at=1_373_587_200_000_000,
    )
