"""scikit-learn estimators, saved by skops; by cloudpickle only where skops cannot hold them."""

from __future__ import annotations

import functools
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from treadle.kernel.errors import Corrupt, InvalidInput, MissingExtra, Refused
from treadle.registry.flavors import pickles
from treadle.registry.flavors.answers import as_answers

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from treadle.registry.entities import Output

MODEL = "model.skops"
BINARY = 2
# Types skops asks about, found by saving every estimator of scikit-learn 1.9: parts of fitted
# estimators and pure functions, none of which does anything but hold numbers or compute.
TRUSTED = frozenset(
    {
        "functools.partial",
        "numpy.dtype",
        "numpy.mean",
        "scipy.interpolate._bsplines.BSpline",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.cluster._bisect_k_means._BisectingTree",
        "sklearn.cluster._kmeans._kmeans_single_lloyd",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils.validation.check_array",
    }
)
# An estimator with one of these holds others, which may pick columns by name.
COMPOSITE = ("steps", "transformers", "transformer_list", "estimator", "estimators")


class SklearnFlavor:
    """Fitted estimators that predict, pipelines and classes of the user's own included.

    They are asked in the form they were fitted on: an estimator that knows its columns' names gets
    a frame, any other a matrix (floats, missing as NaN; objects when a column holds text).
    """

    name = "sklearn"

    def recognises(self, model: object) -> bool:
        """Say whether the model is an estimator that predicts."""
        # Who has an estimator in hand has imported scikit-learn.
        base = sys.modules.get("sklearn.base")
        return (
            base is not None and isinstance(model, base.BaseEstimator) and hasattr(model, "predict")
        )

    def output(self, model: Any) -> Output:
        """Say `probability` for two classes, `class` for more or without probabilities."""
        classes = getattr(model, "classes_", None)
        if classes is None:
            return "number"
        two = len(classes) == BINARY and hasattr(model, "predict_proba")
        return "probability" if two else "class"

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Write the estimator by skops, or as a pickle when skops does not know a part of it."""
        skops_io = _skops_io()
        classes = _classes(model)
        try:
            skops_io.dump(model, folder / MODEL)
            strange = sorted(set(skops_io.get_untrusted_types(file=folder / MODEL)) - TRUSTED)
        except Exception:  # noqa: BLE001 - whatever skops cannot hold, a pickle may
            strange = [type(model).__name__]
        if strange:
            (folder / MODEL).unlink(missing_ok=True)
            pickles.save_pickle(model, folder=folder)
            return {
                "format": "cloudpickle",
                "libraries": pickles.libraries("scikit-learn", "cloudpickle"),
                "unknown_to_skops": strange,
                **classes,
            }
        return {
            "format": "skops",
            "libraries": pickles.libraries("scikit-learn", "skops"),
            **classes,
        }

    def load(self, folder: Path) -> object:
        """Read the estimator back. Raises Refused when a skops file holds a type not trusted."""
        _require_sklearn()
        if not (folder / MODEL).exists():
            return pickles.load_pickle(folder)
        return read_skops(folder / MODEL)

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Ask the estimator."""
        features = _features(model, table)
        output = self.output(model)
        if output == "probability":
            return as_answers(model.predict_proba(features)[:, 1], rows=table.num_rows)
        given = model.predict(features)
        if output == "class":
            given = np.searchsorted(model.classes_, given)
        return as_answers(given, rows=table.num_rows)


def read_skops(path: Path, *, known: frozenset[str] = frozenset(), trust: bool = False) -> object:
    """Read an estimator from a skops file.

    Raises Refused when it holds a type that is neither trusted here nor `known` to the caller, who
    may `trust` whatever is in it; Corrupt when it is no such file.
    """
    _require_sklearn()
    skops_io = _skops_io()
    try:
        found = set(skops_io.get_untrusted_types(file=path))
    except Exception as error:
        raise Corrupt(f"The skops file cannot be read: {type(error).__name__}: {error}") from error
    strange = sorted(found - TRUSTED - known)
    if strange and not trust:
        raise Refused(
            f"The model holds types this Treadle does not trust: {', '.join(strange)}.",
            hint="Load it with the version of Treadle that saved it.",
            types=strange,
        )
    return skops_io.load(path, trusted=sorted(found))


def _features(model: Any, table: pa.Table) -> Any:
    if not hasattr(model, "feature_names_in_"):
        return _matrix(table)
    # Measured on one row of a boosted model: 190 µs asked with the Arrow table itself, 750 µs by
    # way of pandas, which only estimators made of others need. A scaled logistic regression takes
    # 600 µs instead of 1,500.
    if _has_categories(table) or not (_is_single(model) or _is_plain_line(model, table)):
        return table.to_pandas() if _has_pandas() else table
    return table


def _is_single(model: Any) -> bool:
    return not any(hasattr(model, name) for name in COMPOSITE)


def _is_plain_line(model: Any, table: pa.Table) -> bool:
    """Say whether a model is scikit-learn's own steps in a line, none of which asks for a frame.

    Then its first step makes a matrix of the columns, and the others see no more than that.
    """
    if type(model).__module__ != "sklearn.pipeline" or not hasattr(model, "steps"):
        return False
    numbers = all(pa.types.is_floating(t) or pa.types.is_integer(t) for t in table.schema.types)
    return numbers and all(_is_plain(step) for _, step in model.steps)


def _is_plain(step: Any) -> bool:
    kind = type(step)
    return (
        kind.__module__.startswith("sklearn.")
        and kind.__name__ != "FunctionTransformer"  # whose function may want names
        and "_sklearn_output_config" not in vars(step)  # the next one is told to get a frame
        and _is_single(step)
    )


def _matrix(table: pa.Table) -> npt.NDArray[Any]:
    types = table.schema.types
    if all(pa.types.is_primitive(t) and not pa.types.is_temporal(t) for t in types):
        columns = [c.cast(pa.float64()).to_numpy(zero_copy_only=False) for c in table.columns]
        return np.column_stack(columns)
    return np.column_stack([_objects(column) for column in table.columns])


def _objects(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)


def _has_categories(table: pa.Table) -> bool:
    return any(pa.types.is_dictionary(t) for t in table.schema.types)


@functools.cache
def _has_pandas() -> bool:
    return importlib.util.find_spec("pandas") is not None


def _classes(model: Any) -> dict[str, Any]:
    classes = getattr(model, "classes_", None)
    if classes is None:
        return {}
    if not isinstance(classes, np.ndarray):
        raise InvalidInput(
            f"The {type(model).__name__} predicts several targets at once.",
            hint="Register one model for each target.",
        )
    return {"classes": classes.tolist()}


def _require_sklearn() -> None:
    try:
        import sklearn  # noqa: F401, PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtra("scikit-learn", extra="sklearn") from error


def _skops_io() -> Any:
    try:
        import skops.io  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtra("skops", extra="sklearn") from error
    return skops.io
