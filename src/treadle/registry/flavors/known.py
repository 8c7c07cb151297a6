"""The flavors that are there, the special before the general: the first that recognises saves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.registry.flavors.callable import CallableFlavor
from treadle.registry.flavors.keras import KerasFlavor
from treadle.registry.flavors.lightgbm import LightgbmFlavor
from treadle.registry.flavors.onnx import OnnxFlavor
from treadle.registry.flavors.sklearn import SklearnFlavor
from treadle.registry.flavors.torch import TorchFlavor
from treadle.registry.flavors.xgboost import XgboostFlavor

if TYPE_CHECKING:
    from treadle.registry.ports import ModelFlavor

# An XGBClassifier is an estimator of scikit-learn, too; a Keras model a module of its backend.
FLAVORS: tuple[ModelFlavor, ...] = (
    XgboostFlavor(),
    LightgbmFlavor(),
    SklearnFlavor(),
    OnnxFlavor(),
    KerasFlavor(),
    TorchFlavor(),
    CallableFlavor(),
)
