"""A small ridge logistic regression, only good enough to ask whether two samples differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.analysis.performance import auc
from treadle.kernel.late import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treadle.analysis.columns import Floats

_MOST_FEATURES_WITH_PRODUCTS = 16
_NEWTON_STEPS = 25


def rank_design(rows: Floats) -> Floats:
    """Turn rows x features into ranks, squares, products and null flags, each centred.

    Ranks run from -√3 to √3 (unit variance), ties share their mean rank, nulls get rank 0 and a
    flag: outliers and units cannot dominate.
    """
    null = ~np.isfinite(rows)
    ranks = np.column_stack([_centred_ranks(rows[:, j]) for j in range(rows.shape[1])])
    count = ranks.shape[1]
    pairs = [(i, j) for i in range(count) for j in range(i)]
    products = [] if count > _MOST_FEATURES_WITH_PRODUCTS else pairs
    columns = [ranks, ranks**2, null[:, null.any(axis=0)]]
    columns += [(ranks[:, i] * ranks[:, j])[:, None] for i, j in products]
    design = np.hstack(columns).astype(np.float64)
    return np.asarray(design - design.mean(axis=0))


def cross_fitted_auc(
    design: Floats, positive: NDArray[np.bool_], *, folds: int, rng: np.random.Generator
) -> float:
    """Mean AUC over folds, each judged by a regression fitted on the other folds."""
    fold = np.empty(len(positive), dtype=np.int64)
    for side in (positive, ~positive):
        # Stratified: every fold holds its share of both sides.
        fold[side] = rng.permutation(int(side.sum())) % folds
    scores = []
    for k in range(folds):
        held = fold == k
        weights = fit(design[~held], positive[~held])
        scores.append(auc(positive[held], predict(design[held], weights)))
    return float(np.mean(scores))


def fit(design: Floats, positive: NDArray[np.bool_], *, ridge: float = 1.0) -> Floats:
    """Minimise Σ log-loss + ridge/2·|w|² by Newton's method with halved steps.

    The last weight is the intercept, which is not penalised.
    """
    x = np.column_stack([design, np.ones(len(design))])
    y = positive.astype(np.float64)
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 1e-6  # keeps the system regular when a side is empty of signal
    w = np.zeros(x.shape[1])
    loss = _penalised_loss(x, y, w, penalty)
    for _ in range(_NEWTON_STEPS):
        p = _sigmoid(x @ w)
        gradient = x.T @ (p - y) + penalty * w
        curvature = (x * (p * (1.0 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        better, new_loss = _halved_step(x, y, w, step, penalty, loss)
        if loss - new_loss < 1e-9 * (1.0 + abs(loss)):
            break
        w, loss = better, new_loss
    return w


def predict(design: Floats, weights: Floats) -> Floats:
    """Probability of the positive side for each row."""
    return _sigmoid(design @ weights[:-1] + weights[-1])


def _halved_step(
    x: Floats, y: Floats, w: Floats, step: Floats, penalty: Floats, loss: float
) -> tuple[Floats, float]:
    for halving in range(12):
        candidate = w - step * 0.5**halving
        new_loss = _penalised_loss(x, y, candidate, penalty)
        if new_loss < loss:
            return candidate, new_loss
    return w, loss


def _penalised_loss(x: Floats, y: Floats, w: Floats, penalty: Floats) -> float:
    z = x @ w
    return float(np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * np.sum(penalty * w * w))


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))


def _centred_ranks(column: Floats) -> Floats:
    present = np.isfinite(column)
    ranks = np.zeros(len(column))
    ordered = np.sort(column[present])
    if len(ordered) and ordered[0] < ordered[-1]:
        low = np.searchsorted(ordered, column[present], side="left")
        high = np.searchsorted(ordered, column[present], side="right")
        ranks[present] = ((low + high) / len(ordered) - 1.0) * np.sqrt(3.0)
    return ranks
