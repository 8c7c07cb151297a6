"""A friendly name for a run that was given none."""

from __future__ import annotations

import secrets

_HOW = (
    "able", "amber", "bold", "brave", "bright", "calm", "clear", "clever", "crisp", "curious",
    "eager", "early", "fair", "fleet", "fond", "fresh", "gentle", "glad", "golden", "grand",
    "happy", "hardy", "honest", "jolly", "keen", "kind", "light", "lively", "lucky", "mellow",
    "merry", "mild", "nimble", "noble", "patient", "placid", "plain", "polite", "proud", "quick",
    "quiet", "rapid", "ready", "rosy", "sharp", "silent", "silver", "smart", "steady", "still",
    "sunny", "swift", "tidy", "true", "upbeat", "vivid", "warm", "wise", "witty", "zesty",
)  # fmt: skip
_WHO = (
    "alder", "ant", "badger", "bear", "beaver", "bee", "birch", "bittern", "cat", "cedar",
    "crane", "crow", "deer", "dove", "duck", "eagle", "elm", "falcon", "fern", "finch",
    "fox", "frog", "gecko", "goose", "hare", "hawk", "hazel", "heron", "horse", "ibis",
    "jay", "kestrel", "lark", "linnet", "lynx", "maple", "marten", "mole", "moth", "newt",
    "oak", "otter", "owl", "pine", "plover", "quail", "raven", "robin", "rook", "seal",
    "shrew", "snipe", "sparrow", "stork", "swan", "tern", "thrush", "toad", "vole", "wren",
)  # fmt: skip


def friendly_name() -> str:
    """Return a name such as `calm-heron-412`."""
    how, who = secrets.choice(_HOW), secrets.choice(_WHO)
    return f"{how}-{who}-{secrets.randbelow(1000)}"
