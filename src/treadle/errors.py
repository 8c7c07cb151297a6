"""The errors Treadle raises, under their public name."""

from __future__ import annotations

from treadle.kernel.errors import (
    Conflict,
    ContractBroken,
    Corrupt,
    InvalidInput,
    MissingExtra,
    NotFound,
    Refused,
    TreadleError,
    Unavailable,
)

__all__ = [
    "Conflict",
    "ContractBroken",
    "Corrupt",
    "InvalidInput",
    "MissingExtra",
    "NotFound",
    "Refused",
    "TreadleError",
    "Unavailable",
]
