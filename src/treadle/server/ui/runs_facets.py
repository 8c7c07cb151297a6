"""What runs can be narrowed by, counted over the newest that match: asked for after the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.server.ui.contexts import Facet, FacetsContext, FacetValue
from treadle.server.ui.runs_asked import tag_condition
from treadle.server.ui.runs_page import facet_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treadle.app import App
    from treadle.server.ui.runs_asked import RunsAsked
    from treadle.tracking.facets import RunFacets

VALUES = 12


def facets_context(app: App, asked: RunsAsked) -> FacetsContext:
    """Return counts over the newest runs that match."""
    try:
        found = app.facets.count(
            experiment=asked.experiment or None,
            status=asked.status or None,
            parent_id=asked.parent or None,
            where=asked.where,
            view=asked.stages,
        )
    except InvalidInput:  # the list says what is wrong with the filter
        return FacetsContext((), "", None, "")
    note = "" if found.is_all else f"Counted over the newest {found.runs:,} that match."
    return FacetsContext(
        tuple(f for f in _facets(found, asked) if f.values),
        note,
        total=_total(app, asked) if asked.counts_later else None,
        total_id=asked.total_id,
    )


def _total(app: App, asked: RunsAsked) -> int:
    found = app.tracking.search_runs(
        experiment=asked.experiment or None,
        status=asked.status or None,
        parent_id=asked.parent or None,
        where=asked.where,
        view=asked.stages,
        limit=1,
    )
    return found.total


def _facets(found: RunFacets, asked: RunsAsked) -> Iterable[Facet]:
    for label, field, counts in (
        ("Experiment", "experiment", found.experiments),
        ("Status", "status", found.statuses),
        ("User", "user", found.users),
    ):
        values = (facet_value(asked, field, value, count=n) for value, n in _frequent(counts))
        yield Facet(label, tuple(values))
    for key, counts in found.tags.items():
        tags = ((f"{key}={value}", count) for value, count in _frequent(counts))
        yield Facet(key, tuple(_tag(asked, tag, count=n) for tag, n in tags if tag_condition(tag)))


def _tag(asked: RunsAsked, tag: str, *, count: int) -> FacetValue:
    is_selected = tag in asked.tag
    others = tuple(other for other in asked.tag if other != tag)
    href = asked.address(tag=others if is_selected else (*others, tag))
    return FacetValue(tag.partition("=")[2], href, count, is_selected)


def _frequent(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:VALUES]
