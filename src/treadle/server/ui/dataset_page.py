"""The page of a dataset version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.clock import format_day
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound
from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.contexts import (
    ColumnProfile,
    DatasetVersionContext,
    ExpectationRow,
    FileRow,
    QuarantineRow,
    ReadFrom,
)
from treadle.server.ui.formats import number, size
from treadle.server.ui.places import (
    dataset_diff_place,
    dataset_version_place,
    profile_place,
    quarantines_place,
    run_place,
    version_link,
)
from treadle.server.ui.profile_page import column_histogram, column_value, known_or_quick
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Link, Notice, Page, Stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request

    from treadle.analysis.profiles import ColumnProfile as Profiled
    from treadle.analysis.profiles import TableProfile
    from treadle.app import App
    from treadle.data.contracts import Contract
    from treadle.data.entities import CheckResult, DatasetVersion, Quarantine, Validation
    from treadle.data.trees.entities import TreeEntry

USERS = 30
CLAIMS = 150
COLUMNS = 100
"""Columns on the page; the profile has all of them."""
EXAMPLES = 3
NAMES = 3

_STATES = {"pass": "passed", "warn": "warning", "fail": "blocked"}


def contract_state(verdict: str | None, *, is_held: bool) -> str:
    """Say in one word how a version stands to its contract."""
    if is_held:
        return "quarantined"
    return _STATES[verdict] if verdict else "unchecked"


def dataset_version_context(request: Request, ref: str) -> DatasetVersionContext:
    """Return a dataset version with everything known of it."""
    app = app_of(request)
    data = app.data
    version = data.version(ref)
    contract = data.contract(version.dataset)
    validation = next(iter(data.validations(version.ref)), None)
    held = _held(data.decided_on(version.ref))
    rows = data.row_quarantines(version.dataset)
    parts = _held(q for q in rows if q.version_number == version.number)
    pointers = [p for p in data.pointers(version.dataset) if p.number == version.number]
    profile = known_or_quick(app, version)
    files, notice = _files(app, version)
    shown, pager = paging.cut(request, files)
    expectations = _expectations(contract, validation)
    state = contract_state(validation.verdict if validation else None, is_held=bool(held))
    return DatasetVersionContext(
        page=_page(app, version),
        name=version.ref,
        version=version.digest,
        contract_state=state,
        contract_name=_contract_name(contract, validation),
        committed_us=version.created_at,
        actor=version.actor,
        branches=tuple(p.name for p in pointers if p.kind == "branch"),
        tags=tuple(p.name for p in pointers if p.kind == "tag"),
        parents=tuple(_parent(f"{version.dataset}@{number}") for number in version.parents),
        same_as=_parent(f"{version.dataset}@{version.same_as}") if version.same_as else None,
        said=f"“{version.message}”" if version.message else _files_said(version),
        diff=_diff(app, version),
        stats=_stats(version, [*held, *parts], profile)
        if version.is_table
        else _file_stats(app, version),
        is_table=version.is_table,
        columns=_columns(version, profile),
        column_count=len(version.columns),
        profile_href=profile_place(version.ref) if version.is_table else "",
        expectations=expectations[:CLAIMS],
        expectations_total=len(expectations),
        files=shown,
        pager=pager,
        notice=notice,
        quarantine=tuple(_quarantine(found) for found in (*held, *parts)),
        quarantines_href=quarantines_place(version.dataset),
        origin=_origin(version),
        made_from=(),  # commits come from outside; nothing here commits what a pipeline made
        used_by=_used_by(app, version.ref),
    )


def _files_said(version: DatasetVersion) -> str:
    names = [file.path for file in version.files]
    return f"From {', '.join(names[:NAMES])}{', …' if len(names) > NAMES else ''}" if names else ""


def _parent(ref: str) -> Link:
    return Link(ref, dataset_version_place(ref))


def _origin(version: DatasetVersion) -> ReadFrom | None:
    if version.source is None:
        return None
    return ReadFrom(version.source.place, version.source.query, version.source.watermark)


def _page(app: App, version: DatasetVersion) -> Page:
    name = version.dataset
    return Page(
        title=version.ref,
        nav="data",
        crumbs=(Link("Data", "/data"), Link(name, f"/data/{name}")),
        snippets=snippets(
            app.home,
            command=f"data show {version.ref} --json",
            python=f"table = client.data.table({version.ref!r})"
            if version.is_table
            else f"files = client.data.files({version.ref!r})",
        ),
        live="dataset. contract.",
    )


def _diff(app: App, version: DatasetVersion) -> Link | None:
    before = app.data.version_before(version.ref)
    if before is None:
        return None
    place = dataset_diff_place(version.dataset, str(before.number), str(version.number))
    return Link(f"What changed since {before.ref}", place)


def _held(quarantines: Iterable[Quarantine]) -> list[Quarantine]:
    return [q for q in quarantines if q.state != "released"]


def _contract_name(contract: Contract | None, validation: Validation | None) -> str:
    if contract is None:
        return ""
    since = f"contract {contract.number}, set {format_day(contract.created_at)}"
    if validation is None:
        return f"{since}, this version was not judged yet"
    if validation.contract_number == contract.number:
        return since
    return f"judged by contract {validation.contract_number}; now {since}"


def _stats(
    version: DatasetVersion, held: Sequence[Quarantine], profile: TableProfile | None
) -> tuple[Stat, ...]:
    unmade = Stat("Profile", "not made yet", note=f"treadle data profile {version.ref}")
    return (
        Stat("Rows", version.rows),
        Stat("Columns", len(version.columns)),
        Stat("Size", size(version.size_bytes)),
        *_stored(version),
        Stat("Quarantined", sum(q.rows for q in held), note="rows" if held else ""),
        *(() if profile else (unmade,)),
        *([Stat("Code", version.code_commit[:8], note="commit")] if version.code_commit else []),
    )


def _stored(version: DatasetVersion) -> list[Stat]:
    """Say what storing a table took; not known of one from before its rows were parts."""
    if version.stored_bytes is None:
        return []
    note = "compressed" if version.stored_bytes else ""
    return [Stat("Stored anew", size(version.stored_bytes), note=note)]


def _files(app: App, version: DatasetVersion) -> tuple[list[FileRow], Notice | None]:
    """Return the files of a version, or why they cannot be listed."""
    if not version.tree:
        return [FileRow(f.path, None, f.size_bytes, f.digest) for f in version.files], None
    try:
        entries = app.data.files(version.ref)
    except Corrupt as error:
        told = Notice("error", "The files cannot be listed", str(error), "treadle data fsck")
        return [], told
    rows = [FileRow(e.path, None, e.size_bytes, e.digest, _note(e)) for e in entries]
    nothing = Notice("empty", "No files", "The folder that was committed was empty.", "")
    return rows, None if rows else nothing


def _note(entry: TreeEntry) -> str:
    if entry.kind == "link":
        return f"→ {entry.target}"
    return {"executable": "executable", "folder": "empty folder"}.get(entry.kind, "")


def _file_stats(app: App, version: DatasetVersion) -> tuple[Stat, ...]:
    return (
        Stat("Files", version.file_count),
        Stat("Size", size(version.size_bytes)),
        Stat("Stored anew", size(version.stored_bytes or 0), note=_against_previous(app, version)),
        *([Stat("Code", version.code_commit[:8], note="commit")] if version.code_commit else []),
    )


def _against_previous(app: App, version: DatasetVersion) -> str:
    """Say in a few words what is different from the version before."""
    if not version.parents:
        return "the first version"
    before = f"{version.dataset}@{version.parents[0]}"
    try:
        diff = app.data.diff_files(before, version.ref)
    except (Corrupt, InvalidInput, NotFound):  # damaged, as is said below; or a table, or removed
        return ""
    counts = ("added", "changed", "removed", "renamed")
    told = [f"{number(len(getattr(diff, c)))} {c}" for c in counts if getattr(diff, c)]
    return f"{', '.join(told)} since {before}"


def _columns(version: DatasetVersion, profile: TableProfile | None) -> tuple[ColumnProfile, ...]:
    found = {column.name: column for column in profile.columns} if profile else {}
    return tuple(
        _column(found[c.name]) if c.name in found else _unprofiled(c.name, c.type)
        for c in version.columns[:COLUMNS]
    )


def _unprofiled(name: str, kind: str) -> ColumnProfile:
    return ColumnProfile(name, kind, None, None, "–", "–", "–", None)


def _column(found: Profiled) -> ColumnProfile:
    middle = found.quantile(0.5) if found.quantiles else None
    return ColumnProfile(
        name=found.name,
        type=found.type,
        missing=found.nulls / found.rows if found.rows else 0.0,
        distinct=found.distinct,
        low=column_value(found, found.min),
        middle=column_value(found, middle) if middle is not None else _commonest(found),
        high=column_value(found, found.max),
        histogram=column_histogram(found),
    )


def _commonest(found: Profiled) -> str:
    return column_value(found, found.top_values[0][0]) if found.top_values else "–"


def _expectations(
    contract: Contract | None, validation: Validation | None
) -> tuple[ExpectationRow, ...]:
    if validation is not None:
        # What fails is read first; the order within a verdict is the contract's.
        order = {"fail": 0, "warn": 1, "pass": 2}
        return tuple(_check(c) for c in sorted(validation.checks, key=lambda c: order[c.verdict]))
    if contract is None:
        return ()
    return tuple(
        ExpectationRow(rule.name, rule.type, "unchecked", "not judged yet", 0, ())
        for rule in contract.body.columns
    )


def _check(found: CheckResult) -> ExpectationRow:
    return ExpectationRow(
        column=found.column or "whole table",
        rule=found.check.replace("_", " "),
        state=_STATES[found.verdict],
        observed=found.message,
        failing=0 if found.verdict == "pass" else found.counted,
        examples=tuple(_example(example) for example in found.examples[:EXAMPLES]),
    )


def _example(example: dict[str, object]) -> str:
    text = ", ".join(f"{key} {value}" for key, value in example.items())
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - the width of a cell


def _quarantine(found: Quarantine) -> QuarantineRow:
    scope = found.ref if found.kind == "version" else f"rows of {found.ref}"
    return QuarantineRow(scope=scope, rows=found.rows, state=found.state, reason=found.reason)


def _used_by(app: App, ref: str) -> tuple[Link, ...]:
    runs = app.tracking.runs_using(ref, limit=USERS)
    links = [Link(run.name or run.id[:12], run_place(run.id)) for run in runs]
    versions = (v.ref for run in runs for v in app.registry.versions_of_run(run.id))
    return (*links, *(link for ref in versions if (link := version_link(ref))))
