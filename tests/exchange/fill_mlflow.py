"""Fill an MLflow store, by MLflow itself; run by a peer's Python with the store's URI."""

import sys
import warnings

import mlflow
import pandas as pd
from mlflow.entities import Metric
from sklearn.linear_model import LinearRegression

warnings.simplefilter("ignore")
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
gone = client.create_experiment("gone")
client.delete_experiment(gone)
mlflow.set_experiment("first")
with mlflow.start_run(run_name="outer") as outer:
    mlflow.log_params({"depth": 6, "a/b": "x\ny"})
    client.log_batch(
        outer.info.run_id,
        metrics=[Metric("loss", 1 / (s + 1), 1_000 + s, s) for s in range(1500)]
        + [Metric("odd", float("nan"), 5, 1), Metric("odd", float("inf"), 5, 0)][:1]
        + [Metric("wide", float(v), 5, s) for s, v in enumerate(["-inf", "inf", "0.5"])],
    )
    mlflow.set_tag("team", "fraud é")
    mlflow.log_text("hello", "notes/deep/a b é.txt")
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    mlflow.log_input(mlflow.data.from_pandas(frame, name="numbers"), context="training")
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    for _ in range(3):
        mlflow.sklearn.log_model(model, name="m", registered_model_name="line")
    with mlflow.start_run(run_name="inner", nested=True):
        mlflow.log_metric("loss", 2.0)
with mlflow.start_run(run_name="deleted") as deleted:
    pass
client.delete_run(deleted.info.run_id)
client.delete_model_version("line", "1")
client.set_registered_model_alias("line", "champion", "2")
client.set_model_version_tag("line", "3", "approved", "no")
client.update_registered_model("line", description="a straight one")
mlflow.genai.register_prompt(name="greet", template="Hello {{name}}")
print(outer.info.run_id)
