"""What every test has: real servers as fixtures, and no way out to the network."""

from __future__ import annotations

import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.buckets import azure_server, azure_url, swift_server, swift_url
from tests.servers import (
    browser,
    page,
    postgres_server,
    postgres_url,
    s3_server,
    s3_url,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "azure_server",
    "azure_url",
    "browser",
    "page",
    "postgres_server",
    "postgres_url",
    "s3_server",
    "s3_url",
    "swift_server",
    "swift_url",
]

# A busy machine is not a slow program: pytest's timeout bounds a test, no clock each example.
# CI tries the same examples every time, so that it judges the change; at home they are new ones.
hypothesis.settings.register_profile("treadle", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("treadle")


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Refuse connections to other machines (from this process; a test's children are its own)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.setenv("no_proxy", "127.0.0.1,localhost")
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        yield


def guarded(connect: Any) -> Any:
    def checked(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and not is_loopback(address[0]):
            pytest.fail(f"A test may only talk to this machine, not to {address[0]}")
        return connect(self, address)

    return checked


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: who resolves it leaves the machine
        return False
