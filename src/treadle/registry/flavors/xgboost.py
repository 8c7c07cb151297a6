"""XGBoost models, saved in XGBoost's own binary JSON."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from treadle.kernel.errors import InvalidInput, MissingExtra
from treadle.registry.flavors import pickles
from treadle.registry.flavors.answers import one_column
from treadle.registry.flavors.matrices import by_names, matrix

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from treadle.registry.entities import Output

MODEL = "model.ubj"
PROBABILITIES = frozenset({"binary:logistic"})
CLASSES = frozenset({"multi:softprob", "multi:softmax", "binary:hinge"})


class XgboostFlavor:
    """Boosters, and estimators in scikit-learn's manner; both are loaded as boosters.

    A booster needs no scikit-learn and answers as its estimator does: with the trees up to the
    best round, where training stopped early.
    """

    name = "xgboost"

    def recognises(self, model: object) -> bool:
        """Say whether the model is a booster or an estimator around one."""
        xgboost = sys.modules.get("xgboost")
        if xgboost is None:
            return False
        return isinstance(model, (xgboost.Booster, xgboost.XGBModel))

    def output(self, model: Any) -> Output:
        """Say what the objective answers: a `probability`, a `class` or a `number`."""
        objective, _, _ = _told(_booster(model))
        if objective in PROBABILITIES:
            return "probability"
        return "class" if objective in CLASSES else "number"

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Write the booster as UBJSON. Raises InvalidInput for several targets at once."""
        booster = _booster(model)
        objective, targets, classes = _told(booster)
        if targets > 1:
            raise InvalidInput(
                f"The {type(model).__name__} predicts {targets} targets at once.",
                hint="Register one model for each target.",
            )
        booster.save_model(folder / MODEL)
        remembered: dict[str, Any] = {
            "format": "ubjson",
            "libraries": pickles.libraries(pickles.installed("xgboost-cpu", "xgboost")),
            "class": type(model).__name__,
            "objective": objective,
            "feature_names": booster.feature_names,
        }
        if self.output(model) != "number":
            remembered["classes"] = list(range(classes))
        return remembered

    def load(self, folder: Path) -> object:
        """Read the booster back."""
        try:
            import xgboost  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise MissingExtra("xgboost", extra="xgboost") from error
        return xgboost.Booster(model_file=bytearray((folder / MODEL).read_bytes()))

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Ask the booster."""
        booster = _booster(model)
        if booster.feature_names is not None:
            table = by_names(table, booster.feature_names)
        given = booster.inplace_predict(_features(table))
        # Only classes come as several columns: several targets are not saved.
        return one_column(given, rows=table.num_rows, output="class")


def _booster(model: Any) -> Any:
    xgboost = sys.modules["xgboost"]
    if isinstance(model, xgboost.Booster):
        return model
    try:
        booster = model.get_booster()
    except Exception as error:  # scikit-learn's, where it is installed, else XGBoost's own
        raise InvalidInput(
            f"The {type(model).__name__} has not been fitted.", hint="Call `fit` first."
        ) from error
    if not math.isnan(model.missing):
        raise InvalidInput(
            f"The {type(model).__name__} takes {model.missing!r} for missing, which its file "
            "would not remember.",
            hint="Put nulls where values are missing and fit it with missing=nan.",
        )
    best = getattr(model, "best_iteration", None) if model.early_stopping_rounds else None
    return booster if best is None else booster[: best + 1]


def _told(booster: Any) -> tuple[str, int, int]:
    told = json.loads(booster.save_config())["learner"]
    shape = told["learner_model_param"]
    classes = max(int(shape["num_class"]), 2)
    return told["learner_train_param"]["objective"], int(shape["num_target"]), classes


def _features(table: pa.Table) -> Any:
    # One row of 20 columns takes 170 µs as a matrix, 390 as a table; only that keeps categories.
    if any(pa.types.is_dictionary(kind) for kind in table.schema.types):
        return table
    return matrix(table)
