# ruff: noqa: PLC0415 - an environment may lack what another framework needs
"""Training code of one framework, watched by `mlflow.autolog`, unchanged from what people write.

`autologging.py ADDRESS FRAMEWORK` prints as JSON what MLflow's own client finds afterwards.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import mlflow
import numpy as np
from sklearn.datasets import load_breast_cancer

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = 4


def xgboost(rows: pd.DataFrame, labels: pd.Series) -> None:
    """Boost with the native API, and watch a held-out part."""
    import xgboost as xgb

    mlflow.xgboost.autolog()
    train = xgb.DMatrix(rows[:400], label=labels[:400])
    held_out = xgb.DMatrix(rows[400:], label=labels[400:])
    params = {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "max_depth": 3}
    xgb.train(
        params, train, ROUNDS, evals=[(train, "train"), (held_out, "valid")], verbose_eval=False
    )


def lightgbm(rows: pd.DataFrame, labels: pd.Series) -> None:
    """Boost with the native API, and watch a held-out part."""
    import lightgbm as lgb

    mlflow.lightgbm.autolog()
    train = lgb.Dataset(rows[:400], label=labels[:400])
    held_out = lgb.Dataset(rows[400:], label=labels[400:], reference=train)
    params = {"objective": "binary", "metric": ["binary_logloss", "auc"], "num_leaves": 7}
    lgb.train(
        params | {"verbose": -1},
        train,
        num_boost_round=ROUNDS,
        valid_sets=[train, held_out],
        valid_names=["train", "valid"],
    )


def keras(rows: pd.DataFrame, labels: pd.Series) -> None:
    """Fit a small net for some epochs."""
    import keras as k

    # Of a net on PyTorch the newest client can tell neither the signature nor the data.
    mlflow.keras.autolog(log_model_signatures=False, log_datasets=False)
    k.utils.set_random_seed(7)
    net = k.Sequential([k.layers.Dense(4, activation="relu"), k.layers.Dense(1, "sigmoid")])
    net.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    scaled = ((rows - rows.mean()) / rows.std()).to_numpy(dtype="float32")
    net.fit(
        scaled[:400],
        labels[:400].to_numpy(),
        epochs=ROUNDS,
        verbose=0,
        validation_data=(scaled[400:], labels[400:].to_numpy()),
    )


def statsmodels(rows: pd.DataFrame, labels: pd.Series) -> None:
    """Fit ordinary least squares."""
    import statsmodels.api as sm

    mlflow.statsmodels.autolog()
    sm.OLS(labels, sm.add_constant(rows.iloc[:, :5])).fit()


def found(rows: pd.DataFrame) -> dict:
    """Return what is kept of the last run, as MLflow's own client reads it."""
    client = mlflow.MlflowClient()
    run = client.get_run(mlflow.last_active_run().info.run_id)
    (model,) = client.search_logged_models([run.info.experiment_id])
    version = mlflow.register_model(model.model_uri, sys.argv[2])
    loaded = mlflow.pyfunc.load_model(f"models:/{sys.argv[2]}/{version.version}")
    return {
        "status": run.info.status,
        "params": run.data.params,
        "histories": {
            key: [[p.step, p.value] for p in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
        },
        "artifacts": sorted(file.path for file in client.list_artifacts(run.info.run_id)),
        "inputs": [[i.dataset.name, i.tags[0].value] for i in run.inputs.dataset_inputs],
        "outputs": [output.model_id == model.model_id for output in run.outputs.model_outputs],
        "model": [str(model.status), sorted(mlflow.models.get_model_info(model.model_uri).flavors)],
        "answers": np.asarray(loaded.predict(_asked(rows)), dtype=float).ravel().tolist(),
    }


def _asked(rows: pd.DataFrame) -> pd.DataFrame | np.ndarray:
    if sys.argv[2] == "keras":
        return rows.to_numpy(dtype="float32")[:5]
    if sys.argv[2] == "statsmodels":
        return rows.iloc[:5, :5].assign(const=1.0)[["const", *rows.columns[:5]]]
    return rows[:5]


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    mlflow.set_experiment(sys.argv[2])
    features, target = load_breast_cancer(return_X_y=True, as_frame=True)
    {"xgboost": xgboost, "lightgbm": lightgbm, "keras": keras, "statsmodels": statsmodels}[
        sys.argv[2]
    ](features, target)
    print(json.dumps(found(features)))
