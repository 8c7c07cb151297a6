"""The seam of the registry: how to save, load and ask one kind of model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from treadle.registry.entities import Output


class ModelFlavor(Protocol):
    """Knows one kind of model. Stateless; all verbs may be called from any thread.

    **Safety**: `load` is only called on files whose signature was checked. **Dependencies** are
    imported by the verbs that need them; a missing one raises MissingExtra. **Errors**: `save`
    raises InvalidInput when the model cannot be saved.
    """

    name: str
    """What versions remember to be loaded again; never changed."""

    def recognises(self, model: object) -> bool:
        """Say whether this flavor can save the model; imports nothing."""
        ...

    def output(self, model: Any) -> Output:
        """Say what the model answers."""
        ...

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Write the model into an empty folder; return what to remember as metadata of the version.

        At least `format` (how it is written) and `libraries` (their versions by name).
        """
        ...

    def load(self, folder: Path) -> object:
        """Read a model back; the folder is gone afterwards."""
        ...

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Return one float64 for each row of a table with at least one."""
        ...
