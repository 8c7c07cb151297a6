"""Run the inference process: `python -m treadle.server.inference --home DIR`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

from treadle.kernel.clock import PlayedClock, SystemClock
from treadle.kernel.errors import TreadleError
from treadle.kernel.settings import load_settings
from treadle.registry.service import Registry
from treadle.server.inference.address import Address
from treadle.server.inference.loop import serve
from treadle.serving.known_keys import RememberingSigner
from treadle.serving.runtime import Runtime
from treadle.serving.service import Serving
from treadle.storage.metadata import SqlMetadataStore
from treadle.storage.owners import owners_of
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.kernel.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit code."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        settings = load_settings(asked.home)
        host = asked.host or settings.host
        port = settings.inference_port if asked.port is None else asked.port
        address = Address(host=host, port=port).claimed()
        runtime = open_runtime(settings)
    except TreadleError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    told = _own_output()
    asyncio.run(serve(runtime, address=address, told=told, parent=asked.parent))
    return 0


def open_runtime(settings: Settings) -> Runtime:
    """Wire what inference needs, and no more: its memory is paid for each process.

    The schema is not migrated here: control does that, and inference must start without it.
    """
    clock = PlayedClock(settings.home / "clock") if settings.clock == "played" else SystemClock()
    store = SqlMetadataStore(settings.where_metadata(), clock=clock)
    objects = open_objects(
        settings.where_objects(),
        key=settings.objects_key,
        before_put=owners_of(settings, store=store).mark,
    )
    registry = Registry(
        store=store, objects=objects, signer=RememberingSigner(settings.home / "keys", store=store)
    )
    serving = Serving(
        store=store, objects=objects, registry=registry, home=settings.home, clock=clock
    )
    return Runtime(serving, home=settings.home)


def _own_output() -> TextIO:
    # Models may print: theirs goes to the log, so that the one line we promise stands alone.
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="treadle.server.inference", description=__doc__)
    parser.add_argument("--home", help="the folder with the state (default: as treadle's)")
    parser.add_argument("--host", help="the address to listen on (default: settings)")
    parser.add_argument("--port", type=int, help="the port to listen on; 0 for any free one")
    parser.add_argument("--parent", type=int, help="stop when this process is gone")
    return parser


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The server's own threads outlive its loop, and panic when the interpreter is taken from them.
    os._exit(code)
