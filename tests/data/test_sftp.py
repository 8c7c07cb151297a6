"""A real SFTP server, reached by way of fsspec."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, ClassVar

import asyncssh
import pytest

from treadle.data import sources
from treadle.kernel.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treadle.data.service import Data

SECRET = "geheim-4711"


class Door(asyncssh.SSHServer):
    connections: ClassVar[list[asyncssh.SSHServerConnection]] = []

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("ann", SECRET)


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.csv").write_text("x,y\n1,a\n2,b\n")
    (folder / "deep").mkdir()
    (folder / "deep" / "b.txt").write_text("hello")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Door,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=bytes(folder)),
        )

    async def close() -> None:
        for connection in Door.connections:
            connection.abort()
            await connection.wait_closed()
        Door.connections.clear()
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
    yield f"127.0.0.1:{server.get_port()}"
    asyncio.run_coroutine_threadsafe(close(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_file_and_a_folder_come_by_sftp(
    data: Data, sftp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", SECRET)
    address = f"sftp://ann:${{SFTP_PASSWORD}}@{sftp}"

    table = data.commit("a", sources.url(f"{address}/a.csv"))
    again = data.commit("a", sources.url(f"{address}/a.csv"))
    folder = data.commit_files("all", sources.url(f"{address}/"))

    assert (table.rows, again) == (2, table)
    assert table.source is not None
    assert table.source.place == f"sftp://ann@{sftp}/a.csv"
    assert [entry.path for entry in data.files(folder.ref)] == ["a.csv", "deep/b.txt"]


def test_what_is_not_there_or_not_allowed_says_so(data: Data, sftp: str) -> None:
    with pytest.raises(NotFound, match=r"ann@"):
        data.commit("a", sources.url(f"sftp://ann:{SECRET}@{sftp}/gone.csv"))
    with pytest.raises(Unavailable, match="cannot be fetched") as raised:
        data.commit("a", sources.url(f"sftp://ann:wrong-{SECRET}@{sftp}/a.csv"))

    assert SECRET not in str(raised.value)
