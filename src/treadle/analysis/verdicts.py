"""A verdict: what was decided, and the sentence that says why."""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """What a rule decided.

    `outcome` is the word for programs, `reason` the sentence for people, with its numbers.
    """

    passed: bool
    outcome: str
    reason: str
