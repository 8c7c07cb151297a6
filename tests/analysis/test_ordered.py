from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.analysis.ordered import Ordered, places_around, quantiles

LEVELS = np.array([0.0, 0.05, 0.3, 0.5, 0.9, 1.0])
NUMBERS = st.one_of(
    st.lists(st.integers(-5, 5), min_size=1, max_size=60).map(np.array),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60).map(lambda v: np.array(v) + 0.0),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20).map(
        lambda v: np.array(v, dtype=np.int64)
    ),
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20).map(
        lambda v: np.array(v, dtype=np.uint64)
    ),
)


def in_pieces(values, *, size, stretch):
    pieces = [np.sort(values[i : i + size]) for i in range(0, len(values), size)]
    return Ordered(pieces, stretch=stretch)


@settings(max_examples=200, deadline=None)
@given(values=NUMBERS, size=st.integers(1, 70), stretch=st.integers(1, 50))
def test_a_walk_over_pieces_finds_what_counting_finds(values, size, stretch):
    ordered = in_pieces(values, size=size, stretch=stretch)
    places = np.arange(len(values))

    walked = ordered.walk(places=places, top=3)

    counts = Counter(values.tolist())
    assert (walked.distinct, walked.once) == (len(counts), sum(n == 1 for n in counts.values()))
    assert list(walked.top) == sorted(counts.items(), key=lambda p: (-p[1], p[0]))[:3]
    assert walked.order.tolist() == np.sort(values).astype(np.float64).tolist()
    floats = values.astype(np.float64)
    assert walked.mean == pytest.approx(floats.mean(), rel=1e-9, abs=1e-9 * np.abs(floats).max())
    assert walked.deviations == pytest.approx(
        ((floats - floats.mean()) ** 2).sum(), rel=1e-9, abs=1e-9 * float((floats**2).max())
    )


@settings(max_examples=200, deadline=None)
@given(
    values=NUMBERS,
    size=st.integers(1, 70),
    cuts=st.lists(st.one_of(st.floats(-1e20, 1e20), st.integers(-6, 6).map(float)), max_size=9),
)
def test_what_lies_below_a_cut_is_counted_without_rounding(values, size, cuts):
    ordered = in_pieces(values, size=size, stretch=9)

    below = ordered.below(np.array(cuts, dtype=np.float64))

    assert below.tolist() == [sum(v < cut for v in values.tolist()) for cut in cuts]


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), size=st.integers(1, 70))
def test_quantiles_agree_with_numpy(values, size):
    array = np.array(values) + 0.0
    positions = LEVELS * (len(array) - 1)
    places = places_around(positions, size=len(array))

    order = in_pieces(array, size=size, stretch=5).walk(places=places, top=1).order
    found = quantiles(order, places=places, positions=positions, size=len(array))

    assert found == pytest.approx(np.quantile(array, LEVELS), rel=1e-9, abs=1e-9)


def test_nothing_has_no_values():
    assert Ordered([np.empty(0)]).size == 0
    assert list(Ordered([]).stretches()) == []
