"""MLflow's folder of a model: ours can be read by its client, and its by us.

`MLmodel` of a version whose kind MLflow cannot ask as we do names this module as its loader: then
Treadle must be installed where MLflow loads the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound
from treadle.registry.flavors.known import FLAVORS
from treadle.registry.mlflow_format.reading import read_mlmodel
from treadle.registry.mlflow_format.words import MLMODEL, OURS
from treadle.registry.signatures import conform

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from treadle.registry.entities import Signature
    from treadle.registry.mlflow_format.reading import MlModel
    from treadle.registry.ports import ModelFlavor

MODEL_FOLDER = "model"


class PyfuncModel:
    """A version as MLflow's client asks it: a frame in, one float for each row out."""

    def __init__(self, model: Any, *, flavor: ModelFlavor, signature: Signature) -> None:
        self.model = model
        self._flavor = flavor
        self._signature = signature

    def predict(self, data: Any, params: Any = None) -> npt.NDArray[np.float64]:
        """Answer a frame, with the same rules for its columns as everywhere in Treadle."""
        del params  # a version has none
        table = data if isinstance(data, pa.Table) else _table(data)
        return self._flavor.predict(self.model, conform(table, self._signature, whose="The model"))

    def get_raw_model(self) -> Any:
        """Return what the flavor loaded."""
        return self.model


def _load_pyfunc(path: str) -> PyfuncModel:
    """Load what `Registry.register` saved; MLflow's client calls this by its name."""
    root = Path(path)
    described = read_mlmodel((root / MLMODEL).read_bytes())
    own = described.ours
    flavor = next((f for f in FLAVORS if f.name == own.flavor), None)
    if flavor is None:
        raise NotFound("model flavor", own.flavor, known=[f.name for f in FLAVORS])
    _check_files(root, described)
    return PyfuncModel(flavor.load(root / MODEL_FOLDER), flavor=flavor, signature=own.signature)


def _check_files(root: Path, described: MlModel) -> None:
    listed = described.ours.files
    there = {
        path.relative_to(root).as_posix()
        for path in (root / MODEL_FOLDER).rglob("*")
        if path.is_file() and path.name != MLMODEL
    }
    if there != set(listed):
        raise Corrupt(
            f"The files of the model are not those that {MLMODEL} lists.",
            hint="Download the version again.",
            files=sorted(there ^ set(listed)),
        )
    for path, digest in listed.items():
        if digest_bytes((root / path).read_bytes()) != digest:
            raise Corrupt(
                f"{path} is not what was saved.",
                hint="Download the version again.",
                digest=digest,
            )


def _table(data: Any) -> pa.Table:
    if not hasattr(data, "columns"):
        raise InvalidInput(
            f"The model takes a frame with named columns; found {type(data).__name__}.",
            hint=f"Its columns are described in {MLMODEL} under {OURS}.",
        )
    return pa.Table.from_pandas(data, preserve_index=False)
