"""GET /data, a dataset, a dataset version."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page, sent_on
from treadle.server.ui.contexts import (
    DatasetContext,
    DatasetRow,
    DatasetsContext,
    DatasetVersionRow,
    RemovedVersionRow,
)
from treadle.server.ui.contract_page import contract_context
from treadle.server.ui.dataset_page import contract_state, dataset_version_context
from treadle.server.ui.diff_page import diff_context, version_options
from treadle.server.ui.places import (
    asking,
    contract_place,
    dataset_diff_place,
    dataset_place,
    dataset_version_place,
    quarantines_place,
)
from treadle.server.ui.posted import posted
from treadle.server.ui.profile_page import dataset_profile_context
from treadle.server.ui.quarantine_page import quarantines_context
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Link, Notice, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.data.branches.entities import Pointer
    from treadle.data.entities import DatasetSummary, DatasetVersion, Quarantine


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
    newest = app.data.versions(name, limit=paging.ROWS).items if offset else found.items
    verdicts, pointers = app.data.verdicts(name), app.data.pointers(name)
    held = app.data.kept_out(name)
    apart = _rows_of(app.data.row_quarantines(name))
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
        diff=dataset_diff_place(name),
        olds=version_options(newest, _made_on(newest)) if len(newest) > 1 else (),
        news=version_options(newest, newest[0]) if len(newest) > 1 else (),
        versions=tuple(
            _version(
                version,
                held=held.get(version.number, 0),
                apart=apart[version.number],
                verdict=verdicts.get(version.number),
                pointers=[p for p in pointers if p.number == version.number],
            )
            for version in found.items
        ),
        removed=tuple(_removed(version) for version in app.data.removed(name)),
        pager=paging.pager_of(request, found, offset=offset),
        links=(Link("Contract", contract_place(name)), Link("Quarantine", quarantines_place(name))),
    )
    return page(request, "dataset.html", context)


def contract(request: Request) -> Response:
    """Show what every version of a dataset is to be, in words, and what changed."""
    context = contract_context(request, request.path_params["name"])
    return page(request, "contract.html", context)


def quarantines(request: Request) -> Response:
    """Show what of a dataset is in quarantine, with the rows and what they break."""
    context = quarantines_context(request, request.path_params["name"])
    return page(request, "quarantines.html", context)


def release(request: Request, fields: dict[str, str]) -> Response:
    """Let a held version be used, or held rows come back."""
    return _decided(request, fields, "release")


def reject(request: Request, fields: dict[str, str]) -> Response:
    """Decide that what is held is never used."""
    return _decided(request, fields, "reject")


def _decided(request: Request, fields: dict[str, str], verb: str) -> Response:
    data, name = app_of(request).data, request.path_params["name"]
    identifier, check = request.path_params["id"], fields.get("check", "")
    if any(q.id == identifier for q in data.quarantines(name)):
        decide = {"release": data.release_quarantine, "reject": data.reject_quarantine}
        decided = decide[verb](identifier)
    else:
        of_rows = {"release": data.release_rows, "reject": data.reject_rows}
        decided = of_rows[verb](identifier, check=check)
    return sent_on(request, asking(quarantines_place(name), {"id": decided.id}))


def version(request: Request) -> Response:
    """Show a dataset version: schema, profile, contract, files, quarantine, lineage."""
    name, wanted = request.path_params["name"], request.path_params["version"]
    return page(
        request,
        "dataset_version.html",
        dataset_version_context(request, f"{name}@{wanted}"),
    )


def profile(request: Request) -> Response:
    """Show the profile of a dataset version: columns, drift, ties, pairs, time, hints."""
    name, wanted = request.path_params["name"], request.path_params["version"]
    return page(
        request,
        "dataset_profile.html",
        dataset_profile_context(request, f"{name}@{wanted}"),
    )


def diff(request: Request) -> Response:
    """Show what two versions of a dataset differ in."""
    return page(request, "dataset_diff.html", diff_context(request))


def _made_on(newest: Sequence[DatasetVersion]) -> DatasetVersion:
    """Return what the newest version was made on, or the one before it."""
    parents = newest[0].parents
    return next((each for each in newest[1:] if each.number in parents), newest[1])


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


def _rows_of(quarantines: Iterable[Quarantine]) -> Counter[int]:
    """Return how many rows are kept out, by the number of their version."""
    rows: Counter[int] = Counter()
    for quarantine in quarantines:
        if quarantine.state != "released":
            rows[quarantine.version_number] += quarantine.rows
    return rows


def _version(
    version: DatasetVersion,
    *,
    held: int,
    apart: int,
    verdict: str | None,
    pointers: Sequence[Pointer],
) -> DatasetVersionRow:
    return DatasetVersionRow(
        version=str(version.number),
        href=dataset_version_place(version.ref),
        committed_us=version.created_at,
        rows=version.rows if version.is_table else None,
        files=version.file_count,
        size_bytes=version.size_bytes,
        contract=contract_state(verdict, is_held=held > 0),
        quarantined=held or apart,
        actor=version.actor,
        branches=tuple(p.name for p in pointers if p.kind == "branch"),
        tags=tuple(p.name for p in pointers if p.kind == "tag"),
        origin=_origin(version),
        message=version.message,
    )


def _origin(version: DatasetVersion) -> str:
    """Say in words which versions one was made on."""
    if not version.parents:
        return "the first"
    parents = " and ".join(str(number) for number in version.parents)
    return f"merges {parents}" if len(version.parents) > 1 else f"after {parents}"


def _removed(version: DatasetVersion) -> RemovedVersionRow:
    return RemovedVersionRow(
        version=str(version.number),
        removed_us=version.removed_at or 0,
        actor=version.removed_by,
        command=f"treadle data restore {version.ref}",
    )


def _nothing() -> Notice:
    return Notice(
        "empty",
        "No dataset yet",
        "A committed file becomes version 1; committed again it changes nothing.",
        "treadle data commit FILE.csv --name NAME",
    )


ROUTES = (
    ("/data", datasets),
    ("/data/{name}", dataset),
    ("/data/{name}/diff", diff),
    ("/data/{name}/contract", contract),
    ("/data/{name}/quarantines", quarantines),
    ("/data/{name}/{version}", version),
    ("/data/{name}/{version}/profile", profile),
)

POSTS = (
    ("/data/{name}/quarantines/{id}/release", posted(release)),
    ("/data/{name}/quarantines/{id}/reject", posted(reject)),
)
