"""A model that is ready to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.registry.signatures import conform

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from treadle.registry.entities import ModelVersion
    from treadle.registry.ports import ModelFlavor


class LoadedModel:
    """A version with its model in memory. May be asked by several threads."""

    def __init__(self, version: ModelVersion, *, model: Any, flavor: ModelFlavor) -> None:
        self.version = version
        self.model = model
        self._flavor = flavor

    def predict(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """Return one float64 for each row of a table that fits the model's signature.

        Columns may come in any order and numbers in any type that loses nothing. Raises
        InvalidInput naming the column that is missing, unknown or of a wrong type.
        """
        signature = self.version.signature
        # A model of MLflow's that was logged without a signature takes what it takes.
        known = bool(signature.inputs)
        fitting = conform(table, signature, whose=self.version.ref) if known else table
        if fitting.num_rows == 0:
            return np.empty(0, dtype=np.float64)
        return self._flavor.predict(self.model, fitting)
