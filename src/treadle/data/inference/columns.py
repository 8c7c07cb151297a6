"""What one column may be: from its profile, what its days showed, and the step of its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.data.checks.claims import double
from treadle.data.checks.days import largest_step
from treadle.data.contracts import ColumnRule
from treadle.data.labels import FEWEST_DAYS
from treadle.data.rounding import OFF_GRID, downward, upward
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from treadle.analysis.profiles import ColumnProfile
    from treadle.data.checks.days import Days
    from treadle.data.checks.scan import Rows
    from treadle.data.contracts import ColumnType, Role

    Floats = NDArray[np.float64]

LEAST_NULL_SHARE = 0.02
LEAST_UNSEEN_SHARE = 0.005
RANGE_SPANS = 2.0
LEAST_OUTSIDE_SHARE = 0.01
STEP_FACTOR = 1.4
STEP_FEWEST_DAYS = 30
STEP_PERSISTENCE = 0.5
STEP_FEWEST_VALUES = 20
CALENDAR_CORRELATION = 0.8
FEWEST_ROWS_A_DAY = 30
"""A share of fewer rows than this is no share of a day."""
NUMERIC: frozenset[ColumnType] = frozenset({"integer", "number"})
FIGURES = 8
"""The most figures of a day that are asked for one column."""


class Asked(NamedTuple):
    """What a column is asked by day: each figure's name and the aggregate that brings it."""

    figures: dict[str, str]
    low: float | None
    high: float | None
    grid: float | None


class Learned(NamedTuple):
    """A column's rule, and whether its daily median persists: a level, not a season's guess."""

    rule: ColumnRule
    is_level: bool


def ask_column(
    rows: Rows, profile: ColumnProfile, *, role: Role, days: Days, grid: float | None
) -> Asked:
    """Ask what the profile leaves open; what it shows to be none is not counted again."""
    name, figures = profile.name, {}
    if profile.nulls and role != "target":
        figures["known"] = f"count({rows.column(name)})"
    if rows.kind(name) not in NUMERIC or role == "id":
        return Asked(figures, None, None, None)
    number = rows.number(name)
    finite = number
    if profile.infinite:
        finite = f"(CASE WHEN isfinite({number}) THEN {number} END)"
    if profile.nulls or profile.infinite:
        figures |= {"known": f"count({number})", "finite": f"count({finite})"}
    low, high = _range(profile)
    if days.is_dated:
        figures |= {"min": f"min({finite})", "max": f"max({finite})"}
        # Of whole numbers without a range nothing is claimed that needs it.
        has_use = low is not None or rows.kind(name) == "number"
        if has_use and int(days.dated.sum()) >= FEWEST_DAYS:
            figures["median"] = f"median({finite})"
    if low is not None and high is not None and _may_be_outside(profile, low, high=high):
        outside = f"{number} < {double(low)} OR {number} > {double(high)}"
        figures["outside"] = _counted(outside)
    if profile.zeros:
        figures["zeros"] = _counted(f"{number} = 0")
    if grid is not None:
        steps = f"({finite} / {double(grid)})"
        figures["off"] = _counted(f"abs({steps} - round({steps})) > {double(OFF_GRID)}")
    return Asked(figures, low, high, grid)


def learn_column(
    asked: Asked,
    found: Mapping[str, Floats],
    profile: ColumnProfile,
    *,
    kind: ColumnType,
    role: Role,
    days: Days,
    texts: Mapping[str, Any],
) -> Learned:
    """Learn a column's rule from what was found; `texts` are claims about texts."""
    shown = _Shown(found, days)
    claims, is_level = dict(texts), False
    if kind in NUMERIC and role != "id":
        claims = _number_claims(asked, shown, profile, kind=kind, role=role)
        is_level = kind == "number" and shown.persists
    known = profile.rows - profile.nulls
    rule = ColumnRule(
        name=profile.name,
        type=kind,
        role=role,
        max_null_share=_null_share(shown, profile, role=role),
        unique=role == "id" and known > 1 and profile.distinct == known,
        **claims,
    )
    return Learned(rule, is_level)


class _Shown:
    """What the days of one column showed."""

    def __init__(self, found: Mapping[str, Floats], days: Days) -> None:
        self._found = found
        self._days = days
        self.known = found.get("known", days.rows)
        self.finite = found.get("finite", self.known)
        medians = found.get("median", np.empty(0))
        self.valued = np.flatnonzero(np.isfinite(medians) & days.dated[: len(medians)])
        self.medians = medians[self.valued]

    @property
    def follows_calendar(self) -> bool:
        return _correlate(self.medians, self._days.day[self.valued], at_least=CALENDAR_CORRELATION)

    @property
    def persists(self) -> bool:
        return _correlate(self.medians[:-1], self.medians[1:], at_least=STEP_PERSISTENCE)

    def step(self) -> float:
        return largest_step(self.medians, self._days.day[self.valued])[0]

    def varying_days(self) -> int:
        """Return on how many days values varied; 0 where they did not on one, or days are few."""
        if "min" not in self._found:
            return 0
        enough = self._days.dated & (self.finite >= FEWEST_ROWS_A_DAY)
        still = self._found["min"] == self._found["max"]
        return 0 if (still & enough).any() else int(enough.sum())

    def share(self, figure: str) -> float:
        """Return the share of the values, as a claim may tolerate it."""
        return worst_share(self._found.get(figure, np.zeros(len(self.known))), of=self.known)

    def nulls(self) -> float:
        return worst_share(self._days.rows - self.known, of=self._days.rows)

    def off_grid(self) -> float:
        return worst_share(self._found["off"], of=self.finite)


def worst_share(hit: NDArray[Any], *, of: NDArray[Any]) -> float:
    """Return a share with twice the odds that all rows show, or the worst day if that is more."""
    total = float(of.sum())
    share = float(hit.sum()) / total if total else 0.0
    enough = of >= FEWEST_ROWS_A_DAY
    if enough.any():
        share = max(share, float((hit[enough] / of[enough]).max()))
    return min(1.0, upward(2.0 * share / (1.0 + share)))


def _null_share(shown: _Shown, profile: ColumnProfile, *, role: Role) -> float:
    if role == "target" or not profile.rows:
        return 1.0
    if role in {"id", "time"} and not profile.nulls:
        return 0.0
    return max(LEAST_NULL_SHARE, shown.nulls())


def _number_claims(
    asked: Asked, shown: _Shown, profile: ColumnProfile, *, kind: ColumnType, role: Role
) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if asked.low is not None and not shown.follows_calendar:
        share = max(LEAST_OUTSIDE_SHARE, shown.share("outside"))
        claims = {"low": asked.low, "high": asked.high, "max_outside_share": share}
    if profile.rows > profile.nulls:
        least = LEAST_NULL_SHARE if profile.zeros else LEAST_UNSEEN_SHARE
        claims["max_zero_share"] = max(least, shown.share("zeros"))
    varying = shown.varying_days()
    if varying >= STEP_FEWEST_DAYS:
        claims["max_constant_days"] = upward(2.0 / (varying + 2))
    if asked.grid is not None:
        off = max(LEAST_OUTSIDE_SHARE, shown.off_grid())
        claims |= {"grid": asked.grid, "max_off_grid_share": off}
    is_measured = kind == "number" and (profile.distinct or 0) >= STEP_FEWEST_VALUES
    is_measured = is_measured and len(shown.medians) >= STEP_FEWEST_DAYS
    if role in {"", "sensitive"} and is_measured and shown.persists and shown.step() > 0.0:
        claims["max_daily_step"] = upward(STEP_FACTOR * shown.step())
    return claims


def _range(profile: ColumnProfile) -> tuple[float | None, float | None]:
    if not profile.quantiles or not profile.distinct:
        return None, None
    inner = profile.quantile(0.01), profile.quantile(0.99)
    outer = profile.quantile(0.0), profile.quantile(1.0)
    low, high = inner if inner[0] < inner[1] else outer
    if low == high:
        return None, None  # a constant tells nothing of its range
    room = RANGE_SPANS * (high - low)
    return (
        0.0 if outer[0] == 0.0 else downward(low - room),
        0.0 if outer[1] == 0.0 else upward(high + room),
    )


def _may_be_outside(profile: ColumnProfile, low: float, *, high: float) -> bool:
    return bool(profile.infinite or profile.quantile(0.0) < low or profile.quantile(1.0) > high)


def _counted(condition: str) -> str:
    return f"count(CASE WHEN {condition} THEN 1 END)"


def _correlate(first: Floats, second: NDArray[Any], *, at_least: float) -> bool:
    if len(first) < FEWEST_DAYS or first.min() == first.max() or second.min() == second.max():
        return False
    return bool(abs(np.corrcoef(first, second)[0, 1]) >= at_least)
