"""The verb that carries a diff over to a branch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.data.branches import store as pointers_sql
from treadle.data.branches.entities import LATEST, MAIN
from treadle.data.diffs.applying import summary_of
from treadle.data.diffs.rows import TableDiff
from treadle.data.diffs.service import Diffs
from treadle.data.history.entities import Applied
from treadle.data.refs import find_version, parse_ref
from treadle.data.tables.service import Tables
from treadle.data.trees.service import ATTEMPTS
from treadle.kernel.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from treadle.data.entities import DatasetVersion


class Appliers(Tables, Diffs):
    """Applies diffs to branches."""

    def apply(
        self, diff: TableDiff | Path | str, *, onto: str, message: str = "", dry_run: bool = False
    ) -> Applied:
        """Commit what a branch (`flights`, `flights@exp`) has, with a diff's changes made in it.

        `diff` is one that is open, or a Parquet file of one. Rows that it changes or removes must
        be there as it has them; the branch may have others beside. Raises Conflict where it has
        not, and nothing is done.
        """
        given = diff if isinstance(diff, TableDiff) else Path(diff)
        summary = given.summary if isinstance(given, TableDiff) else summary_of(given)
        counts = summary.counts
        for _ in range(ATTEMPTS):
            branch, head = self._head_to_change(onto)
            told = Applied(
                kind="nothing" if summary.is_empty else "applied",
                diff=f"{summary.before} → {summary.after}",
                into=f"{head.dataset}@{branch}",
                was=head.ref,
                added=counts.added,
                removed=counts.removed,
                changed=counts.changed + counts.filled,
            )
            if told.kind == "nothing":
                return told
            with self.apply_diff(head, given) as rows:
                if dry_run:
                    return told
                try:
                    version = self.commit_table(
                        head.dataset,
                        rows,
                        message=message or f"apply {told.diff}",
                        branch=branch,
                        expect=head.ref,
                    )
                except Conflict as error:
                    if "head" in error.data:  # somebody committed there
                        continue
                    raise
            return msgspec.structs.replace(told, version=version.ref)
        raise Conflict(
            f"Four times something else happened to {onto} while the diff was applied.",
            hint="Apply it again when nobody commits there.",
        )

    def _head_to_change(self, onto: str) -> tuple[str, DatasetVersion]:
        name, asked = parse_ref(onto)
        branch = MAIN if asked == LATEST else asked
        with self._store.read() as tx:
            head = find_version(tx, onto)
            pointers = [p.name for p in pointers_sql.pointers(tx, name) if p.kind == "branch"]
            if branch not in pointers:
                raise InvalidInput(
                    f"{onto} is no branch, and a version stays as it is.",
                    hint=f"Name the branch that gets a new one: {name}@{MAIN}.",
                )
        return branch, head
