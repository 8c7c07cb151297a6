"""Object servers beside moto's S3, each started at its first use: Swift and Azurite."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import shutil
import subprocess
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx2
import pytest
from botocore.session import Session

from tests.servers import absent, accepts, free_port, running, temporary_folder
from tests.swift import KEY, RINGS, USER, Ports, write_swift

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
# Public: every Azurite has this account.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


def peer_program(name: str, *path: str) -> Path:
    """A program of what `./run test` installs into .peers."""
    folder = Path(os.environ.get("TREADLE_PEERS") or ROOT / ".peers") / name
    program = folder.joinpath(*path)
    if not program.exists():
        absent_peer(name, folder=folder)
    return program


def absent_peer(name: str, *, folder: Path) -> NoReturn:
    sentence = f"{name} is not in {folder}: ./run test installs it"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


# --- OpenStack Swift ---


@pytest.fixture(scope="session")
def swift_server() -> Iterator[str]:
    """The S3 address of an OpenStack Swift."""
    python = peer_program("swift", "bin", "python")
    if shutil.which("memcached") is None:
        absent("Memcached", package="memcached liberasurecode1")
    if not any(Path("/usr/lib").glob("*/liberasurecode.so.1")):
        absent("Swift's erasure coding", package="liberasurecode1")
    ports = Ports(*(free_port() for _ in Ports._fields))
    with temporary_folder() as folder, contextlib.ExitStack() as servers:
        rings = [str(folder), str(ports.account), str(ports.container), str(ports.object)]
        subprocess.run([str(python), "-c", RINGS, *rings], check=True)
        for name, command in write_swift(folder, ports).items():
            logs = folder / f"{name}.logs"
            logs.mkdir()
            program = [] if name == "memcached" else [str(python)]
            program += [str(python.parent / command[0]) if program else command[0], *command[1:]]
            port = getattr(ports, name)
            servers.enter_context(
                running(program, folder=logs, is_up=lambda port=port: accepts(port))
            )
        yield f"http://127.0.0.1:{ports.proxy}"


@pytest.fixture
def swift_url(swift_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix in a fresh bucket of Swift; the environment says how to reach it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", swift_server)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", USER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    bucket = f"b{uuid.uuid4().hex}"
    # It comes with moto, and makes buckets, which obstore does not.
    s3 = Session().create_client("s3", endpoint_url=swift_server, region_name="us-east-1")
    s3.create_bucket(Bucket=bucket)
    s3.close()
    return f"s3://{bucket}/prefix"


# --- Azurite ---


@pytest.fixture(scope="session")
def azure_server() -> Iterator[str]:
    """The address of an account in an Azurite."""
    program = peer_program("azurite", "node_modules", ".bin", "azurite-blob")
    if shutil.which("node") is None:
        absent("Node", package="nodejs npm")
    port = free_port()
    with temporary_folder() as folder:
        command = [str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        command += ["--location", str(folder), "--skipApiVersionCheck", "--silent"]
        command += ["--disableTelemetry"]
        with running(command, folder=folder, is_up=lambda: accepts(port)):
            yield f"http://127.0.0.1:{port}/{ACCOUNT}"


@pytest.fixture
def azure_url(azure_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix in a fresh container; the environment says how to reach it."""
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", azure_server)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY)
    monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
    container = f"c{uuid.uuid4().hex}"
    url = f"{azure_server}/{container}?restype=container"
    httpx2.put(url, headers=signed(container), trust_env=False).raise_for_status()
    return f"az://{container}/prefix"


def signed(container: str) -> dict[str, str]:
    """The headers that make a container: Azure's "Authorize with Shared Key"."""
    headers = {
        "x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "x-ms-version": "2021-08-06",
    }
    named = "".join(f"{name}:{value}\n" for name, value in headers.items())
    text = "PUT" + 12 * "\n" + named + f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    made = hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest()
    return headers | {"Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(made).decode()}"}
