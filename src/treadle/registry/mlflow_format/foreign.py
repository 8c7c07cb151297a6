"""Load a model that MLflow's client saved, by what in its folder cannot run code.

Anybody who may log a run can put files into it, and the home signs what it was given: its seal says
that nothing changed since, not who wrote it. So a pickle among them is read only for a caller who
says `trust=True`, and what an `MLmodel` says of itself (its list of trusted types, say) counts for
nothing. XGBoost's, LightGBM's and ONNX's own files and skops are data and are read for everybody.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.kernel.errors import Corrupt, InvalidInput, MissingExtra, Refused, Unavailable
from treadle.registry.entities import Signature
from treadle.registry.flavors import pickles
from treadle.registry.flavors import sklearn as skops_files
from treadle.registry.flavors.answers import as_answers
from treadle.registry.flavors.known import FLAVORS
from treadle.registry.flavors.onnx import OnnxModel
from treadle.registry.mlflow_format.reading import read_mlmodel
from treadle.registry.mlflow_format.words import MLMODEL, PYFUNC

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    import pyarrow as pa

    from treadle.registry.entities import Output
    from treadle.registry.mlflow_format.reading import MlModel
    from treadle.registry.ports import ModelFlavor

MODEL_FOLDER = "model"
# What a flavor of ours would unpickle, or read with the help of a pickle inside.
CODE = ("model.pkl", "structure.cloudpickle", "model.pt2", "model.keras")
LIGHTGBM_TYPES = frozenset(
    {
        "collections.OrderedDict",
        "collections.defaultdict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRanker",
        "lightgbm.sklearn.LGBMRegressor",
    }
)


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A model from such a folder, by which of our flavors it is asked, and what it takes."""

    model: Any
    flavor: ModelFlavor
    signature: Signature


class PyfuncFlavor:
    """What only MLflow itself can load and ask: its client is installed where that is done."""

    name = "mlflow.pyfunc"

    def recognises(self, model: object) -> bool:
        """Say no: such a model is loaded, never registered."""
        del model
        return False

    def output(self, model: Any) -> Output:
        """Say `number`: MLflow's signature does not tell what the number means."""
        del model
        return "number"

    def save(self, model: Any, *, folder: Path) -> dict[str, Any]:
        """Refuse: MLflow's client saves it."""
        del folder
        raise InvalidInput(
            f"A {type(model).__name__} of MLflow's is not saved again.",
            hint="Log it by MLflow's client, or register a function that asks it.",
        )

    def load(self, folder: Path) -> object:
        """Let MLflow load the folder."""
        if importlib.util.find_spec("mlflow") is None:
            raise Unavailable(
                "Only MLflow's client can load this model, and it is not installed.",
                hint="Install it with: pip install mlflow",
            )
        pyfunc = importlib.import_module("mlflow.pyfunc")
        # It may go on reading its folder, which goes with it.
        held = Path(tempfile.mkdtemp(prefix="treadle-mlflow-"))
        try:
            shutil.copytree(folder, held, dirs_exist_ok=True)
            model = pyfunc.load_model(str(held))
        except BaseException:
            shutil.rmtree(held, ignore_errors=True)
            raise
        weakref.finalize(model, shutil.rmtree, held, ignore_errors=True)
        return model

    def predict(self, model: Any, table: pa.Table) -> npt.NDArray[np.float64]:
        """Ask it as MLflow would."""
        given = np.asarray(model.predict(table.to_pandas()))
        return as_answers(given, rows=table.num_rows)


def load_folder(folder: Path, *, ref: str, trust: bool) -> Foreign:
    """Load the model of a folder with an `MLmodel`.

    Raises Refused, with what to do, for what could run code unless the caller trusts it.
    """
    described = _described(folder, ref=ref)
    reader = _Reader(folder, ref=ref, trust=trust)
    flavor, model = reader.read(described)
    output = flavor.output(model)
    ours = described.ours
    inputs = ours.signature.inputs if ours.flavor else described.inputs
    return Foreign(model=model, flavor=flavor, signature=Signature(inputs=inputs, output=output))


def _described(folder: Path, *, ref: str) -> MlModel:
    if not (folder / MLMODEL).is_file():
        raise InvalidInput(
            f"{ref} has no {MLMODEL}: its files are not a model of MLflow's.",
            hint="Log it with a log_model of MLflow's, or register it by Treadle's client.",
        )
    return read_mlmodel((folder / MLMODEL).read_bytes())


class _Reader:
    """Reads one folder; each kind has a method of its own."""

    def __init__(self, folder: Path, *, ref: str, trust: bool) -> None:
        self._folder = folder
        self._ref = ref
        self._trust = trust

    def read(self, described: MlModel) -> tuple[ModelFlavor, Any]:
        """Return the flavor of ours that asks the model, and the model."""
        if described.ours.flavor:
            return self._ours(described.ours.flavor)
        readers: dict[str, Callable[[dict[str, Any]], tuple[str, Any]]] = {
            "xgboost": self._xgboost,
            "lightgbm": self._lightgbm,
            "onnx": self._onnx,
            "sklearn": self._sklearn,
            "pytorch": self._pytorch,
            "keras": self._keras,
        }
        if described.native in readers:
            name, model = readers[described.native](described.flavors[described.native])
            return _flavor(name), model
        self._needs_trust(f"only MLflow can load it ({described.native or PYFUNC})")
        flavor = PyfuncFlavor()
        return flavor, flavor.load(self._folder)

    def _ours(self, name: str) -> tuple[ModelFlavor, Any]:
        # Looked for where the flavors look, not in what the folder says of itself.
        found = [file for file in CODE if (self._folder / MODEL_FOLDER / file).exists()]
        if found:
            self._needs_trust(f"it is kept as code ({MODEL_FOLDER}/{found[0]})")
        flavor = _flavor(name)
        try:
            return flavor, flavor.load(self._folder / MODEL_FOLDER)
        except OSError as error:
            raise Corrupt(f"{self._ref} lacks files of its model: {error}") from error

    def _xgboost(self, said: dict[str, Any]) -> tuple[str, Any]:
        xgboost = _package("xgboost", extra="xgboost")
        booster = self._parsed(lambda path: xgboost.Booster(model_file=str(path)), said.get("data"))
        best = booster.attr("best_iteration")
        estimator = str(said.get("model_class", "")).startswith("xgboost.sklearn.")
        # The estimator answers with the trees up to the best round; its booster alone does not.
        return "xgboost", booster[: int(best) + 1] if estimator and best else booster

    def _lightgbm(self, said: dict[str, Any]) -> tuple[str, Any]:
        lightgbm = _package("lightgbm", extra="lightgbm")
        if said.get("model_class", "lightgbm.basic.Booster") != "lightgbm.basic.Booster":
            return "lightgbm", self._estimator(
                said.get("data"),
                kept=said.get("serialization_format", "cloudpickle"),
                known=LIGHTGBM_TYPES,
            )
        read = lambda path: lightgbm.Booster(model_str=path.read_text("utf-8"))  # noqa: E731
        return "lightgbm", self._parsed(read, said.get("data"))

    def _onnx(self, said: dict[str, Any]) -> tuple[str, Any]:
        onnx = _package("onnx", extra="onnx")
        # Numbers kept in files beside it are taken in; ONNX refuses a place outside the folder.
        read = lambda path: OnnxModel(onnx.load(str(path)).SerializeToString())  # noqa: E731
        return "onnx", self._parsed(read, said.get("data"))

    def _sklearn(self, said: dict[str, Any]) -> tuple[str, Any]:
        kept = said.get("serialization_format", "pickle")
        return "sklearn", self._estimator(said.get("pickled_model"), kept=kept)

    def _pytorch(self, said: dict[str, Any]) -> tuple[str, Any]:
        self._needs_trust("it is kept as a pickle, or with one inside")
        torch = _package("torch", extra="torch")
        program = self._within(f"{said.get('model_data')}/model.pt2")
        if program.exists():
            return "torch", torch.export.load(program).module()
        path = self._file(f"{said.get('model_data')}/model.pth")
        return "torch", torch.load(path, map_location="cpu", weights_only=False)

    def _keras(self, said: dict[str, Any]) -> tuple[str, Any]:
        del said
        self._needs_trust("a Keras file names the classes it is made of")
        keras = _package("keras", extra="keras")
        found = sorted(self._folder.rglob("*.keras"))
        if len(found) != 1:
            raise Corrupt(f"{self._ref} has {len(found)} files of Keras instead of one.")
        return "keras", keras.saving.load_model(found[0], compile=False, safe_mode=True)

    def _estimator(self, place: Any, *, kept: str, known: frozenset[str] = frozenset()) -> Any:
        path = self._file(place)
        if kept != "skops":
            self._needs_trust(f"it is kept as a pickle ({place})")
            return pickles.read_pickle(path.read_bytes())
        try:
            return skops_files.read_skops(path, known=known, trust=self._trust)
        except Refused as refused:
            raise Refused(
                f"{self._ref}: {refused.message}", hint=self._hint(), **refused.data
            ) from refused

    def _needs_trust(self, why: str) -> None:
        if not self._trust:
            raise Refused(
                f"{self._ref} came by MLflow's API and could run code when it is loaded: {why}.",
                hint=self._hint(),
                version=self._ref,
            )

    def _hint(self) -> str:
        return (
            "Log it in a format that is only data (skops, ONNX, XGBoost's or LightGBM's own). "
            f"If you know who made it: registry.load({self._ref!r}, trust=True); registered anew "
            "from there, it can be served."
        )

    def _parsed(self, read: Callable[[Path], Any], place: Any) -> Any:
        path = self._file(place)
        try:
            return read(path)
        except (InvalidInput, MissingExtra):
            raise
        except Exception as error:
            raise Corrupt(
                f"{place} of {self._ref} cannot be read: {type(error).__name__}: {error}"
            ) from error

    def _file(self, place: Any) -> Path:
        path = self._within(place)
        if not path.is_file():
            raise Corrupt(f"The {MLMODEL} of {self._ref} names {place!r}, which is not there.")
        return path

    def _within(self, place: Any) -> Path:
        path = (self._folder / str(place)).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise Refused(f"The {MLMODEL} of {self._ref} names {place!r}, outside of its folder.")
        return path


def _flavor(name: str) -> ModelFlavor:
    found = next((flavor for flavor in FLAVORS if flavor.name == name), None)
    if found is None:
        raise InvalidInput(f"The {MLMODEL} names a flavor {name!r}, which is not known.")
    return found


def _package(name: str, *, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(name, extra=extra) from error
