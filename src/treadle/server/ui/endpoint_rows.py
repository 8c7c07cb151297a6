"""Endpoints as rows: who answers, what is on its way in, how it fares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.ui.contexts import EndpointRow
from treadle.server.ui.places import endpoint_place, version_link
from treadle.server.ui.stations import champion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from treadle.app import App
    from treadle.release.entities import Release
    from treadle.serving.entities import Endpoint
    from treadle.serving.tallies import Tally

# More failing answers than this share and an endpoint is degraded.
ERRORS_TOLERATED = 0.01


def endpoint_rows(
    endpoints: Iterable[Endpoint],
    *,
    app: App,
    releases: Sequence[Release],
    tallies: Mapping[str, Tally],
) -> tuple[EndpointRow, ...]:
    """Return endpoints as rows."""
    alarmed = {a.endpoint for a in app.monitoring.alerts(state="open").items}
    return tuple(
        endpoint_row(
            endpoint,
            release=next((r for r in releases if r.endpoint == endpoint.name and r.is_open), None),
            tally=tallies[endpoint.name],
            is_alarmed=endpoint.name in alarmed,
        )
        for endpoint in endpoints
    )


def endpoint_row(
    endpoint: Endpoint, *, release: Release | None, tally: Tally, is_alarmed: bool
) -> EndpointRow:
    """Return an endpoint as a row."""
    return EndpointRow(
        name=endpoint.name,
        href=endpoint_place(endpoint.name),
        state=state_of(endpoint, tally=tally, is_alarmed=is_alarmed),
        champion=version_link(champion(endpoint)),
        candidate=version_link(release.candidate) if release else None,
        candidate_stage=release.state if release else "",
        requests=tally.answered,
        errors=tally.errors,
        p95_ms=tally.latency.p95_ms if tally.latency else None,
        last_request_us=tally.last_at,
    )


def state_of(endpoint: Endpoint, *, tally: Tally, is_alarmed: bool) -> str:
    """Say in one word how an endpoint fares."""
    if not endpoint.variants:
        return "waiting"
    failing = tally.errors > ERRORS_TOLERATED * max(1, tally.answered)
    return "degraded" if failing or is_alarmed else "healthy"
