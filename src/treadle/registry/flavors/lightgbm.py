"""LightGBM models, saved as LightGBM's own text."""

from __future__ import annotations

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

MODEL = "model.txt"
PROBABILITIES = frozenset({"binary", "cross_entropy"})
CLASSES = frozenset({"multiclass", "multiclassova"})


class LightgbmFlavor:
    """Boosters, and estimators in scikit-learn's manner; both are loaded as boosters.

    A booster needs no scikit-learn and answers as its estimator does: with the trees up to the
    best round, where training stopped early. Categories fitted from a frame need pandas to be
    asked: only LightGBM's own mapping of them is in the file.
    """

    name = "lightgbm"

    def recognises(self, model: object) -> bool:
        """Say whether the model is a booster or an estimator around one."""
        lightgbm = sys.modules.get("lightgbm")
        if lightgbm is None:
            return False
        return isinstance(model, (lightgbm.Booster, lightgbm.LGBMModel))

    def output(self, model: Any) -> Output:
        """Say what the objective answers: a `probability`, a `class` or a `number`."""
        objective = _objective(_booster(model))
        if objective in PROBABILITIES:
            return "probability"
        return "class" if objective in CLASSES else "number"

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Write the booster as text."""
        booster = _booster(model)
        booster.save_model(folder / MODEL)
        remembered: dict[str, Any] = {
            "format": "lightgbm text",
            "libraries": pickles.libraries("lightgbm"),
            "class": type(model).__name__,
            "objective": _objective(booster),
        }
        if self.output(booster) != "number":
            remembered["classes"] = _classes(model, booster)
        return remembered

    def load(self, folder: Path) -> object:
        """Read the booster back."""
        try:
            import lightgbm  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            raise MissingExtra("LightGBM", extra="lightgbm") from error
        return lightgbm.Booster(model_str=(folder / MODEL).read_text(encoding="utf-8"))

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Ask the booster."""
        booster = _booster(model)
        given = booster.predict(_features(booster, table))
        # Only classes come as several columns.
        return one_column(given, rows=table.num_rows, output="class")


def _booster(model: Any) -> Any:
    lightgbm = sys.modules["lightgbm"]
    if isinstance(model, lightgbm.Booster):
        return model
    try:
        return model.booster_
    except Exception as error:  # scikit-learn's NotFittedError, or LightGBM's own
        raise InvalidInput(
            f"The {type(model).__name__} has not been fitted.", hint="Call `fit` first."
        ) from error


def _objective(booster: Any) -> str:
    # The booster does not tell; its text does. None is written for a function of the user's own.
    head = booster.model_to_string(num_iteration=1).splitlines()
    lines = (line for line in head if line.startswith("objective="))
    return next(lines, "objective=custom").removeprefix("objective=").partition(" ")[0]


def _classes(model: Any, booster: Any) -> list[Any]:
    known = getattr(model, "classes_", None)
    if known is None:
        return list(range(max(booster.num_model_per_iteration(), 2)))
    classes: list[Any] = known.tolist()
    return classes


def _features(booster: Any, table: pa.Table) -> Any:
    names = booster.feature_name()
    # Without names a matrix was fitted: columns go by their place. Spaces become underscores.
    if names != [f"Column_{place}" for place in range(len(names))]:
        spaceless = table.rename_columns([name.replace(" ", "_") for name in table.column_names])
        table = by_names(spaceless, names)
    if any(pa.types.is_dictionary(kind) for kind in table.schema.types):
        return table.to_pandas()
    return matrix(table)
