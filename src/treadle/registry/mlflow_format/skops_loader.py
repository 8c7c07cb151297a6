"""Load a scikit-learn estimator from a skops file, for MLflow's client.

This file travels with the model, as `code/treadle_skops.py`, since MLflow 3.6 has no loader of its
own that reads skops. It needs skops and scikit-learn, not Treadle, and runs no code of the model's:
skops refuses every type that is not named in `MLmodel` beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class SkopsModel:
    """An estimator as MLflow's client asks it."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def predict(self, data: Any, params: Any = None) -> Any:
        """Answer numbers, or labels."""
        del params  # an estimator has none
        return self._estimator.predict(data)

    def predict_proba(self, data: Any, params: Any = None) -> Any:
        """Answer a probability for each class."""
        del params  # as above
        return self._estimator.predict_proba(data)

    def get_raw_model(self) -> Any:
        """Return the estimator."""
        return self._estimator


def _load_pyfunc(path: str) -> SkopsModel:
    try:
        import skops.io  # noqa: PLC0415 - where it is missing, say what brings it
    except ImportError as error:
        message = "This model is kept by skops, which is not installed: pip install skops"
        raise ImportError(message) from error
    described = yaml.safe_load((Path(path) / "MLmodel").read_text("utf-8"))
    said = described["flavors"]["sklearn"]
    trusted = said["skops_trusted_types"]
    return SkopsModel(skops.io.load(Path(path) / said["pickled_model"], trusted=trusted))
