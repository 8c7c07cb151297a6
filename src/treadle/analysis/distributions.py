"""The distributions behind p-values and intervals, in plain Python.

SciPy is not part of the core install. Formula numbers are those of the NIST Digital Library of
Mathematical Functions (DLMF, https://dlmf.nist.gov); continued fractions are evaluated by the
modified Lentz method (Thompson & Barnett 1986). Relative accuracy is about 1e-12.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

_NORMAL = NormalDist()
_TINY = 1e-300
_PRECISION = 1e-15


def normal_quantile(p: float) -> float:
    """Value a standard normal variable stays below with probability p."""
    _require(0.0 < p < 1.0, f"a quantile needs 0 < p < 1, got {p}")
    return _NORMAL.inv_cdf(p)


def normal_sf(x: float) -> float:
    """Probability that a standard normal variable exceeds x, exact in the far tail too."""
    return 0.5 * math.erfc(x / math.sqrt(2.0))


def chi2_sf(x: float, *, dof: float) -> float:
    """Probability that a chi-squared variable with `dof` degrees of freedom exceeds x."""
    _require(dof > 0, f"degrees of freedom must be positive, got {dof}")
    return upper_gamma(dof / 2.0, x=max(x, 0.0) / 2.0)


def student_t_sf(t: float, *, dof: float) -> float:
    """Probability that Student's t with `dof` degrees of freedom exceeds t."""
    _require(dof > 0, f"degrees of freedom must be positive, got {dof}")
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    if t * t < 1.0:
        # Near the middle, dof / (dof + t²) rounds to 1: take the complement (DLMF 8.17.4).
        centre = regularised_beta(t * t / (dof + t * t), a=0.5, b=dof / 2.0)
        return 0.5 - math.copysign(0.5 * centre, t)
    tail = 0.5 * regularised_beta(dof / (dof + t * t), a=dof / 2.0, b=0.5)
    return tail if t > 0 else 1.0 - tail


@lru_cache(maxsize=1024)
def student_t_quantile(p: float, *, dof: float) -> float:
    """Value Student's t stays below with probability p, by bisection of `student_t_sf`."""
    _require(0.0 < p < 1.0, f"a quantile needs 0 < p < 1, got {p}")
    if p < 0.5:  # noqa: PLR2004 - the median
        return -student_t_quantile(1.0 - p, dof=dof)
    tail = 1.0 - p
    low, high = 0.0, 1.0
    while student_t_sf(high, dof=dof) > tail:
        low, high = high, high * 2.0
    while high - low > 1e-14 * high:
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        low, high = (middle, high) if student_t_sf(middle, dof=dof) > tail else (low, middle)
    return (low + high) / 2.0


def kolmogorov_sf(x: float) -> float:
    """Probability that the limit of √n·D exceeds x (Kolmogorov 1933).

    The alternating series converges fast for x ≥ 1, its theta-function twin (Jacobi) below.
    """
    if x <= 0.04:  # noqa: PLR2004 - the twin series is 1 - 1e-330 here
        return 1.0
    if x < 1.0:
        odd = sum(math.exp(-(((2 * k - 1) * math.pi / x) ** 2) / 8.0) for k in range(1, 6))
        return 1.0 - math.sqrt(2.0 * math.pi) / x * odd
    return 2.0 * sum((-1.0) ** (k - 1) * math.exp(-2.0 * (k * x) ** 2) for k in range(1, 12))


def upper_gamma(a: float, *, x: float) -> float:
    """Regularised upper incomplete gamma function Q(a, x) (DLMF 8.2.4)."""
    if x <= 0.0:
        return 1.0
    log_scale = a * math.log(x) - x - math.lgamma(a)
    if x < a + 1.0:
        return 1.0 - math.exp(log_scale) * _lower_gamma_series(a, x=x)
    # DLMF 8.9.2 in its even contraction.
    fraction = _continued_fraction(
        lambda k: -k * (k - a), lambda k: x + 2.0 * k + 1.0 - a, rounds=_rounds(a)
    )
    return math.exp(log_scale) / fraction


def regularised_beta(x: float, *, a: float, b: float) -> float:
    """Regularised incomplete beta function I_x(a, b) (DLMF 8.17.2)."""
    _require(0.0 <= x <= 1.0, f"x must lie in [0, 1], got {x}")
    if x in (0.0, 1.0):
        return x
    if x > (a + 1.0) / (a + b + 2.0):
        # DLMF 8.17.4: the fraction converges fast only below the mean.
        return 1.0 - regularised_beta(1.0 - x, a=b, b=a)
    log_front = (
        a * math.log(x)
        + b * math.log1p(-x)
        + math.lgamma(a + b)
        - math.lgamma(a)
        - math.lgamma(b)
        - math.log(a)
    )
    return math.exp(log_front) / _beta_fraction(x, a=a, b=b)


def _beta_fraction(x: float, *, a: float, b: float) -> float:
    def numerator(k: int) -> float:
        # DLMF 8.17.23.
        m = k // 2
        if k % 2:
            return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))

    return _continued_fraction(numerator, lambda _: 1.0, rounds=_rounds(max(a, b)))


def _lower_gamma_series(a: float, *, x: float) -> float:
    # DLMF 8.7.1, Γ(a) left to the caller.
    term = total = 1.0 / a
    for k in range(1, _rounds(a)):
        term *= x / (a + k)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _continued_fraction(
    numerator: Callable[[int], float], denominator: Callable[[int], float], *, rounds: int
) -> float:
    """Evaluate b0 + a1/(b1 + a2/(b2 + …)) by the modified Lentz method."""
    value = denominator(0) or _TINY
    c, d = value, 0.0
    for k in range(1, rounds):
        d = 1.0 / ((denominator(k) + numerator(k) * d) or _TINY)
        c = (denominator(k) + numerator(k) / c) or _TINY
        value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return value


def _rounds(parameter: float) -> int:
    # Near the mean both expansions need a number of terms that grows like √parameter.
    return 500 + int(20.0 * math.sqrt(parameter))


def _require(condition: object, rule: str) -> None:
    if not condition:
        raise InvalidInput(f"Not defined: {rule}.")
