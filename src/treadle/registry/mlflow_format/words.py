"""The words that MLflow's format and ours share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.registry.entities import FieldType

MLMODEL = "MLmodel"
PYFUNC = "python_function"
OURS = "treadle"
LOADER = "treadle.registry.mlflow_format"

TO_MLFLOW: dict[FieldType, str] = {
    "int64": "long",
    "double": "double",
    "bool": "boolean",
    "string": "string",
    "category": "string",
    "timestamp": "datetime",
    "date": "datetime",
}
FROM_MLFLOW: dict[str, FieldType] = {
    "boolean": "bool",
    "integer": "int64",
    "long": "int64",
    "float": "double",
    "double": "double",
    "string": "string",
    "datetime": "timestamp",
}
# The beginnings of NumPy's names for what a tensor holds.
FROM_NUMPY: tuple[tuple[str, FieldType], ...] = (
    ("float", "double"),
    ("int", "int64"),
    ("uint", "int64"),
    ("bool", "bool"),
    ("str", "string"),
    ("object", "string"),
    ("datetime64", "timestamp"),
)
