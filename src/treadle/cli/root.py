"""The command's root: its sub-commands are imported only when they are called."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treadle import __version__
from treadle.cli.group import Group
from treadle.cli.home import home_around
from treadle.kernel.errors import TreadleError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

# name → (module, one line for --help). Importing a module costs more than this table.
COMMANDS = {
    "demo": ("treadle.cli.demo", "Watch a year of real flights run through a model's whole life."),
    "init": ("treadle.cli.init", "Scaffold your own loop from a CSV and a target column."),
    "up": ("treadle.cli.up", "Start the pages, the API and the inference process."),
    "status": ("treadle.cli.status", "Say what this home holds and what runs."),
    "run": ("treadle.cli.run", "Run the project: data, contract, pipeline, gates, release."),
    "runs": ("treadle.cli.runs", "List runs with their metrics, or show one."),
    "traces": ("treadle.cli.traces", "List traces of calls, or show one step by step."),
    "data": ("treadle.cli.data", "Commit, list, show and check datasets."),
    "evaluation": ("treadle.cli.evaluation", "List evaluation datasets, show or freeze one."),
    "models": ("treadle.cli.models", "List models and versions, or show one."),
    "endpoints": ("treadle.cli.endpoints", "List endpoints, show one, stop or roll back."),
    "alerts": ("treadle.cli.alerts", "List what monitors found to have really moved."),
    "import": ("treadle.cli.imports", "Bring in what MLflow, DVC or TensorBoard has kept."),
    "export": ("treadle.cli.exports", "Write what is here for MLflow, DVC or TensorBoard."),
    "gc": ("treadle.cli.run_changes", "Remove for good what was deleted: rows; bytes with --free."),
    "objects": ("treadle.cli.objects", "Say what is stored, encrypt it, exchange the keys."),
    "trace": ("treadle.cli.trace", "Follow a prediction back to the files it was made from."),
    "at": ("treadle.cli.at", "Say who served an endpoint at a time, and why."),
    "audit": ("treadle.cli.audit", "Check, seal or export the event log."),
    "report": ("treadle.cli.report", "Write everything into one HTML file that opens offline."),
}

_GROUPS = (
    ("Start", ("demo", "init", "up", "status")),
    (
        "Work",
        ("run", "runs", "traces", "data", "evaluation", "models", "endpoints", "alerts"),
    ),
    ("Keep", ("import", "export", "gc", "objects")),
    ("Ask", ("trace", "at", "audit", "report")),
)


# What the machine refuses is no bug: a disk that is full, a file that is somebody else's.
_OF_THE_MACHINE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENOTDIR,
}


class _ReaderGone(Exception):
    """Who read the output went away (`treadle runs | head`)."""


@contextlib.contextmanager
def _reader_watched() -> Iterator[None]:
    # Click would end with 1, as if the command had failed.
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderGone from error


class LazyGroup(Group):
    """A group that knows its commands by name and imports each when it is called."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """Understand the words; help is written here."""
        with _reader_watched():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        with _reader_watched():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return a command."""
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        command: click.Command = import_module(found[0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the commands in groups, without importing any of them."""
        for title, names in _GROUPS:
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS[name][1]) for name in names])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    example="treadle demo flights\n"
    "treadle init my-project --from data.csv --target y\n"
    "treadle COMMAND --help",
)
@click.option(
    "--home",
    metavar="DIR",
    envvar="TREADLE_HOME",
    show_envvar=True,
    help="Where the state lives. Default: .treadle of the project around, or here.",
)
@click.version_option(__version__, prog_name="treadle")
@click.pass_context
def root(ctx: click.Context, home: str | None) -> None:
    """Run the whole life of a machine-learning model.

    Data, contract, pipeline, runs, gates, release, serving, labels, monitoring, retraining. All
    times are UTC.
    """
    ctx.obj = home or home_around(Path.cwd())
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run() -> None:
    """Run the command line; a user's error prints no traceback, a bug prints all of it.

    Exit codes: 0 done, 1 it could not be or a check failed, 2 the command was not understood.
    """
    try:
        # Without standalone mode click hands the code of `ctx.exit` back instead of exiting.
        code = root(prog_name="treadle", standalone_mode=False)
    except click.Abort:
        code = 130
        _tell_plainly("stopped", "Stopped.")
    except click.ClickException as error:
        code = error.exit_code
        if _wants_json():
            _tell_plainly("usage", error.format_message())
        else:
            error.show()
    except TreadleError as error:
        _tell(error)
        code = 1
    except _ReaderGone:
        # Python would write what is left at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE and not _is_of_folder(error):
            raise
        where = f"{error.filename}: " if error.filename else ""
        _tell(Unavailable(f"{where}{error.strerror}.", hint="Mend that and run it again."))
        code = 1
    sys.exit(code)


def _is_of_folder(error: OSError) -> bool:
    """Say whether a folder could not be made: below /proc, or where there is a file."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    return place is not None and place.tb_frame.f_code.co_name == "mkdir"


def _wants_json() -> bool:
    return "--json" in sys.argv


def _tell_plainly(code: str, message: str) -> None:
    error = {"code": code, "message": message, "hint": ""}
    click.echo(json.dumps({"error": error}) if _wants_json() else message, err=True)


def _tell(error: TreadleError) -> None:
    if _wants_json():
        body = {"code": error.code, "message": error.message, "hint": error.hint}
        click.echo(json.dumps({"error": body}), err=True)
        return
    trace = str(error.data.get("traceback", "")).strip()
    if trace:  # of the user's own code
        click.echo(trace, err=True)
    click.echo(click.style("error: ", fg="red", bold=True) + error.message, err=True)
    if error.hint:
        click.echo(f"       {error.hint}", err=True)
