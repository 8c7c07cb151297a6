"""Write what MLflow's client needs to load a version of ours: `MLmodel` and the files beside it.

Where MLflow has a loader of its own that reads our files and asks as we do, it is named; for skops
a loader comes along. Then Treadle need not be installed there. Anything else is loaded by this
package. What a pyfunc answers:

- our own number a row, by our loader, and for regressions and single probabilities by theirs;
- the two columns of `predict_proba` for a scikit-learn classifier of two (ours is the second);
- labels for other scikit-learn classifiers, a column for each class for LightGBM and XGBoost.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from treadle.registry.flavors.sklearn import TRUSTED
from treadle.registry.mlflow_format import skops_loader
from treadle.registry.mlflow_format.words import LOADER, MLMODEL, OURS, PYFUNC, TO_MLFLOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from treadle.data.entities import FileEntry
    from treadle.registry.entities import Signature

REQUIREMENTS = "requirements.txt"
PYTHON_ENV = "python_env.yaml"
EXAMPLE = "input_example.json"
CODE_FOLDER = "code"
SKOPS_LOADER = "treadle_skops"
NUMBERS = frozenset({"int64", "double", "bool"})
PLAIN = NUMBERS | {"string"}


def mlflow_files(
    flavor: str,
    *,
    signature: Signature,
    remembered: Mapping[str, Any],
    files: Sequence[FileEntry],
    example: pa.Table,
) -> dict[str, bytes]:
    """Return the files that make a bundle a model of MLflow's, by their paths.

    `files` are those of the model, below the bundle's root; `remembered` is what the flavor said.
    """
    libraries: dict[str, str] = remembered["libraries"]
    native = _NATIVE.get(flavor, _nothing)(signature, remembered, [file.path for file in files])
    pyfunc = native.pyfunc or {"loader_module": LOADER}
    sections = {
        PYFUNC: {
            **pyfunc,
            "env": {"virtualenv": PYTHON_ENV},
            "python_version": libraries["python"],
        },
        **({native.name: native.section} if native.name else {}),
        OURS: {
            "flavor": flavor,
            "signature": msgspec.to_builtins(signature),
            "files": {file.path: file.digest for file in files},
        },
    }
    described = _mlmodel(sections, signature, whole=native.pyfunc is None)
    written = {
        MLMODEL: described,
        REQUIREMENTS: _requirements(libraries, whole=native.pyfunc is None),
        PYTHON_ENV: _python_env(libraries),
        EXAMPLE: _example(example),
    }
    if "code" in pyfunc:
        written[f"{CODE_FOLDER}/{SKOPS_LOADER}.py"] = Path(skops_loader.__file__).read_bytes()
    if "data" in pyfunc:
        # The loader that asks for a file looks for the description beside it.
        written[f"{pyfunc['data'].rpartition('/')[0]}/{MLMODEL}"] = described
    return written


class _Native(msgspec.Struct, kw_only=True):
    """MLflow's own flavor for the files; with `pyfunc` its loader also asks as we do."""

    name: str = ""
    section: dict[str, Any] = {}
    pyfunc: dict[str, Any] | None = None


def _nothing(signature: Signature, remembered: Mapping[str, Any], paths: list[str]) -> _Native:
    del signature, remembered, paths
    return _Native()


def _sklearn(signature: Signature, remembered: Mapping[str, Any], paths: list[str]) -> _Native:
    skops = remembered["format"] == "skops"
    pyfunc = {
        "loader_module": "mlflow.sklearn",
        "model_path": paths[0],
        "predict_fn": "predict_proba" if signature.output == "probability" else "predict",
    }
    if skops:  # the newest MLflow would read it by itself, 3.6 only by what comes along
        pyfunc |= {"loader_module": SKOPS_LOADER, "code": CODE_FOLDER}
    section = {
        "pickled_model": paths[0],
        "sklearn_version": remembered["libraries"]["scikit-learn"],
        "serialization_format": "skops" if skops else "cloudpickle",
        "skops_trusted_types": sorted(TRUSTED) if skops else None,
        "code": None,
    }
    plain = _only(signature, PLAIN)
    return _Native(name="sklearn", section=section, pyfunc=pyfunc if plain else None)


def _xgboost(signature: Signature, remembered: Mapping[str, Any], paths: list[str]) -> _Native:
    section = {
        "data": paths[0],
        "model_class": "xgboost.core.Booster",
        "model_format": "ubj",
        "xgb_version": next(
            v for name, v in remembered["libraries"].items() if name.startswith("xgboost")
        ),
        "code": None,
    }
    # Its loader hands over a frame, which a booster fitted on a nameless matrix does not take.
    named = remembered["feature_names"] == [field.name for field in signature.inputs]
    asks = named and _only(signature, NUMBERS)
    pyfunc = {"loader_module": "mlflow.xgboost"} if asks else None
    return _Native(name="xgboost", section=section, pyfunc=pyfunc)


def _lightgbm(signature: Signature, remembered: Mapping[str, Any], paths: list[str]) -> _Native:
    section = {
        "data": paths[0],
        "model_class": "lightgbm.basic.Booster",
        "lgb_version": remembered["libraries"]["lightgbm"],
        "code": None,
    }
    pyfunc = {"loader_module": "mlflow.lightgbm"} if _only(signature, NUMBERS) else None
    return _Native(name="lightgbm", section=section, pyfunc=pyfunc)


def _onnx(signature: Signature, remembered: Mapping[str, Any], paths: list[str]) -> _Native:
    section = {
        "data": paths[0],
        "onnx_version": remembered["libraries"]["onnx"],
        "providers": ["CPUExecutionProvider"],
        "code": None,
    }
    # Its loader makes a frame of all outputs, which fails where they are not one column each.
    asks = remembered["outputs"] == 1 and signature.output == "number" and _only(signature, NUMBERS)
    pyfunc = {"loader_module": "mlflow.onnx", "data": paths[0]} if asks else None
    return _Native(name="onnx", section=section, pyfunc=pyfunc)


_NATIVE = {"sklearn": _sklearn, "xgboost": _xgboost, "lightgbm": _lightgbm, "onnx": _onnx}


def _only(signature: Signature, kinds: frozenset[str]) -> bool:
    return all(field.type in kinds and not field.optional for field in signature.inputs)


def _mlmodel(sections: dict[str, Any], signature: Signature, *, whole: bool) -> bytes:
    inputs = [
        {"type": TO_MLFLOW[field.type], "name": field.name, "required": not field.optional}
        for field in signature.inputs
    ]
    column = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]
    described = {
        "flavors": sections,
        "signature": {
            "inputs": _text(inputs),
            "outputs": _text(column) if whole else None,
            "params": None,
        },
        "saved_input_example_info": {
            "artifact_path": EXAMPLE,
            "pandas_orient": "split",
            "type": "dataframe",
        },
    }
    return _yaml(described)


def _requirements(libraries: Mapping[str, str], *, whole: bool) -> bytes:
    named = [f"{name}=={number}" for name, number in libraries.items() if name != "python"]
    lines = ["mlflow", *sorted(named), *(["treadle"] if whole else [])]
    return "".join(f"{line}\n" for line in lines).encode()


def _python_env(libraries: Mapping[str, str]) -> bytes:
    told = {
        "python": libraries["python"],
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": [f"-r {REQUIREMENTS}"],
    }
    return _yaml(told)


def _example(example: pa.Table) -> bytes:
    rows = zip(*(column.to_pylist() for column in example.columns), strict=True)
    return _text({"columns": example.column_names, "data": [list(row) for row in rows]}).encode()


def _yaml(value: Any) -> bytes:
    written: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return written.encode()


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
