"""`treadle runs`: list runs, or show one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle.cli.group import Listing
from treadle.cli.home import client_of
from treadle.cli.output import (
    json_option,
    lasted,
    paging_options,
    print_json,
    print_listing,
    print_pairs,
    size,
    when,
    when_utc,
)
from treadle.cli.run_changes import delete_command, restore_command

if TYPE_CHECKING:
    from treadle.tracking.entities import Run

METRICS_SHOWN = 4


@click.group(
    "runs",
    cls=Listing,
    example="treadle runs --experiment late --sort metric.log_loss\n"
    "treadle runs --where \"metrics.auc > 0.7 and params.depth = '6'\"\n"
    "treadle runs show 01a1fb8f",
)
@click.option("--experiment", metavar="NAME", help="Only runs of this experiment.")
@click.option(
    "--status",
    type=click.Choice(["running", "finished", "failed", "killed"]),
    help="Only runs in this state.",
)
@click.option("--where", default="", metavar="FILTER", help="Conditions joined by and.")
@click.option(
    "--sort",
    default="started_at desc",
    show_default=True,
    metavar="COLUMN [desc]",
    help="started_at, ended_at, name, status, experiment, metric.NAME or param.NAME.",
)
@paging_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    experiment: str | None,
    status: str | None,
    where: str,
    sort: str,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List runs with their duration and metrics, newest first; show one."""
    if ctx.invoked_subcommand:
        return
    tracking = client_of(ctx).tracking
    tracking.fail_gone()
    page = tracking.search_runs(
        experiment=experiment,
        status=status,
        where=where,
        order_by=sort,
        limit=limit,
        offset=offset,
    )
    sorted_by = sort.split(maxsplit=1)[0].partition(".")[2] if sort.strip() else ""
    narrowed = experiment or status or where or offset
    print_listing(
        page,
        as_json=as_json,
        headers=("id", "experiment", "name", "status", "started (UTC)", "took", "metrics"),
        row=lambda run: _row(run, first=sorted_by),
        empty="No such runs."
        if narrowed
        else "No runs yet. Make one: treadle run, or treadle demo flights.",
    )


@command.command("show", example="treadle runs show 01a1fb8f")
@click.argument("run_id", metavar="ID")
@json_option
@click.pass_context
def show(ctx: click.Context, *, run_id: str, as_json: bool) -> None:
    """Show one run, by its id or the beginning of it: params, metrics, inputs, artifacts."""
    tracking = client_of(ctx).tracking
    tracking.fail_gone()
    run = tracking.run(run_id)
    artifacts = tracking.artifacts(run.id)
    if as_json:
        print_json({"run": run, "artifacts": artifacts})
        return
    print_pairs(
        [
            ("run", run.id),
            ("name", f"{run.experiment} / {run.name}"),
            ("status", f"{run.status} {run.error}".strip()),
            ("started", f"{when_utc(run.started_at)} by {run.actor}"),
            ("ended", when_utc(run.ended_at)),
            ("took", lasted(run.duration_us)),
            ("part of", run.parent_id),
            *((f"param {k}", v) for k, v in sorted(run.params.items())),
            *((f"metric {k}", v) for k, v in sorted(run.metrics.items())),
            *((f"tag {k}", v) for k, v in sorted(run.tags.items())),
            *((f"input {i.context}".strip(), f"{i.ref} {i.digest[:12]}") for i in run.inputs),
            *(("artifact", f"{a.path} ({size(a.size_bytes)})") for a in artifacts),
        ]
    )


command.add_command(delete_command)
command.add_command(restore_command)


def _row(run: Run, *, first: str) -> tuple[object, ...]:
    # The metric that sorts comes first, then the run's own before those of its baseline or steps.
    names = sorted(run.metrics, key=lambda name: (name != first, "." in name, name))
    shown = [f"{name}={run.metrics[name]:.4g}" for name in names[:METRICS_SHOWN]]
    rest = [f"+{len(names) - METRICS_SHOWN}"] if len(names) > METRICS_SHOWN else []
    return (
        run.id[:12],
        run.experiment,
        run.name,
        run.status,
        when(run.started_at),
        lasted(run.duration_us),
        "  ".join([*shown, *rest]),
    )
