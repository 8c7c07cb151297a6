"""Every fact is told in a sentence, and none of them can break a page."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import treadle
from treadle.server.ui.places import event_place, subject_link
from treadle.server.ui.sentences import LONGEST, known_kinds, plain, sentence
from treadle.server.ui.story import TOLD, mood, story
from treadle.storage.events import Event, Fact


def event(kind, body="{}", subject="model/late"):
    return Event(
        seq=1, at=0, recorded_at=0, kind=kind, subject=subject, actor="user:ann", body=body,
        previous="", hash="",
    )  # fmt: skip


def kinds_of(fact):
    ours = fact.__module__.startswith("treadle.") and "testing" not in fact.__module__
    found = {fact.kind} if fact.kind and ours else set()
    return found.union(*(kinds_of(each) for each in fact.__subclasses__()))


def test_every_kind_of_fact_has_a_sentence():
    for module in pkgutil.walk_packages(treadle.__path__, "treadle."):
        if module.name.endswith((".facts", ".entities")):
            importlib.import_module(module.name)

    assert kinds_of(Fact) - set(known_kinds()) == set()


def test_the_story_tells_only_what_has_a_sentence():
    assert set(TOLD) <= set(known_kinds())


def test_every_event_of_a_whole_life_is_told(seeded):
    events = seeded.app.log.read()

    told = {e.kind: sentence(e) for e in events}

    assert [text for kind, text in told.items() if text.startswith(kind.partition(".")[0])] == []
    assert max(len(text) for text in told.values()) <= LONGEST
    assert len(told) >= 20


def test_every_event_leads_somewhere(seeded, client):
    places = {event_place(e).partition("#")[0] for e in seeded.app.log.read()}

    assert {place: client.get(place).status_code for place in places} == dict.fromkeys(places, 200)


def test_a_sentence_says_what_happened(seeded):
    told = [sentence(e) for e in seeded.app.log.read()]

    assert "flights@1 committed, 420 rows: three months" in told
    assert "late@1 registered and signed" in told
    assert "champion of late is late@2, was late@1" in told
    assert any(t.startswith("late@2 is live on late: ") for t in told)
    assert any(t.startswith("outcomes@10 quarantined, 420 rows kept out: ") for t in told)


@pytest.mark.parametrize("kind", [*known_kinds(), "weaving.begun"])
@pytest.mark.parametrize("body", ["{}", '{"release":{}}', '{"alert":3}'])
def test_a_fact_of_another_form_is_told_plainly(kind, body):
    strange = event(kind, body)

    assert sentence(strange) == plain(strange)
    assert isinstance(mood(strange), str)
    assert event_place(strange) == "/models/late"


def test_a_kind_nobody_knows_is_told_by_its_name_and_subject():
    assert sentence(event("weaving.begun")) == "weaving begun: model/late"


def test_a_replay_tells_its_own_day():
    [moment] = story([event("weaving.begun")], replays=True)

    assert moment.day == "1970-01-01"
    assert story([event("weaving.begun")], replays=False)[0].day == ""


@pytest.mark.parametrize(
    ("subject", "href"),
    [
        ("dataset/flights", "/data/flights"),
        ("model/late", "/models/late"),
        ("endpoint/a/b", "/endpoints/a%2Fb"),
        ("experiment/late & early", "/runs?experiment=late+%26+early"),
        ("monitor/late", "/monitors/late"),
        ("run/0197a3c7e4b07f119d2a6c81f0e4d35a", "/runs/0197a3c7e4b07f119d2a6c81f0e4d35a"),
    ],
)
def test_a_subject_leads_to_its_page(subject, href):
    assert subject_link(subject).href == href


@pytest.mark.parametrize("subject", ["job/1", "model", "", "weaving/late"])
def test_a_subject_without_a_page_is_no_link(subject):
    assert subject_link(subject) is None
