"""`treadle export`: write what is here for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from treadle.cli.arrivals import LEFT_OUT_SHOWN, Progress, print_report
from treadle.cli.group import Group
from treadle.cli.home import client_of
from treadle.cli.output import dry_run_option, json_option, print_json, size
from treadle.kernel.errors import counted


@click.group(
    "export",
    cls=Group,
    example="treadle export mlflow ./mlruns\ntreadle export dvc photos ./shared\n"
    "treadle export tensorboard 01a1fb8f ./logs",
)
def command() -> None:
    """Write what is here so that MLflow, DVC or TensorBoard opens it."""


@command.command("mlflow", example="treadle export mlflow ./mlruns")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def mlflow(ctx: click.Context, *, folder: Path, as_json: bool) -> None:
    """Write everything into a new folder that MLflow's server opens as its own.

    MLFLOW_ALLOW_FILE_STORE=true mlflow server --backend-store-uri FOLDER serves it; mlflow
    migrate-filestore moves it into a database.
    """
    with Progress(quiet=as_json) as progress:
        report = client_of(ctx).exchange.export_mlflow(folder, on_thing=progress.tell)
    if as_json:
        print_json(report)
    else:
        print_report(report, verb="written")


@command.command("dvc", example="treadle export dvc photos@3 ./shared --dry-run")
@click.argument("ref", metavar="NAME[@N]")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@dry_run_option
@json_option
@click.pass_context
def dvc(ctx: click.Context, *, ref: str, folder: Path, dry_run: bool, as_json: bool) -> None:
    """Write a version into a folder from which dvc pull works.

    NAME.dvc says what the folder NAME holds, remote/ holds the bytes by their MD5. A fresh folder
    becomes a DVC repository; of one that is, nothing is changed and the command that adds the
    remote is said.
    """
    with Progress(quiet=as_json) as progress:
        done = client_of(ctx).exchange.export_dvc(
            ref, folder, dry_run=dry_run, on_thing=progress.tell
        )
    if as_json:
        print_json(done)
        return
    verb = "Would write" if dry_run else "Wrote"
    click.echo(
        f"{verb} {done.ref}, {counted(done.files, 'file')}, {size(done.size_bytes)}: {done.path}"
    )
    for left in done.left_out[:LEFT_OUT_SHOWN]:
        click.echo(f"  left out: {left.what}: {left.why}")
    if len(done.left_out) > LEFT_OUT_SHOWN:
        click.echo(f"  … and {len(done.left_out) - LEFT_OUT_SHOWN} more; --json has them all")
    if not dry_run:
        click.echo(f"Fetch it: cd {folder} && {done.hint or 'dvc pull'}")


@command.command("tensorboard", example="treadle export tensorboard 01a1fb8f ./logs")
@click.argument("run_id", metavar="RUN")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@json_option
@click.pass_context
def tensorboard(ctx: click.Context, *, run_id: str, folder: Path, as_json: bool) -> None:
    """Write a run, by its id or the beginning of it, as a log folder of TensorBoard."""
    path = client_of(ctx).exchange.export_tensorboard(run_id, folder)
    if as_json:
        print_json({"path": str(path)})
        return
    click.echo(f"{path}\nLook at it: tensorboard --logdir {folder}")
