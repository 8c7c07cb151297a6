"""Whether labels can be believed: counted, not constant, and at a rate that days do show.

A label feed that dies says "no" for everybody. What one day may show is learned from reference
days; a batch fails when even the ends of its interval lie outside of that. Days are the clusters:
rows of one day share their weather, so the spread between days sets the bounds, never the (much
smaller) binomial error of all rows. A mean of days that each keep the bounds keeps them too, hence
the same bounds serve a batch of any number of days.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treadle.analysis.intervals import Interval, wilson
from treadle.data.column_types import NO_DAY, kind_of, null_mask, plain
from treadle.data.contracts import LabelRule
from treadle.data.entities import MAX_EXAMPLES, CheckResult, Verdict
from treadle.data.rounding import downward, upward
from treadle.kernel.clock import DAY_US, format_day
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]

LEVEL = 0.999
"""Confidence of a batch's interval: weekly checks for a year make one false alarm in 20 years."""
SPREADS = 5.0
"""Days may lie this many standard deviations (of the logit between days) from the reference's mean;
4 would have failed one true day in 306 of the flights, 5 none."""
FEWEST_LABELS = 30
"""Fewer labels than this say nothing about a day or a constant."""
FEWEST_DAYS = 10
"""Fewer reference days than this give no spread between days."""
ODDS_FACTOR = 4.0
"""Without a spread between days, the odds of a yes may move by this factor."""
CONSTANT_CHANCE = 0.001
"""A constant that honest days show less often than this is a dead feed."""
OUTSIDE_DAYS = 0.01
"""More than one day and more than this share outside the bounds fail."""


class DayRates(NamedTuple):
    """Per day with enough labels: the day, how many labels, and their mean."""

    days: Days
    labels: Days
    means: Floats


def outcomes(labels: pa.Array | pa.ChunkedArray, *, rule: LabelRule) -> Floats:
    """Return labels as numbers: 1 for yes and 0 for no (or the number itself), NaN where not there.

    Texts without a `positive` one become the codes of their classes.
    """
    column = plain(labels if isinstance(labels, pa.ChunkedArray) else pa.chunked_array([labels]))
    absent = null_mask(column)
    if kind_of(column.type) == "text":
        if rule.positive is None:
            codes = column.combine_chunks().dictionary_encode().indices
            values = np.asarray(pc.fill_null(codes, -1).to_numpy(), dtype=np.float64)
        else:
            values = _as_floats(pc.equal(column, rule.positive))
    else:
        values = _as_floats(column)
        if rule.above is not None:
            values = (values > rule.above).astype(np.float64)
    values[absent] = np.nan
    return values


def check_labels(
    labels: pa.Array | pa.ChunkedArray, *, rule: LabelRule, days: Days | None = None
) -> tuple[CheckResult, ...]:
    """Check labels against what the reference days showed.

    `days` gives each row's day (`column_types.days_of`); without it the batch counts as one day.
    Checks: `labelled` (warns, with the number of rows without a label), `constant`, `rate` and,
    with days, `rate_by_day`.
    """
    values = outcomes(labels, rule=rule)
    present = ~np.isnan(values)
    known = values[present]
    found = [_labelled(len(known), total=len(values), column=rule.column)]
    if not len(known):
        return tuple(found)
    known_days = None if days is None else days[present]
    found.append(_constant(known, rule=rule, days=known_days))
    if rule.low is not None and rule.high is not None:
        found.append(_rate(known, rule=rule, low=rule.low, high=rule.high))
        if known_days is not None:
            found.append(_rate_by_day(known, known_days, rule=rule, low=rule.low, high=rule.high))
    return tuple(found)


def learn_label(
    labels: pa.Array | pa.ChunkedArray,
    *,
    column: str,
    days: Days | None = None,
    above: float | None = None,
) -> LabelRule:
    """Learn what labels may show from a reference. Raises InvalidInput when all are equal.

    With 10 days or more of 30 labels or more: mean ± 5 standard deviations between days (of the
    logit for yes/no, of the mean for numbers). Otherwise: the 99.9 % interval of the rate with its
    odds moved by 4, or the mean ± one standard deviation of the labels. In any case what the
    reference showed lies inside.
    """
    bound = None if above is None else float(above)
    rule = LabelRule(column=column, above=bound, positive=_rarer_text(labels))
    values = outcomes(labels, rule=rule)
    present = ~np.isnan(values)
    known = values[present]
    if len(known) == 0 or known.min() == known.max():
        raise InvalidInput(
            f"Nothing can be expected of the target {column!r}: "
            f"{'it has no labels' if len(known) == 0 else 'all its labels are equal'}.",
            hint="Learn the contract from a version whose labels are good.",
        )
    rates = None if days is None else _by_day(known, days[present])
    constant = 0.0 if days is None else _constant_share(known, days[present])
    if kind_of(plain_type(labels)) == "text" and rule.positive is None:
        return msgspec.structs.replace(rule, constant_days=constant)
    low, high = _bounds(known, rates)
    return msgspec.structs.replace(rule, low=low, high=high, constant_days=constant)


def plain_type(labels: pa.Array | pa.ChunkedArray) -> pa.DataType:
    """Return the type of labels without dictionary encoding."""
    kind = labels.type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _as_floats(column: pa.ChunkedArray) -> Floats:
    if pa.types.is_null(column.type):
        return np.full(len(column), math.nan)
    if not (pa.types.is_primitive(column.type) or pa.types.is_decimal(column.type)):
        raise InvalidInput(f"A label of type {column.type} is neither number, truth nor text.")
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    values = pc.cast(column, pa.float64(), safe=False)
    return np.array(pc.fill_null(values, math.nan).to_numpy(), dtype=np.float64)


def _rarer_text(labels: pa.Array | pa.ChunkedArray) -> str | None:
    """Return the text that means yes: the rarer of two; None for numbers and for more classes."""
    if kind_of(plain_type(labels)) != "text":
        return None
    counted = pc.value_counts(pc.drop_null(pc.cast(labels, pa.string()))).to_pylist()
    if len(counted) != 2:  # noqa: PLR2004 - yes and no
        return None
    return str(min(counted, key=lambda c: (c["counts"], c["values"]))["values"])


def _is_rate(values: Floats) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _labelled(known: int, *, total: int, column: str) -> CheckResult:
    missing = total - known
    return CheckResult(
        check="labelled",
        column=column,
        verdict="warn" if missing else "pass",
        counted=missing,
        total=total,
        message=f"{missing:,} of {total:,} rows are not labelled; they stay, and are not guessed."
        if missing
        else f"All {total:,} rows are labelled.",
    )


def _constant(known: Floats, *, rule: LabelRule, days: Days | None) -> CheckResult:
    is_constant = bool(known.min() == known.max())
    spans = 1 if days is None else len(np.unique(days))
    chance = rule.constant_days**spans
    verdict: Verdict = "pass"
    message = "The labels are not all equal."
    if is_constant:
        tells = len(known) >= FEWEST_LABELS and chance < CONSTANT_CHANCE
        verdict = "fail" if tells else "warn"
        message = f"All {len(known):,} labels are equal on {spans} days"
        message += (
            "; reference days do not show that: has the feed died?"
            if tells
            else "; too few to tell whether the feed has died."
        )
    return CheckResult(
        check="constant",
        column=rule.column,
        verdict=verdict,
        counted=len(known) if is_constant else 0,
        total=len(known),
        message=message,
    )


def _rate(known: Floats, *, rule: LabelRule, low: float, high: float) -> CheckResult:
    interval = _interval(known)
    outside = interval.is_outside(low, high=high)
    mean, unit = float(known.mean()), "rate" if _is_rate(known) else "mean"
    return CheckResult(
        check="rate",
        column=rule.column,
        verdict="fail" if outside else "pass",
        counted=len(known) if outside else 0,
        total=len(known),
        message=f"The {unit} of {len(known):,} labels is {mean:.4g} "
        f"({interval.low:.4g} to {interval.high:.4g}); a day may show {low:.4g} to {high:.4g}.",
    )


def _rate_by_day(
    known: Floats, days: Days, *, rule: LabelRule, low: float, high: float
) -> CheckResult:
    rates = _by_day(known, days)
    suspects = [
        int(day)
        for day in rates.days[(rates.means < low) | (rates.means > high)]
        if _interval(known[days == day]).is_outside(low, high=high)
    ]
    allowed = max(1.0, OUTSIDE_DAYS * len(rates.days))
    verdict: Verdict = "fail" if len(suspects) > allowed else "warn" if suspects else "pass"
    return CheckResult(
        check="rate_by_day",
        column=rule.column,
        verdict=verdict,
        counted=len(suspects),
        total=len(rates.days),
        message=f"{len(suspects)} of {len(rates.days)} days with at least {FEWEST_LABELS} labels "
        f"lie outside {low:.4g} to {high:.4g}.",
        examples=tuple(_day_shown(rates, day) for day in suspects[:MAX_EXAMPLES]),
    )


def _day_shown(rates: DayRates, day: int) -> dict[str, Any]:
    at = int(np.searchsorted(rates.days, day))
    return {
        "day": format_day(int(day) * DAY_US),
        "labels": int(rates.labels[at]),
        "rate": round(float(rates.means[at]), 4),
    }


def _interval(values: Floats) -> Interval:
    if _is_rate(values):
        return wilson(int(values.sum()), len(values), level=LEVEL)
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return Interval(-math.inf, math.inf, LEVEL)
    z = 3.2905267314919255  # the normal quantile of LEVEL, two-sided
    half = z * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Interval(float(values.mean()) - half, float(values.mean()) + half, LEVEL)


def _by_day(known: Floats, days: Days) -> DayRates:
    dated = days > NO_DAY
    unique, place = np.unique(days[dated], return_inverse=True)
    counts = np.bincount(place, minlength=len(unique))
    sums = np.bincount(place, weights=known[dated], minlength=len(unique))
    enough = counts >= FEWEST_LABELS
    return DayRates(unique[enough], counts[enough], sums[enough] / counts[enough])


def _constant_share(known: Floats, days: Days) -> float:
    """Share of days whose labels are all equal, by Laplace's rule so that it is never 0 or 1."""
    order = np.argsort(days, kind="stable")
    starts = np.flatnonzero(np.diff(days[order], prepend=days[order][0] - 1))
    equal = np.minimum.reduceat(known[order], starts) == np.maximum.reduceat(known[order], starts)
    return upward(float((equal.sum() + 1) / (len(starts) + 2)))


def _bounds(known: Floats, rates: DayRates | None) -> tuple[float, float]:
    shown = [float(known.mean())]
    if rates is not None and len(rates.days):
        shown += [float(rates.means.min()), float(rates.means.max())]
    spread = rates is not None and len(rates.days) >= FEWEST_DAYS
    if _is_rate(known):
        low, high = _day_odds(rates) if spread and rates else _pooled_odds(known)
    elif spread and rates:
        half = SPREADS * float(rates.means.std(ddof=1))
        low, high = float(rates.means.mean()) - half, float(rates.means.mean()) + half
    else:
        low, high = shown[0] - float(known.std()), shown[0] + float(known.std())
    return downward(min(low, *shown)), upward(max(high, *shown))


def _day_odds(rates: DayRates) -> tuple[float, float]:
    smoothed = (rates.means * rates.labels + 0.5) / (rates.labels + 1.0)
    logits = np.log(smoothed / (1.0 - smoothed))
    centre, half = float(logits.mean()), SPREADS * float(logits.std(ddof=1))
    return _logistic(centre - half), _logistic(centre + half)


def _pooled_odds(known: Floats) -> tuple[float, float]:
    interval = wilson(int(known.sum()), len(known), level=LEVEL)
    low, high = interval.low, interval.high
    return low / (low + ODDS_FACTOR * (1.0 - low)), high / (high + (1.0 - high) / ODDS_FACTOR)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
