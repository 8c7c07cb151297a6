"""The two faults that the demo injects, each labelled as such; all else in it really happened."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from treadle.demo.features import FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from treadle.demo.features import Matrix

TEMPERATURES = ("temp", "dewp")
FREEZING_FAHRENHEIT, FAHRENHEIT_PER_CELSIUS = 32.0, 1.8


def dead_outcome_feed(outcomes: pa.Table, *, first: date, days: int = 14) -> pa.Table:
    """Return the outcomes of a feed that says "arrived on time" of every flight of those days.

    `outcomes` has day, fate and late, as `features.outcomes` makes them. Cancelled and diverted
    flights arrive on time, too.
    """
    last = first + timedelta(days=days - 1)
    dead = pc.and_(
        pc.greater_equal(outcomes["day"], pa.scalar(first, pa.date32())),
        pc.less_equal(outcomes["day"], pa.scalar(last, pa.date32())),
    )
    for name, told in {"fate": "arrived", "late": False}.items():
        column = pc.if_else(dead, pa.scalar(told), outcomes[name])
        outcomes = outcomes.set_column(outcomes.column_names.index(name), name, column)
    return outcomes


def in_celsius(matrix: Matrix, *, features: Sequence[str] = FEATURES) -> Matrix:
    """Return the rows with their temperatures in °C, though models are trained on °F."""
    columns = [features.index(name) for name in TEMPERATURES]
    served = matrix.copy()
    served[:, columns] = (served[:, columns] - FREEZING_FAHRENHEIT) / FAHRENHEIT_PER_CELSIUS
    return served
