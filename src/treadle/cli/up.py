"""`treadle up`: the pages, the API, the scheduler, the workers and the inference process."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import click

from treadle.cli.group import Command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from treadle.app import App
    from treadle.release.entities import Decision

LOOK_S = 0.5


@click.command("up", cls=Command, example="treadle up\ntreadle up --port 0 --inference-port 0")
@click.option("--host", metavar="H", help="A name of this machine for itself (default: 127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port of pages and API (default: 7340)."
)
@click.option(
    "--inference-port", type=click.IntRange(0, 65535), help="Port of inference (default: 7341)."
)
@click.pass_context
def command(
    ctx: click.Context, *, host: str | None, port: int | None, inference_port: int | None
) -> None:
    """Start the pages, the API and the inference process of a home; stop with Ctrl-C.

    Prints one line with the address once everything answers. Port 0 takes any that is free.
    """
    import logging

    import msgspec

    from treadle.app import App, open_app
    from treadle.server.lean import stay_lean

    stay_lean()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    opened = open_app(ctx.find_root().obj)
    given = {"host": host, "port": port, "inference_port": inference_port}
    asked = {name: value for name, value in given.items() if value is not None}
    settings = msgspec.structs.replace(opened.settings, **asked)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with App(settings) as app:
        _serve(app, stopping)


def _serve(app: App, stopping: threading.Event) -> None:
    # Both threads below need asyncio; two that import parts of it at once may meet in a circle.
    import asyncio  # noqa: F401 - see above
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import ExitStack

    from treadle.kernel.errors import Unavailable

    # The first start waits for the database to make its tables: that long we import the rest.
    with ThreadPoolExecutor(1) as ahead:
        opening = ahead.submit(lambda: app.store)
        from treadle.server.caretaker import Caretaker
        from treadle.server.control import ControlServer, check_host, listen
        from treadle.server.processes import Presence, Supervisor
        from treadle.server.scheduler import Scheduler

    settings = app.settings
    check_host(settings.host)
    opening.result()
    with Presence(app.home) as presence, ExitStack() as stack:
        # Found out here, a taken port is told in one line, before any process was started.
        listen(settings.host, settings.inference_port, option="--inference-port").close()
        server = stack.enter_context(ControlServer(app))
        children = Supervisor(app, host=settings.host)
        stack.callback(children.stop)
        server.inference_url = inference_url = children.start()
        stack.enter_context(Scheduler(app, retrain=_retrain(app)))
        stack.enter_context(Caretaker(app))
        presence.announce(url=server.url, inference_url=inference_url)
        click.echo(f"Treadle is up: {server.url}  (inference {inference_url}, home {app.home})")
        while not stopping.wait(LOOK_S):
            if not server.is_alive:
                raise Unavailable(
                    "The control process stopped answering.", hint="Its last words are above."
                )


def _retrain(app: App) -> Callable[[str, Decision], object] | None:
    """Have a worker train a challenger, when the home lies in a project that says how."""
    from treadle.client.challenger import work_for
    from treadle.client.project import POLICY_FILE
    from treadle.kernel.clock import format_day

    project: Path = app.home.parent
    if not (project / POLICY_FILE).is_file():
        return None

    def enqueue(endpoint: str, _decision: Decision) -> object:
        # Once a day and champion: a challenger that cannot be trained is not tried all day.
        key = f"retrain/{app.releases.champion(endpoint)}/{format_day(app.clock.now())}"
        work = work_for(project, endpoint=endpoint)
        return app.jobs.enqueue(work, kind="retrain", key=key, max_attempts=1)

    return enqueue
