from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from treadle.analysis import drift
from treadle.analysis.detectors import (
    DETECTORS,
    Chi2Detector,
    Detector,
    DomainDetector,
    JsDetector,
    KsDetector,
    PsiDetector,
    WassersteinDetector,
)
from treadle.testing.detectors import CategoryDetectorContract, NumberDetectorContract


class TestPsi(CategoryDetectorContract):
    detector = PsiDetector()


class TestKs(NumberDetectorContract):
    detector = KsDetector()


class TestChi2(CategoryDetectorContract):
    detector = Chi2Detector()


class TestWasserstein(NumberDetectorContract):
    detector = WassersteinDetector()


class TestJs(CategoryDetectorContract):
    detector = JsDetector()


class TestDomain(NumberDetectorContract):
    detector = DomainDetector()


def test_the_registry_holds_the_six_by_name():
    assert list(DETECTORS) == ["psi", "ks", "chi2", "wasserstein", "js", "domain"]
    assert all(isinstance(d, Detector) for d in DETECTORS.values())


def test_thresholds_are_settings():
    reference, current = np.arange(100.0), np.arange(100.0) + 5

    strict = PsiDetector(threshold=1e-6).detect(reference, current)

    assert strict.drifted
    assert not PsiDetector().detect(reference, current).drifted


def test_a_score_is_the_measure_it_is_named_for():
    reference, current = np.arange(100.0), np.arange(100.0) + 25

    assert DETECTORS["psi"].detect(reference, current).score == drift.psi(reference, current)
    assert DETECTORS["ks"].detect(reference, current).score == pytest.approx(0.25)
    assert DETECTORS["wasserstein"].detect(reference, current).score == pytest.approx(
        25 / reference.std()
    )


def test_arrow_columns_are_accepted_as_they_are():
    reference = pa.chunked_array([["a", "b"] * 30])
    current = pa.array(["a", "c"] * 30).dictionary_encode()

    result = DETECTORS["chi2"].detect(reference, current)

    assert result.drifted
    assert result.score == pytest.approx(np.sqrt(0.5))


def test_the_domain_detector_takes_whole_rows():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(300, 3)), rng.normal(size=(300, 3)) + 1

    result = DETECTORS["domain"].detect(first, second)

    assert result.drifted
    assert result.current_rows == 300


def test_a_tiny_shift_of_many_rows_is_significant_but_no_drift():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=100_000), rng.normal(size=100_000) + 0.03

    result = DETECTORS["ks"].detect(first, second)

    assert result.p_value < 1e-4
    assert not result.drifted
