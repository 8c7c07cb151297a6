"""Bounds a person can read: three significant digits, never narrower than what was seen."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context

DIGITS = 3
OFF_GRID = 0.02
"""How far from a multiple of its step a value may be, in steps: it was rounded when written."""
_DOWN = Context(prec=DIGITS, rounding=ROUND_FLOOR)
_UP = Context(prec=DIGITS, rounding=ROUND_CEILING)


def downward(value: float) -> float:
    """Round to three significant digits, to the same value or below."""
    return _rounded(value, _DOWN)


def upward(value: float) -> float:
    """Round to three significant digits, to the same value or above."""
    return _rounded(value, _UP)


def _rounded(value: float, context: Context) -> float:
    # The shortest decimal that means this float, so that 0.1 stays 0.1.
    return float(context.create_decimal(repr(value))) if math.isfinite(value) else value
