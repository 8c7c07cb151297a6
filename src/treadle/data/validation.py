"""Judging a stored version: its table is laid beside the scan as files, never held in memory."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from treadle.data.checks import check_table
from treadle.data.checks.splits import compare_splits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.data.contracts import ContractBody
    from treadle.data.entities import CheckResult
    from treadle.data.tables.parts import TableParts


def check_version(
    parts: TableParts, body: ContractBody, *, others: Mapping[str, TableParts], now: int
) -> tuple[CheckResult, ...]:
    """Check a version against a contract; `others` are the versions that it refers to.

    Raises Corrupt when a stored table is damaged: laying it out checks it.
    """
    with ExitStack() as stack:
        beside = {ref: stack.enter_context(other.on_disk()) for ref, other in others.items()}
        return check_table(stack.enter_context(parts.on_disk()), body, now=now, others=beside)


def compare_versions(
    train: TableParts, test: TableParts, body: ContractBody
) -> tuple[CheckResult, ...]:
    """Say what a test shares with its train that it must not."""
    with train.on_disk() as before, test.on_disk() as after:
        return compare_splits(before, after, body)
