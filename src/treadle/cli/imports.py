"""`treadle import`: bring in what other tools have kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from treadle.cli.arrivals import Progress, print_report
from treadle.cli.group import Group
from treadle.cli.home import client_of
from treadle.cli.output import dry_run_option, json_option, print_json
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from treadle.exchange.tensorboard.logs import Brought


@click.group(
    "import",
    cls=Group,
    example="treadle import mlflow sqlite:///mlflow.db --artifacts ./mlartifacts\n"
    "treadle import mlflow http://127.0.0.1:5000\n"
    "treadle import dvc .\n"
    "treadle import tensorboard ./logs --experiment boards",
)
def command() -> None:
    """Bring in what MLflow, DVC or TensorBoard has kept; done twice, only what is new comes."""


@command.command(
    "mlflow",
    example="treadle import mlflow sqlite:///mlflow.db --artifacts ./mlartifacts --dry-run\n"
    "treadle import mlflow http://127.0.0.1:5000",
)
@click.argument("store", metavar="URL")
@click.option(
    "--artifacts",
    default="",
    metavar="PLACE",
    help="Where the server kept files: a folder, or a URI such as s3://bucket/path.",
)
@dry_run_option
@json_option
@click.pass_context
def mlflow(ctx: click.Context, *, store: str, artifacts: str, dry_run: bool, as_json: bool) -> None:
    """Bring a whole MLflow store in: runs, points, files, models, with their ids.

    URL is the database that `mlflow server` was started with, or the address of a server. Broken
    off, the same command goes on where it was.
    """
    with Progress(quiet=as_json) as progress:
        report = client_of(ctx).exchange.import_mlflow(
            store, artifacts=artifacts, dry_run=dry_run, on_thing=progress.tell
        )
    if as_json:
        print_json(report)
    else:
        print_report(report, verb="would come" if dry_run else "came")


@command.command(
    "dvc",
    example="treadle import dvc . --dry-run\ntreadle import dvc ../photos --prefix photos.",
)
@click.argument(
    "repository", metavar="REPO", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--prefix", default="", help="What the datasets' names begin with.")
@dry_run_option
@json_option
@click.pass_context
def dvc(ctx: click.Context, *, repository: Path, prefix: str, dry_run: bool, as_json: bool) -> None:
    """Bring in what DVC keeps in a Git repository, every version with its history.

    Each output of a .dvc file or dvc.lock becomes a dataset, data/raw.csv for one data.raw.csv.
    Bytes come from DVC's cache and its remotes (folders, s3://, gs://). Broken off, the same
    command goes on where it was.
    """
    with Progress(quiet=as_json) as progress:
        report = client_of(ctx).exchange.import_dvc(
            repository, prefix=prefix, dry_run=dry_run, on_thing=progress.tell
        )
    if as_json:
        print_json(report)
    else:
        print_report(report, verb="would come" if dry_run else "came")


@command.command("tensorboard", example="treadle import tensorboard ./logs --experiment boards")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--experiment", default="Default", show_default=True, help="Where the runs go.")
@json_option
@click.pass_context
def tensorboard(ctx: click.Context, *, folder: Path, experiment: str, as_json: bool) -> None:
    """Read TensorBoard's log folders: each that holds event files becomes a run."""
    brought = client_of(ctx).exchange.import_tensorboard(
        folder, experiment=experiment, on_run=None if as_json else _told
    )
    if as_json:
        print_json(brought)


def _told(brought: Brought) -> None:
    left = ", ".join(f"{tag} ({count})" for tag, count in sorted(brought.left_out.items()))
    held = f"{counted(brought.points, 'point')}, {counted(brought.files, 'file')}"
    click.echo(
        f"{brought.run_id}  {held}  {brought.folder}"
        + (f"\n  left out, neither number, image nor text: {left}" if left else "")
    )
