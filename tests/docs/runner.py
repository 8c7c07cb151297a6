"""Does what a page tells its reader to do, block by block, in a folder of its own.

- `python`: executed; all blocks of a page share one namespace.
- `text printed`: what the `python` block before it must have printed.
- `LANGUAGE file=NAME`: written to a file.
- `console`: each `$ …` line is run by the shell and must succeed; the lines below it are what it
  prints, where `…` stands for anything. `cd`, `export` and `treadle up` hold for what follows.
- `sh`, `text`, `json`, …: read by people only.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import free_port

if TYPE_CHECKING:
    from tests.docs.pages import Block, Page

START_LIMIT_S = 60.0
SETTING = re.compile(r"^TREADLE_")
ELLIPSIS = "…"


class Reader:
    """Follows one page. `served` are replacements: what a page says → where it is in a test."""

    def __init__(self, page: Page, *, folder: Path, served: dict[str, str]) -> None:
        self._page = page
        self._folder = folder
        self._ports = {"7340": str(free_port()), "7341": str(free_port())}
        self._served = served | {
            f"127.0.0.1:{port}": f"127.0.0.1:{free}" for port, free in self._ports.items()
        }
        self._namespace: dict[str, Any] = {"__name__": "page"}
        self._printed = ""
        self._up: subprocess.Popen[str] | None = None
        self._environment = environment(self._ports)

    def follow(self) -> None:
        """Do every block in turn; end what was started."""
        before, present = dict(os.environ), Path.cwd()
        try:
            self._enter(self._folder)
            for block in self._page.blocks:
                self._do(block)
        finally:
            os.chdir(present)
            os.environ.clear()
            os.environ.update(before)
            if self._up is not None:
                self._up.terminate()
                self._up.communicate(timeout=START_LIMIT_S)

    def _do(self, block: Block) -> None:
        if block.is_printed:
            self._compare(self._printed, printed=block.text, what="python", block=block)
        elif block.file:
            (self._folder / block.file).write_text(self._real(block.text), encoding="utf-8")
        elif block.language == "python":
            where = f"{self._page.name}:{block.line}"
            source = "\n" * (block.line - 1) + self._real(block.text)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(source, where, "exec"), self._namespace)  # noqa: S102 - our own page
            self._printed = out.getvalue()
        elif block.language == "console":
            for command, printed in commands(block.text):
                self._run(command, printed=printed, block=block)

    def _run(self, command: str, *, printed: str, block: Block) -> None:
        word, _, rest = command.partition(" ")
        if word == "cd":
            self._enter(self._folder / rest)
            return
        if word == "export":
            name, _, value = rest.partition("=")
            self._environment[name] = os.environ[name] = self._real(value.strip("'\""))
            return
        said = self._start() if command == "treadle up" else self._output(command, block=block)
        if printed:
            self._compare(said, printed=printed, what=f"$ {command}", block=block)

    def _compare(self, said: str, *, printed: str, what: str, block: Block) -> None:
        if not fits(said, printed=printed):
            pytest.fail(
                f"{self._page.name}:{block.line}: {what}\n"
                f"the page says:\n{printed}\nit printed:\n{said}"
            )

    def _output(self, command: str, *, block: Block) -> str:
        done = subprocess.run(
            ["bash", "-c", self._real(command)],
            check=False,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=100,
        )
        said = self._told(done.stdout)
        if done.returncode != 0:
            pytest.fail(f"{self._page.name}:{block.line}: $ {command}\n{said}")
        return said

    def _start(self) -> str:
        self._up = subprocess.Popen(
            ["treadle", "up"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        begun = time.monotonic()
        line = self._up.stdout.readline() if self._up.stdout else ""
        if "is up" not in line or time.monotonic() - begun > START_LIMIT_S:
            pytest.fail(f"treadle up said: {line}")
        return self._told(line)

    def _enter(self, folder: Path) -> None:
        self._folder = folder.resolve()
        os.chdir(self._folder)
        os.environ["TREADLE_HOME"] = str(self._folder / ".treadle")
        self._environment["TREADLE_HOME"] = os.environ["TREADLE_HOME"]

    def _real(self, text: str) -> str:
        for said, served in self._served.items():
            text = text.replace(said, served)
        return text

    def _told(self, text: str) -> str:
        for said, served in self._served.items():
            text = text.replace(served, said)
        return text


def environment(ports: dict[str, str]) -> dict[str, str]:
    """The reader's shell: our programs first, nobody's settings but the free ports."""
    kept = {name: value for name, value in os.environ.items() if not SETTING.match(name)}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    ours = {"TREADLE_PORT": ports["7340"], "TREADLE_INFERENCE_PORT": ports["7341"]}
    return {**kept, **ours, "PATH": programs, "COLUMNS": "100"}


def commands(text: str) -> list[tuple[str, str]]:
    """Split a console block into its commands, each with what it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (f"{found[-1][0]}\n{line}", [])
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(lines).strip()) for command, lines in found]


def fits(said: str, *, printed: str) -> bool:
    """Whether an output is what the page prints: `…` is anything, and so are runs of spaces."""
    pattern = re.escape(flat(printed)).replace(re.escape(ELLIPSIS), ".*")
    return re.fullmatch(pattern, flat(said), flags=re.DOTALL) is not None


def flat(text: str) -> str:
    return "\n".join(re.sub(r" +", " ", line).strip() for line in text.strip().splitlines())
