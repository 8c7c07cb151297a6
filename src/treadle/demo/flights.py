"""`treadle demo flights`: everything in order, with its processes, and what it cost."""

from __future__ import annotations

import logging
import signal
from importlib import resources
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from treadle import connect
from treadle.demo.answers import Answers
from treadle.demo.calls import curl
from treadle.demo.memory import MemoryWatch
from treadle.demo.narrator import Narrator
from treadle.demo.opening import FIRST_DAY, Opening
from treadle.demo.year import DAY, Year, instant
from treadle.errors import Conflict
from treadle.kernel.clock import PlayedClock
from treadle.release.policy import Policy, parse_policy
from treadle.server.inference.process import InferenceProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treadle import Client

SETTINGS = '# Made by treadle demo flights: this home replays the year 2013.\nclock = "played"\n'
MEMORY_BUDGET_MB = 800
TIME_BUDGET_S = 120


class Pages(Protocol):
    """The pages of a home, answering in a thread of this process."""

    url: str
    inference_url: str | None

    def start(self) -> str:
        """Begin to answer; return the address."""
        ...

    def stop(self) -> None:
        """Answer no more."""
        ...


def play(
    home: Path, *, pages_of: Callable[[Client], Pages] | None, check: bool, inference_port: int
) -> int:
    """Play the story in a home; return the exit code: 1 when `check` is set and a claim broke.

    With pages they stay until Ctrl-C; without, this ends when the story ends.
    """
    # Alerts are told by the story; the alert log holds them as well.
    logging.getLogger("treadle").addHandler(logging.NullHandler())
    # Arrow's own pool keeps what it was given; the system's gives it back between retrains.
    pa.set_memory_pool(pa.system_memory_pool())
    prepare_home(home)
    client = connect(home)
    tell = Narrator()
    policy = read_policy()
    watch = MemoryWatch()
    inference = InferenceProcess(home, host="127.0.0.1", port=inference_port)
    pages = None if pages_of is None else pages_of(client)
    try:
        if pages is not None:
            tell.say(f"watch it: {pages.start()}")

        def online() -> None:
            inference.start()
            if pages is not None:
                pages.inference_url = inference.url

        tell_story(client, policy=policy, tell=tell, inference=inference, home=home, online=online)
        seconds, megabytes = tell.seconds, watch.stop()
        tell.say(
            f"{seconds:.0f} s (aim: at most {TIME_BUDGET_S}), {megabytes:.0f} MB at the peak over "
            f"all processes (aim: below {MEMORY_BUDGET_MB})"
        )
        held = len(tell.claims) - len(tell.broken)
        tell.say(f"{held} of {len(tell.claims)} claims held")
        for claim in tell.broken:
            tell.say(f"step {claim.step} did not hold: {claim.text}")
        if pages is not None:
            tell.say(f"the pages stay at {pages.url}; stop with Ctrl-C")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        inference.stop()
        if pages is not None:
            pages.stop()
        client.close()
    return 1 if check and tell.broken else 0


def tell_story(
    client: Client,
    *,
    policy: Policy,
    tell: Narrator,
    inference: InferenceProcess,
    home: Path,
    online: Callable[[], None],
) -> None:
    """Tell the twelve steps in order; `online` starts the endpoint once there is a model."""
    client.loop.start(policy)
    opening = Opening(client, policy=policy, narrator=tell)
    opening.commit()
    opening.contract()
    opening.leak()
    opening.features()
    settings = opening.train()
    opening.release(settings)
    online()
    year = Year(client, policy=policy, narrator=tell, inference=inference, settings=settings)
    tell.say(f"live: {year.caller.url}")
    [flight] = year.flights(FIRST_DAY, FIRST_DAY + DAY).slice(0, 1).to_pylist()
    tell.say(curl(year.caller.url, flight, file=home / "request.json"))
    tell.begin(7, "play the year: each week is served, logged, labelled and judged")
    year.play()
    answers = Answers(client, policy=policy, narrator=tell, year=year)
    answers.year()
    answers.alarms()
    answers.releases()
    answers.faults()
    answers.refusals()
    answers.questions(home / "report.html")


def prepare_home(home: Path) -> None:
    """Make the home of a replay, or go on in one. Raises Conflict in a home of somebody's own."""
    settings = home / "settings.toml"
    clock = PlayedClock(home / "clock")
    if settings.exists() and 'clock = "played"' in settings.read_text(encoding="utf-8"):
        return
    if home.exists() and any(home.iterdir()):
        raise Conflict(
            f"{home} holds a project of its own, which lives in the present.",
            hint="Give the demo another home: treadle --home flights-home demo flights",
        )
    home.mkdir(parents=True, exist_ok=True)
    clock.set(instant(FIRST_DAY))
    settings.write_text(SETTINGS, encoding="utf-8")


def read_policy() -> Policy:
    """Return the demo's policy."""
    text = resources.files("treadle.demo").joinpath("policy.toml").read_text(encoding="utf-8")
    return parse_policy(text, name="policy.toml")
