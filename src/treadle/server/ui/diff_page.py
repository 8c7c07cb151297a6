"""The page of a diff: what two versions of a dataset differ in, within a bound of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.kernel.errors import Corrupt, InvalidInput, NotFound
from treadle.server.asked import app_of
from treadle.server.ui.contexts import (
    CellChange,
    ChangedRow,
    ChangedRows,
    ColumnChange,
    DatasetDiffContext,
    FileChange,
    WholeRows,
)
from treadle.server.ui.formats import number
from treadle.server.ui.places import dataset_diff_place, dataset_place, dataset_version_place
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Link, Notice, Option, Page, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from treadle.app import App
    from treadle.data.diffs.entities import DiffSummary, RowChange
    from treadle.data.diffs.rows import TableDiff
    from treadle.data.entities import DatasetVersion
    from treadle.data.trees.entities import TreeDiff

# What a page compares while one waits: a few hundred ms; more of it is for the command.
CELLS_MOST = 4_000_000
ROWS = 50
COLUMNS = 12
WHOLE_COLUMNS = 24
FILES = 200
VERSIONS = 100
CELL = 60


def diff_context(request: Request) -> DatasetDiffContext:
    """Return what two versions differ in: `from` and `to`; else main's head and what it is on."""
    app, name = app_of(request), request.path_params["name"]
    given = request.query_params
    newest = app.data.versions(name, limit=VERSIONS).items
    after = app.data.version(f"{name}@{given['to']}" if given.get("to") else name)
    before = (
        app.data.version(f"{name}@{given['from']}")
        if given.get("from")
        else app.data.version_before(after.ref) or after
    )
    keys = tuple(key for key in given.getlist("key") if key)
    found = _Found(app, before, after, keys)
    found.look()
    return DatasetDiffContext(
        page=_page(app, before, after, keys),
        name=name,
        before=Link(before.ref, dataset_version_place(before.ref)),
        after=Link(after.ref, dataset_version_place(after.ref)),
        place=dataset_diff_place(name),
        olds=version_options(newest, before),
        news=version_options(newest, after),
        keys=keys,
        key_note=found.key_note,
        stats=found.stats,
        columns=found.columns,
        changed=found.changed,
        whole=found.whole,
        files=found.files,
        files_total=found.files_total,
        notice=found.notice,
    )


def version_options(newest: Sequence[DatasetVersion], chosen: DatasetVersion) -> tuple[Option, ...]:
    """Return the versions one can choose, newest first."""
    listed = list(newest) if chosen in newest else [*newest, chosen]
    return tuple(
        Option(str(version.number), _called(version), is_selected=version.number == chosen.number)
        for version in listed
    )


def _called(version: DatasetVersion) -> str:
    text = f"{version.ref}  {version.message}".strip()
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


class _Found:
    """What is known of a diff, filled as far as the bound lets it."""

    def __init__(
        self, app: App, before: DatasetVersion, after: DatasetVersion, keys: tuple[str, ...]
    ) -> None:
        self._app, self._before, self._after, self._keys = app, before, after, keys
        self.key_note = ""
        self.stats: tuple[Stat, ...] = ()
        self.columns: tuple[ColumnChange, ...] = ()
        self.changed: ChangedRows | None = None
        self.whole: tuple[WholeRows, ...] = ()
        self.files: tuple[FileChange, ...] = ()
        self.files_total = 0
        self.notice: Notice | None = None

    def look(self) -> None:
        """Compare what is of one kind."""
        try:
            if self._before.is_table != self._after.is_table:
                self.notice = Notice(
                    "error", "They cannot be compared", "One is a table, the other is files."
                )
            elif self._before.digest == self._after.digest:
                self.notice = _nothing("They are the same version, or hold the same bytes.")
            elif self._before.is_table:
                self._look_at_rows()
            else:
                self._look_at_files(self._app.data.diff_files(self._before.ref, self._after.ref))
        except (Corrupt, InvalidInput, NotFound) as error:
            self.notice = Notice("error", "They cannot be compared", str(error))

    def _look_at_files(self, diff: TreeDiff) -> None:
        kinds = ("renamed", "added", "changed", "removed")
        self.stats = tuple(Stat(kind.capitalize(), len(getattr(diff, kind))) for kind in kinds)
        files = [FileChange("renamed", each.after, each.before) for each in diff.renamed]
        for kind in kinds[1:]:
            files += [FileChange(kind, path, "") for path in getattr(diff, kind)]
        self.files, self.files_total = tuple(files[:FILES]), len(files)
        if not files:
            self.notice = _nothing("Every file is the same.")

    def _look_at_rows(self) -> None:
        work = self._app.data.diff_work(self._before.ref, self._after.ref)
        if work > CELLS_MOST:
            self._look_at_columns()
            self.notice = Notice(
                "too_many",
                "Too many rows to compare while you wait",
                f"{number(work)} cells are not in both versions as they are; a page compares "
                f"{number(CELLS_MOST)}. The columns below are compared, the rows by this command:",
                _command(self._before, self._after, self._keys),
            )
            return
        with self._app.data.diff(self._before.ref, self._after.ref, key=self._keys or None) as diff:
            self._tell(diff)

    def _look_at_columns(self) -> None:
        """Say what the versions themselves say of their columns; reads nothing."""
        old = {c.name: c.type for c in self._before.columns}
        new = {c.name: c.type for c in self._after.columns}
        self.columns = (
            *(
                ColumnChange("retyped", n, old[n], new[n], "")
                for n in new
                if n in old and old[n] != new[n]
            ),
            *(ColumnChange("removed", n, old[n], "", "") for n in old if n not in new),
            *(ColumnChange("added", n, "", new[n], "") for n in new if n not in old),
        )
        self.stats = (
            Stat("Rows before", self._before.rows),
            Stat("Rows after", self._after.rows),
        )

    def _tell(self, diff: TableDiff) -> None:
        summary = diff.summary
        counts = summary.counts
        self.key_note = _key_note(summary)
        self.columns = _columns(summary)
        self.stats = (
            Stat("Added", counts.added, note="rows"),
            Stat("Removed", counts.removed, note="rows"),
            Stat("Changed", counts.changed, note=_changed_cells(summary)),
            Stat("Unchanged", counts.unchanged, note=f"of {number(counts.rows_before)}"),
        )
        if counts.repeated_keys:
            told = f"{number(counts.repeated_keys)} keys name several rows"
            self.stats += (Stat("Repeated keys", counts.repeated_keys, note=told),)
        if counts.changed:
            self.changed = _changed(diff)
        self.whole = tuple(
            _whole(diff, kind) for kind in ("added", "removed") if getattr(counts, kind)
        )
        if summary.is_empty:
            self.notice = _nothing("The same columns and rows, if perhaps in another order.")


def _nothing(text: str) -> Notice:
    return Notice("empty", "Nothing differs", text)


def _key_note(summary: DiffSummary) -> str:
    names = ", ".join(summary.key.columns)
    return {
        "given": f"Rows by {names}",
        "contract": f"Rows by {names}, the contract’s key",
        "found": f"Rows by {names}, found to repeat in no row",
        "none": "No columns name a row: rows are added or removed, not changed",
    }[summary.key.source]


def _columns(summary: DiffSummary) -> tuple[ColumnChange, ...]:
    notes = {
        "renamed": "the same value in every row",
        "retyped": "compared as {}",
        "added": "{} values",
        "removed": "",
    }
    return tuple(
        ColumnChange(
            change.kind,
            change.column,
            change.before,
            change.after,
            notes[change.kind].format(
                change.compared_as if change.kind == "retyped" else number(change.values or 0)
            ),
        )
        for change in summary.schema
    )


def _changed_cells(summary: DiffSummary) -> str:
    told = sorted(summary.counts.changed_cells.items(), key=lambda pair: -pair[1])
    words = ", ".join(f"{name} {number(count)}" for name, count in told[:3])
    return f"rows: {words}" + (" …" if len(told) > 3 else "") if told else "rows"  # noqa: PLR2004 - the width of a remark


def _changed(diff: TableDiff) -> ChangedRows:
    counts, key = diff.counts, diff.key.columns
    named = list(counts.changed_cells)
    shown = named[:COLUMNS]
    return ChangedRows(
        total=counts.changed,
        key=key,
        columns=tuple(shown),
        rows=tuple(
            ChangedRow(
                key=tuple(_cell(change.key[name]) for name in key),
                cells=tuple(_change(change, name) for name in shown),
            )
            for change in diff.changes(kinds=("changed",), limit=ROWS)
        ),
        hidden=len(named) - len(shown),
    )


def _change(change: RowChange, name: str) -> CellChange:
    before, after = change.before or {}, change.after or {}
    return CellChange(_cell(before[name]), _cell(after[name]), name in change.cells)


def _whole(diff: TableDiff, kind: Any) -> WholeRows:
    rows = [(c.after or c.before or {}) for c in diff.changes(kinds=(kind,), limit=ROWS)]
    names = tuple(rows[0])
    shown = names[:WHOLE_COLUMNS]
    return WholeRows(
        kind=kind,
        total=getattr(diff.counts, kind),
        columns=shown,
        rows=tuple(tuple(_cell(row[name]) for name in shown) for row in rows),
        hidden=len(names) - len(shown),
    )


def _cell(value: Any) -> str:
    if value is None:
        return "null"
    text = str(value).replace("\n", "⏎")
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _command(before: DatasetVersion, after: DatasetVersion, keys: Sequence[str]) -> str:
    named = "".join(f" --key {key}" for key in keys)
    return f"treadle data diff {before.ref} {after.ref}{named} --out changes.parquet"


def _page(app: App, before: DatasetVersion, after: DatasetVersion, keys: tuple[str, ...]) -> Page:
    name = after.dataset
    named = f", key={list(keys)!r}" if keys else ""
    python = (
        f"with client.data.diff({before.ref!r}, {after.ref!r}{named}) as diff:\n"
        "    print(diff.summary)\n    for change in diff.changes():\n        print(change)"
        if after.is_table
        else f"diff = client.data.diff_files({before.ref!r}, {after.ref!r})"
    )
    options = "".join(f" --key {key}" for key in keys)
    return Page(
        title=f"{before.ref} → {after.ref}",
        nav="data",
        crumbs=(Link("Data", "/data"), Link(name, dataset_place(name))),
        snippets=snippets(
            app.home,
            command=f"data diff {before.ref} {after.ref}{options} --json",
            python=python,
        ),
    )
