"""Live events: told within a moment, looked for only while somebody listens, bounded."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx2
import pytest

from treadle.kernel.errors import Unavailable
from treadle.server.control import ControlServer
from treadle.server.ui import live
from treadle.server.ui.live import LiveFeed


class CountingLog:
    """A log that counts how often it is asked."""

    def __init__(self, log):
        self._log = log
        self.asked = 0

    def read(self, **how):
        self.asked += 1
        return self._log.read(**how)

    def last(self):
        return self._log.last()


def told(lines):
    """The next fact of a stream."""
    for line in lines:
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))
    return None


def test_what_happens_is_told_in_a_sentence(empty):
    with (
        ControlServer(empty, port=0) as server,
        httpx2.Client(trust_env=False, timeout=20) as client,
        client.stream("GET", f"{server.url}/ui/live") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == ": listening"

        empty.tracking.experiment("late")

        fact = told(lines)
    assert fact == {
        "seq": 1,
        "kind": "experiment.created",
        "subject": "experiment/late",
        "line": "Experiment late begun",
    }


def test_a_server_stops_while_a_page_listens(empty):
    server = ControlServer(empty, port=0)
    server.start()
    with (
        httpx2.Client(trust_env=False, timeout=20) as client,
        client.stream("GET", f"{server.url}/ui/live") as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        stopping = threading.Thread(target=server.stop)
        stopping.start()

        rest = list(lines)
        stopping.join(20)

    assert not server.is_alive
    assert told(rest) is None


async def news_of(stream):
    """The next news; on a busy machine the stream may say before that all is quiet."""
    while (said := await anext(stream)).startswith(b":"):
        pass
    return said


def test_nobody_looks_while_nobody_listens(empty):
    log = CountingLog(empty.log)
    feed = LiveFeed(log, poll_s=0.01)

    async def listen_for_a_while():
        stream = feed.listen()
        await anext(stream)
        empty.tracking.experiment("late")
        first = await news_of(stream)
        await stream.aclose()
        await feed._looking
        asked = log.asked
        await asyncio.sleep(0.1)
        return first, log.asked - asked

    first, asked_after = asyncio.run(listen_for_a_while())

    assert b"experiment.created" in first
    assert (feed.listeners, asked_after) == (0, 0)


def test_all_listeners_share_one_look(empty):
    log = CountingLog(empty.log)
    feed = LiveFeed(log, poll_s=0.01)

    async def both():
        streams = [feed.listen(), feed.listen()]
        for stream in streams:
            await anext(stream)
        looking = feed._looking
        empty.tracking.experiment("late")
        heard = [await news_of(stream) for stream in streams]
        same = feed._looking is looking
        feed.close()
        await looking
        return heard, same

    heard, same = asyncio.run(both())

    assert heard[0] == heard[1]
    assert same


def test_a_reader_that_falls_behind_is_cut_off(empty, monkeypatch):
    monkeypatch.setattr(live, "WAITING_MOST", 2)
    feed = LiveFeed(empty.log, poll_s=0.01)

    async def sleepy():
        stream = feed.listen()
        await anext(stream)
        for number in range(3):
            feed._tell(b"%d" % number)
        return [news async for news in stream]

    assert asyncio.run(sleepy()) == []


def test_of_a_flood_only_the_newest_is_told(empty, monkeypatch):
    monkeypatch.setattr(live, "BATCH_MOST", 5)
    feed = LiveFeed(empty.log, poll_s=0.01)

    async def flooded():
        stream = feed.listen()
        await anext(stream)
        await asyncio.sleep(0.05)
        for number in range(20):
            empty.tracking.experiment(f"e{number}")
        first = await news_of(stream)
        empty.tracking.experiment("after the flood")
        later = await news_of(stream)
        feed.close()
        return first, later

    first, later = asyncio.run(flooded())

    assert 1 <= first.count(b"event: fact") <= 5
    assert b"after the flood" in later


def test_more_listeners_than_there_is_room_for_are_refused(empty, monkeypatch):
    monkeypatch.setattr(live, "LISTENERS_MOST", 1)
    with (
        ControlServer(empty, port=0) as server,
        httpx2.Client(trust_env=False, timeout=20) as client,
        client.stream("GET", f"{server.url}/ui/live") as stream,
    ):
        lines = stream.iter_lines()
        next(lines)

        second = httpx2.get(f"{server.url}/ui/live", trust_env=False)

    assert second.status_code == 503


def test_a_feed_that_is_closed_admits_nobody(empty):
    feed = LiveFeed(empty.log)
    feed.close()

    with pytest.raises(Unavailable):
        feed.admit()
