"""`treadle demo`: watch a year of real flights run through a model's whole life."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from treadle.cli.group import Group
from treadle.kernel.settings import find_home, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.client import Client


@click.group("demo", cls=Group, example="treadle demo flights")
def command() -> None:
    """Watch a year of real flights run through a model's whole life."""


@command.command("flights", example="treadle demo flights\ntreadle demo flights --headless --check")
@click.option("--headless", is_flag=True, help="No pages, and end when the story ends.")
@click.option("--check", is_flag=True, help="Exit 1 unless every step's claim held.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the pages.")
@click.option("--inference-port", type=click.IntRange(0, 65535), help="Port of the endpoint.")
@click.pass_context
def flights(
    ctx: click.Context,
    *,
    headless: bool,
    check: bool,
    port: int | None,
    inference_port: int | None,
) -> None:
    """Commit, train, gate, release, serve, watch and retrain on the 336,776 flights of 2013.

    Takes about a minute and a half. Killed in the middle, the same command goes on. Ask it things
    afterwards: treadle trace, treadle at, treadle audit verify.
    """
    # By name: the demo stands beside the command, on the public API alone.
    from importlib import import_module

    # Boosted trees on two busy cores: two threads wait for each other longer than they work.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    home = find_home(ctx.find_root().obj)
    settings = load_settings(home)
    play = import_module("treadle.demo.flights").play
    pages = None if headless else _pages(settings.port if port is None else port)
    online = settings.inference_port if inference_port is None else inference_port
    ctx.exit(play(home, pages_of=pages, check=check, inference_port=online))


def _pages(port: int) -> Callable[[Client], object]:
    from treadle.server.control import ControlServer

    return lambda client: ControlServer(client.app, port=port)
