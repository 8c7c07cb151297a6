"""`treadle init`: scaffold your own loop from a CSV and a target column."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from treadle.cli.group import Command
from treadle.cli.output import dry_run_option
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from treadle.cli.scaffold import Plan


@click.command(
    "init",
    cls=Command,
    example="treadle init my-project --from flights.csv --target late\n"
    "cd my-project && treadle run && treadle up",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "source",
    required=True,
    type=click.Path(path_type=Path),
    help="A CSV or Parquet file; it is copied.",
)
@click.option("--target", required=True, help="The column to predict; it must have two values.")
@dry_run_option
def command(*, folder: Path, source: Path, target: str, dry_run: bool) -> None:
    """Scaffold your own loop in FOLDER from a CSV and a target column.

    Writes pipeline.py (steps that you edit), policy.toml (contract, gates, release, monitor,
    retrain), test_pipeline.py and a copy of the data.
    """
    from treadle.cli import scaffold
    from treadle.data.tables.sources import read_file

    scaffold.require_empty(folder)
    table = read_file(source)
    plan = scaffold.plan(table, target=target)
    files = scaffold.files_of(plan, folder=folder.resolve(), source=source, schema=table.schema)
    if not dry_run:
        scaffold.write(folder, files, source=source)
    for name in (*files, f"data/{source.name}"):
        click.echo(f"{'would write' if dry_run else 'wrote'} {folder / name}")
    _tell(plan)
    if not dry_run:
        click.echo(f"next: cd {shlex.quote(str(folder))} && treadle run && treadle up")


def _tell(plan: Plan) -> None:
    inputs = len(plan.numbers) + len(plan.names)
    share = plan.positives / (plan.rows - plan.unlabelled)
    click.echo(
        f"{counted(plan.rows, 'row')}, {inputs} inputs, "
        f"{share:.1%} have {plan.target} = {plan.positive}"
    )
    if plan.unlabelled:
        click.echo(f"{counted(plan.unlabelled, 'row')} without {plan.target}: kept, not trained on")
    order = f"the latest by {plan.time}" if plan.time else "at random: no column is a time"
    click.echo(f"a quarter is held out, {order}")
    for name in plan.ids:
        click.echo(f"left out {name}: an id, every row has its own")
    for name, why in plan.left_out.items():
        click.echo(f"left out {name}: {why}")
