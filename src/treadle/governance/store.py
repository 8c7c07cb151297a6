"""SQL of gate reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Boolean, Column, Table, Text, func, insert, select

from treadle.governance.entities import GateReport, GateTotals
from treadle.storage.schema import Instant, Json, metadata, plain

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction

gate_reports = Table(
    "gate_reports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("results", Json, nullable=False),
    Column("at", Instant, nullable=False),
)


def insert_report(tx: Transaction, report: GateReport) -> None:
    """Store a report with its evidence."""
    tx.execute(insert(gate_reports), msgspec.to_builtins(report))


def totals(tx: Transaction) -> GateTotals:
    """Count the reports, and those that passed."""
    passed = func.count().filter(gate_reports.c.passed)
    row = tx.execute(
        select(func.count().label("judged"), passed.label("passed")).select_from(gate_reports)
    ).one()
    return GateTotals(judged=row.judged, passed=row.passed)


def newest_verdicts(tx: Transaction, run_ids: list[str]) -> dict[str, bool]:
    """Return the newest verdict on each of several runs."""
    query = select(gate_reports.c.run_id, gate_reports.c.passed)
    query = query.where(gate_reports.c.run_id.in_(run_ids)).order_by(gate_reports.c.id)
    return {row.run_id: row.passed for row in tx.execute(query)}


def reports_of(tx: Transaction, run_id: str) -> tuple[GateReport, ...]:
    """Return every report about a run, newest first."""
    query = select(gate_reports).where(gate_reports.c.run_id == run_id)
    rows = tx.execute(query.order_by(gate_reports.c.id.desc())).mappings()
    return tuple(msgspec.convert(plain(row), GateReport) for row in rows)
