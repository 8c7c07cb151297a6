# ruff: noqa: PLC0415 - an environment may lack what another kind needs
"""Run by an environment with MLflow.

`save FOLDER` what it saves, `ask FOLDER` what we saved, `trust FOLDER` what only it can load,
`through FOLDER` all of it by the server whose address is there.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

FRAME = pd.DataFrame({"hour": np.arange(24.0), "temp": np.linspace(-5, 30, 24) ** 2 % 17})
LATE = ((FRAME["hour"] > 11) ^ (FRAME["temp"] > 8)).astype(int)


def ask(folder: Path) -> None:
    """Print what each model below a folder answers to the frame beside them."""
    frame = pd.read_json(folder / "frame.json", orient="split", precise_float=True)
    answers = {}
    for described in sorted(folder.glob("*/MLmodel")):
        model = mlflow.pyfunc.load_model(str(described.parent))
        answers[described.parent.name] = {
            "loader": model.metadata.flavors["python_function"]["loader_module"],
            "answers": np.asarray(model.predict(frame)).tolist(),
            "inputs": model.metadata.signature.inputs.to_dict(),
            "example": list(model.input_example.columns),
        }
    print(json.dumps(answers))


def trust(folder: Path) -> None:
    """Print what a model that only MLflow can load answers by Treadle, and that its copy goes."""
    import pyarrow as pa

    from treadle.registry.mlflow_format.foreign import load_folder

    before = set(Path(tempfile.gettempdir()).glob("treadle-mlflow-*"))
    found = load_folder(folder / "pyfunc", ref="late@1", trust=True)
    answers = found.flavor.predict(found.model, pa.Table.from_pandas(FRAME)).tolist()
    held = set(Path(tempfile.gettempdir()).glob("treadle-mlflow-*")) - before
    del found
    gc.collect()
    left = [path.exists() for path in held]
    print(json.dumps({"answers": answers, "held": len(held), "left": left}))


def through(folder: Path) -> None:
    """Log, register and load by a server whose address stands in the folder."""
    from sklearn.linear_model import LogisticRegression

    mlflow.set_tracking_uri((folder / "address.txt").read_text())
    model = LogisticRegression().fit(FRAME, LATE)
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(FRAME, LATE),
            registered_model_name="theirs",
            pip_requirements=["mlflow"],
        )
    mlflow.MlflowClient().set_registered_model_alias("theirs", "best", "1")
    places = ["models:/theirs/1", "models:/theirs@best", f"runs:/{run.info.run_id}/model"]
    places += ["models:/ours/1", "models:/ours@champion"]
    rows = {name: FRAME[name].tolist() for name in FRAME}
    answers = {}
    for place in places:
        answers[place.partition(run.info.run_id)[0]] = (
            mlflow.pyfunc.load_model(place).predict(FRAME).tolist()
        )
    loaded = mlflow.sklearn.load_model("models:/ours/1")
    answers["estimator"] = loaded.predict_proba(FRAME).tolist()
    print(json.dumps({"rows": rows, "answers": answers, "labels": model.predict(FRAME).tolist()}))


class Doubled(mlflow.pyfunc.PythonModel):
    """A model of the user's own."""

    def predict(self, context, model_input, params=None):
        """Answer twice the hour."""
        return model_input["hour"] * 2


def save(folder: Path) -> None:
    """Save a model of each kind that this environment can, with its answers."""
    answers = {}
    for kind, (flavor, model, options) in kinds().items():
        expected = answers_of(model)
        signature = infer_signature(FRAME, LATE)
        # Named, the requirements are not found out by loading each model in a process of its own.
        options |= {"signature": signature, "pip_requirements": ["mlflow"]}
        flavor.save_model(model, str(folder / kind), **options)
        answers[kind] = expected
    own = folder / "pyfunc"
    mlflow.pyfunc.save_model(
        str(own),
        python_model=Doubled(),
        signature=infer_signature(FRAME),
        pip_requirements=["mlflow"],
    )
    answers["pyfunc"] = (FRAME["hour"] * 2).tolist()
    rows = {name: FRAME[name].tolist() for name in FRAME}
    (folder / "expected.json").write_text(json.dumps({"rows": rows, "answers": answers}))


def answers_of(model):
    if hasattr(model, "predict_proba"):
        return model.predict_proba(FRAME)[:, 1].tolist()
    if type(model).__name__ == "Booster" and hasattr(model, "save_config"):
        import xgboost

        return model.predict(xgboost.DMatrix(FRAME)).tolist()
    if hasattr(model, "predict"):
        return model.predict(FRAME).tolist()
    return (FRAME["hour"] + FRAME["temp"]).tolist()


def kinds():
    from sklearn.linear_model import LinearRegression, LogisticRegression

    fitted = LogisticRegression().fit(FRAME, LATE)
    found = {
        "sklearn": (mlflow.sklearn, fitted, {}),
        "sklearn_number": (mlflow.sklearn, LinearRegression().fit(FRAME, FRAME["temp"]), {}),
        "sklearn_pickle": (mlflow.sklearn, fitted, {"serialization_format": "cloudpickle"}),
    }
    return found if "--plain" in sys.argv else found | trees() | {"onnx": graph()}


def trees():
    import lightgbm
    import xgboost

    early = xgboost.XGBClassifier(n_estimators=30, early_stopping_rounds=2)
    early.fit(FRAME, LATE, eval_set=[(FRAME, 1 - LATE)], verbose=False)
    options = {"verbose": -1, "min_child_samples": 2, "n_estimators": 5}
    light = lightgbm.LGBMClassifier(**options).fit(FRAME, LATE)
    return {
        "xgboost": (mlflow.xgboost, early.get_booster(), {}),
        "xgboost_early": (mlflow.xgboost, early, {}),
        "xgboost_json": (mlflow.xgboost, early, {"model_format": "json"}),
        "lightgbm": (mlflow.lightgbm, light.booster_, {}),
        "lightgbm_estimator": (mlflow.lightgbm, light, {}),
    }


def graph():
    from onnx import TensorProto, helper

    takes = [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 2])]
    gives = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, 1])]
    ones = helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [1.0, 1.0])
    made = helper.make_graph(
        [helper.make_node("MatMul", ["rows", "w"], ["answer"])], "sum", takes, gives, [ones]
    )
    opsets = [helper.make_opsetid("", 17)]
    return mlflow.onnx, helper.make_model(made, opset_imports=opsets, ir_version=8), {}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger("mlflow").setLevel("ERROR")
    {"ask": ask, "save": save, "trust": trust, "through": through}[sys.argv[1]](Path(sys.argv[2]))
