"""Webhooks: who may be told, what is told, and what happens when nobody listens."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select, update

from tests.execution.until import until
from treadle.errors import InvalidInput, NotFound, Refused
from treadle.kernel.clock import FrozenClock
from treadle.monitoring.webhooks import payloads, sending
from treadle.monitoring.webhooks.courier import Courier
from treadle.monitoring.webhooks.entities import Topic
from treadle.monitoring.webhooks.lockbox import Lockbox
from treadle.monitoring.webhooks.service import ATTEMPTS, CLAIM_US, SECOND_US, Webhooks
from treadle.monitoring.webhooks.store import webhooks as table
from treadle.registry.service import Registry
from treadle.storage import events
from treadle.storage.keys import Signer
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore

HOST = "127.0.0.1"
LINK = "s3://bucket/late"
SECRET = "a very secret word"
ALL = Topic.__args__


@dataclass
class Receiver:
    """An HTTP server on loopback that answers as it is told, and keeps what it was sent."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    requests: list[tuple[str, dict, str]] = field(default_factory=list)

    @property
    def told(self):
        return [
            (body["entity"], body["action"], body["data"])
            for body in (json.loads(text) for _, _, text in self.requests)
        ]


@pytest.fixture
def receiver():
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Keep the test's output clean."""

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            made.requests.append((self.path, dict(self.headers), body))
            status = made.answers.pop(0) if made.answers else 200
            self.send_response(status)
            self.send_header("location", f"{made.url}/elsewhere")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    server = ThreadingHTTPServer((HOST, 0), Handler)
    made.url = f"http://{HOST}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def silent():
    """The address of a receiver that takes connections and never answers."""
    listening = socket.create_server((HOST, 0))
    yield f"http://{HOST}:{listening.getsockname()[1]}"
    listening.close()


@pytest.fixture
def dripping():
    """The address of a receiver whose answer never ends: a line of its head every 50 ms."""
    listening = socket.create_server((HOST, 0))
    over = threading.Event()

    def answer():
        with contextlib.suppress(OSError):
            met, _ = listening.accept()
            with met:
                met.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.05):
                    met.sendall(b"x-more: of it\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    yield f"http://{HOST}:{listening.getsockname()[1]}"
    over.set()
    thread.join()
    listening.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """Each metadata store."""
    url = (
        f"sqlite:///{tmp_path / 'treadle.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    opened = open_metadata(url, clock=FrozenClock(1_357_000_000_000_000))
    yield opened
    opened.close()


@pytest.fixture
def solo_store(tmp_path):
    opened = open_metadata(f"sqlite:///{tmp_path / 'solo.db'}", clock=FrozenClock(1))
    yield opened
    opened.close()


@pytest.fixture
def clock():
    return FrozenClock(1_700_000_000_000_000)


@pytest.fixture
def registry(store, tmp_path):
    objects = FolderObjectStore(tmp_path / "objects")
    return Registry(store=store, objects=objects, signer=Signer(tmp_path, store=store))


@pytest.fixture
def webhooks(store, tmp_path, clock):
    return Webhooks(store=store, signer=Signer(tmp_path, store=store), hosts=(HOST,), clock=clock)


@pytest.fixture
def solo(solo_store, tmp_path):
    return Webhooks(store=solo_store, signer=Signer(tmp_path, store=solo_store), hosts=(HOST,))


def allowing(store, tmp_path, *hosts):
    return Webhooks(store=store, signer=Signer(tmp_path, store=store), hosts=hosts)


def looked_up(monkeypatch, *addresses):
    """Let every name lead to these addresses."""

    def look_up(_host, port, *_args, **_more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(sending.socket, "getaddrinfo", look_up)


def test_receivers_are_told_of_a_models_life(webhooks, registry, receiver):
    webhooks.create("all", url=f"{receiver.url}/hook?a=b", topics=ALL)

    registry.create_model("late", description="how late", tags={"team": "ops"})
    registry.create_version("late", source=LINK, run_id="r1", tags={"a": "b"})
    registry.tag_model("late", {"nobody": "is told"})
    registry.tag_version("late", 1, {"k": "v"})
    registry.untag_version("late", 1, "k")
    registry.set_alias("late", "champion", 1)
    registry.remove_alias("late", "champion")
    registry.delete_model("late")

    assert webhooks.deliver_due() == 6
    version = {"name": "late", "version": "1"}
    assert receiver.told == [
        (
            "registered_model",
            "created",
            {"name": "late", "tags": {"team": "ops"}, "description": "how late"},
        ),
        (
            "model_version",
            "created",
            {**version, "source": LINK, "run_id": "r1", "tags": {"a": "b"}, "description": None},
        ),
        ("model_version_tag", "set", {**version, "key": "k", "value": "v"}),
        ("model_version_tag", "deleted", {**version, "key": "k"}),
        ("model_version_alias", "created", {**version, "alias": "champion"}),
        ("model_version_alias", "deleted", {"name": "late", "alias": "champion"}),
    ]
    assert {path for path, _, _ in receiver.requests} == {"/hook?a=b"}


def test_receivers_are_told_of_a_prompts_life(webhooks, registry, receiver):
    mark = {"mlflow.prompt.is_prompt": "true", "_mlflow_prompt_type": "text"}
    webhooks.create("all", url=receiver.url, topics=ALL)

    registry.create_model("greet", tags={**mark, "task": "x"})
    text = {"mlflow.prompt.text": "Hello {{who}}"}
    registry.create_version("greet", source="dummy-source", tags={**mark, **text, "q": "1"})
    registry.tag_model("greet", {"team": "ops"})
    registry.untag_model("greet", "team")
    registry.tag_version("greet", 1, {"k": "v"})
    registry.set_alias("greet", "live", 1)
    registry.remove_alias("greet", "live")
    webhooks.deliver_due()

    assert [(noun, action) for noun, action, _ in receiver.told] == [
        ("prompt", "created"), ("prompt_version", "created"), ("prompt_tag", "set"),
        ("prompt_tag", "deleted"), ("prompt_version_tag", "set"), ("prompt_alias", "created"),
        ("prompt_alias", "deleted"),
    ]  # fmt: skip
    assert receiver.told[0][2] == {"name": "greet", "tags": {"task": "x"}, "description": ""}
    assert receiver.told[1][2] == {
        "name": "greet", "version": "1", "template": "Hello {{who}}", "tags": {"q": "1"},
        "description": None,
    }  # fmt: skip


def test_what_is_told_is_signed_for_who_knows_the_secret(webhooks, registry, receiver):
    webhooks.create("all", url=receiver.url, topics=ALL, secret=SECRET)
    registry.create_model("late")

    webhooks.deliver_due()

    _, headers, body = receiver.requests[0]
    moment, delivery = headers["X-MLflow-Timestamp"], headers["X-MLflow-Delivery-Id"]
    digest = hmac.new(SECRET.encode(), f"{delivery}.{moment}.{body}".encode(), hashlib.sha256)
    expected = base64.b64encode(digest.digest()).decode()
    assert headers["X-MLflow-Signature"] == f"v1,{expected}"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["timestamp"].endswith("+00:00")


def test_without_a_secret_nothing_is_signed(webhooks, registry, receiver):
    webhooks.create("all", url=receiver.url, topics=ALL)
    registry.create_model("late")

    webhooks.deliver_due()

    assert "X-MLflow-Signature" not in receiver.requests[0][1]


def test_only_what_comes_after_a_webhook_and_concerns_it_is_told(webhooks, registry, receiver):
    registry.create_model("before")
    webhooks.create("tags", url=receiver.url, topics=["model_version_tag.set"])
    registry.create_model("late")
    registry.create_version("late", source=LINK)
    registry.tag_version("late", 1, {"k": "v"})

    assert webhooks.deliver_due() == 1
    assert webhooks.deliver_due() == 0
    assert [noun for noun, _, _ in receiver.told] == ["model_version_tag"]


def test_what_is_not_taken_now_is_told_again_later_under_the_same_id(
    webhooks, registry, receiver, clock
):
    webhooks.create("all", url=receiver.url, topics=ALL)
    registry.create_model("one")
    registry.create_model("two")
    receiver.answers = [500, 429]

    counts = [webhooks.deliver_due(), webhooks.deliver_due()]
    clock.advance(1 * SECOND_US)
    counts += [webhooks.deliver_due(), webhooks.deliver_due()]
    clock.advance(2 * SECOND_US)
    counts.append(webhooks.deliver_due())

    assert counts == [0, 0, 0, 0, 2]
    assert [data["name"] for _, _, data in receiver.told] == ["one", "one", "one", "two"]
    ids = [headers["X-MLflow-Delivery-Id"] for _, headers, _ in receiver.requests]
    assert len(set(ids[:3])) == 1
    assert ids[3] != ids[0]


def test_after_many_attempts_the_next_is_told(webhooks, registry, receiver, clock):
    made = webhooks.create("all", url=receiver.url, topics=ALL)
    registry.create_model("one")
    registry.create_model("two")
    receiver.answers = [503] * ATTEMPTS

    taken = 0
    for _ in range(ATTEMPTS):
        taken += webhooks.deliver_due()
        clock.advance(400 * SECOND_US)

    assert taken == 1
    assert [d["name"] for _, _, d in receiver.told] == ["one"] * ATTEMPTS + ["two"]
    assert webhooks.webhook(made.id).last_error == ""


def test_what_is_refused_for_good_is_not_told_again(webhooks, registry, receiver):
    made = webhooks.create("all", url=receiver.url, topics=ALL)
    registry.create_model("one")
    receiver.answers = [403]

    assert webhooks.deliver_due() == 0
    assert webhooks.deliver_due() == 0
    assert len(receiver.requests) == 1
    assert "status 403" in webhooks.webhook(made.id).last_error


def test_a_redirect_is_not_followed(webhooks, registry, receiver):
    webhooks.create("all", url=receiver.url, topics=ALL)
    registry.create_model("one")
    receiver.answers = [302]

    webhooks.deliver_due()
    webhooks.deliver_due()

    assert [path for path, _, _ in receiver.requests] == ["/"]


def test_nobody_at_the_address_delays_and_says_why(webhooks, registry, clock):
    with contextlib.closing(socket.socket()) as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    made = webhooks.create("all", url=f"http://{HOST}:{port}", topics=ALL)
    registry.create_model("one")

    assert webhooks.deliver_due() == 0
    assert "ConnectionRefused" in webhooks.webhook(made.id).last_error


def test_a_disabled_webhook_is_told_nothing_of_what_it_missed(webhooks, registry, receiver):
    made = webhooks.create("all", url=receiver.url, topics=ALL, status="disabled")
    registry.create_model("missed")
    assert webhooks.deliver_due() == 0

    webhooks.change(made.id, status="active")
    registry.create_model("told")

    assert webhooks.deliver_due() == 1
    assert [d["name"] for _, _, d in receiver.told] == ["told"]


def test_two_who_deliver_at_once_never_go_back(webhooks, registry, receiver, store, tmp_path):
    webhooks.create("all", url=receiver.url, topics=ALL)
    for number in range(5):
        registry.create_model(f"m{number}")
    other = allowing(store, tmp_path, HOST)

    threads = [threading.Thread(target=each.deliver_due) for each in (webhooks, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert webhooks.deliver_due() == 0
    assert {d["name"] for _, _, d in receiver.told} == {f"m{n}" for n in range(5)}


def test_a_receiver_that_never_answers_holds_up_no_other(
    webhooks, registry, receiver, silent, monkeypatch
):
    monkeypatch.setattr(sending, "TIMEOUT_S", 3.0)
    stuck = webhooks.create("stuck", url=silent, topics=ALL)
    webhooks.create("well", url=receiver.url, topics=ALL)
    registry.create_model("late")

    with Courier() as courier:
        began = time.monotonic()
        begun = courier.send(webhooks)
        lasted_s = time.monotonic() - began
        until(lambda: receiver.requests)
        still_busy = courier.is_busy(webhooks)
        assert courier.wait(seconds=30)

    assert begun == 2
    assert lasted_s < 1.0
    assert still_busy
    assert webhooks.webhook(stuck.id).last_error == "TimeoutError: timed out"


def test_an_answer_that_never_ends_is_cut_off(solo, dripping, monkeypatch):
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.3)
    made = solo.create("slow", url=dripping, topics=ALL)

    assert solo.test(made.id).error.startswith("TimeoutError: ")


def test_receivers_that_fail_leave_threads_for_the_others(webhooks, registry, receiver, silent):
    for number in range(3):
        made = webhooks.create(f"stuck-{number}", url=silent, topics=ALL)
        remember_failure(webhooks, made.id)
    webhooks.create("well", url=receiver.url, topics=ALL)
    registry.create_model("late")

    courier = Courier(threads=2, failing=1)
    begun = courier.send(webhooks)
    until(lambda: receiver.requests)

    assert begun == 2
    assert courier.wait(seconds=30)


def remember_failure(webhooks, webhook_id):
    with webhooks._store.write() as tx:
        tx.execute(update(table).where(table.c.id == webhook_id).values(attempts=1))


def test_a_webhook_is_told_by_one_at_a_time(webhooks, registry, receiver, store, tmp_path, clock):
    made = webhooks.create("all", url=receiver.url, topics=ALL)
    registry.create_model("late")
    other = Webhooks(store=store, signer=Signer(tmp_path, store=store), hosts=(HOST,), clock=clock)
    held = webhooks._claimed(made.id)

    assert held is not None
    assert other.deliver(made.id) == 0


def test_who_dies_with_a_webhook_in_hand_is_followed_by_another(
    webhooks, registry, receiver, clock
):
    made = webhooks.create("all", url=receiver.url, topics=ALL)
    registry.create_model("late")
    webhooks._claimed(made.id)

    clock.advance(CLAIM_US)

    assert webhooks.deliver_due() == 1


def test_what_a_process_killed_in_the_middle_had_in_hand_is_told_again(
    store, registry, receiver, silent, tmp_path, clock
):
    webhooks = allowing(store, tmp_path, HOST)
    made = webhooks.create("all", url=silent, topics=ALL)
    registry.create_model("late")
    url = store.url.render_as_string(hide_password=False)
    child = subprocess.Popen([sys.executable, "-c", DELIVERS, url, str(tmp_path), made.id])
    until(lambda: webhooks._waiting(made.id).due_at)

    child.kill()
    child.wait()
    webhooks.change(made.id, url=receiver.url)

    assert webhooks.deliver_due() == 1
    assert [d["name"] for _, _, d in receiver.told] == ["late"]


DELIVERS = """
import sys
from pathlib import Path
from treadle.monitoring.webhooks.service import Webhooks
from treadle.storage.keys import Signer
from treadle.storage.metadata import open_metadata

store = open_metadata(sys.argv[1].replace("+pysqlite", "").replace("+psycopg", ""))
signer = Signer(Path(sys.argv[2]), store=store)
Webhooks(store=store, signer=signer, hosts=("127.0.0.1",)).deliver(sys.argv[3])
"""


def test_a_webhook_is_made_listed_changed_and_deleted(webhooks, store):
    first = webhooks.create("first", url=f"http://{HOST}/a", topics=["prompt.created"])
    second = webhooks.create(
        "second", url=f"http://{HOST}/b", topics=ALL, description="all", secret=SECRET
    )

    changed = webhooks.change(first.id, name="third", topics=["prompt_tag.set"], description="x")

    assert webhooks.webhook(first.id) == changed
    assert (changed.name, changed.topics, changed.url) == (
        "third", ("prompt_tag.set",), f"http://{HOST}/a",
    )  # fmt: skip
    assert {w.id for w in webhooks.webhooks().items} == {first.id, second.id}
    assert (second.has_secret, changed.has_secret) == (True, False)
    webhooks.delete(first.id)
    with pytest.raises(NotFound):
        webhooks.webhook(first.id)
    with pytest.raises(NotFound):
        webhooks.delete(first.id)
    with pytest.raises(NotFound):
        webhooks.change(first.id, name="x")
    with store.read() as tx:
        told = [e.kind for e in events.read(tx.connection)]
    assert told == ["webhook.created", "webhook.created", "webhook.changed", "webhook.deleted"]


def test_a_secret_is_neither_stored_in_the_open_nor_logged(webhooks, store):
    made = webhooks.create("all", url=f"http://{HOST}/?key=k", topics=ALL, secret=SECRET)

    with store.read() as tx:
        row = tuple(map(str, tx.execute(select(table)).one()))
        log = [e.body for e in events.read(tx.connection)]
    assert SECRET not in " ".join([*row, *log, repr(made)])
    assert "key=k" not in " ".join(log)


def test_another_home_does_not_tell_what_it_cannot_sign(
    webhooks, registry, receiver, store, tmp_path
):
    made = webhooks.create("all", url=receiver.url, topics=ALL, secret=SECRET)
    registry.create_model("late")
    other = allowing(store, tmp_path / "other", HOST)

    assert other.deliver_due() == 0
    assert other.test(made.id).error == "another home has encrypted the secret"
    assert webhooks.deliver_due() == 1


def test_a_lockbox_opens_only_its_own(solo_store, tmp_path):
    box = Lockbox(Signer(tmp_path, store=solo_store))
    closed = box.close(SECRET)

    assert (box.open(closed), box.open(""), box.close("")) == (SECRET, "", "")
    assert box.open(closed[:-4] + "AAA=") is None


def test_a_test_sends_an_example_and_returns_what_was_said(webhooks, receiver):
    made = webhooks.create("all", url=receiver.url, topics=["model_version.created"])

    answer = webhooks.test(made.id)

    assert (answer.status, answer.body) == (200, "ok")
    assert receiver.told[0][:2] == ("model_version", "created")
    assert webhooks.test(made.id, "prompt.created").taken


@pytest.mark.parametrize("topic", ALL)
def test_there_is_an_example_of_every_topic(topic):
    assert payloads.example_of(topic)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://127.0.0.1.nip.io/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://127.0.0.1@example.com/",
        "http://user:word@127.0.0.1/",
        "http://127.0.0.1\\@example.com/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//127.0.0.1/",
        "http:///x",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1/\r\nX-Evil: 1",
        "http://127.0.0.1/a b",
        "http://[127.0.0.1",
        "",
    ],
)
def test_an_address_that_is_not_allowed_is_refused(solo, url):
    with pytest.raises((Refused, InvalidInput)):
        solo.create("all", url=url, topics=ALL)
    made = solo.create("fine", url=f"http://{HOST}/", topics=ALL)
    with pytest.raises((Refused, InvalidInput)):
        solo.change(made.id, url=url)


@pytest.mark.parametrize("address", ["10.0.0.5", "169.254.169.254", "127.0.0.1", "::ffff:a00:5"])
def test_an_allowed_name_that_leads_inside_is_refused(solo_store, tmp_path, monkeypatch, address):
    webhooks = allowing(solo_store, tmp_path, "hooks.example")
    made = webhooks.create("all", url="http://hooks.example/", topics=ALL)
    looked_up(monkeypatch, "93.184.216.34", address)

    answer = webhooks.test(made.id)

    assert "inside a network" in answer.error


def test_a_network_may_be_allowed_for_the_names_that_lead_there(
    solo_store, tmp_path, monkeypatch, receiver
):
    webhooks = allowing(solo_store, tmp_path, "hooks.example", "127.0.0.0/8")
    port = receiver.url.rpartition(":")[2]
    made = webhooks.create("all", url=f"http://hooks.example:{port}/", topics=ALL)
    looked_up(monkeypatch, HOST)

    assert webhooks.test(made.id).taken
    assert receiver.requests[0][1]["Host"] == f"hooks.example:{port}"


def test_the_connection_goes_where_was_looked_at(solo_store, tmp_path, monkeypatch, receiver):
    """A name that means something else at its second look-up gains nothing: there is none."""
    webhooks = allowing(solo_store, tmp_path, "hooks.example", "127.0.0.1")
    port = receiver.url.rpartition(":")[2]
    made = webhooks.create("all", url=f"http://hooks.example:{port}/", topics=ALL)
    asked = []

    def look_up(host, *_args, **_more):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, int(port)))]

    monkeypatch.setattr(sending.socket, "getaddrinfo", look_up)

    assert webhooks.test(made.id).taken
    assert asked[0] == "hooks.example"
    assert set(asked[1:]) <= {HOST}


def test_a_host_that_is_allowed_no_more_is_told_nothing(solo_store, tmp_path, solo, receiver):
    made = solo.create("all", url=receiver.url, topics=ALL)

    stricter = allowing(solo_store, tmp_path, "elsewhere.example")

    assert "may not go to" in stricter.test(made.id).error
    assert receiver.requests == []


@pytest.mark.parametrize("name", ["", "a b", "-a", "a-", "x" * 64, "ä", "a/b"])
def test_a_name_that_cannot_be_one_is_refused(solo, name):
    with pytest.raises(InvalidInput, match="cannot name a webhook"):
        solo.create(name, url=f"http://{HOST}/", topics=ALL)


@pytest.mark.parametrize("topics", [[], ["model.exploded"]])
def test_a_webhook_is_told_of_something_there_is(solo, topics):
    with pytest.raises(InvalidInput):
        solo.create("all", url=f"http://{HOST}/", topics=topics)
