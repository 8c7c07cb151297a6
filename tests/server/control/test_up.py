"""`treadle up` as a person runs it: one line, one per home, everything ended when it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.execution.until import until
from treadle.kernel.errors import Conflict
from treadle.server.control import listen
from treadle.server.processes import Presence, running

START_S = 60
ADDRESS = r"(http://127\.0\.0\.1:\d+)"
LINE = re.compile(rf"^Treadle is up: {ADDRESS}  \(inference {ADDRESS}, home (.+)\)$")


def command(home, *arguments):
    # What the installed `treadle` runs, whatever is on the path.
    code = "from treadle.cli import main; main()"
    return [sys.executable, "-c", code, "--home", str(home), "up", *arguments]


@pytest.fixture
def up(tmp_path):
    home = tmp_path / "home"
    process = subprocess.Popen(
        command(home, "--port", "0", "--inference-port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    yield home, process, line
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=20)


def refused(home, *arguments):
    done = subprocess.run(
        command(home, *arguments), capture_output=True, text=True, timeout=START_S, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def children(pid):
    # A child belongs to the thread that started it.
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for found in lists for child in found.read_text().split()]


def resident_kb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def test_it_prints_one_line_answers_and_ends_with_its_children(up):
    home, process, line = up

    url, inference, told = LINE.match(line).groups()
    health = httpx2.get(f"{url}/api/v1/health", trust_env=False).json()
    ready = httpx2.get(f"{inference}/v2/health/ready", trust_env=False)
    below = children(process.pid)
    state = running(home)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)

    assert (health["home"], health["pid"]) == (str(home), process.pid)
    assert ready.status_code == 200
    assert told == str(home)
    assert (state.pid, state.url, state.inference_url) == (process.pid, url, inference)
    assert (rest, errors, process.returncode) == ("", "", 0)
    assert below
    assert not any(Path(f"/proc/{pid}").exists() for pid in below)
    assert running(home) is None


def test_it_idles_within_its_memory(up):
    _, process, _ = up

    assert resident_kb(process.pid) < 150_000


def test_a_second_one_says_where_the_first_is(up):
    home, process, line = up

    said = refused(home)

    assert f"is up already: {LINE.match(line)[1]}" in said
    assert f"kill {process.pid}" in said


def test_killed_it_takes_its_children_along_and_leaves_the_home_free(up):
    home, process, _ = up
    below = children(process.pid)

    os.kill(process.pid, signal.SIGKILL)

    process.wait(10)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below))
    assert running(home) is None


def test_an_inference_process_that_dies_is_started_again(up):
    _, process, line = up
    url = LINE.match(line)[2]
    [victim] = children(process.pid)

    os.kill(victim, signal.SIGKILL)

    until(lambda: children(process.pid) not in ([], [victim]))
    until(lambda: answers(f"{url}/v2/health/ready"))


def answers(url):
    try:
        return httpx2.get(url, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.mark.parametrize("option", ["--port", "--inference-port"])
def test_a_port_in_use_is_named_and_nothing_is_left_running(tmp_path, option):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        others = {"--port": "0", "--inference-port": "0"} | {option: str(port)}

        said = refused(tmp_path / "home", *[part for pair in others.items() for part in pair])

    assert f"Port {port} of 127.0.0.1 cannot be used" in said
    assert f"Choose another with {option}" in said
    assert running(tmp_path / "home") is None


def test_another_address_than_loopback_is_refused(tmp_path):
    said = refused(tmp_path / "home", "--host", "0.0.0.0")

    assert "no logins yet" in said
    assert not (tmp_path / "home" / "run").exists()


def test_a_home_that_cannot_be_written_is_named():
    said = refused(Path("/proc/nothing"))

    assert "Cannot write in /proc/nothing" in said


# --- who is up ---


def test_nobody_is_up_in_a_new_home(tmp_path):
    assert running(tmp_path) is None


def test_what_a_dead_process_left_behind_is_not_believed(tmp_path):
    with Presence(tmp_path) as presence:
        presence.announce(url="http://127.0.0.1:1", inference_url="http://127.0.0.1:2")
        alive = running(tmp_path)
        left = (tmp_path / "run" / "up.json").read_bytes()
    (tmp_path / "run" / "up.json").write_bytes(left)

    assert alive is not None
    assert json.loads(left)["url"] == "http://127.0.0.1:1"
    assert running(tmp_path) is None


def test_a_place_is_held_by_one(tmp_path):
    with Presence(tmp_path), pytest.raises(Conflict, match="it is starting"), Presence(tmp_path):
        pass
