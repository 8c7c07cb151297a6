"""The Detector seam: one verb, six implementations, one shape of answer.

A score is a distance, and a distance is not an alert: on real data PSI > 0.25 fires every week.
What a shift does to predictions and loss is said by `analysis.effects`. Thresholds belong to the
definitions used here and do not carry over from other tools.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from treadle.analysis import drift
from treadle.analysis.bins import count_in_bins, reference_bins
from treadle.analysis.columns import (
    Values,
    as_array,
    as_floats,
    category_counts,
    finite_floats,
    is_categorical,
)
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from treadle.analysis.columns import Floats
    from treadle.analysis.drift import Counts

NUMBERS = frozenset({"number", "time", "bool"})
ANY_KIND = NUMBERS | {"category"}


class DriftScore(msgspec.Struct, frozen=True):
    """What a detector says of one column.

    `score` grows with the distance; `drifted` says that it reached the threshold and, where the
    detector is a test, that p_value < 0.01. Rows count every value given, nulls included.
    """

    detector: str
    score: float
    threshold: float
    drifted: bool
    p_value: float | None
    reference_rows: int
    current_rows: int
    reference_nulls: int
    current_nulls: int


@runtime_checkable
class Detector(Protocol):
    """Compares a current window with a reference.

    Implementations are pure and deterministic, do not change what they are given, and may be
    called from several threads. Nulls never raise, but a window with fewer than `minimum_rows`
    values raises InvalidInput. `kinds` are the column kinds of a profile that it can judge;
    others raise InvalidInput.
    """

    @property
    def name(self) -> str:
        """Name in the registry and in `DriftScore.detector`."""

    @property
    def kinds(self) -> frozenset[str]:
        """Column kinds it accepts."""

    @property
    def minimum_rows(self) -> int:
        """Smallest number of values it will judge, in either window."""

    def detect(self, reference: Values, current: Values) -> DriftScore:
        """Score the distance of the current values from the reference."""


@dataclass(frozen=True, kw_only=True)
class PsiDetector:
    """Population stability index; numbers by reference-quantile bins, categories by name."""

    threshold: float = 0.25
    minimum_rows: int = 30
    bins: int = 10
    floor: float = 1e-4
    name: str = "psi"
    kinds: frozenset[str] = ANY_KIND

    def detect(self, reference: Values, current: Values) -> DriftScore:
        """Score by `drift.psi`."""
        window = _window(self, reference, current)
        score = drift.psi_from_counts(*window.counts(bins=self.bins), floor=self.floor)
        return window.scored(score)


@dataclass(frozen=True, kw_only=True)
class KsDetector:
    """Kolmogorov-Smirnov: the largest gap between the distribution functions, with its p-value."""

    threshold: float = 0.1
    minimum_rows: int = 30
    name: str = "ks"
    kinds: frozenset[str] = NUMBERS

    def detect(self, reference: Values, current: Values) -> DriftScore:
        """Score by `drift.ks`."""
        window = _window(self, reference, current)
        result = drift.ks(reference, current)
        return window.scored(result.statistic, p_value=result.p_value)


@dataclass(frozen=True, kw_only=True)
class Chi2Detector:
    """Chi-squared contingency; the score is Cramér's V. Numbers are cut at reference quantiles."""

    threshold: float = 0.1
    minimum_rows: int = 30
    bins: int = 10
    name: str = "chi2"
    kinds: frozenset[str] = ANY_KIND

    def detect(self, reference: Values, current: Values) -> DriftScore:
        """Score by `drift.chi2`."""
        window = _window(self, reference, current)
        result = drift.chi2(*window.counts(bins=self.bins))
        return window.scored(result.cramers_v, p_value=result.p_value)


@dataclass(frozen=True, kw_only=True)
class WassersteinDetector:
    """Earth mover's distance in standard deviations of the reference.

    A constant reference has none: then the deviation of both windows joined is the unit.
    """

    threshold: float = 0.25
    minimum_rows: int = 30
    name: str = "wasserstein"
    kinds: frozenset[str] = NUMBERS

    def detect(self, reference: Values, current: Values) -> DriftScore:
        """Score by `drift.wasserstein` over the deviation."""
        window = _window(self, reference, current)
        first, second = finite_floats(reference), finite_floats(current)
        unit = float(first.std()) or float(np.concatenate([first, second]).std()) or 1.0
        return window.scored(drift.wasserstein(first, second) / unit)


@dataclass(frozen=True, kw_only=True)
class JsDetector:
    """Jensen-Shannon distance, base 2; numbers by reference-quantile bins, categories by name."""

    threshold: float = 0.15
    minimum_rows: int = 30
    bins: int = 10
    name: str = "js"
    kinds: frozenset[str] = ANY_KIND

    def detect(self, reference: Values, current: Values) -> DriftScore:
        """Score by `drift.jensen_shannon`."""
        window = _window(self, reference, current)
        return window.scored(drift.jensen_shannon(*window.counts(bins=self.bins)))


@dataclass(frozen=True, kw_only=True)
class DomainDetector:
    """AUC of a classifier between the windows; takes one column or rows x features."""

    threshold: float = 0.6
    minimum_rows: int = 30
    seed: int = 0
    name: str = "domain"
    kinds: frozenset[str] = NUMBERS

    def detect(self, reference: Values, current: Values) -> DriftScore:
        """Score by `drift.domain_classifier`."""
        window = _window(self, reference, current)
        return window.scored(drift.domain_classifier(_rows(reference), _rows(current), self.seed))


DETECTORS: dict[str, Detector] = {
    detector.name: detector
    for detector in (
        PsiDetector(),
        KsDetector(),
        Chi2Detector(),
        WassersteinDetector(),
        JsDetector(),
        DomainDetector(),
    )
}

_SIGNIFICANT = 0.01


class _Settings(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def threshold(self) -> float: ...
    @property
    def minimum_rows(self) -> int: ...
    @property
    def kinds(self) -> frozenset[str]: ...


@dataclass(frozen=True)
class _Window:
    """Both windows after the checks that all detectors share."""

    settings: _Settings
    reference: Values
    current: Values
    categorical: bool
    rows: tuple[int, int]
    nulls: tuple[int, int]

    def counts(self, *, bins: int) -> tuple[Counts, Counts]:
        if self.categorical:
            return category_counts(self.reference), category_counts(self.current)
        cut = reference_bins(np.sort(finite_floats(self.reference)), bins=bins)
        edges = np.asarray(cut.edges)
        return cut.counts, count_in_bins(finite_floats(self.current), edges=edges)

    def scored(self, score: float, *, p_value: float | None = None) -> DriftScore:
        significant = p_value is None or p_value < _SIGNIFICANT
        return DriftScore(
            detector=self.settings.name,
            score=float(score),
            threshold=self.settings.threshold,
            drifted=bool(score >= self.settings.threshold and significant),
            p_value=p_value,
            reference_rows=self.rows[0],
            current_rows=self.rows[1],
            reference_nulls=self.nulls[0],
            current_nulls=self.nulls[1],
        )


def _window(settings: _Settings, reference: Values, current: Values) -> _Window:
    reference_measure = _measure(settings, reference, name="reference")
    current_measure = _measure(settings, current, name="current")
    return _Window(
        settings,
        reference,
        current,
        categorical=is_names(reference) or is_names(current),
        rows=(reference_measure[0], current_measure[0]),
        nulls=(reference_measure[1], current_measure[1]),
    )


def is_names(values: Values) -> bool:
    """Say whether a column (not a matrix) holds names."""
    return not _is_matrix(values) and is_categorical(values)


def _measure(settings: _Settings, values: Values, *, name: str) -> tuple[int, int]:
    if is_names(values):
        if "category" not in settings.kinds:
            raise InvalidInput(
                f"Detector {settings.name!r} judges numbers, but {name} holds names.",
                hint="Use psi, chi2 or js for categories.",
            )
        counts = category_counts(values)
        rows, nulls = sum(counts.values()), counts.get("(null)", 0)
    elif _is_matrix(values):
        finite = np.isfinite(_rows(values))
        rows, nulls = len(finite), int((~finite.any(axis=1)).sum())
    else:
        finite = np.isfinite(as_floats(values, name=name))
        rows, nulls = len(finite), int((~finite).sum())
    if rows - nulls < settings.minimum_rows:
        raise InvalidInput(
            f"Detector {settings.name!r} needs {settings.minimum_rows} values; "
            f"{name} has {rows - nulls} ({nulls} nulls).",
            hint="Widen the window.",
            values=rows - nulls,
            minimum=settings.minimum_rows,
        )
    return rows, nulls


def _is_matrix(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 2  # noqa: PLR2004 - rows x features


def _rows(values: Values) -> Floats:
    if _is_matrix(values):
        return np.asarray(values, dtype=np.float64)
    return as_floats(as_array(values))[:, None]
