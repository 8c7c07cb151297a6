"""Rates by group, each with its interval. What is fair is not decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.analysis.clusters import cluster_positions
from treadle.analysis.columns import Values, as_binary, require_same_length
from treadle.analysis.intervals import Interval, wilson
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Rate(msgspec.Struct, frozen=True):
    """Successes among rows, with Wilson's interval."""

    successes: int
    rows: int
    rate: float
    interval: Interval


class GroupRates(msgspec.Struct, frozen=True):
    """Rates of one group; a rate over no rows (nobody positive, say) is None."""

    group: str
    rows: int
    selection: Rate
    true_positive: Rate | None
    false_positive: Rate | None


class FairnessRates(msgspec.Struct, frozen=True):
    """Rates of all groups and the largest differences between any two of them.

    `demographic_parity_difference`: of selection rates. `equalised_odds_difference`: the larger
    of the differences of true-positive and of false-positive rates; None when fewer than two
    groups have either rate.
    """

    groups: tuple[GroupRates, ...]
    demographic_parity_difference: float
    equalised_odds_difference: float | None


def rates_by_group(
    y: Values, selected: Values, *, group: Values, level: float = 0.95
) -> FairnessRates:
    """Selection, true-positive and false-positive rate of each group.

    `y` is the truth and `selected` the decision, both 0/1; `group` a label per row.
    """
    truth, decision = as_binary(y), as_binary(selected, name="selected")
    labels, positions = cluster_positions(group)
    require_same_length(truth, decision, names="y and selected")
    require_same_length(truth, positions, names="y and group")
    groups = tuple(
        _group_rates(label, truth[positions == i], decision[positions == i], level=level)
        for i, label in enumerate(labels)
    )
    if len(groups) < 2:  # noqa: PLR2004 - a difference needs two
        raise InvalidInput(f"Rates by group need at least 2 groups; got {len(groups)}.")
    odds = [
        d
        for d in (
            _spread([g.true_positive for g in groups]),
            _spread([g.false_positive for g in groups]),
        )
        if d is not None
    ]
    parity = _spread([g.selection for g in groups])
    return FairnessRates(groups, parity or 0.0, max(odds, default=None))


def _group_rates(
    label: str, truth: NDArray[np.bool_], decision: NDArray[np.bool_], *, level: float
) -> GroupRates:
    selection = _rate(decision, level=level)
    if selection is None:
        raise InvalidInput(f"Group {label!r} has no rows.")
    return GroupRates(
        group=label,
        rows=len(truth),
        selection=selection,
        true_positive=_rate(decision[truth], level=level),
        false_positive=_rate(decision[~truth], level=level),
    )


def _rate(decision: NDArray[np.bool_], *, level: float) -> Rate | None:
    if not len(decision):
        return None
    k, n = int(decision.sum()), len(decision)
    return Rate(k, n, k / n, wilson(k, n, level=level))


def _spread(rates: list[Rate | None] | list[Rate]) -> float | None:
    known = [r.rate for r in rates if r is not None]
    return max(known) - min(known) if len(known) > 1 else None
