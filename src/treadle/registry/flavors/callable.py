"""Any function of a table, or object with `predict(table)`, saved by cloudpickle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.registry.flavors import pickles
from treadle.registry.flavors.answers import as_answers

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from treadle.registry.entities import Output


class CallableFlavor:
    """A function of a `pyarrow.Table`, or an object whose `predict` is one: a number a row."""

    name = "callable"

    def recognises(self, model: object) -> bool:
        """Say whether the model can be called or has a `predict`; a class itself is no model."""
        if isinstance(model, type):
            return False
        return callable(getattr(model, "predict", None)) or callable(model)

    def output(self, model: Any) -> Output:
        """Return what the model says of itself as `output`, else `number`."""
        said = getattr(model, "output", None)
        return said if said in {"probability", "class", "number"} else "number"

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Write the model as a pickle."""
        pickles.save_pickle(model, folder=folder)
        return {"format": "cloudpickle", "libraries": pickles.libraries("cloudpickle")}

    def load(self, folder: Path) -> object:
        """Read the pickle back."""
        return pickles.load_pickle(folder)

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Ask the model."""
        ask = getattr(model, "predict", None) or model
        return as_answers(ask(table), rows=table.num_rows)
