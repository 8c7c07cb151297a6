"""Real servers on loopback, each started at its first use and ended with its user.

Every pytest-xdist worker starts its own, so workers share nothing.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx2
import psycopg
import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser, Page

START_LIMIT_S = 60.0
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def absent(what: str, *, package: str) -> NoReturn:
    """Skip at home, fail in CI: there, a test that did not run is a test that failed."""
    sentence = f"{what} is not installed: sudo apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    command: Sequence[str], *, folder: Path, is_up: Callable[[], bool], as_nobody: bool = False
) -> Iterator[None]:
    """Run a server until the block ends, or until this process does, even by `kill -9`."""
    log = folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen([*guard(as_nobody=as_nobody), *command], stdout=out, stderr=out)
    try:
        wait_for(server, is_up=is_up, log=log)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def guard(*, as_nobody: bool) -> list[str]:
    """Ask the kernel to end the child with its parent; PostgreSQL refuses to run as root."""
    if shutil.which("setpriv") is None:
        return []
    guarded = ["setpriv", "--pdeathsig", "INT"]
    if as_nobody and os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        guarded += [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return [*guarded, "--"]


def wait_for(server: subprocess.Popen[bytes], *, is_up: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not is_up():
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"The server did not start; its log:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder outside pytest's own, which others, such as `nobody`, may not enter."""
    with tempfile.TemporaryDirectory(prefix="treadle-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


# --- PostgreSQL ---


def postgres_programs() -> Path:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    anywhere = shutil.which("initdb")
    if not debian and not anywhere:
        absent("PostgreSQL", package="postgresql")
    return debian[-1].parent if debian else Path(str(anywhere)).parent


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server: its address without a database."""
    programs, port = postgres_programs(), free_port()
    address = f"postgresql://app@127.0.0.1:{port}"
    with temporary_folder() as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        data = folder / "data"
        make = ["-D", str(data), "-U", "app", "-A", "trust", "--no-sync", "--locale=C", "-EUTF8"]
        subprocess.run(
            [*guard(as_nobody=True), str(programs / "initdb"), *make],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        # A test's database need not survive a power cut, nor share its server with many.
        settings = ["fsync=off", "full_page_writes=off", "max_connections=60"]
        settings += ["listen_addresses=127.0.0.1", f"unix_socket_directories={folder}"]
        serve = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
        serve += [part for setting in settings for part in ("-c", setting)]
        with running(serve, folder=folder, is_up=lambda: answers(address), as_nobody=True):
            yield address


def answers(address: str) -> bool:
    try:
        psycopg.connect(f"{address}/postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database, dropped with all its connections after the test."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield f"{postgres_server}/{name}"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


# --- S3 ---


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server: its HTTP address."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with temporary_folder() as folder, running(command, folder=folder, is_up=lambda: accepts(port)):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def s3_url(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix in a fresh bucket, `s3://bucket/prefix`; the environment says how to reach it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    bucket = f"b{uuid.uuid4().hex}"
    httpx2.put(f"{s3_server}/{bucket}", trust_env=False).raise_for_status()
    return f"s3://{bucket}/prefix"


# --- Browser ---


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one file of tests: its event loop would stand in the way of other files'."""
    program = shutil.which("chromium")
    if program is None:
        absent("Chromium", package="chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own context: no cookie or cache of another test; 1280 by 800 pixels."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()
