"""How the flights model is trained: cached steps from committed tables to a judged model."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier

from treadle import Trained, dataset, pipeline, probe, step
from treadle.analysis import performance
from treadle.demo.features import (
    CATEGORIES,
    FEATURES,
    LEAK,
    encode,
    fit_codes,
    known_before,
    schedule,
    with_late_rates,
)
from treadle.demo.flights_data import typed
from treadle.demo.memory import give_back
from treadle.demo.model import LateModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.demo.features import CodeTables

SEED = 2013
HELD_OUT_DAYS = 14
PROBED_ROWS = 20_000
# Judging fits on at most so many of the earlier rows.
JUDGED_ROWS = 60_000
# So does the model that may serve: more rows than these cost memory and gain no log-loss.
FITTED_ROWS = 160_000


@step
def planned(flights: pa.Table, weather: pa.Table, planes: pa.Table) -> pa.Table:
    """Every flight of the year with what is known before it departs."""
    known = known_before(
        schedule(typed("flights", flights)),
        weather=typed("weather", weather),
        planes=typed("planes", planes),
    )
    return known.drop_columns("tailnum")


@step
def history(deliveries: list[pa.Table]) -> pa.Table:
    """All outcomes delivered so far; the delivery decides, never the file of the year."""
    return pa.concat_tables(deliveries)


@step
def labelled(planned: pa.Table, history: pa.Table) -> pa.Table:
    """The flights whose outcome is known, with their point-in-time late rates."""
    known = history.drop_columns("fate").filter(pc.is_valid(history["late"]))
    index = pc.index_in(planned["flight_id"], value_set=known["flight_id"].combine_chunks())
    mine = planned.filter(pc.is_valid(index))
    rows = with_late_rates(mine, outcomes=known).select(
        ["flight_id", "day", "departs_at", *FEATURES]
    )
    return rows.append_column("late", known["late"].take(index.drop_null()))


@step
def fitted(rows: pa.Table, settings: dict[str, Any]) -> Trained:
    """Judge the settings on the last two weeks, then fit on rows of the whole time."""
    return train_and_judge(rows, settings=settings)


@pipeline
def train(deliveries: list[str], settings: dict[str, Any]) -> Trained:
    """From committed tables and outcome deliveries to a model with its evidence."""
    flights = planned(dataset("flights"), dataset("weather"), dataset("planes"))
    outcomes = history([dataset(ref) for ref in deliveries])
    return fitted(labelled(flights, outcomes), settings)


@pipeline
def plan() -> pa.Table:
    """The whole year as planned, for whoever serves it."""
    return planned(dataset("flights"), dataset("weather"), dataset("planes"))


@pipeline
def prepare(deliveries: list[str]) -> pa.Table:
    """The features alone: every labelled flight with what was known before it departed."""
    flights = planned(dataset("flights"), dataset("weather"), dataset("planes"))
    return labelled(flights, history([dataset(ref) for ref in deliveries]))


def train_and_judge(
    rows: pa.Table, *, settings: dict[str, Any], features: Sequence[str] = FEATURES
) -> Trained:
    """Fit on earlier rows, judge on the last two weeks, then fit on rows of the whole time."""
    before, after = split(rows, day=last_day(rows) - timedelta(days=HELD_OUT_DAYS))
    before = spread(before, JUDGED_ROWS)
    codes = fit_codes(before)
    judged = fit(before, codes=codes, settings=settings, features=features)
    label = after["late"].to_numpy().astype(np.float64)
    value = judged.predict(after)
    base = np.full(len(label), pc.mean(before["late"].cast(pa.float64())).as_py())
    codes, drawn = fit_codes(rows), spread(rows, FITTED_ROWS)
    return Trained(
        model=fit(drawn, codes=codes, settings=settings, features=features),
        example=rows.select(features).slice(0, 20),
        metrics={
            "log_loss": performance.log_loss(label, value),
            "auc": performance.auc(label, value),
            "brier": performance.brier(label, value),
            "calibration": float(label.mean() / value.mean()),
        },
        baseline={"log_loss": performance.log_loss(label, base)},
        heldout=held_out(after, value=value, label=label, features=features),
        probes=probed(before, features=features),
        params={
            **{name: str(value) for name, value in settings.items()},
            "rows": str(drawn.num_rows),
            "until": str(last_day(rows)),
        },
        metadata={"trained_until": str(last_day(rows)), "unit": "probability of > 15 min late"},
    )


def fit(
    rows: pa.Table,
    *,
    codes: CodeTables,
    settings: dict[str, Any],
    features: Sequence[str] = FEATURES,
) -> LateModel:
    """Fit boosted trees on the encoded rows."""
    named = [i for i, name in enumerate(features) if name in CATEGORIES]
    trees = HistGradientBoostingClassifier(
        categorical_features=named, early_stopping=False, random_state=SEED, **settings
    )
    # As float64 from the start, or the trees make that copy while this one is still held.
    matrix = encode(rows, codes=codes, features=features).astype(np.float64)
    give_back()
    trees.fit(matrix, rows["late"].to_numpy())
    return LateModel(codes=codes, trees=trees, features=tuple(features))


def score(rows: pa.Table, *, settings: dict[str, Any]) -> dict[str, float]:
    """Return the metrics of settings: fitted on the earlier rows, judged on the last two weeks."""
    before, after = split(rows, day=last_day(rows) - timedelta(days=HELD_OUT_DAYS))
    model = fit(before, codes=fit_codes(before), settings=settings)
    label, value = after["late"].to_numpy().astype(np.float64), model.predict(after)
    return {
        "log_loss": performance.log_loss(label, value),
        "auc": performance.auc(label, value),
    }


def base_rate(rows: pa.Table) -> float:
    """Return the log-loss of answering every flight with the share that was late before."""
    before, after = split(rows, day=last_day(rows) - timedelta(days=HELD_OUT_DAYS))
    share = pc.mean(before["late"].cast(pa.float64())).as_py()
    return performance.log_loss(after["late"], np.full(after.num_rows, share))


def split(rows: pa.Table, *, day: date) -> tuple[pa.Table, pa.Table]:
    """Return the rows up to a day, that day included, and those after it."""
    early = pc.less_equal(rows["day"], pa.scalar(day, pa.date32()))
    return rows.filter(early), rows.filter(pc.invert(early))


def spread(rows: pa.Table, count: int) -> pa.Table:
    """Return at most so many rows, drawn at random by the seed, in their order."""
    if rows.num_rows <= count:
        return rows
    drawn = np.random.default_rng(SEED).choice(rows.num_rows, count, replace=False)
    return rows.take(np.sort(drawn))


def last_day(rows: pa.Table) -> date:
    """Return the last day of some rows."""
    day: date = pc.max(rows["day"]).as_py()
    return day


def held_out(
    rows: pa.Table, *, value: np.ndarray, label: np.ndarray, features: Sequence[str]
) -> pa.Table:
    """Return held-out rows as a monitor takes them for its reference."""
    inputs = {f"x_{name}": rows[name] for name in features}
    at = rows["departs_at"].cast(pa.int64())
    return pa.table({"at": at, "value": value, "label": label, **inputs})


def probed(rows: pa.Table, *, features: Sequence[str]) -> tuple[Any, ...]:
    """Probe each input alone against the outcome, on a sample of the rows."""
    sample = spread(rows, PROBED_ROWS)
    label = sample["late"].to_numpy().astype(np.float64)
    return probe({name: sample[name] for name in features}, label, known_after={LEAK})
