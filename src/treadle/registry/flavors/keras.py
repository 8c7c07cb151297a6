"""Keras models, saved as `.keras` files and read in Keras' safe mode."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.kernel.errors import InvalidInput, MissingExtra
from treadle.registry.flavors import pickles
from treadle.registry.flavors.answers import BINARY, one_column
from treadle.registry.flavors.matrices import by_names, column, matrix

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from treadle.registry.entities import Output

MODEL = "model.keras"
BACKEND = "backend.txt"
# What Keras computes with, and the package that brings it.
BACKENDS = {"torch": "torch", "jax": "jax", "tensorflow": "tensorflow"}
ROWS = 8192


class KerasFlavor:
    """Built models of one matrix, or of one column for each named input.

    The last layer's activation tells the answer: a sigmoid or a softmax of two is a `probability`,
    a wider softmax a `class`, anything else a `number`. Layers of the user's own must be importable
    where the model is loaded; a `Lambda` of a Python function is refused, as Keras refuses it.
    """

    name = "keras"

    def recognises(self, model: object) -> bool:
        """Say whether the model is a Keras model."""
        keras = sys.modules.get("keras")
        kind = getattr(keras, "Model", None)
        return kind is not None and isinstance(model, kind)

    def output(self, model: Any) -> Output:
        """Say what the last layer's activation tells."""
        width = _width(model)
        activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
        if (activation, width) in {("sigmoid", 1), ("softmax", BINARY)}:
            return "probability"
        return "class" if activation == "softmax" else "number"

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Write the model. Raises InvalidInput when Keras would not read it back."""
        _width(model)
        try:
            model.save(folder / MODEL)
            _read((folder / MODEL).read_bytes())
        except Exception as error:
            raise InvalidInput(
                f"The {type(model).__name__} cannot be saved: {type(error).__name__}: {error}",
                hint="Use layers of Keras, or registered ones of an installed package.",
            ) from error
        backend = sys.modules["keras"].backend.backend()
        (folder / BACKEND).write_text(backend, encoding="utf-8")
        remembered: dict[str, Any] = {
            "format": "keras",
            "libraries": pickles.libraries("keras", BACKENDS.get(backend, "numpy")),
            "backend": backend,
            "precision": "float32",
        }
        if self.output(model) != "number":
            remembered["classes"] = list(range(max(_width(model), BINARY)))
        return remembered

    def load(self, folder: Path) -> object:
        """Read the model back, with the backend it was saved with unless another is in use."""
        backend = (folder / BACKEND).read_text(encoding="utf-8")
        if "keras" not in sys.modules and importlib.util.find_spec(BACKENDS.get(backend, "")):
            os.environ.setdefault("KERAS_BACKEND", backend)
        return _read((folder / MODEL).read_bytes())

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Ask the model."""
        keras, rows = _keras(), table.num_rows
        parts = [
            keras.ops.convert_to_numpy(model(_feeds(model, table.slice(at, ROWS)), training=False))
            for at in range(0, rows, ROWS)
        ]
        return one_column(np.concatenate(parts), rows=rows, output=self.output(model))


def _read(data: bytes) -> Any:
    keras = _keras()
    # Keras reads a model from a path with this ending alone.
    with tempfile.TemporaryDirectory(prefix="treadle-keras-") as name:
        path = Path(name) / MODEL
        path.write_bytes(data)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def _width(model: Any) -> int:
    shape = getattr(model, "output_shape", None) if model.built else None
    if not isinstance(shape, tuple) or len(shape) > BINARY:
        raise InvalidInput(
            f"The {type(model).__name__} does not tell the one answer it gives.",
            hint="Build it with an Input and one output of a row's shape.",
        )
    return int(shape[-1] or 1) if len(shape) == BINARY else 1


def _feeds(model: Any, table: pa.Table) -> Any:
    inputs = model.inputs
    if len(inputs) == 1:
        return matrix(table).astype(inputs[0].dtype)
    table = by_names(table, [put.name for put in inputs])
    return {put.name: column(table, put.name)[:, None].astype(put.dtype) for put in inputs}


def _keras() -> Any:
    try:
        import keras  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise MissingExtra("Keras", extra="keras") from error
    return keras
