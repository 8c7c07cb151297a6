"""What people do: autologging of a search over parameters, and the fluent API.

`training.py ADDRESS` prints as JSON what MLflow's own client finds afterwards.
"""

from __future__ import annotations

import contextlib
import json
import sys

import matplotlib as mpl
import mlflow
import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

mpl.use("Agg")
from matplotlib import pyplot as plt


def searched() -> dict:
    """Let autologging watch a grid search."""
    rows, labels = make_classification(n_samples=120, random_state=7)
    mlflow.set_experiment("autolog")
    mlflow.sklearn.autolog(max_tuning_runs=3)
    search = GridSearchCV(LogisticRegression(max_iter=50), {"C": [0.1, 1.0, 10.0]}, cv=2)
    with mlflow.start_run(run_name="search") as run:
        search.fit(rows, labels)
        score = search.score(rows, labels)
    mlflow.sklearn.autolog(disable=True)
    client = mlflow.MlflowClient()
    found = client.get_run(run.info.run_id)
    children = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    )
    models = client.search_logged_models([run.info.experiment_id])
    loaded = mlflow.sklearn.load_model(models[0].model_uri)
    return {
        "status": found.info.status,
        "score": [score, found.data.metrics["best_cv_score"] > 0.5],
        "best": found.data.params["best_C"],
        "training_score": "training_score" in found.data.metrics,
        "children": sorted(float(child.data.params["C"]) for child in children),
        "children_status": sorted({child.info.status for child in children}),
        "artifacts": sorted(file.path for file in client.list_artifacts(run.info.run_id)),
        "inputs": [i.dataset.source_type for i in found.inputs.dataset_inputs],
        "models": len(models),
        "model_status": [str(model.status) for model in models],
        "answers": bool((loaded.predict(rows) == search.predict(rows)).all()),
    }


def fluent() -> dict:
    """Log one of everything, nested, and read it back."""
    experiment = mlflow.set_experiment("fluent")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    with mlflow.start_run(
        run_name="parent", tags={"team": "red"}, description="how it went"
    ) as run:
        mlflow.log_params({"depth": 3, "kind": "tree"})
        for step in range(3):
            mlflow.log_metrics({"loss": 1 / (1 + step), "acc": step / 10}, step=step)
        mlflow.log_dict({"a": [1, 2]}, "config/d.json")
        mlflow.log_text("hello", "notes/how it was.txt")
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        mlflow.log_figure(figure, "plots/curve.png")
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "plots/black.png")
        mlflow.log_table(frame, "table.json")
        mlflow.log_table(frame, "table.json")
        mlflow.log_input(mlflow.data.from_pandas(frame, name="letters"), context="training")
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("loss", 0.1)
        mlflow.set_tag("late", "yes")
    with contextlib.suppress(ZeroDivisionError), mlflow.start_run(run_name="fails"):
        mlflow.log_param("ratio", 1 // 0)
    client = mlflow.MlflowClient()
    found = client.get_run(run.info.run_id)
    listed = mlflow.search_runs([experiment.experiment_id], order_by=["start_time"])
    plots = client.list_artifacts(run.info.run_id, "plots")
    table = mlflow.load_table("table.json", run_ids=[run.info.run_id])
    return {
        "status": found.info.status,
        "params": found.data.params,
        "metrics": found.data.metrics,
        "history": [point.value for point in client.get_metric_history(run.info.run_id, "acc")],
        "tags": {key: found.data.tags[key] for key in ("team", "late", "mlflow.note.content")},
        "source": found.data.tags["mlflow.source.name"].endswith("training.py"),
        "plots": sorted(file.path for file in plots),
        "is_png": [b"PNG" in _bytes(run.info.run_id, "plots/curve.png")[:8]],
        "dict": mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/config/d.json"),
        "text": mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/how it was.txt"),
        "table": table.to_dict("list"),
        "input": [[i.dataset.name, i.tags[0].value] for i in found.inputs.dataset_inputs],
        "names": list(listed["tags.mlflow.runName"]),
        "statuses": list(listed["status"]),
        "loss": [float(value) for value in listed["metrics.loss"].fillna(-1)],
        "parents": int(listed["tags.mlflow.parentRunId"].notna().sum()),
    }


def _bytes(run_id: str, path: str) -> bytes:
    with open(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path), "rb") as file:  # noqa: PTH123
        return file.read()


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    print(json.dumps({"searched": searched(), "fluent": fluent()}))
