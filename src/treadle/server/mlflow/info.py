"""Who answers: `/health`, `/version`, `server-info`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from treadle.server.mlflow.wire import Answer

if TYPE_CHECKING:
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route

SPEAKS = "3.17.2"
"""The newest MLflow whose server's answers ours have been compared with."""


class ServerInfo(Answer):
    """What the client asks before it chooses how to talk."""

    features_enabled: dict[str, bool]
    store_type: str = "SqlStore"
    workspaces_enabled: bool = False
    trace_archival_enabled: bool = False
    multipart_uploads_enabled: bool = False
    multipart_downloads_enabled: bool = False


def health(_call: Call) -> PlainTextResponse:
    """Say that the server answers."""
    return PlainTextResponse("OK")


def version(_call: Call) -> PlainTextResponse:
    """Say which MLflow is spoken here."""
    return PlainTextResponse(SPEAKS)


def server_info(_call: Call) -> ServerInfo:
    """Say what this server can do."""
    return ServerInfo(features_enabled={"gateway": False})


ROUTES: tuple[Route, ...] = (("GET", "/mlflow/server-info", server_info),)
ROOT_ROUTES: tuple[Route, ...] = (("GET", "/health", health), ("GET", "/version", version))
