"""The contract of a Detector, as tests: subclass it and set `detector`.

For example `class TestMine(DetectorContract): detector = MyDetector()` in a test file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from treadle.analysis.detectors import Detector, DriftScore


class DetectorContract:
    """What every Detector promises, for every column kind it says it accepts."""

    detector: ClassVar[Detector]

    def test_identical_samples_are_no_drift(self) -> None:
        sample = _numbers(seed=1)

        result = self.detector.detect(sample, sample)

        assert not result.drifted

    def test_samples_of_one_distribution_are_no_drift(self) -> None:
        result = self.detector.detect(_numbers(seed=1), _numbers(seed=2))

        assert not result.drifted

    def test_a_shifted_sample_scores_higher_and_is_drift(self) -> None:
        reference = _numbers(seed=1)

        unshifted = self.detector.detect(reference, _numbers(seed=2))
        shifted = self.detector.detect(reference, _numbers(seed=2) + 1.5)

        assert shifted.score > unshifted.score
        assert shifted.drifted

    def test_a_larger_shift_scores_higher(self) -> None:
        reference = _numbers(seed=1)

        small = self.detector.detect(reference, _numbers(seed=2) + 0.5)
        large = self.detector.detect(reference, _numbers(seed=2) + 1.5)

        assert large.score > small.score

    def test_swapping_the_windows_keeps_the_finding(self) -> None:
        first, second = _numbers(seed=1), _numbers(seed=2) + 1.5

        forth = self.detector.detect(first, second)
        back = self.detector.detect(second, first)

        assert forth.drifted
        assert back.drifted

    @pytest.mark.parametrize("rows", [0, 1])
    def test_a_current_window_below_the_minimum_is_a_clear_error(self, rows: int) -> None:
        with pytest.raises(InvalidInput, match="current"):
            self.detector.detect(_numbers(seed=1), _numbers(seed=2)[:rows])

    @pytest.mark.parametrize("rows", [0, 1])
    def test_a_reference_below_the_minimum_is_a_clear_error(self, rows: int) -> None:
        with pytest.raises(InvalidInput, match="reference"):
            self.detector.detect(_numbers(seed=1)[:rows], _numbers(seed=2))

    def test_windows_of_exactly_the_minimum_are_judged(self) -> None:
        rows = self.detector.minimum_rows

        result = self.detector.detect(_numbers(seed=1)[:rows], _numbers(seed=2)[:rows])

        assert _is_whole(result)

    def test_windows_of_different_size_are_judged(self) -> None:
        rows = self.detector.minimum_rows

        result = self.detector.detect(_numbers(seed=1), _numbers(seed=2)[:rows])

        assert (result.reference_rows, result.current_rows) == (600, rows)

    def test_nulls_are_counted_and_do_not_harm(self) -> None:
        reference, current = _numbers(seed=1), _numbers(seed=2)
        current[:60] = math.nan

        result = self.detector.detect(reference, current)

        assert _is_whole(result)
        assert (result.reference_nulls, result.current_nulls) == (0, 60)

    def test_a_window_of_nulls_is_a_clear_error(self) -> None:
        with pytest.raises(InvalidInput, match="current"):
            self.detector.detect(_numbers(seed=1), np.full(600, math.nan))

    def test_a_constant_column_is_no_drift_from_itself(self) -> None:
        result = self.detector.detect(np.full(600, 3.0), np.full(500, 3.0))

        assert _is_whole(result)
        assert not result.drifted

    def test_leaving_a_constant_is_finite_drift(self) -> None:
        below = self.detector.detect(np.full(600, 3.0), np.full(600, 2.0))

        assert _is_whole(below)
        assert below.drifted

    def test_the_same_windows_give_the_same_score(self) -> None:
        reference, current = _numbers(seed=1), _numbers(seed=2) + 0.3

        first = self.detector.detect(reference, current)
        second = self.detector.detect(reference, current)

        assert first == second

    def test_the_windows_are_left_as_they_were(self) -> None:
        reference, current = _numbers(seed=1), _numbers(seed=2)

        self.detector.detect(reference, current)

        np.testing.assert_array_equal(reference, _numbers(seed=1))
        np.testing.assert_array_equal(current, _numbers(seed=2))

    def test_the_score_carries_the_detectors_name(self) -> None:
        result = self.detector.detect(_numbers(seed=1), _numbers(seed=2))

        assert result.detector == self.detector.name


class CategoryDetectorContract(DetectorContract):
    """What a detector that judges names promises besides."""

    def test_an_unseen_category_is_finite_drift(self) -> None:
        reference = np.array(["EWR", "JFK", "LGA"] * 200, dtype=object)
        current = np.array(["EWR", "JFK", "SWF"] * 200, dtype=object)

        result = self.detector.detect(reference, current)

        assert _is_whole(result)
        assert result.drifted

    def test_null_categories_are_counted_and_do_not_harm(self) -> None:
        reference = np.array(["EWR", "JFK", None] * 200, dtype=object)

        result = self.detector.detect(reference, reference)

        assert not result.drifted
        assert result.current_nulls == 200


class NumberDetectorContract(DetectorContract):
    """What a detector of numbers alone promises besides."""

    def test_names_are_refused_by_a_detector_of_numbers(self) -> None:
        names = np.array(["EWR", "JFK", "LGA"] * 200, dtype=object)

        with pytest.raises(InvalidInput, match="names"):
            self.detector.detect(names, names)


def _numbers(*, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=600)


def _is_whole(result: DriftScore) -> bool:
    p_value = 0.0 if result.p_value is None else result.p_value
    return math.isfinite(result.score) and 0.0 <= p_value <= 1.0
