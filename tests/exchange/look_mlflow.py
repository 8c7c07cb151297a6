"""Say what an MLflow store holds, by MLflow itself, as one line of JSON."""

import json
import sys
import warnings
from pathlib import Path

import mlflow

warnings.simplefilter("ignore")
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
said = {}
for experiment in client.search_experiments(view_type=3):
    runs = {}
    for run in client.search_runs([experiment.experiment_id], run_view_type=3):
        history = client.get_metric_history(run.info.run_id, "loss")
        runs[run.info.run_name] = {
            "params": run.data.params,
            "tags": {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.s")},
            "stage": run.info.lifecycle_stage,
            "status": run.info.status,
            "times": [run.info.start_time, run.info.end_time],
            "loss": sorted([m.step, m.timestamp, m.value] for m in history),
            "metrics": sorted(run.data.metrics),
            "datasets": [i.dataset.digest for i in run.inputs.dataset_inputs],
            "models": len(run.outputs.model_outputs) if run.outputs else 0,
        }
    said[experiment.name] = {"stage": experiment.lifecycle_stage, "runs": runs}
version = client.get_model_version_by_alias("line", "champion")
said["line"] = {
    "description": client.get_registered_model("line").description,
    "versions": sorted(int(v.version) for v in client.search_model_versions("name='line'")),
    "champion": int(version.version),
    "answer": mlflow.pyfunc.load_model("models:/line@champion").predict([[3.0]]).tolist(),
}
prompt = mlflow.genai.load_prompt("prompts:/greet/1")
said["prompt"] = {"template": prompt.template, "versions": prompt.version}
first = client.get_experiment_by_name("first").experiment_id
outer = client.search_runs([first], "attributes.run_name = 'outer'")[0].info.run_id
path = mlflow.artifacts.download_artifacts(run_id=outer, artifact_path="notes/deep")
said["notes"] = {file.name: file.read_text() for file in Path(path).iterdir()}
print(json.dumps(said, sort_keys=True))
