"""`treadle traces`: list traces of calls, or show one step by step."""

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
    when,
    when_utc,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.tracing.entities import Span, Trace
    from treadle.tracing.tree import Branch

SHOWN = 40
SECOND = 1_000_000


@click.group(
    "traces",
    cls=Listing,
    example="treadle traces --experiment shop\n"
    "treadle traces --where \"status = 'error' and duration > 0.5\"\n"
    "treadle traces show tr-01a1fb8f01a1fb8f01a1fb8f01a1fb8f",
)
@click.option("--experiment", metavar="NAME", help="Only traces of this experiment.")
@click.option("--where", default="", metavar="FILTER", help="Conditions joined by and.")
@click.option(
    "--sort",
    default="started_at desc",
    show_default=True,
    metavar="COLUMN [desc]",
    help="started_at, duration, name, status, tags.NAME or metadata.NAME.",
)
@paging_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    *,
    experiment: str | None,
    where: str,
    sort: str,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """List traces of calls with what went in and came out, newest first; show one."""
    if ctx.invoked_subcommand:
        return
    client = client_of(ctx)
    group = client.tracking.experiment_by_name(experiment) if experiment else None
    ids = ([group.id] if group else []) if experiment else None
    page = client.tracing.search_traces(
        experiment_ids=ids, where=where, order_by=sort, limit=limit, offset=offset
    )
    print_listing(
        page,
        as_json=as_json,
        headers=("id", "name", "status", "started (UTC)", "took", "request", "response"),
        row=_row,
        empty="No such traces."
        if experiment or where or offset
        else "No traces yet. Point mlflow or an OpenTelemetry exporter at: treadle up",
    )


@command.command("show", example="treadle traces show tr-01a1fb8f01a1fb8f01a1fb8f01a1fb8f")
@click.argument("trace_id", metavar="ID")
@json_option
@click.pass_context
def show(ctx: click.Context, *, trace_id: str, as_json: bool) -> None:
    """Show one trace: its spans as a tree, and what was said about it."""
    from treadle.tracing.tree import tree_of

    tracing = client_of(ctx).tracing
    trace = tracing.trace(trace_id)
    spans = tracing.spans(trace.id)
    if as_json:
        print_json({"trace": trace, "spans": spans})
        return
    print_pairs(
        [
            ("trace", trace.id),
            ("name", trace.name),
            ("status", trace.status),
            ("started", when_utc(trace.started_at)),
            ("took", _took(trace.duration_us)),
            ("request", trace.request_preview),
            ("response", trace.response_preview),
            *((f"tag {key}", value) for key, value in trace.tags.items()),
            *((a.kind, f"{a.name} = {a.value!r}") for a in trace.assessments if a.valid),
            *(("span", line) for line in _lines(tree_of(spans))),
        ]
    )


def _row(trace: Trace) -> tuple[object, ...]:
    return (
        trace.id,
        trace.name,
        trace.status,
        when(trace.started_at),
        _took(trace.duration_us),
        _short(trace.request_preview),
        _short(trace.response_preview),
    )


def _lines(branches: tuple[Branch, ...]) -> Iterator[str]:
    for branch in branches:
        span: Span = branch.span
        took = _took(None if span.duration_ns is None else span.duration_ns // 1000)
        state = f"  {span.status}" if span.status == "error" else ""
        yield f"{'  ' * branch.depth}{span.name}  {span.type}  {took or 'goes on'}{state}"


def _took(us: int | None) -> str | None:
    # Steps of a call are short: below a second they are told in milliseconds.
    return lasted(us) if us is None or us >= SECOND else f"{us / 1000:.3g} ms"


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHOWN else text[: SHOWN - 1] + "…"
