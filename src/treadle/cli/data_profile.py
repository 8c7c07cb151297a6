"""`treadle data profile`: what a version's columns look like, on a terminal or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treadle.cli.group import Command
from treadle.cli.home import client_of
from treadle.cli.output import json_option, print_json, print_table, when
from treadle.kernel.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.analysis.bins import Bins
    from treadle.analysis.profiles import ColumnProfile, TableProfile

TOP_SHOWN = 3
PAIRS_SHOWN = TIES_SHOWN = DRIFT_SHOWN = 10
SPARK_BARS = 10
LONGEST_CELL = 28
_BARS = " ▁▂▃▄▅▆▇█"


@click.command(
    "profile",
    cls=Command,
    example="treadle data profile flights@2\n"
    "treadle data profile flights@9 --against flights@2 --columns dep_time,dep_delay",
)
@click.argument("ref")
@click.option(
    "--against", metavar="REF", help="Measure the drift from this version, not the one before."
)
@click.option("--columns", metavar="A,B,…", help="Only these columns.")
@json_option
@click.pass_context
def profile(
    ctx: click.Context, *, ref: str, against: str | None, columns: str | None, as_json: bool
) -> None:
    """Describe every column of a version, what they say of each other, and how far they moved.

    Figures of single columns are exact; pairs and the target's ties are of a sample of rows. A
    distance is no alarm, and a hint of personal data no finding: values are shown masked.
    """
    data = client_of(ctx).data
    names = [name.strip() for name in columns.split(",") if name.strip()] if columns else None
    found = data.profile(ref, columns=names, against=against or data.table_before(ref))
    if as_json:
        print_json(found)
        return
    _print_columns(found)
    _print_hints(found)
    _print_ties(found)
    _print_pairs(found)
    _print_drift(found)


def _print_columns(found: TableProfile) -> None:
    print_table(
        (
            *("column", "kind", "distribution", "nulls", "distinct"),
            *("lowest", "median", "highest", "commonest", "stands out"),
        ),
        [_column_row(column) for column in found.columns],
        empty="No columns.",
    )
    click.echo("")
    repeated = f", {found.repeated:,} of them repeat another" if found.repeated else ""
    click.echo(f"{counted(found.rows, 'row')}{repeated}")
    if found.chart is not None:
        chart = found.chart
        first, last = when(chart.starts[0])[:10], when(chart.starts[-1])[:10]
        click.echo(
            f"rows by {chart.unit} of {chart.column}, {first} to {last} (UTC): "
            f"{_sparkline(chart.rows, bars=min(60, len(chart.rows)))}"
        )


def _print_hints(found: TableProfile) -> None:
    rows = [
        (c.name, h.kind, h.by, f"{h.share:.1%} of {h.looked:,}" if h.looked else "",
         ", ".join(h.examples))
        for c in found.columns
        for h in c.hints
    ]  # fmt: skip
    if rows:
        click.echo("\nHints of personal data (by the name, or by values, which are masked)")
        print_table(("column", "may hold", "said by", "share", "such as"), rows, empty="")


def _print_ties(found: TableProfile) -> None:
    if found.target_ties:
        click.echo(f"\nWhat each column alone tells of {found.target}{_sampled(found)}")
        rows = [
            (t.name, f"{t.information:.4f}", f"{t.share:.1%}", t.auc, _marked(t.status))
            for t in found.target_ties[:TIES_SHOWN]
        ]
        print_table(("column", "bits", "of the target's", "AUC", ""), rows, empty="")
        _say_more(len(found.target_ties), TIES_SHOWN)


def _print_pairs(found: TableProfile) -> None:
    if found.pairs:
        click.echo(f"\nThe strongest pairs{_sampled(found)}")
        strongest = sorted(found.pairs, key=lambda p: -abs(p.value))[:PAIRS_SHOWN]
        rows = [(p.first, p.second, p.measure.replace("_", " "), p.value) for p in strongest]
        print_table(("column", "and", "measure", "value"), rows, empty="")
        _say_more(len(found.pairs), PAIRS_SHOWN)
    if found.unpaired:
        click.echo(f"{len(found.unpaired)} more columns are not paired: too many at once")


def _print_drift(found: TableProfile) -> None:
    drift = found.drift
    if drift is None:
        return
    click.echo(
        f"\nDistance from {drift.against} ({counted(drift.rows_before, 'row')}); it is no alarm"
    )
    moved = sorted(drift.columns, key=lambda c: -(c.psi or 0.0))[:DRIFT_SHOWN]
    rows = [
        (c.name, c.psi, c.js, f"{c.nulls_before:.1%} → {c.nulls_now:.1%}", c.why) for c in moved
    ]
    print_table(("column", "PSI", "JS", "nulls", ""), rows, empty="No column is in both.")
    _say_more(len(drift.columns), DRIFT_SHOWN)
    for names, what in ((drift.added, "new"), (drift.removed, "gone")):
        if names:
            click.echo(f"{what}: {', '.join(names)}")


def _column_row(column: ColumnProfile) -> tuple[object, ...]:
    nulls = f"{column.nulls / column.rows:.1%}" if column.nulls else ""
    middle = column.quantile(0.5) if column.quantiles else None
    low, middle_text, high = (_value(column, v) for v in (column.min, middle, column.max))
    top = ""
    if column.kind in {"category", "bool"}:
        values = column.top_values[:TOP_SHOWN]
        top = ", ".join(f"{_short(value)} ({count:,})" for value, count in values)
    spark = _spark(column)
    said = ", ".join([*column.remarks, *(f"{h.kind}?" for h in column.hints)])
    return (
        *(column.name, column.kind, spark, nulls, column.distinct),
        *(low, middle_text, high, top, said),
    )


def _value(column: ColumnProfile, value: float | str | None) -> object:
    if isinstance(value, str):
        return _short(value)
    if value is not None and column.kind == "time" and column.type.startswith(("date", "timest")):
        return when(int(value))[: 10 if column.type.startswith("date") else None]
    return value


def _short(text: str) -> str:
    shown = text.replace("\n", "⏎").replace("\r", "").replace("\t", " ")
    return shown if len(shown) <= LONGEST_CELL else shown[: LONGEST_CELL - 1] + "…"


def _spark(column: ColumnProfile) -> str:
    bins: Bins | None = column.histogram
    if bins is not None:
        return _sparkline(bins.counts, bars=SPARK_BARS)
    counts = [n for _, n in column.top_values[:SPARK_BARS]]
    return _sparkline(counts, bars=SPARK_BARS) if column.kind in {"category", "bool"} else ""


def _sparkline(counts: Sequence[int], *, bars: int) -> str:
    """Draw counts as blocks, a few neighbours in one; whatever is there shows."""
    width = -(-len(counts) // bars) if counts else 1
    joined = [sum(counts[i : i + width]) for i in range(0, len(counts), width)]
    top = max(joined, default=0)
    return "".join(_BARS[-(-8 * n // top)] if n else _BARS[0] for n in joined) if top else ""


def _sampled(found: TableProfile) -> str:
    return "" if found.sampled == found.rows else f" (of {found.sampled:,} random rows)"


def _marked(status: str) -> str:
    return status if status == "suspect" else ""


def _say_more(total: int, shown: int) -> None:
    if total > shown:
        click.echo(f"and {total - shown:,} more: --json shows all")
