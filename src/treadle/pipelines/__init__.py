"""Graphs of cached steps: `@step` functions, wired by a `@pipeline` function.

Importing this brings neither pyarrow nor SQL: a file of steps is cheap to import.
"""

from __future__ import annotations

from treadle.execution.context import current_run_id
from treadle.pipelines.definitions import Pipeline, Step, dataset, pipeline, step

__all__ = ["Pipeline", "Step", "current_run_id", "dataset", "pipeline", "step"]
