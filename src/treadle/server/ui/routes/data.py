"""GET /data, a dataset, a dataset version."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page
from treadle.server.ui.contexts import (
    DatasetContext,
    DatasetRow,
    DatasetsContext,
    DatasetVersionRow,
)
from treadle.server.ui.dataset_page import contract_state, dataset_version_context
from treadle.server.ui.places import dataset_place, dataset_version_place
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Link, Notice, Page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.data.entities import DatasetSummary, DatasetVersion


def datasets(request: Request) -> Response:
    """List datasets, each with its newest version."""
    app, offset = app_of(request), paging.offset_of(request)
    found = app.data.datasets(limit=paging.ROWS, offset=offset)
    context = DatasetsContext(
        page=Page(
            title="Data",
            nav="data",
            snippets=snippets(
                app.home, command="data --json", python="datasets = client.data.datasets()"
            ),
            live="dataset. contract.",
        ),
        rows=tuple(_summary(summary) for summary in found.items),
        pager=paging.pager_of(request, found, offset=offset),
        notice=None if found.items else _nothing(),
    )
    return page(request, "datasets.html", context)


def dataset(request: Request) -> Response:
    """List the versions of a dataset, newest first."""
    app, offset, name = app_of(request), paging.offset_of(request), request.path_params["name"]
    found = app.data.versions(name, limit=paging.ROWS, offset=offset)
    verdicts = app.data.verdicts(name)
    held: Counter[int] = Counter()
    for quarantine in app.data.quarantines(name):
        if quarantine.state != "released":
            held[quarantine.version_number] += quarantine.rows
    context = DatasetContext(
        page=Page(
            title=name,
            nav="data",
            crumbs=(Link("Data", "/data"),),
            snippets=snippets(
                app.home,
                command=f"data versions {name} --json",
                python=f"versions = client.data.versions({name!r})",
            ),
            live="dataset.",
        ),
        name=name,
        versions=tuple(
            _version(version, held=held[version.number], verdict=verdicts.get(version.number))
            for version in found.items
        ),
        pager=paging.pager_of(request, found, offset=offset),
    )
    return page(request, "dataset.html", context)


def version(request: Request) -> Response:
    """Show a dataset version: schema, profile, contract, files, quarantine, lineage."""
    name, wanted = request.path_params["name"], request.path_params["version"]
    return page(
        request,
        "dataset_version.html",
        dataset_version_context(request, f"{name}@{wanted}"),
    )


def _summary(summary: DatasetSummary) -> DatasetRow:
    newest = summary.latest
    return DatasetRow(
        name=summary.name,
        href=dataset_place(summary.name),
        latest=Link(newest.ref, dataset_version_place(newest.ref)),
        versions=summary.versions,
        rows=newest.rows if newest.is_table else None,
        columns=len(newest.columns) if newest.is_table else None,
        size_bytes=newest.size_bytes,
        contract=contract_state(summary.verdict, is_held=summary.held > 0),
        committed_us=newest.created_at,
    )


def _version(version: DatasetVersion, *, held: int, verdict: str | None) -> DatasetVersionRow:
    return DatasetVersionRow(
        version=str(version.number),
        href=dataset_version_place(version.ref),
        committed_us=version.created_at,
        rows=version.rows if version.is_table else None,
        files=version.file_count,
        size_bytes=version.size_bytes,
        contract=contract_state(verdict, is_held=held > 0),
        quarantined=held,
        actor=version.actor,
    )


def _nothing() -> Notice:
    return Notice(
        "empty",
        "No dataset yet",
        "A committed file becomes version 1; the same bytes never become a second one.",
        "treadle data commit FILE.csv --name NAME",
    )


ROUTES = (
    ("/data", datasets),
    ("/data/{name}", dataset),
    ("/data/{name}/{version}", version),
)
