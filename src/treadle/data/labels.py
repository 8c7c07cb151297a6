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
from treadle.kernel.errors import InvalidInput, counted
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


class LabelDays(NamedTuple):
    """What the labels of each day show; those without a day are the day `NO_DAY`.

    Only days with a label are there. `deviations` are sums of squared deviations from the day's
    mean, `are_rates` says of which days all labels are 0 or 1; `are_classes` that labels are codes
    of texts, of which sums say nothing. `rows` counts those without a label, too. Without a time,
    `is_dated` is false and all labels are one day.
    """

    rows: int
    is_dated: bool
    are_classes: bool
    days: Days
    counts: Days
    sums: Floats
    deviations: Floats
    lows: Floats
    highs: Floats
    are_rates: NDArray[np.bool_]

    @property
    def known(self) -> int:
        """Return how many labels there are."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Return the mean of all labels."""
        return float(self.sums.sum()) / self.known

    @property
    def is_constant(self) -> bool:
        """Say whether all labels are equal."""
        return bool(self.lows.min() == self.highs.max())

    @property
    def is_rate(self) -> bool:
        """Say whether all labels are 0 or 1."""
        return bool(self.are_rates.all())

    @property
    def means(self) -> Floats:
        """Return the mean of each day's labels."""
        means: Floats = self.sums / self.counts
        return means

    @property
    def spread(self) -> float:
        """Return the sum of all labels' squared deviations from their mean."""
        between = self.counts * (self.means - self.mean) ** 2
        return float(self.deviations.sum() + between.sum())

    def of(self, chosen: NDArray[np.bool_]) -> LabelDays:
        """Return some of the days."""
        return self._replace(
            days=self.days[chosen],
            counts=self.counts[chosen],
            sums=self.sums[chosen],
            deviations=self.deviations[chosen],
            lows=self.lows[chosen],
            highs=self.highs[chosen],
            are_rates=self.are_rates[chosen],
        )

    def counted(self) -> LabelDays:
        """Return the days with enough labels to show a rate."""
        return self.of(self.is_dated & (self.days > NO_DAY) & (self.counts >= FEWEST_LABELS))


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
    return judge_labels(label_days(outcomes(labels, rule=rule), days), rule=rule)


def judge_labels(shown: LabelDays, *, rule: LabelRule) -> tuple[CheckResult, ...]:
    """Judge what the labels of each day show; the checks are those of `check_labels`."""
    found = [_labelled(shown.known, total=shown.rows, column=rule.column)]
    if not shown.known:
        return tuple(found)
    found.append(_constant(shown, rule=rule))
    if rule.low is not None and rule.high is not None and not shown.are_classes:
        found.append(_rate(shown, rule=rule, low=rule.low, high=rule.high))
        if shown.is_dated:
            found.append(_rate_by_day(shown, rule=rule, low=rule.low, high=rule.high))
    return tuple(found)


def label_days(values: Floats, days: Days | None) -> LabelDays:
    """Count labels (NaN: none) by day."""
    present = ~np.isnan(values)
    known = values[present]
    of = np.zeros(len(known), dtype=np.int64) if days is None else days[present]
    order = np.argsort(of, kind="stable")
    known, of = known[order], of[order]
    starts = np.flatnonzero(np.diff(of, prepend=of[:1] - 1))
    counts = np.diff(starts, append=len(of))

    def by_day(verb: np.ufunc, numbers: Floats) -> Floats:
        return np.asarray(verb.reduceat(numbers, starts) if len(starts) else numbers)

    sums = by_day(np.add, known)
    with np.errstate(invalid="ignore"):
        deviations = by_day(np.add, (known - np.repeat(sums / counts, counts)) ** 2)
    are_01 = np.isin(known, (0.0, 1.0)).astype(np.float64)
    return LabelDays(
        rows=len(values),
        is_dated=days is not None,
        are_classes=False,
        days=of[starts],
        counts=counts,
        sums=sums,
        deviations=deviations,
        lows=by_day(np.minimum, known),
        highs=by_day(np.maximum, known),
        are_rates=by_day(np.minimum, are_01) == 1.0,
    )


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
    rule = LabelRule(
        column=column,
        above=None if above is None else float(above),
        positive=_rarer_text(labels),
    )
    shown = label_days(outcomes(labels, rule=rule), days)
    is_class = kind_of(plain_type(labels)) == "text" and rule.positive is None
    return learn_from(shown._replace(are_classes=is_class), rule=rule)


def learn_from(shown: LabelDays, *, rule: LabelRule) -> LabelRule:
    """Complete a rule by what the labels of each day showed, as `learn_label` does.

    Of classes (texts of which none is the yes) only that they vary can be expected.
    """
    if not shown.known or shown.is_constant:
        raise InvalidInput(
            f"Nothing can be expected of the target {rule.column!r}: "
            f"{'all its labels are equal' if shown.known else 'it has no labels'}.",
            hint="Learn the contract from a version whose labels are good.",
        )
    constant = _constant_share(shown) if shown.is_dated else 0.0
    rule = msgspec.structs.replace(rule, constant_days=constant)
    if shown.are_classes or not math.isfinite(shown.mean):
        return rule
    low, high = _bounds(shown)
    return msgspec.structs.replace(rule, low=low, high=high)


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
        else f"Each of {counted(total, 'row')} is labelled.",
    )


def _constant(shown: LabelDays, *, rule: LabelRule) -> CheckResult:
    known, spans = shown.known, len(shown.days)
    chance = rule.constant_days**spans
    verdict: Verdict = "pass"
    message = "The labels are not all equal."
    if shown.is_constant:
        tells = known >= FEWEST_LABELS and chance < CONSTANT_CHANCE
        verdict = "fail" if tells else "warn"
        message = f"All {known:,} labels are equal on {spans} days"
        message += (
            "; reference days do not show that: has the feed died?"
            if tells
            else "; too few to tell whether the feed has died."
        )
    return CheckResult(
        check="constant",
        column=rule.column,
        verdict=verdict,
        counted=known if shown.is_constant else 0,
        total=known,
        message=message,
    )


def _rate(shown: LabelDays, *, rule: LabelRule, low: float, high: float) -> CheckResult:
    interval = _interval(shown)
    outside = interval.is_outside(low, high=high)
    known, unit = shown.known, "rate" if shown.is_rate else "mean"
    return CheckResult(
        check="rate",
        column=rule.column,
        verdict="fail" if outside else "pass",
        counted=known if outside else 0,
        total=known,
        message=f"The {unit} of {known:,} labels is {shown.mean:.4g} "
        f"({interval.low:.4g} to {interval.high:.4g}); a day may show {low:.4g} to {high:.4g}.",
    )


def _rate_by_day(shown: LabelDays, *, rule: LabelRule, low: float, high: float) -> CheckResult:
    counted = shown.counted()
    means = counted.means
    suspects = [
        place
        for place in np.flatnonzero((means < low) | (means > high)).tolist()
        if _interval(counted.of(_only(place, of=counted))).is_outside(low, high=high)
    ]
    allowed = max(1.0, OUTSIDE_DAYS * len(counted.days))
    verdict: Verdict = "fail" if len(suspects) > allowed else "warn" if suspects else "pass"
    return CheckResult(
        check="rate_by_day",
        column=rule.column,
        verdict=verdict,
        counted=len(suspects),
        total=len(counted.days),
        message=f"{len(suspects)} of {len(counted.days)} days with at least {FEWEST_LABELS} labels "
        f"lie outside {low:.4g} to {high:.4g}.",
        examples=tuple(_day_shown(counted, place) for place in suspects[:MAX_EXAMPLES]),
    )


def _only(place: int, *, of: LabelDays) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = np.arange(len(of.days)) == place
    return chosen


def _day_shown(counted: LabelDays, place: int) -> dict[str, Any]:
    return {
        "day": format_day(int(counted.days[place]) * DAY_US),
        "labels": int(counted.counts[place]),
        "rate": round(float(counted.means[place]), 4),
    }


def _interval(shown: LabelDays) -> Interval:
    known, mean = shown.known, shown.mean
    if shown.is_rate:
        return wilson(int(shown.sums.sum()), known, level=LEVEL)
    if known < 2:  # noqa: PLR2004 - one value has no spread
        return Interval(-math.inf, math.inf, LEVEL)
    z = 3.2905267314919255  # the normal quantile of LEVEL, two-sided
    half = z * math.sqrt(shown.spread / (known - 1)) / math.sqrt(known)
    return Interval(mean - half, mean + half, LEVEL)


def _constant_share(shown: LabelDays) -> float:
    """Share of days whose labels are all equal, by Laplace's rule so that it is never 0 or 1."""
    equal = int((shown.lows == shown.highs).sum())
    return upward((equal + 1) / (len(shown.days) + 2))


def _bounds(shown: LabelDays) -> tuple[float, float]:
    days, seen = shown.counted(), [shown.mean]
    if len(days.days):
        seen += [float(days.means.min()), float(days.means.max())]
    spread = len(days.days) >= FEWEST_DAYS
    if shown.is_rate:
        low, high = _day_odds(days) if spread else _pooled_odds(shown)
    elif spread:
        half = SPREADS * float(days.means.std(ddof=1))
        low, high = float(days.means.mean()) - half, float(days.means.mean()) + half
    else:
        half = math.sqrt(shown.spread / shown.known)
        low, high = shown.mean - half, shown.mean + half
    return downward(min(low, *seen)), upward(max(high, *seen))


def _day_odds(days: LabelDays) -> tuple[float, float]:
    smoothed = (days.sums + 0.5) / (days.counts + 1.0)
    logits = np.log(smoothed / (1.0 - smoothed))
    centre, half = float(logits.mean()), SPREADS * float(logits.std(ddof=1))
    return _logistic(centre - half), _logistic(centre + half)


def _pooled_odds(shown: LabelDays) -> tuple[float, float]:
    interval = wilson(int(shown.sums.sum()), shown.known, level=LEVEL)
    low, high = interval.low, interval.high
    return low / (low + ODDS_FACTOR * (1.0 - low)), high / (high + (1.0 - high) / ODDS_FACTOR)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
