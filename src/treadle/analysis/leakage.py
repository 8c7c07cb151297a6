"""Leakage: a feature that knows the answer because it is written after the answer.

No statistic can prove it; what is known about a column's availability can. So two rules: a
feature declared as known only after the prediction is a leak, whatever its AUC; a feature that
alone separates the outcomes implausibly better than the others is suspect until declared.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from treadle.analysis.columns import (
    Floats,
    Values,
    as_array,
    as_floats,
    complete_floats,
    is_categorical,
    require_same_length,
)
from treadle.analysis.performance import auc as rank_auc
from treadle.analysis.verdicts import Verdict
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

_PRIOR_ROWS = 20.0
_FOLDS = 5
_NUMBER_BINS = 32


class FeatureProbe(msgspec.Struct, frozen=True):
    """How well one feature alone separates the outcomes.

    `auc` in [0.5, 1]; `gain` is the AUC above the best feature that is not flagged. `status` is
    "leak" (declared as known only after), "suspect" (implausibly good) or "plausible".
    """

    name: str
    auc: float
    gain: float
    status: str
    reason: str


def single_feature_probe(
    features: Mapping[str, Values],
    target: Values,
    *,
    known_after: AbstractSet[str] = frozenset(),
    certain: float = 0.95,
    high: float = 0.8,
    factor: float = 2.0,
) -> tuple[FeatureProbe, ...]:
    """Probe each feature alone against a 0/1 target, best first.

    Numbers: the larger of the rank AUC (either direction) and the AUC of cross-fitted target
    means over 32 quantile bins and null, which sees what is not monotone or hides in nulls.
    Categories: cross-fitted target means. A target of more than two numbers is split at its
    median. Suspect: AUC ≥ `certain`; or AUC ≥ `high` with a Gini (2·AUC - 1) at least `factor`
    times that of the next feature below, and all above such a gap.
    """
    positive = _outcome(target)
    scores = {name: _single_auc(name, column, positive) for name, column in features.items()}
    ranked = sorted(scores, key=lambda n: (-scores[n], n))
    open_names = [n for n in ranked if n not in known_after]
    suspects = _suspects([scores[n] for n in open_names], certain=certain, high=high, factor=factor)
    suspect_names = frozenset(open_names[:suspects])
    plausible = [scores[n] for n in open_names[suspects:]]
    best = max(plausible, default=0.5)
    return tuple(
        _probe(n, auc=scores[n], best=best, leak=n in known_after, suspect=n in suspect_names)
        for n in ranked
    )


def leakage_verdict(probes: tuple[FeatureProbe, ...]) -> Verdict:
    """Pass only if no probed feature is a leak or a suspect."""
    flagged = [p for p in probes if p.status != "plausible"]
    if not flagged:
        best = f"; the best alone is {probes[0].name} ({probes[0].auc:.3f})" if probes else ""
        return Verdict(True, "no leak", f"{len(probes)} features look plausible{best}.")  # noqa: FBT003 - passed
    outcome = "leak" if any(p.status == "leak" for p in flagged) else "suspect"
    shown = " ".join(p.reason for p in flagged[:5])
    more = f" And {len(flagged) - 5} more." if len(flagged) > 5 else ""  # noqa: PLR2004 - five examples are enough
    return Verdict(False, outcome, shown + more)  # noqa: FBT003 - passed


def _outcome(target: Values) -> NDArray[np.bool_]:
    values = complete_floats(target, name="target")
    unique = np.unique(values[:10_000])
    if len(unique) <= 2 and len(unique := np.unique(values)) <= 2:  # noqa: PLR2004 - two outcomes
        positive = values == unique[-1]
    else:
        positive = values > np.median(values)
    if positive.all() or not positive.any():
        raise InvalidInput(
            "A probe needs both outcomes; the target has one.", hint="Choose a longer period."
        )
    return np.asarray(positive)


def _single_auc(name: str, column: Values, positive: NDArray[np.bool_]) -> float:
    if is_categorical(column):
        codes = _category_codes(column)
        require_same_length(codes, positive, names=f"feature {name!r} and target")
        return _learnt_auc(codes, positive)
    values = as_floats(column, name=f"feature {name!r}")
    require_same_length(values, positive, names=f"feature {name!r} and target")
    binned = _learnt_auc(_number_codes(values), positive)
    present = np.isfinite(values)
    some = positive[present]
    if not some.any() or some.all():
        return binned
    return max(binned, _either_way(values[present], some))


def _learnt_auc(codes: NDArray[np.int64], positive: NDArray[np.bool_]) -> float:
    # Cross-fitted means know their direction: below 0.5 they have learnt nothing.
    return max(0.5, rank_auc(positive, _target_means(codes, positive)))


def _either_way(score: Floats, positive: NDArray[np.bool_]) -> float:
    value = rank_auc(positive, score)
    return max(value, 1.0 - value)


def _category_codes(column: Values) -> NDArray[np.int64]:
    names = np.array([str(v) for v in as_array(column).tolist()])
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _number_codes(values: Floats) -> NDArray[np.int64]:
    present = np.isfinite(values)
    codes = np.zeros(len(values), dtype=np.int64)
    if present.any():
        levels = np.linspace(0.0, 1.0, _NUMBER_BINS + 1)[1:-1]
        edges = np.unique(np.quantile(values[present], levels))
        codes[present] = 1 + np.searchsorted(edges, values[present], side="left")
    return codes


def _target_means(codes: NDArray[np.int64], positive: NDArray[np.bool_]) -> Floats:
    """Mean outcome of each row's category among the rows of the other folds.

    Shrunk to the overall rate by a prior of 20 rows, so that a rare category says little. The
    folds are the same for the same number of rows.
    """
    width = int(codes.max()) + 1
    fold = np.random.default_rng(0).permutation(len(codes)) % _FOLDS
    cell = fold * width + codes
    rows = np.bincount(cell, minlength=_FOLDS * width).reshape(_FOLDS, width)
    hits = np.bincount(cell, weights=positive, minlength=_FOLDS * width).reshape(_FOLDS, width)
    other_rows, other_hits = rows.sum(axis=0) - rows, hits.sum(axis=0) - hits
    means = (other_hits + _PRIOR_ROWS * positive.mean()) / (other_rows + _PRIOR_ROWS)
    return np.asarray(means[fold, codes])


def _suspects(aucs: list[float], *, certain: float, high: float, factor: float) -> int:
    """Return how many of the features, best first, are suspect."""
    count = sum(1 for a in aucs if a >= certain)
    for position, (above, below) in enumerate(pairwise(aucs), start=1):
        gap = 2.0 * above - 1.0 >= factor * max(2.0 * below - 1.0, 0.0)
        if above >= high and gap:
            count = max(count, position)
    return count


def _probe(name: str, *, auc: float, best: float, leak: bool, suspect: bool) -> FeatureProbe:
    gain = auc - best
    if leak:
        status, why = "leak", "is known only after the moment of prediction"
    elif suspect:
        status, why = "suspect", f"is implausibly good beside the others (best {best:.3f})"
    else:
        status, why = "plausible", "is plausible"
    reason = f"{name} {why}: alone it reaches AUC {auc:.3f}."
    return FeatureProbe(name, auc, gain, status, reason)
