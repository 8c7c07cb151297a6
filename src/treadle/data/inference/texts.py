"""What texts may be: the few that there are, or of which characters they consist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treadle.data.inference.columns import LEAST_OUTSIDE_SHARE
from treadle.data.patterns import LONGEST_VALUE
from treadle.data.rounding import upward
from treadle.kernel.late import pa, pc

if TYPE_CHECKING:
    from treadle.analysis.profiles import ColumnProfile
    from treadle.data.checks.scan import Rows

MOST_CATEGORIES = 200
LEAST_NEW_SHARE = 0.05
UNSEEN_FACTOR = 10.0
LONGEST_SHAPE = 100
SHAPED_TEXTS = 100_000
MOST_OTHER_CHARACTERS = 12
_CLASSES = ("[A-Z]", "[a-z]", "[0-9]")
_SPECIAL = frozenset("[]^\\|&~")


def learn_texts(rows: Rows, profile: ColumnProfile) -> dict[str, Any]:
    """Learn the claims about a column of texts."""
    if not profile.distinct:
        return {}
    if profile.distinct > MOST_CATEGORIES or profile.kind == "text":
        return _shape(rows, profile)
    known = profile.rows - profile.nulls
    share = upward(UNSEEN_FACTOR * (profile.once or 0) / known)
    return {
        "categories": tuple(sorted(_categories(rows, profile))),
        "max_new_share": min(1.0, max(LEAST_NEW_SHARE, share)),
    }


def _categories(rows: Rows, profile: ColumnProfile) -> list[str]:
    if profile.categories:
        return [text for text, _ in profile.categories]
    # The profile shows none of what may be personal.
    return _distinct(rows, profile.name)


def _distinct(rows: Rows, name: str) -> list[str]:
    value = rows.column(name)
    found = rows.table(f"SELECT DISTINCT {value} AS v FROM t WHERE {value} IS NOT NULL")
    return [str(v) for v in found.column("v").to_pylist()]


def _shape(rows: Rows, profile: ColumnProfile) -> dict[str, Any]:
    """Learn of which characters texts consist, and how many."""
    name, distinct, lengths = profile.name, profile.distinct or 0, profile.lengths
    if distinct < MOST_CATEGORIES or lengths is None or lengths.max > LONGEST_SHAPE:
        return {}
    is_whole = distinct <= SHAPED_TEXTS
    texts = _distinct(rows, name) if is_whole else _first(rows, name)
    pattern = _pattern(set("".join(texts)), shortest=lengths.min, longest=lengths.max)
    if not pattern or not (is_whole or _is_matched(rows, name, pattern)):
        return {}
    return {"pattern": pattern, "max_unmatched_share": LEAST_OUTSIDE_SHARE}


def _first(rows: Rows, name: str) -> list[str]:
    """Return the first texts that differ, as many as a shape is learned from."""
    value, found = rows.column(name), pa.array([], pa.string())
    for batch in rows.stream(f"SELECT {value} AS v FROM t WHERE {value} IS NOT NULL"):
        more = pc.unique(batch.column(0).cast(pa.string()))
        found = pc.unique(pa.chunked_array([found, more]))
        if len(found) >= SHAPED_TEXTS:
            break
    return [str(v) for v in found.slice(0, SHAPED_TEXTS).to_pylist()]


def _pattern(seen: set[str], *, shortest: int, longest: int) -> str:
    rest = {c for c in seen if not any(re.match(known, c) for known in _CLASSES)}
    if len(rest) > MOST_OTHER_CHARACTERS or any(not c.isprintable() or c in _SPECIAL for c in rest):
        return ""
    classes = [known[1:-1] for known in _CLASSES if any(re.match(known, c) for c in seen)]
    others = "".join(f"\\{c}" if c in "./-$" else c for c in sorted(rest))
    return f"[{''.join(classes)}{others}]{{{shortest // 2},{2 * longest}}}"


def _is_matched(rows: Rows, name: str, pattern: str) -> bool:
    value = rows.column(name)
    matched = f"length({value}) <= {LONGEST_VALUE} AND regexp_full_match({value}, $1)"
    (found,) = rows.query(
        f"SELECT count({value}) AS n, count(*) FILTER (NOT ({matched})) AS off FROM t", [pattern]
    )
    return bool(found["off"] <= LEAST_OUTSIDE_SHARE * found["n"])
