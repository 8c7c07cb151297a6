"""What the labels of each day show, counted by the engine: no column of labels is in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.data.checks.claims import double
from treadle.data.checks.days import whole
from treadle.data.checks.scan import quoted
from treadle.data.labels import LabelDays
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np, pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treadle.data.checks.days import Days
    from treadle.data.checks.scan import Rows
    from treadle.data.contracts import LabelRule

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

_LABELS = frozenset({"integer", "number", "boolean", "text"})


def labels_by_day(rows: Rows, rule: LabelRule, *, days: Days) -> LabelDays:
    """Count a table's labels by day, as `labels.label_days` counts those of an array.

    Raises InvalidInput for a column that can be no label.
    """
    if not can_label(rows, rule.column):
        type_ = rows.schema.field(rule.column).type
        raise InvalidInput(f"A label of type {type_} is neither number, truth nor text.")
    if are_classes(rows, rule):
        return _classes(rows, rule.column, days=days)
    return _numbers(_outcome(rows, rule), days=days)


def can_label(rows: Rows, name: str) -> bool:
    """Say whether a column is of a kind that labels can have."""
    return rows.kind(name) in _LABELS or pa.types.is_null(rows.schema.field(name).type)


def are_classes(rows: Rows, rule: LabelRule) -> bool:
    """Say whether labels are texts of which none is the yes."""
    return rows.kind(rule.column) == "text" and rule.positive is None


def rarer_text(rows: Rows, name: str) -> str | None:
    """Return the text that means yes: the rarer of two; None for numbers and for more classes."""
    if rows.kind(name) != "text":
        return None
    value = rows.column(name)
    found = rows.query(
        f"SELECT {value} AS v, count(*) AS n FROM t WHERE {value} IS NOT NULL GROUP BY v "
        "ORDER BY n, v LIMIT 3"
    )
    return str(found[0]["v"]) if len(found) == 2 else None  # noqa: PLR2004 - yes and no


def _outcome(rows: Rows, rule: LabelRule) -> str:
    value = rows.column(rule.column)
    if rows.kind(rule.column) == "text":
        return f"CAST({value} = {quoted(str(rule.positive))} AS DOUBLE)"
    number = rows.number(rule.column)
    return number if rule.above is None else f"CAST({number} > {double(rule.above)} AS DOUBLE)"


def _numbers(outcome: str, *, days: Days) -> LabelDays:
    finite = f"(CASE WHEN isfinite({outcome}) THEN {outcome} END)"
    found = days.asked(
        {
            "counts": f"count({outcome})",
            "sums": f"sum({outcome})",
            "deviations": f"var_pop({finite}) * count({finite})",
            "lows": f"min({outcome})",
            "highs": f"max({outcome})",
            "rates": f"CAST(bool_and({outcome} IN (0, 1)) AS DOUBLE)",
        }
    )
    return _present(
        days,
        are_classes=False,
        counts=found["counts"].astype(np.int64),
        sums=found["sums"],
        deviations=np.nan_to_num(found["deviations"]),
        lows=found["lows"],
        highs=found["highs"],
        rates=found["rates"],
    )


def _classes(rows: Rows, name: str, *, days: Days) -> LabelDays:
    value = rows.column(name)
    found = rows.table(
        f"SELECT {days.sql} AS day, count({value}) AS n, min({value}) AS low, max({value}) AS high "
        "FROM t GROUP BY day ORDER BY day NULLS FIRST"
    )
    ends = pa.chunked_array([*found.column("low").chunks, *found.column("high").chunks])
    codes = np.unique(ends.fill_null("").to_numpy(), return_inverse=True)[1].astype(np.float64)
    rest = np.zeros(len(days.day))
    return _present(
        days,
        are_classes=True,
        counts=whole(found.column("n")),
        sums=rest,
        deviations=rest,
        lows=codes[: len(rest)],
        highs=codes[len(rest) :],
        rates=rest,
    )


def _present(days: Days, *, are_classes: bool, counts: Whole, **shown: Floats) -> LabelDays:
    return LabelDays(
        rows=int(days.rows.sum()),
        is_dated=days.is_dated,
        are_classes=are_classes,
        days=days.day,
        counts=counts,
        sums=shown["sums"],
        deviations=shown["deviations"],
        lows=shown["lows"],
        highs=shown["highs"],
        are_rates=shown["rates"] == 1.0,
    ).of(counts > 0)
