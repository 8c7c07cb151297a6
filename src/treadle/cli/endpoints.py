"""`treadle endpoints`: list endpoints, show one, stop or roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from treadle.cli.group import Listing
from treadle.cli.home import client_of
from treadle.cli.output import (
    cut,
    dry_run_option,
    json_option,
    paging_options,
    print_json,
    print_listing,
    print_pairs,
    print_table,
    served,
    when,
    when_utc,
    yes_option,
)
from treadle.kernel.errors import Conflict, Refused

if TYPE_CHECKING:
    from treadle.release.entities import Release
    from treadle.release.service import Releases
    from treadle.serving.contract_log.entities import BrokenExample
    from treadle.serving.entities import ContractMode

LIVE = "live"
PAST = 10_000
CELLS = 6
"""So many values of a row are printed on its line; --json has all that are kept."""


@click.group(
    "endpoints",
    cls=Listing,
    example="treadle endpoints\n"
    "treadle endpoints show late\n"
    "treadle endpoints rollback late --reason 'wrong prices' --dry-run",
)
@paging_options
@json_option
@click.pass_context
def command(ctx: click.Context, *, limit: int, offset: int, as_json: bool) -> None:
    """List endpoints and who serves them; show one, stop a release, roll back."""
    if ctx.invoked_subcommand:
        return
    print_listing(
        cut(client_of(ctx).serving.endpoints(), limit=limit, offset=offset),
        as_json=as_json,
        headers=("endpoint", "model", "serves", "since (UTC)"),
        row=lambda e: (e.name, e.model, served(e), when(e.updated_at)),
        empty="No endpoints yet. Make a project with one: treadle init, then treadle run.",
    )


@command.command("show", example="treadle endpoints show late")
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, *, name: str, as_json: bool) -> None:
    """Show who serves an endpoint, and its releases, newest first."""
    client = client_of(ctx)
    endpoint = client.serving.endpoint(name)
    releases = client.releases.releases(name)
    if as_json:
        print_json({"endpoint": endpoint, "releases": releases})
        return
    print_pairs(
        [
            ("endpoint", endpoint.name),
            ("model", endpoint.model),
            ("serves", served(endpoint)),
            ("contract", endpoint.contract),
            ("since", when_utc(endpoint.updated_at)),
        ]
    )
    click.echo()
    rows = [(r.candidate, r.state, when(r.created_at), r.why, _result(r)) for r in releases]
    print_table(
        ("release", "state", "began (UTC)", "why", "result"), rows, empty="No releases yet."
    )


@command.command(
    "contract",
    example="treadle endpoints contract late\n"
    "treadle endpoints contract late --mode refuse --reason 'bad input costs more than none'",
)
@click.argument("name")
@click.option(
    "--mode",
    type=click.Choice(["off", "warn", "refuse"]),
    help="Look at none, note it with the answer, or refuse the request; never for a claim that "
    "tolerates a share of rows.",
)
@click.option("--reason", default="", help="Why; it stands in the log.")
@dry_run_option
@json_option
@click.pass_context
def contract(
    ctx: click.Context, *, name: str, mode: str | None, reason: str, dry_run: bool, as_json: bool
) -> None:
    """Print what requests must keep, and say what becomes of those that do not.

    It is the contract of the data that the live model was trained on, as far as requests know it.
    """
    from treadle.data.contract_text import to_toml

    serving = client_of(ctx).serving
    endpoint = serving.endpoint(name)
    if mode is not None and dry_run:
        click.echo(f"would set {name} from {endpoint.contract} to {mode}")
        return
    if mode is not None:
        endpoint = serving.set_contract_mode(name, cast("ContractMode", mode), reason=reason)
    found = serving.request_contract(name)
    if as_json:
        print_json({"endpoint": name, "mode": endpoint.contract, "contract": found})
        return
    names = ", ".join(f"{n} (contract {k})" for n, k in found.sources.items()) if found else ""
    click.echo(f"# {name}: {endpoint.contract}; {names or 'no contract speaks of its inputs'}")
    if found:
        click.echo(to_toml(found.body, legend=""), nl=False)


@command.command(
    "broken",
    example="treadle endpoints broken late\n"
    "treadle endpoints broken late --claim 'range temp' --outcome refused --json",
)
@click.argument("name")
@click.option("--claim", default="", help="Only rows that broke this claim, such as 'range temp'.")
@click.option(
    "--outcome",
    type=click.Choice(["warned", "refused"]),
    default=None,
    help="Only rows that were answered all the same, or only those of refused requests.",
)
@click.option("--hours", default=24.0, help="Count this far back.", show_default=True)
@paging_options
@json_option
@click.pass_context
def broken(
    ctx: click.Context,
    *,
    name: str,
    claim: str,
    outcome: str | None,
    hours: float,
    limit: int,
    offset: int,
    as_json: bool,
) -> None:
    """Count what requests broke of the contract lately, by claim, and show the newest rows.

    Of each claim, outcome and day the newest five rows are kept, for 30 days, without the values of
    sensitive columns.
    """
    serving = client_of(ctx).serving
    counts = serving.contract_counts(name, hours=hours)
    found = serving.broken_examples(
        name, claim=claim, outcome=outcome or "", limit=limit, offset=offset
    )
    if as_json:
        print_json({"counts": counts, "examples": found})
        return
    click.echo(
        f"{name} ({serving.endpoint(name).contract}): {counts.broken:,} of {counts.rows:,} rows in "
        f"{counts.requests:,} requests broke the contract since {when_utc(counts.since)}; "
        f"{counts.refused_requests:,} requests were refused."
    )
    click.echo()
    rows = [(c.claim, f"{c.rows:,}", f"{c.refused_rows:,}") for c in counts.claims]
    print_table(("claim", "rows", "of refused requests"), rows, empty="No claim was broken.")
    click.echo()
    told = [(when(e.at), e.outcome, e.claim, _row(e)) for e in found.items]
    print_table(("at (UTC)", "outcome", "claim", "row"), told, empty="No rows are kept.")


@command.command("stop", example="treadle endpoints stop late --reason 'not now' --dry-run")
@click.argument("name")
@click.option("--reason", required=True, help="Why; it stands in the log.")
@yes_option
@dry_run_option
@json_option
@click.pass_context
def stop(
    ctx: click.Context, *, name: str, reason: str, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Stop the release under way; the champion takes all traffic again."""
    client = client_of(ctx)
    endpoint = client.serving.endpoint(name)
    current = client.releases.current(endpoint.name)
    if current is None:
        raise Conflict(
            f"No release is under way on {name}.", hint=f"See: treadle endpoints show {name}"
        )
    walk = f"{current.candidate}, in {current.state} on {name}"
    if dry_run:
        click.echo(f"would stop {walk}; {current.champion} takes all traffic")
        return
    if not yes:
        click.confirm(f"Stop {walk}?", abort=True, err=True)
    stopped = client.releases.stop(name, reason=reason)
    if as_json:
        print_json(stopped)
    else:
        click.echo(f"stopped {stopped.candidate}; {stopped.champion} takes all traffic")


@command.command(
    "rollback", example="treadle endpoints rollback late --reason 'wrong prices' --dry-run"
)
@click.argument("name")
@click.option("--reason", required=True, help="Why; it stands in the log.")
@yes_option
@dry_run_option
@json_option
@click.pass_context
def rollback(
    ctx: click.Context, *, name: str, reason: str, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Put the version before the present one back into service; a release under way stops."""
    client = client_of(ctx)
    present, before = _path(client.releases, client.serving.endpoint(name).name)
    if dry_run:
        click.echo(f"would put {before} back into service on {name}, in place of {present}")
        return
    if not yes:
        question = f"Put {before} back into service on {name}, in place of {present}?"
        click.confirm(question, abort=True, err=True)
    release = client.releases.rollback(name, reason=reason)
    if as_json:
        print_json(release)
    else:
        click.echo(f"{release.candidate} is {release.state} on {name}")


def _path(releases: Releases, endpoint: str) -> tuple[str, str]:
    """Return who serves now and who did before, as a rollback would find them."""
    from treadle.release.walk import before

    present = releases.champion(endpoint)
    past = [r for r in releases.releases(endpoint, limit=PAST) if r.state == LIVE]
    found = before(present, reversed(past))
    if not found:
        raise Refused(
            f"{endpoint} has served nothing before {present or 'now'}.",
            hint=f"See what it served: treadle endpoints show {endpoint}",
        )
    return present, found


def _row(example: BrokenExample) -> str:
    """Return what is kept of a row on one line, what the claim is about first."""
    told = [f"{name}={value}" for name, value in list(example.values.items())[:CELLS]]
    more = len(example.values) - len(told)
    hidden = [f"{', '.join(example.left_out)} left out"] if example.left_out else []
    return " ".join([*told, *([f"and {more} more"] if more > 0 else []), *hidden])


def _result(release: Release) -> str:
    return release.stage.verdict if release.is_open else release.reason
