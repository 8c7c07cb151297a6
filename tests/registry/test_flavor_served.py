"""Every flavor behind an endpoint: a real inference process loads it and answers."""

from __future__ import annotations

import json

import keras
import lightgbm
import numpy as np
import pyarrow as pa
import pytest
import skops.io
import torch
import xgboost
import yaml
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier

from tests.registry.shelves import OneRun, put_folder
from tests.server.inference.samples import ask
from treadle.kernel.settings import load_settings
from treadle.registry.service import Registry
from treadle.server.inference.process import InferenceProcess
from treadle.serving.entities import Variant
from treadle.serving.service import Serving
from treadle.storage.keys import Signer
from treadle.storage.metadata import open_metadata
from treadle.storage.stores import open_objects

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = ("xgboost", "lightgbm", "torch", "keras", "onnx", "theirs")
ROWS = pa.table({"hour": [22, 3, 15, 11] * 10, "temp": [1.5, 9.0, -4.0, 30.0] * 10})
LATE = [1, 0, 1, 0] * 10
MATRIX = np.column_stack([column.to_numpy() for column in ROWS.columns])


def graph():
    takes = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 2])]
    gives = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, 1])]
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [1.0, 2.0])
    node = helper.make_node("MatMul", ["rows", "w"], ["answer"])
    made = helper.make_graph([node], "sum", takes, gives, [weights])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def fitted():
    light = lightgbm.LGBMClassifier(verbose=-1, min_child_samples=2, n_estimators=5)
    return {
        "xgboost": xgboost.XGBClassifier(n_estimators=5).fit(MATRIX, LATE),
        "lightgbm": light.fit(MATRIX, LATE),
        "torch": torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid()),
        "keras": keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")]),
        "onnx": graph(),
    }


def log_theirs(folder):
    """Write what `mlflow.sklearn.log_model` writes, with a column that may be left out."""
    folder.mkdir()
    model = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2)
    windy = np.column_stack([MATRIX, [np.nan, 5.0, 9.0, np.nan] * 10])
    skops.io.dump(model.fit(windy, LATE), folder / "model.skops")
    columns = [
        {"type": "long", "name": "hour", "required": True},
        {"type": "double", "name": "temp", "required": True},
        {"type": "double", "name": "wind", "required": False},
    ]
    told = {
        "flavors": {
            "python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.skops"},
            "sklearn": {"pickled_model": "model.skops", "serialization_format": "skops"},
        },
        "signature": {"inputs": json.dumps(columns)},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(told))
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a process that serves one model of each flavor, and the registry behind."""
    home = tmp_path_factory.mktemp("home") / "home"
    home.mkdir()
    settings = load_settings(home)
    store = open_metadata(settings.where_metadata())
    objects = open_objects(settings.where_objects())
    theirs = put_folder(objects, log_theirs(home.parent / "theirs"))
    signer = Signer(home / "keys", store=store)
    registry = Registry(store=store, objects=objects, signer=signer, shelf=OneRun(theirs))
    for name, model in fitted().items():
        registry.register(name, model, example=ROWS)
    registry.create_model("theirs")
    source = "mlflow-artifacts:/0/run1/artifacts/model"
    registry.create_version("theirs", source=source, run_id="run1")
    serving = Serving(store=store, objects=objects, registry=registry, home=home)
    for name in NAMES:
        serving.create_endpoint(name, name)
        serving.set_traffic(name, [Variant(name="only", version=f"{name}@1")], reason="first")
    process = InferenceProcess(home, host="127.0.0.1", port=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("KERAS_BACKEND")
        process.start(timeout_s=90)
    yield process.url, registry
    process.stop()
    store.close()


@pytest.mark.parametrize("name", NAMES)
def test_an_endpoint_answers_what_the_version_answers(name, served):
    url, registry = served
    few = ROWS.slice(0, 4)
    inputs = [
        {"name": "hour", "datatype": "INT64", "shape": [4], "data": few["hour"].to_pylist()},
        {"name": "temp", "datatype": "FP64", "shape": [4], "data": few["temp"].to_pylist()},
    ]

    status, body = ask(f"{url}/v2/models/{name}/infer", body=json.dumps({"inputs": inputs}))

    assert status == 200, body
    expected = registry.load(f"{name}@1").predict(few)
    np.testing.assert_allclose(body["outputs"][0]["data"], expected, rtol=1e-5)


def test_a_column_that_is_not_optional_is_missed(served):
    url, _ = served
    inputs = [{"name": "hour", "datatype": "INT64", "shape": [1], "data": [3]}]

    status, body = ask(f"{url}/v2/models/theirs/infer", body=json.dumps({"inputs": inputs}))

    assert status == 400
    assert "Input 'temp' is missing" in json.dumps(body)


def test_the_process_tells_what_a_model_of_mlflows_answers(served):
    url, _ = served

    status, body = ask(f"{url}/v2/models/theirs")

    assert status == 200
    assert body["platform"] == "treadle_mlflow.sklearn"
    assert body["parameters"]["output"] == "probability"
    assert [put["name"] for put in body["inputs"]] == ["hour", "temp", "wind"]
