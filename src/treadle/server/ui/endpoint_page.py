"""The page of an endpoint."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from treadle.kernel.clock import DAY_US
from treadle.server.ui.contexts import EndpointContext, VariantRow
from treadle.server.ui.endpoint_contract import contract_of, contract_panel
from treadle.server.ui.endpoint_rows import state_of
from treadle.server.ui.example_request import answer, curl, infer_url
from treadle.server.ui.formats import percent
from treadle.server.ui.places import version_place
from treadle.server.ui.release_entries import release_entries
from treadle.server.ui.snippets import snippets
from treadle.server.ui.stations import champion
from treadle.server.ui.widgets import Chart, Link, Marker, Page, Series, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.app import App
    from treadle.release.entities import Release
    from treadle.serving.entities import Endpoint
    from treadle.serving.tallies import Tally

RELEASES = 50
# More days than this are drawn as weeks: a chart travels in the page as numbers too.
DAYS_DRAWN = 60
WEEK_US = 7 * DAY_US
_TONES = {"live": "ok", "stopped": "bad", "refused": "warn"}


def endpoint_context(app: App, name: str, *, inference_url: str) -> EndpointContext:
    """Return an endpoint: traffic by variant, and every release with each stage's evidence."""
    endpoint = app.serving.endpoint(name)
    tally = app.serving.tally(name)
    releases = app.releases.releases(name, limit=RELEASES)
    is_alarmed = app.monitoring.alerts(endpoint=name, state="open", limit=1).total > 0
    contract = contract_of(app, name)
    served = app.registry.version(champion(endpoint)) if champion(endpoint) else None
    return EndpointContext(
        page=_page(app, name),
        name=name,
        state=state_of(endpoint, tally=tally, is_alarmed=is_alarmed),
        url=infer_url(inference_url, name),
        stats=_stats(app, endpoint, tally),
        variants=_variants(endpoint, tally),
        contract=contract_panel(app, endpoint, contract),
        traffic=_traffic(tally, releases),
        releases=release_entries(releases),
        curl=curl(infer_url(inference_url, name), served, contract),
        answer=answer(name, served),
    )


def _page(app: App, name: str) -> Page:
    return Page(
        title=name,
        nav="endpoints",
        crumbs=(Link("Endpoints", "/endpoints"),),
        snippets=snippets(
            app.home,
            command=f"endpoints show {name} --json",
            python=f"endpoint = client.serving.endpoint({name!r})\n"
            f"client.releases.releases({name!r})",
        ),
        live="endpoint. release. predictions. labels. alert.",
    )


def _stats(app: App, endpoint: Endpoint, tally: Tally) -> tuple[Stat, ...]:
    batches = app.serving.label_batches(endpoint.name)
    joined = sum(batch.joined for batch in batches if batch.state == "accepted")
    share = percent(joined / tally.answered) if tally.answered and joined else None
    return (
        Stat("Predictions", tally.answered, note="logged, each with its id"),
        Stat("Errors", tally.errors),
        Stat("p95", tally.latency.p95_ms if tally.latency else None, "ms", "of requests"),
        Stat("Champion", champion(endpoint) or None),
        Stat("Labels joined", share, note="the others are not there yet"),
    )


def _variants(endpoint: Endpoint, tally: Tally) -> tuple[VariantRow, ...]:
    rows: Counter[tuple[str, str]] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    for count in tally.counts:
        rows[count.version, count.role] += count.rows
        errors[count.version, count.role] += count.errors
    return tuple(
        VariantRow(
            name=variant.name,
            model=Link(variant.version, version_place(variant.version)),
            role=variant.role,
            share=variant.share,
            requests=rows[variant.version, variant.role],
            errors=errors[variant.version, variant.role],
            p50_ms=found.p50_ms if (found := tally.latencies.get(variant.version)) else None,
            p95_ms=found.p95_ms if found else None,
        )
        for variant in endpoint.variants
    )


def _traffic(tally: Tally, releases: Sequence[Release]) -> Chart | None:
    if not tally.counts:
        return None
    days = {count.day for count in tally.counts}
    is_weekly = (max(days) - min(days)) // DAY_US > DAYS_DRAWN
    width = WEEK_US if is_weekly else DAY_US
    start = min(days)
    places = range(start, max(days) + 1, width)
    found: Counter[tuple[str, int]] = Counter()
    for count in tally.counts:
        label = f"{count.version}, shadow" if count.role == "shadow" else count.version
        found[label, start + (count.day - start) // width * width] += count.rows
    labels = sorted({label for label, _ in found}, key=_by_number)
    if len(places) == 1:  # one point has no axis: the days around it give it one
        places = range(start - width, start + 2 * width, width)
    return Chart(
        id="traffic",
        title="Predictions by version",
        x_label="Week" if is_weekly else "Day",
        x=tuple(float(place) for place in places),
        series=tuple(
            Series(label, tuple(_known(found.get((label, place))) for place in places))
            for label in labels
        ),
        x_kind="day",
        y_label=f"Predictions a {'week' if is_weekly else 'day'}",
        markers=_markers(releases, places),
    )


def _known(count: int | None) -> float | None:
    return None if count is None else float(count)


def _by_number(label: str) -> tuple[bool, int, str]:
    version, _, role = label.partition(", ")
    number = version.rpartition("@")[2]
    return bool(role), int(number) if number.isdigit() else 0, label


def _markers(releases: Sequence[Release], places: range) -> tuple[Marker, ...]:
    ended = [r for r in releases if r.ended_at is not None]
    shown = [r for r in ended if places[0] <= (r.ended_at or 0) < places[-1] + places.step]
    return tuple(
        Marker(float(r.ended_at or 0), f"{r.candidate} {r.state}", _TONES.get(r.state, "neutral"))
        for r in reversed(shown)
    )
