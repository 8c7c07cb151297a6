"""Searches for the best params: studies and their trials.

Importing this brings neither SQL nor arrays.
"""

from __future__ import annotations

from treadle.execution.context import current_run_id
from treadle.tuning.space import choice, integer, log_uniform, uniform

__all__ = ["choice", "current_run_id", "integer", "log_uniform", "uniform"]
