"""Whether to train a challenger now: one pure decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.clock import DAY_US, format_day
from treadle.release.entities import Decision

if TYPE_CHECKING:
    from treadle.release.policy import RetrainRules


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision looks at. `trained_at` is None before anything serves.

    `unfinished` is the reason of a training that was decided and never came to its end, because
    its process died: it is taken up again, whatever the rules say now.
    """

    now: int
    trained_at: int | None
    under_way: bool
    unfinished: str
    new_labels: int
    alert: str


def decide(rules: RetrainRules, seen: Situation) -> Decision:
    """Say whether the rules want a challenger now, and why or why not."""
    if seen.under_way:
        return Decision(yes=False, reason="a release is under way")
    if seen.trained_at is None:
        return Decision(yes=False, reason="nothing serves yet")
    if seen.unfinished:
        return Decision(yes=True, reason=seen.unfinished)
    age = (seen.now - seen.trained_at) / DAY_US
    if age < rules.cooldown_days:
        return Decision(yes=False, reason=f"trained {age:.0f} days ago, cooling down")
    if seen.new_labels < rules.minimum_labels:
        wanted = f"{seen.new_labels:,} of {rules.minimum_labels:,} new accepted labels"
        return Decision(yes=False, reason=wanted)
    if rules.on_alert and seen.alert:
        return Decision(yes=True, reason=f"alert: {seen.alert}")
    if age >= rules.every_days:
        since = format_day(seen.trained_at)
        return Decision(yes=True, reason=f"schedule: {age:.0f} days since {since}")
    return Decision(yes=False, reason="no alert is open")
