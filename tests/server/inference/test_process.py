"""The process as a client and a supervisor meet it: a real one, over a real socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.server.inference.samples import EXAMPLE, ask, made_home, request
from treadle.errors import Unavailable
from treadle.server.inference.process import InferenceProcess
from treadle.serving.entities import Variant

PATIENCE_S = 20.0


def until(claim, *, what):
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    process = InferenceProcess(home, host="127.0.0.1", port=0)
    with made_home(home) as serving:
        process.start()
        yield process, serving
        process.stop()


@pytest.fixture
def own(serving, home):
    """A process of this test's own."""
    process = InferenceProcess(home, host="127.0.0.1", port=0)
    process.start()
    yield process
    process.stop()


def infer(process, *, key="k", endpoint="late"):
    return ask(f"{process.url}/v2/models/{endpoint}/infer", body=request(parameters={"key": key}))


def test_it_is_ready_once_started(running):
    process, _ = running

    assert ask(f"{process.url}/v2/health/ready") == (200, {"ready": True})
    assert process.alive


def test_its_predictions_are_read_by_others_while_it_runs(running):
    process, serving = running

    answer = infer(process, key="read-elsewhere").body

    found = serving.prediction(answer["parameters"]["prediction_ids"][0])
    assert found.key == "read-elsewhere"
    assert "read-elsewhere" in serving.predictions("late")["key"].to_pylist()


def test_a_change_of_traffic_is_served_soon(running):
    process, serving = running
    serving.create_endpoint("soon", "late")
    endpoint = serving.set_traffic("soon", [Variant(name="a", version="late@2")], reason="")

    process.wait_serving("soon", revision=endpoint.revision)

    assert infer(process, endpoint="soon").body["model_version"] == "2"


def test_waiting_for_a_revision_that_never_comes_is_explained(running):
    process, _ = running

    with pytest.raises(Unavailable, match="still serves revision 1, not 99"):
        process.wait_serving("late", revision=99, timeout_s=0.1)


def test_no_request_fails_while_versions_are_swapped(running):
    process, serving = running
    serving.create_endpoint("swap", "late")
    endpoint = serving.set_traffic("swap", [Variant(name="a", version="late@1")], reason="")
    process.wait_serving("swap", revision=endpoint.revision)
    seen, stop = [], threading.Event()

    def work():
        connection = http.client.HTTPConnection(process.url.removeprefix("http://"))
        while not stop.is_set():
            connection.request("POST", "/v2/models/swap/infer", request())
            got = connection.getresponse()
            seen.append((got.status, json.loads(got.read()).get("model_version")))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    for number in (2, 3, 1, 2, 3):
        variant = Variant(name="a", version=f"late@{number}")
        changed = serving.set_traffic("swap", [variant], reason="swap")
        process.wait_serving("swap", revision=changed.revision)
    stop.set()
    [t.join() for t in threads]

    assert {status for status, _ in seen} == {200}
    assert {number for _, number in seen} == {"1", "2", "3"}


def test_too_large_a_body_that_never_comes_is_refused_too(running):
    process, _ = running
    address = process.url.removeprefix("http://")

    with contextlib.closing(http.client.HTTPConnection(address)) as connection:
        connection.putrequest("POST", "/v2/models/late/infer")
        connection.putheader("Content-Length", str(17 << 20))
        connection.endheaders()
        got = connection.getresponse()
        body = json.loads(got.read())

    assert got.status == 413
    assert "larger than 16 MB" in body["error"]


@pytest.mark.parametrize("body", [b" " * (20 << 20), iter([b" " * (1 << 20)] * 20)])
def test_who_sends_too_large_a_body_to_its_end_is_told_why_it_was_refused(running, body):
    process, _ = running
    address = process.url.removeprefix("http://")

    with contextlib.closing(http.client.HTTPConnection(address)) as connection:
        connection.request("POST", "/v2/models/late/infer", body=body)
        status = connection.getresponse().status

    assert status == 413


def test_every_acknowledged_prediction_survives_kill_9(own, serving):
    acknowledged, stop = [], threading.Event()

    def work(name):
        number = 0
        while not stop.is_set():
            number += 1
            try:
                answer = infer(own, key=f"{name}-{number}")
            except httpx.TransportError:
                return
            acknowledged.extend(answer.body["parameters"]["prediction_ids"])

    threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    [t.start() for t in threads]
    until(lambda: len(acknowledged) > 60, what="60 answers")
    os.kill(own.pid, signal.SIGKILL)
    stop.set()
    [t.join() for t in threads]
    until(lambda: own.restarts == 1 and own.alive, what="a restart")
    before = set(serving.predictions("late")["id"].to_pylist())
    own.stop()
    serving.compact()

    after = set(serving.predictions("late")["id"].to_pylist())
    assert set(acknowledged) <= before
    assert before == after


def test_it_answers_again_at_the_same_address_after_it_was_killed(own, serving):
    os.kill(own.pid, signal.SIGKILL)
    until(lambda: own.restarts == 1 and own.alive, what="a restart")
    own.wait_serving("late", revision=1)

    assert infer(own).status == 200


def test_stopping_lets_running_requests_finish(own, serving, tmp_path):
    asked = tmp_path / "asked"

    def slow(table):
        if table.num_rows == 1:  # the example it is checked with has two rows
            asked.touch()
            time.sleep(0.5)
        return table["seats"].to_numpy()

    serving.registry.register("slow", slow, example=EXAMPLE)
    serving.create_endpoint("slow", "slow")
    serving.set_traffic("slow", [Variant(name="a", version="slow@1")], reason="")
    own.wait_serving("slow", revision=1)
    got = []
    thread = threading.Thread(target=lambda: got.append(infer(own, endpoint="slow")))
    thread.start()
    until(asked.exists, what="the model being asked")

    own.stop()
    thread.join()

    assert got[0].status == 200
    assert not own.alive
    assert serving.predictions("slow").num_rows == 1


def test_it_serves_from_postgresql_too(postgres_url, home, monkeypatch):
    monkeypatch.setenv("TREADLE_METADATA_URL", postgres_url)
    process = InferenceProcess(home, host="127.0.0.1", port=0)
    with made_home(home) as serving:
        process.start()
        changed = serving.set_traffic("late", [Variant(name="b", version="late@2")], reason="")
        process.wait_serving("late", revision=changed.revision)
        answer = infer(process, key="k").body
        process.stop()
        (part,) = serving.compact()

    assert answer["model_version"] == "2"
    assert (part.first_id, part.rows) == (answer["parameters"]["prediction_ids"][0], 1)


def test_a_port_in_use_is_told_and_the_exit_code_is_1(serving, home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "treadle.server.inference", "--home", str(home)]

        ended = subprocess.run(
            [*command, "--port", str(port)], capture_output=True, text=True, check=False
        )

    assert ended.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_another_inference_process_uses_is_in_use(running, home):
    process, _ = running
    port = int(process.url.rpartition(":")[2])

    with pytest.raises(Unavailable, match=f"Cannot listen on 127.0.0.1:{port}"):
        InferenceProcess(home, host="127.0.0.1", port=port).start()


def test_it_ends_with_its_parent(serving, home):
    script = (
        "import os, sys; from pathlib import Path\n"
        "from treadle.server.inference.process import InferenceProcess\n"
        "process = InferenceProcess(Path(sys.argv[1]), host='127.0.0.1', port=0)\n"
        "process.start(); print(process.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, text=True, check=False
    )
    child = int(parent.stdout)

    until(lambda: not is_running(child), what="the child's end")


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An orphan nobody waits for stays in the table as a zombie.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
