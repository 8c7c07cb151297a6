"""`treadle run`: run the project's pipeline and release what it made."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from treadle.cli.group import Command
from treadle.cli.home import HOME, client_of
from treadle.cli.output import json_option, print_json, when_utc
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treadle.client.project import Outcome
    from treadle.pipelines.entities import StepRun
    from treadle.release.entities import Release

LEAK_ADVICE = (
    "an input that is written later must go; one that is there in time, however good, is named in "
    "KNOWN_BEFORE of pipeline.py"
)


@click.command(
    "run",
    cls=Command,
    example="treadle run\ntreadle run --param seed=8\ntreadle run --project my-project --json",
)
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The project's folder.  [default: here, or above]",
)
@click.option(
    "--param", "params", multiple=True, metavar="NAME=VALUE", help="An argument of the pipeline."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, project: Path | None, params: tuple[str, ...], as_json: bool
) -> None:
    """Commit the data, check the contract, run the pipeline, judge, register, release.

    Steps that finished before come from the cache. When data, code and params are those of a
    version that is there already, nothing is registered again. Exit 1 when a gate says no.
    """
    from treadle.client.project import Project, find_project

    folder = find_project(project or Path.cwd())
    root = ctx.find_root()
    root.obj = root.params["home"] or str(folder / HOME)
    client = client_of(ctx)
    found = Project(folder, client=client)
    arguments = _params(params)
    with _working(f"{found.policy.retrain.pipeline} runs", quiet=as_json) as say:
        outcome = found.run(arguments, on_step=lambda step: say(_step(step)))
    if as_json:
        print_json(outcome)
    else:
        _summary(outcome)
    if outcome.made.version is None:
        ctx.exit(1)


@contextlib.contextmanager
def _working(text: str, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Turn a spinner while the block works, for a person who watches; give what prints above it."""
    if quiet or not sys.stdout.isatty():
        yield (lambda _: None) if quiet else click.echo
        return
    from rich.console import Console

    console = Console(markup=False, highlight=False, soft_wrap=True)
    with console.status(text):
        yield console.print


def _step(step: StepRun) -> str:
    if step.cached:
        return f"step {step.step}: from cache, took {step.seconds:.1f} s then"
    return f"step {step.step}: {step.state}, {step.seconds:.1f} s"


def _summary(outcome: Outcome) -> None:
    for version in outcome.data:
        click.echo(f"data {version.ref}: {counted(version.rows, 'row')}")
    if outcome.contract is not None:
        noted = [c.message for c in outcome.contract.checks if c.verdict == "warn"]
        told = f": {'; '.join(noted)}" if noted else ""
        number = outcome.contract.contract_number
        click.echo(f"contract {number}: {outcome.contract.verdict}{told}")
    for result in outcome.made.report.results:
        click.echo(f"gate {result.gate}: {'pass' if result.passed else 'FAIL'}, {result.message}")
    if outcome.made.version is None:
        click.echo(f"not registered: {outcome.made.report.reason}", err=True)
        if any(r.gate == "leak" and not r.passed for r in outcome.made.report.results):
            click.echo(LEAK_ADVICE, err=True)
        click.echo(f"its run: treadle runs show {outcome.made.run_id[:12]}", err=True)
    else:
        click.echo(_ending(outcome.made.version, outcome.release, is_new=outcome.is_new))


def _ending(version: str, release: Release | None, *, is_new: bool) -> str:
    """Say where the version stands now."""
    head = version if is_new else f"nothing changed: {version}"
    if release is None:
        return f"{head} serves already"
    where = f"on {release.endpoint}"
    if release.candidate != version:
        return (
            f"{head} waits: {release.candidate} is in {release.state} {where}. Run again when that "
            f"has ended, or stop it: treadle endpoints stop {release.endpoint}"
        )
    if release.is_open:
        return f"{head} is in {release.state} {where}"
    if is_new:
        return f"{head} is {release.state} {where}"
    return f"{head} was {release.state} {where}, {when_utc(release.ended_at)}: {release.reason}"


def _params(texts: tuple[str, ...]) -> dict[str, Any]:
    import msgspec

    values: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE, such as seed=7.")
        try:
            values[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            values[name] = value  # not JSON: a plain text
    return values
