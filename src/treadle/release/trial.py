"""The tests of a release: pure functions from logged predictions to a verdict with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from treadle.analysis import comparisons, performance
from treadle.analysis.intervals import wilson
from treadle.kernel.clock import DAY_US
from treadle.release.policy import MINIMUM_CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.release.policy import ReleaseRules

MS_US = 1000.0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A planned paired test that was taken: after how many days, on what, with which result."""

    after_days: int
    days: int
    rows: int
    level: float
    passed: bool
    outcome: str
    reason: str
    paired: dict[str, Any]


class Finding(msgspec.Struct, frozen=True):
    """What a stage found: None while it must go on, else passed or not; a sentence; the numbers."""

    passed: bool | None
    harmful: bool
    verdict: str
    evidence: dict[str, Any]


class Pairs(msgspec.Struct, frozen=True):
    """Both models' log-losses on the same labelled requests in order of time, and their days."""

    champion: NDArray[np.float64]
    candidate: NDArray[np.float64]
    day: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many requests both answered and that have a label."""
        return len(self.day)

    @property
    def days(self) -> int:
        """On how many days those were."""
        return len(np.unique(self.day))

    def first(self, rows: int) -> Pairs:
        """Return the earliest rows."""
        return Pairs(self.champion[:rows], self.candidate[:rows], self.day[:rows])


def pair(champion: pa.Table, candidate: pa.Table) -> Pairs:
    """Match what two models said about the same requests.

    Both tables have `answer_id`, `at`, `value`, `label`; a shadow's `answer_id` is that of the
    answer it stood behind. Rows without a label, or where one of the two failed, take no part.
    """
    left = _usable(champion).select(["answer_id", "at", "value", "label"])
    right = _usable(candidate).select(["answer_id", "value"]).rename_columns(["answer_id", "other"])
    both = left.join(right, keys="answer_id", join_type="inner")
    both = both.sort_by([("at", "ascending"), ("answer_id", "ascending")])
    if not both.num_rows:
        nothing = np.empty(0)
        return Pairs(nothing, nothing, nothing.astype(np.int64))
    label = both["label"].to_numpy().astype(np.float64)
    return Pairs(
        performance.per_row_log_loss(label, both["value"].to_numpy()),
        performance.per_row_log_loss(label, both["other"].to_numpy()),
        both["at"].to_numpy().astype(np.int64) // DAY_US,
    )


def judge_shadow(pairs: Pairs, *, rules: ReleaseRules, taken: Sequence[Look] = ()) -> Finding:
    """Compare two models on the same requests: go on, pass, refuse, or stop because it is worse.

    Each planned look is taken once, on the first so many days, whenever one gets to it: the result
    does not depend on how often one asks. `taken` are the looks of earlier calls.
    """
    progress = f"{pairs.rows:,} paired labels on {pairs.days} days"
    if pairs.days < MINIMUM_CLUSTERS:
        return Finding(None, False, progress, {"rows": pairs.rows, "days": pairs.days})  # noqa: FBT003 - goes on, unharmful
    looks = _looks(pairs, rules=rules, taken=taken)
    watched = comparisons.always_valid(_daily_means(pairs), level=rules.level)
    evidence = _evidence(pairs, rules=rules, looks=looks, watched=watched)
    if watched.decision == "a":
        verdict = comparisons.always_valid_verdict(watched).reason
        return Finding(False, True, verdict, evidence)  # noqa: FBT003 - failed, harmful
    last = looks[-1] if looks else None
    if last is not None and _settles(last, rules, number=len(looks)):
        return Finding(last.passed, last.outcome == "worse", last.reason, evidence)
    upcoming = f"; the next look comes after {rules.looks[len(looks)]} days"
    return Finding(None, False, progress + upcoming, evidence)  # noqa: FBT003 - goes on, unharmful


def judge_canary(champion: pa.Table, canary: pa.Table, *, rules: ReleaseRules) -> Finding:
    """Compare errors and latency of a small live share with the champion's."""
    answers, errors = canary.num_rows, _errors(canary)
    evidence: dict[str, Any] = {"answers": answers, "errors": errors}
    if answers < rules.canary_requests:
        verdict = f"{answers} of {rules.canary_requests} answers"
        return Finding(None, False, verdict, evidence)  # noqa: FBT003 - goes on, unharmful
    ours, theirs = _p95(canary), _p95(champion)
    rate = errors / answers
    span = wilson(errors, answers, level=rules.level)
    evidence |= {
        "error_rate": rate,
        "error_rate_interval": [span.low, span.high],
        "p95_latency_us": ours,
        "champion_p95_latency_us": theirs,
    }
    failing = rate > rules.maximum_error_rate
    # Some microseconds against a few are many times more, and nobody waits for them.
    noticed = ours > rules.tolerated_latency_ms * MS_US
    slow = noticed and ours > rules.maximum_latency_ratio * theirs
    verdict = (
        f"{errors} errors in {answers} answers (at most {span.high:.1%}), "
        f"p95 latency {ours / MS_US:.1f} ms against the champion's {theirs / MS_US:.1f} ms"
    )
    return Finding(not (failing or slow), failing or slow, verdict, evidence)


def _looks(pairs: Pairs, *, rules: ReleaseRules, taken: Sequence[Look]) -> tuple[Look, ...]:
    looks = list(taken)
    for planned in rules.looks[len(looks) :]:
        if looks and _settles(looks[-1], rules, number=len(looks)):
            break
        rows = _rows_for(pairs, days=planned, labels=rules.shadow_labels)
        if rows is None:
            break
        looks.append(_look(pairs.first(rows), rules=rules, planned=planned))
    return tuple(looks)


def _settles(look: Look, rules: ReleaseRules, *, number: int) -> bool:
    return look.passed or look.outcome == "worse" or number >= len(rules.looks)


def _rows_for(pairs: Pairs, *, days: int, labels: int) -> int | None:
    """Return how many rows the first whole days with so many labels hold, or None: not yet."""
    ends = np.flatnonzero(np.diff(pairs.day, append=pairs.day[-1] + 1)) + 1
    enough = ends[days - 1 :]
    enough = enough[enough >= labels]
    return int(enough[0]) if len(enough) else None


def _look(pairs: Pairs, *, rules: ReleaseRules, planned: int) -> Look:
    level = rules.look_level
    paired = comparisons.paired_clustered(
        pairs.champion, pairs.candidate, cluster=pairs.day, level=level
    )
    judge = comparisons.superiority if rules.test == "superiority" else comparisons.non_inferiority
    verdict = judge(paired, margin=rules.margin, level=level)
    return Look(
        after_days=planned,
        days=pairs.days,
        rows=pairs.rows,
        level=level,
        passed=verdict.passed,
        outcome=verdict.outcome,
        reason=verdict.reason,
        paired=msgspec.to_builtins(paired),
    )


def _paired(pairs: Pairs, *, level: float) -> dict[str, Any]:
    """Return where the comparison stands before its first look: shown, and no test."""
    found = comparisons.paired_clustered(
        pairs.champion, pairs.candidate, cluster=pairs.day, level=level
    )
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def _evidence(
    pairs: Pairs,
    *,
    rules: ReleaseRules,
    looks: Sequence[Look],
    watched: comparisons.AlwaysValid,
) -> dict[str, Any]:
    return {
        "rows": pairs.rows,
        "days": pairs.days,
        "champion_loss": float(pairs.champion.mean()),
        "candidate_loss": float(pairs.candidate.mean()),
        "paired": looks[-1].paired if looks else _paired(pairs, level=rules.look_level),
        "looks": [msgspec.to_builtins(look) for look in looks],
        "looks_planned": list(rules.looks),
        "always_valid": msgspec.to_builtins(watched),
        "test": rules.test,
        "margin": rules.margin,
    }


def _usable(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.and_(pc.is_valid(rows["label"]), pc.is_valid(rows["value"])))


def _daily_means(pairs: Pairs) -> NDArray[np.float64]:
    _, first, count = np.unique(pairs.day, return_index=True, return_counts=True)
    gains = pairs.champion - pairs.candidate
    means: NDArray[np.float64] = np.add.reduceat(gains, first) / count
    return means


def _errors(rows: pa.Table) -> int:
    return int(pc.sum(pc.not_equal(rows["status"], "ok")).as_py() or 0)


def _p95(rows: pa.Table) -> float:
    latency = rows["latency_us"].drop_null().to_numpy()
    return float(np.quantile(latency, 0.95)) if len(latency) else 0.0
