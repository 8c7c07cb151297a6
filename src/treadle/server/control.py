"""The control process's web application, and a server for it that runs in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from treadle.kernel.errors import Refused, TreadleError, Unavailable
from treadle.server import api, openapi
from treadle.server.errors import on_bug, on_error, on_http_error
from treadle.server.guard import LOOPBACK_NAMES, Guard
from treadle.server.mlflow import mlflow_door
from treadle.server.tenants import Tenants
from treadle.server.ui import routes as pages
from treadle.server.ui.chain import ChainWatch
from treadle.server.ui.live import LiveFeed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from treadle.app import App

# Verbs wait for SQLite and for disks: a few threads keep both busy, more only hold memory.
THREADS = 8
BACKLOG = 128
START_S = 20.0
STOP_S = 3


def control_app(
    app: App, *, live: LiveFeed | None = None, inference_url: Callable[[], str] | None = None
) -> Guard:
    """Return the web application of a home: pages, both APIs, live events, behind the guard."""
    made = Starlette(
        routes=[*api.routes(), openapi.ROUTE, *pages.routes()],
        exception_handlers={
            TreadleError: on_error,
            HTTPException: on_http_error,
            Exception: on_bug,
        },
        lifespan=_lifespan,
    )
    made.state.treadle = app
    made.state.live = live or LiveFeed(app.log)
    made.state.chain = ChainWatch(app.log)
    made.state.inference_url = inference_url or (lambda: _expected_inference(app))
    # Around all of it, so that also the answer to a bug carries the policy.
    return Guard(Tenants(mlflow_door(made, app), app))


class ControlServer:
    """Answers for a home on this machine, in a thread of this process.

    Port 0 takes any that is free. One server starts and stops once.
    """

    def __init__(self, app: App, *, host: str | None = None, port: int | None = None) -> None:
        self._host = app.settings.host if host is None else host
        self._port = app.settings.port if port is None else port
        self._live = LiveFeed(app.log)
        self.inference_url = _expected_inference(app)
        """Where pages say that inference answers; who starts it elsewhere says so here."""
        config = uvicorn.Config(
            control_app(app, live=self._live, inference_url=lambda: self.inference_url),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="treadle-control", daemon=True)
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settled = threading.Event()
        self.url = ""

    def start(self) -> str:
        """Begin to answer; return the address. Raises Refused; Unavailable for a taken port."""
        self._socket = listen(self._host, self._port)
        self.url = address(self._socket)
        self._thread.start()
        if not self._settled.wait(START_S) or not self._server.started:
            raise Unavailable(f"The control process did not begin to answer at {self.url}.")
        return self.url

    @property
    def is_alive(self) -> bool:
        """Whether it answers still."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End every stream, finish the requests under way, close the port."""
        if self._loop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._end)
            self._thread.join(2 * STOP_S)
        if self._socket is not None:
            self._socket.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        try:
            asyncio.run(self._main())
        finally:
            self._settled.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        serving = asyncio.create_task(self._server.serve([s for s in [self._socket] if s]))
        # uvicorn says by a flag that it answers; it has no event to wait for.
        while not self._server.started and not serving.done():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)
        self._settled.set()
        await serving

    def _end(self) -> None:
        self._live.close()
        self._server.should_exit = True


def check_host(host: str) -> None:
    """Raise Refused unless a host is this machine's own name for itself."""
    if host not in LOOPBACK_NAMES:
        raise Refused(
            f"{host} can be reached from other machines, and this version has no logins yet.",
            hint="It serves this machine only: leave --host out, or reach it through ssh -L.",
        )


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Return a socket that listens; `option` chooses another port when this one is in use.

    Raises Refused for a host others can reach, Unavailable when the port cannot be had.
    """
    check_host(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, asyncio knows to send small answers at once.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise Unavailable(
            f"Port {port} of {host} cannot be used: {error.strerror or error}.",
            hint=f"Choose another with {option}, such as {option} 0 for any that is free.",
            port=port,
        ) from error
    return made


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return _url(host, port)


def _expected_inference(app: App) -> str:
    return _url(app.settings.host, app.settings.inference_port)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield
