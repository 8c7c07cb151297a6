"""Treadle runs the whole life of a machine-learning model from one install."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.analysis.leakage import single_feature_probe as probe
    from treadle.client import Client, connect
    from treadle.pipelines import dataset, pipeline, step
    from treadle.release.trained import Trained

__version__ = "0.1.0"

__all__ = [
    "Client",
    "Trained",
    "__version__",
    "connect",
    "dataset",
    "pipeline",
    "probe",
    "step",
]

# Names are fetched on first use, so that `import treadle` stays under its 100 ms budget.
_HOMES = {
    "Client": ("treadle.client", "Client"),
    "Trained": ("treadle.release.trained", "Trained"),
    "connect": ("treadle.client", "connect"),
    "dataset": ("treadle.pipelines", "dataset"),
    "pipeline": ("treadle.pipelines", "pipeline"),
    "probe": ("treadle.analysis.leakage", "single_feature_probe"),
    "step": ("treadle.pipelines", "step"),
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        message = f"module 'treadle' has no attribute {name!r}"
        raise AttributeError(message)
    module, attribute = home
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
