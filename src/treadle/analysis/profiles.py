"""A profile: what a table's columns look like, small enough to store and to compare against.

NaN counts as null; infinite values are counted apart and left out. Every figure of a single column
is exact; what is said of pairs is of the rows that `sampled` counts. The scan that fills this in
lies with the data; here is what the figures mean, and how they follow from ordered values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from treadle.analysis.associations import Pair
from treadle.analysis.bins import Bins, bins_from_quantiles
from treadle.analysis.ordered import Ordered, places_around, quantiles
from treadle.analysis.periods import Unit
from treadle.analysis.personal import Hint, masked
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.analysis.columns import Floats

FORM = 2
"""The form of a stored profile; one of another form is made again."""
QUANTILE_LEVELS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
TOP_VALUES = 20
MOST_CATEGORIES = 200
"""So many distinct values are all kept with their counts."""
HISTOGRAM_BINS = 20
LONGEST_SHOWN = 200
"""A longer text is cut to so many characters."""
_TEXT_SHARE = 0.5  # more distinct values than this share of rows: free text or an identifier
_FEW = 50  # this few distinct values are categories in any table
_NEARLY = 0.99
_MOSTLY = 0.5

Kind = Literal["number", "category", "time", "bool", "text", "other"]


class Lengths(msgspec.Struct, frozen=True):
    """How many characters the texts of a column have; `blank` are empty or only white space."""

    min: int
    mean: float
    max: int
    blank: int


class ColumnProfile(msgspec.Struct, frozen=True):
    """One column. What does not apply to its kind is None or empty.

    `kind`: number, category, time, bool, text or other (nested and binary: only nulls are counted).
    Times are UTC microseconds (times of day: microseconds since midnight). `quantiles` belong to
    QUANTILE_LEVELS. `histogram` has bins of equal width for a picture (edges: one more than
    counts); `reference_bins` are cut at quantiles (edges: inner cuts, one fewer than counts) for
    `drift.psi_from_bins`. `top_values` are the most frequent values as text, of equally frequent
    ones the smaller first; `categories` are all values, by count, where they are at most 200.
    `once` are the values that occur once. `remarks` say in a word what stands out. A column with a
    hint of personal data shows no whole value: its texts are masked, its numbers left out.
    """

    name: str
    type: str
    kind: Kind
    rows: int
    nulls: int
    infinite: int = 0
    distinct: int | None = None
    min: float | str | None = None
    max: float | str | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[float, ...] = ()
    histogram: Bins | None = None
    reference_bins: Bins | None = None
    top_values: tuple[tuple[str, int], ...] = ()
    categories: tuple[tuple[str, int], ...] = ()
    once: int | None = None
    zeros: int | None = None
    negatives: int | None = None
    lengths: Lengths | None = None
    hints: tuple[Hint, ...] = ()
    remarks: tuple[str, ...] = ()

    def quantile(self, level: float) -> float:
        """Return a stored quantile."""
        if level not in QUANTILE_LEVELS or not self.quantiles:
            raise InvalidInput(
                f"Column {self.name!r} ({self.kind}) stores no quantile {level}.",
                hint=f"Stored for numbers and times: {', '.join(map(str, QUANTILE_LEVELS))}.",
            )
        return self.quantiles[QUANTILE_LEVELS.index(level)]


class TargetTie(msgspec.Struct, frozen=True):
    """What one column alone tells of the target, over the sampled rows.

    `information` is the mutual information in bits (numbers cut at 20 quantiles, null a value of
    its own, less what chance adds), `share` of the target's entropy. `auc` in [0.5, 1] and `status`
    are `leakage.single_feature_probe`'s, where the target is two values or a number (split at its
    median).
    """

    name: str
    information: float
    share: float
    auc: float | None = None
    status: str = ""


class TimeChart(msgspec.Struct, frozen=True):
    """Rows, and nulls of each column that has any, by period of the time column (UTC).

    `starts` are the periods' beginnings in µs; rows without a time are `undated`.
    """

    column: str
    unit: Unit
    starts: tuple[int, ...]
    rows: tuple[int, ...]
    nulls: dict[str, tuple[int, ...]]
    undated: int = 0


class ColumnDrift(msgspec.Struct, frozen=True):
    """How far a column moved from a reference: distances, no alarm.

    Numbers and times by the reference's quantile bins, categories and booleans by name with null as
    one of them. Both distances are None where they cannot be said, and `why` tells.
    """

    name: str
    psi: float | None = None
    js: float | None = None
    nulls_before: float = 0.0
    nulls_now: float = 0.0
    why: str = ""


class TableDrift(msgspec.Struct, frozen=True):
    """How far a table moved from a reference, by column; `against` names the reference."""

    against: str
    rows_before: int
    columns: tuple[ColumnDrift, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class TableProfile(msgspec.Struct, frozen=True):
    """A table's number of rows and the profile of each column, in order.

    `repeated` rows equal an earlier one in every column. `pairs` and `target_ties` are of `sampled`
    rows: all of them, or a random sample. `target` and `time` are the columns asked for.
    """

    rows: int
    columns: tuple[ColumnProfile, ...]
    form: int = 0
    repeated: int | None = None
    sampled: int = 0
    pairs: tuple[Pair, ...] = ()
    unpaired: tuple[str, ...] = ()
    target: str = ""
    target_ties: tuple[TargetTie, ...] = ()
    time: str = ""
    chart: TimeChart | None = None
    drift: TableDrift | None = None

    def column(self, name: str) -> ColumnProfile:
        """Return the profile of one column by its name."""
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(c.name for c in self.columns[:5])
        raise InvalidInput(f"The profile has no column {name!r}.", hint=f"It begins with {known}.")

    def only(self, names: Sequence[str]) -> TableProfile:
        """Return what it says of some columns."""
        kept, drift = set(names), self.drift
        chart = self.chart and msgspec.structs.replace(
            self.chart, nulls={n: c for n, c in self.chart.nulls.items() if n in kept}
        )
        return msgspec.structs.replace(
            self,
            columns=tuple(self.column(name) for name in dict.fromkeys(names)),
            pairs=tuple(p for p in self.pairs if {p.first, p.second} <= kept),
            unpaired=tuple(n for n in self.unpaired if n in kept),
            target_ties=tuple(t for t in self.target_ties if t.name in kept),
            chart=chart,
            drift=drift
            and msgspec.structs.replace(
                drift, columns=tuple(c for c in drift.columns if c.name in kept)
            ),
        )


def profile_numbers(values: Ordered, column: ColumnProfile, *, bins: int = 10) -> ColumnProfile:
    """Fill in a column of numbers or times from its finite values; `column` has the counts."""
    if not values.size:
        return _remarked(msgspec.structs.replace(column, distinct=0))
    levels = np.concatenate([QUANTILE_LEVELS, np.linspace(0.0, 1.0, bins + 1)])
    positions = levels * (values.size - 1)
    places = places_around(positions, size=values.size)
    walked = values.walk(places=places, top=TOP_VALUES)
    cut = quantiles(walked.order, places=places, positions=positions, size=values.size)
    least, most = (float(end) for end in values.ends)
    zero, above = values.below(np.array([0.0, np.nextafter(0.0, 1.0)])).tolist()
    is_number = column.kind == "number"
    return _remarked(
        msgspec.structs.replace(
            column,
            distinct=walked.distinct,
            once=walked.once,
            min=least,
            max=most,
            mean=_finite(walked.mean) if is_number else None,
            std=_deviation(walked.deviations, values.size) if is_number else None,
            quantiles=tuple(cut[: len(QUANTILE_LEVELS)].tolist()),
            histogram=_histogram(values, least, most),
            reference_bins=bins_from_quantiles(values, cut[len(QUANTILE_LEVELS) :]),
            top_values=tuple((_number_text(v), n) for v, n in walked.top),
            zeros=above - zero if is_number else None,
            negatives=zero if is_number else None,
        )
    )


def profile_booleans(column: ColumnProfile, *, true: int) -> ColumnProfile:
    """Fill in a column of booleans; `column` has the counts."""
    known = column.rows - column.nulls
    counts = {"false": known - true, "true": true}
    return _remarked(
        msgspec.structs.replace(
            column,
            distinct=sum(1 for n in counts.values() if n),
            mean=true / known if known else None,
            top_values=most_frequent(counts),
            categories=most_frequent(counts),
        )
    )


def profile_names(
    column: ColumnProfile,
    counts: Mapping[str, int],
    *,
    distinct: int,
    once: int,
    ends: tuple[str, str] | None,
    lengths: Lengths | None,
    hints: tuple[Hint, ...] = (),
) -> ColumnProfile:
    """Fill in a column of texts. `counts` are all of them, or the most frequent."""
    few = distinct <= max(_FEW, _TEXT_SHARE * (column.rows - column.nulls))
    top = most_frequent(counts)
    if hints:
        top = tuple((masked(text), n) for text, n in top)
        ends = ends and (masked(ends[0]), masked(ends[1]))
    return _remarked(
        msgspec.structs.replace(
            column,
            kind="category" if few else "text",
            distinct=distinct,
            once=once,
            min=_cut(ends[0]) if ends else None,
            max=_cut(ends[1]) if ends else None,
            top_values=tuple((_cut(text), n) for text, n in top[:TOP_VALUES]),
            categories=top if few and not hints and distinct <= MOST_CATEGORIES else (),
            lengths=lengths,
            hints=hints,
        )
    )


def hide_numbers(column: ColumnProfile, hints: tuple[Hint, ...]) -> ColumnProfile:
    """Return a column of numbers with its hints; one whose values gave them shows none of them."""
    if not any(hint.by == "value" for hint in hints):
        return msgspec.structs.replace(column, hints=hints)
    return msgspec.structs.replace(
        column, hints=hints, min=None, max=None, mean=None, std=None,
        quantiles=(), histogram=None, reference_bins=None, top_values=(),
    )  # fmt: skip


def most_frequent(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Return values that are there by count, of equally frequent ones the smaller first."""
    pairs = [(value, n) for value, n in counts.items() if n]
    return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def _remarked(column: ColumnProfile) -> ColumnProfile:
    known = column.rows - column.nulls - column.infinite
    most = column.top_values[0][1] if column.top_values else 0
    said = {
        "no values": column.rows > 0 and not known and not column.infinite,
        "constant": known > 0 and column.distinct == 1,
        "nearly constant": (column.distinct or 0) > 1 and most >= _NEARLY * known,
        "all different": known > 1 and column.distinct == known,
        "mostly null": known > 0 and column.nulls > _MOSTLY * column.rows,
        "mostly zero": known > 0 and (column.zeros or 0) > _MOSTLY * known,
        "infinite values": column.infinite > 0,
        "blank texts": column.lengths is not None and column.lengths.blank > 0,
    }
    return msgspec.structs.replace(column, remarks=tuple(text for text, so in said.items() if so))


def _histogram(values: Ordered, least: float, most: float) -> Bins:
    if least == most:
        return Bins((least, most), (values.size,))
    edges = _even(least, most)
    return Bins(tuple(edges.tolist()), tuple(values.counts_between(edges[1:-1]).tolist()))


def _even(least: float, most: float) -> Floats:
    if math.isfinite(most - least):
        return np.linspace(least, most, HISTOGRAM_BINS + 1)
    return np.linspace(least / 2.0, most / 2.0, HISTOGRAM_BINS + 1) * 2.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _deviation(deviations: float, rows: int) -> float | None:
    return _finite(math.sqrt(deviations / (rows - 1))) if rows > 1 else None


def _number_text(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
