"""What is known about a flight before it departs: tables in, tables out.

Point-in-time correct: nothing in a row was unknown at the hour of its planned departure. Weather
is the report of the hour before. Outcomes arrive a day late, so that the late rates of a flight on
day d come from days d-8 to d-2 (`LAG_DAYS`, `WINDOW_DAYS`), and only from outcomes that are known.

    flights ─► schedule ─► known_before (weather, planes) ─► with_late_rates ─► encode
       └─────► outcomes ─► without_days (quarantine) ──────────────┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from numpy.typing import NDArray

Ints: TypeAlias = "NDArray[np.int64]"
Floats: TypeAlias = "NDArray[np.float64]"
Matrix: TypeAlias = "NDArray[np.float32]"

LATE_AFTER_MINUTES = 15
LAG_DAYS = 1
WINDOW_DAYS = 7
# The rate of a few flights is pulled to that of all flights as if by 20 more of those.
PRIOR_FLIGHTS = 20.0
# An older report is no longer the weather at departure; 99.8 % of flights have one.
OLDEST_REPORT_HOURS = 3

TIMETABLE = (
    "weekday",
    "departure_minute",
    "arrival_minute",
    "scheduled_minutes",
    "distance",
    "origin_hour_flights",
)
PLANE = {"plane_year": "year", "plane_seats": "seats"}
WEATHER = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)
LATE_RATES: dict[str, tuple[str, ...]] = {
    "late_rate_carrier": ("carrier",),
    "late_rate_origin": ("origin",),
    "late_rate_dest": ("dest",),
    "late_rate_origin_hour": ("origin", "hour"),
}
NUMBERS = (*TIMETABLE, *PLANE, *WEATHER, *LATE_RATES)
CATEGORIES = ("carrier", "origin")
FEATURES = (*NUMBERS, *CATEGORIES)
# Known only once the plane has left the gate: what the leak probe must find.
LEAK = "dep_delay"


class CodeTables(msgspec.Struct, frozen=True):
    """The names that a model knows, per categorical feature: a part of the model.

    The code of a name is its position plus 1; every name that is not in the table has code 0.
    """

    names: dict[str, tuple[str, ...]]


def schedule(flights: pa.Table) -> pa.Table:
    """Return the flights as planned, ordered by planned departure, none left out.

    Keys: flight_id (such as 2013-03-01-UA1545-EWR), day (local), departs_at (UTC microseconds),
    carrier, origin, dest, tailnum, hour (local); features: `TIMETABLE` as float32. The order of
    the file is that of actual departures, which would tell who was late.
    """
    days = _local_days(flights)
    minute = pc.multiply(flights["minute"].cast(pa.int64()), 60_000_000)
    departs_at = pc.add(flights["time_hour"].cast(pa.int64()), minute)
    departure, arrival = (_minutes(flights[c]) for c in ("sched_dep_time", "sched_arr_time"))
    columns = {
        "flight_id": _flight_ids(flights, days=days),
        "day": days,
        "departs_at": departs_at.cast(pa.timestamp("us", tz="UTC")),
        **{name: flights[name] for name in ("carrier", "origin", "dest", "tailnum", "hour")},
        "weekday": pc.day_of_week(days).cast(pa.float32()),
        "departure_minute": departure,
        "arrival_minute": arrival,
        # Between two local clocks: it holds the destination's time zone too.
        "scheduled_minutes": np.mod(arrival - departure, np.float32(24 * 60)),
        "distance": flights["distance"].cast(pa.float32()),
        "origin_hour_flights": _flights_of_the_hour(flights),
    }
    return pa.table(columns).sort_by([("departs_at", "ascending"), ("flight_id", "ascending")])


TOLD_BY = (
    "year",
    "month",
    "day",
    "carrier",
    "flight",
    "origin",
    "dest",
    "hour",
    "dep_time",
    "arr_delay",
)
"""The columns of flights that say what became of them."""


def outcomes(flights: pa.Table) -> pa.Table:
    """Return what became of each flight, as the outcome feed tells it, ordered by day.

    Columns: flight_id, day, carrier, origin, dest, hour, fate (arrived, diverted, cancelled) and
    late: arrival more than 15 minutes behind plan, null where there was no arrival.
    """
    days = _local_days(flights)
    departed = pc.if_else(pc.is_valid(flights["dep_time"]), "diverted", "cancelled")
    columns = {
        "flight_id": _flight_ids(flights, days=days),
        "day": days,
        **{name: flights[name] for name in ("carrier", "origin", "dest", "hour")},
        "fate": pc.if_else(pc.is_valid(flights["arr_delay"]), "arrived", departed),
        "late": pc.greater(flights["arr_delay"], LATE_AFTER_MINUTES),
    }
    return pa.table(columns).sort_by([("day", "ascending"), ("flight_id", "ascending")])


def departure_delays(flights: pa.Table) -> pa.Table:
    """Return flight_id and dep_delay in minutes: known only once the plane has left the gate."""
    ids = _flight_ids(flights, days=_local_days(flights))
    return pa.table({"flight_id": ids, LEAK: flights[LEAK].cast(pa.float32())})


def without_days(outcomes: pa.Table, *, days: Iterable[date]) -> pa.Table:
    """Return the outcomes with those of quarantined days unknown: a state, never a zero."""
    quarantined = pc.is_in(outcomes["day"], value_set=pa.array(sorted(set(days)), pa.date32()))
    late = pc.if_else(quarantined, pa.scalar(None, pa.bool_()), outcomes["late"])
    return outcomes.set_column(outcomes.column_names.index("late"), "late", late)


def known_before(schedule: pa.Table, *, weather: pa.Table, planes: pa.Table) -> pa.Table:
    """Add what else is known before departure: the plane and the weather, as float32.

    A plane's year and seats are null for an unknown tail number. Weather is the latest report of
    the origin up to the hour before the planned departure's, null when that is 3 hours older still.
    """
    plane = _positions(schedule["tailnum"], names=planes["tailnum"].combine_chunks())
    report = _latest_reports(schedule, weather=weather)
    added = {
        **{name: _taken(planes[column], rows=plane) for name, column in PLANE.items()},
        **{name: _taken(weather[name], rows=report) for name in WEATHER},
    }
    for name, values in added.items():
        schedule = schedule.append_column(name, values)
    return schedule


def with_late_rates(flights: pa.Table, *, outcomes: pa.Table) -> pa.Table:
    """Add the share of late flights on days d-8 to d-2 by carrier, origin, dest, origin and hour.

    `flights` needs day and those keys (a week's rows will do); `outcomes` is the history, unknown
    ones null. A rate is (late + 20·r) / (known + 20), r that of all flights of those days. Where
    those seven days hold no known outcome (the feed is in quarantine), the latest seven that do
    speak on: a rate that goes missing costs more than one that is two weeks old. Null before the
    first known outcome.
    """
    known = outcomes.filter(pc.is_valid(outcomes["late"]))
    history = _History(known, days=_day_numbers(known), wanted=_day_numbers(flights))
    overall = history.sums(np.zeros(len(known), np.int64), groups=1)
    for name, keys in LATE_RATES.items():
        seen, asked = _joined(known, keys=keys), _joined(flights, keys=keys)
        names = pc.unique(seen)
        # One group more, without history: a destination never seen has the rate of all flights.
        sums = history.sums(_positions(seen, names=names), groups=len(names) + 1)
        rates = history.rates(sums, overall=overall, groups=_positions(asked, names=names))
        flights = flights.append_column(name, _nullable(rates))
    return flights


def fit_codes(flights: pa.Table) -> CodeTables:
    """Return the code tables of the names that occur in these rows, in alphabetical order."""
    names = {c: pc.unique(flights[c]).drop_null().to_pylist() for c in CATEGORIES}
    return CodeTables({column: tuple(sorted(values)) for column, values in names.items()})


def encode(flights: pa.Table, *, codes: CodeTables, features: Sequence[str] = FEATURES) -> Matrix:
    """Return the model's matrix: a row per flight, a float32 column per feature, NaN for null.

    Names become codes; one that the tables lack, or none at all, becomes 0.
    """
    if missing := [name for name in features if name not in flights.column_names]:
        raise InvalidInput(
            f"The table lacks the feature(s) {', '.join(missing)}.",
            hint="Add them by known_before and with_late_rates.",
            missing=missing,
        )
    matrix = np.empty((len(flights), len(features)), np.float32)
    for position, name in enumerate(features):
        matrix[:, position] = _encoded(flights[name], names=codes.names.get(name))
    return matrix


class _History:
    """Known and late flights per day and group, summed over the window before each day."""

    def __init__(self, known: pa.Table, *, days: Ints, wanted: Ints) -> None:
        every = np.concatenate([days, wanted])
        first, last = (int(every.min()), int(every.max())) if len(every) else (0, 0)
        self._days, self._wanted, self._length = days - first, wanted - first, last - first + 1
        self._late = known["late"].to_numpy().astype(np.float64)

    def sums(self, positions: Ints, *, groups: int) -> tuple[Floats, Floats]:
        """Return known and late flights of days d-8 to d-2: days x groups each."""
        cells, shape = self._days * groups + positions, (self._length, groups)
        size = self._length * groups
        known = np.bincount(cells, minlength=size).reshape(shape)
        late = np.bincount(cells, weights=self._late, minlength=size).reshape(shape)
        return _windowed(known), _windowed(late)

    def rates(
        self, sums: tuple[Floats, Floats], *, overall: tuple[Floats, Floats], groups: Ints
    ) -> Matrix:
        """Return the rate of each wanted row's group and day, NaN where nothing was known yet."""
        known, late = sums
        with np.errstate(invalid="ignore"):
            towards = overall[1] / overall[0]
        rates = (late + PRIOR_FLIGHTS * towards) / (known + PRIOR_FLIGHTS)
        days = np.where(overall[0][:, 0] > 0, np.arange(self._length), 0)
        return rates[np.maximum.accumulate(days)[self._wanted], groups].astype(np.float32)


def _windowed(counts: NDArray[np.generic]) -> Floats:
    before = np.zeros((len(counts) + 1, counts.shape[1]))
    np.cumsum(counts, axis=0, out=before[1:])
    until = np.maximum(np.arange(len(counts)) - LAG_DAYS, 0)
    sums: Floats = before[until] - before[np.maximum(until - WINDOW_DAYS, 0)]
    return sums


def _latest_reports(schedule: pa.Table, *, weather: pa.Table) -> Ints:
    """Row of `weather` per flight, -1 for none."""
    wanted = _hours(schedule["departs_at"]) - 1
    reported = _hours(weather["time_hour"])
    rows = np.full(len(schedule), -1, np.int64)
    for origin in pc.unique(schedule["origin"]):
        flights, reports = (_rows_where(t["origin"], origin) for t in (schedule, weather))
        reports = reports[np.argsort(reported[reports], kind="stable")]
        latest = np.searchsorted(reported[reports], wanted[flights], side="right") - 1
        found = np.append(reports, -1)[latest]
        age = wanted[flights] - np.append(reported, -1)[found]
        rows[flights] = np.where((found >= 0) & (age < OLDEST_REPORT_HOURS), found, -1)
    return rows


def _local_days(flights: pa.Table) -> pa.Array:
    years, months, days = (flights[c].to_numpy().astype(np.int64) for c in ("year", "month", "day"))
    month = ((years - 1970) * 12 + months - 1).astype("M8[M]")
    return pa.array(month.astype("M8[D]") + (days - 1))


def _flight_ids(flights: pa.Table, *, days: pa.Array) -> pa.ChunkedArray:
    number = pc.binary_join_element_wise(flights["carrier"], flights["flight"].cast("string"), "")
    return pc.binary_join_element_wise(days.cast("string"), number, flights["origin"], "-")


def _flights_of_the_hour(flights: pa.Table) -> Matrix:
    origins, hours = pc.unique(flights["origin"]), _hours(flights["time_hour"])
    slots = hours * len(origins) + _positions(flights["origin"], names=origins)
    _, positions, counts = np.unique(slots, return_inverse=True, return_counts=True)
    flights_then: Matrix = counts[positions].astype(np.float32)
    return flights_then


def _minutes(clock: pa.ChunkedArray) -> Matrix:
    """Minutes since local midnight of a time that is written as 1730."""
    hours, minutes = np.divmod(clock.to_numpy().astype(np.float32), 100)
    since: Matrix = hours * np.float32(60) + minutes
    return since


def _hours(instants: pa.ChunkedArray) -> Ints:
    hours: Ints = instants.to_numpy().astype("M8[h]").astype(np.int64)
    return hours


def _day_numbers(table: pa.Table) -> Ints:
    days: Ints = table["day"].cast(pa.int32()).to_numpy().astype(np.int64)
    return days


def _rows_where(column: pa.ChunkedArray, value: pa.Scalar) -> Ints:
    return np.flatnonzero(_positions(column, names=pa.array([value.as_py()])) == 0)


def _joined(table: pa.Table, *, keys: Sequence[str]) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(table[key].cast("string") for key in keys), "|")


def _positions(values: pa.ChunkedArray, *, names: pa.Array) -> Ints:
    """Position of each value among the names; -1, which is the last, for one that is not there."""
    found = pc.index_in(values, value_set=names, skip_nulls=True).fill_null(-1)
    positions: Ints = found.to_numpy().astype(np.int64)
    return positions


def _taken(column: pa.ChunkedArray, *, rows: Ints) -> pa.Array:
    """Values of the given rows, null for row -1."""
    return _nullable(np.append(_float32(column), np.float32(np.nan))[rows])


def _nullable(values: Matrix) -> pa.Array:
    return pa.array(values, from_pandas=True)


def _encoded(column: pa.ChunkedArray, *, names: tuple[str, ...] | None) -> Matrix:
    if names is None:
        return _float32(column)
    return (_positions(column, names=pa.array(names, pa.string())) + 1).astype(np.float32)


def _float32(column: pa.ChunkedArray) -> Matrix:
    values: Matrix = column.cast(pa.float32()).to_numpy()
    return values
