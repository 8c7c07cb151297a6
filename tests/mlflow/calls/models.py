"""Logged models, and what goes into runs and comes out of them."""

import mlflow
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
)
from steps import attempt, get, http, post

DIFFERENCES = {
    "search[8]": "the genuine server does not find metrics by a dataset that a run only names",
    "search[13]": "the genuine server compares a status with the number it stores",
    "metric_of_an_unknown_model": "the genuine server answers with its SQL statement",
    "finalize_to_nothing": "the genuine server takes any number as a status",
    "wrong_filters": "words: ours name the position and the near miss",
    "metric_twice_on_other_data": "the genuine server answers with its SQL statement",
}
DIFFERENCES_36 = {
    "search_datasets[0]": "3.6 reads no JSON there",
    "delete": "3.6 does not show deleted ones when asked",
}


def _model(client, name, **kwargs):
    experiment = client.create_experiment(name)
    return client.create_logged_model(experiment, name="late", **kwargs)


def _said(model):
    return {
        "name": model.name,
        "type": model.model_type,
        "status": str(model.status),
        "params": model.params,
        "tags": model.tags,
        "run": bool(model.source_run_id),
        "uri": model.artifact_location,
        "model": model.model_id,
        "metrics": sorted(
            [m.key, m.value, m.step, m.timestamp, m.dataset_name, m.dataset_digest]
            for m in model.metrics or []
        ),
    }


def create(client, name):
    made = _model(client, name, params={"a": "b"}, tags={"t": "u"}, model_type="tree")
    return [_said(made), _said(client.get_logged_model(made.model_id))]


def create_without_a_name(client, name):
    experiment = client.create_experiment(name)
    return [client.create_logged_model(experiment).name]


def create_with_a_bad_name(client, name):
    experiment = client.create_experiment(name)
    return [
        attempt(client.create_logged_model, experiment, name=bad)
        for bad in ("a/b", "a:b", "a.b", "a%b", 'a"b', "a'b")
    ]


def create_in_an_unknown(client, name):
    del name
    return [attempt(client.create_logged_model, "9876543")]


def create_in_a_deleted(client, name):
    experiment = client.create_experiment(name)
    client.delete_experiment(experiment)
    return [attempt(client.create_logged_model, experiment)]


def unknown(client, name):
    del name
    model = "m-" + "0" * 32
    return [
        attempt(client.get_logged_model, model),
        attempt(client.finalize_logged_model, model, "READY"),
        attempt(client.delete_logged_model, model),
        attempt(client.set_logged_model_tags, model, {"a": "b"}),
        attempt(client.delete_logged_model_tag, model, "a"),
        attempt(client.log_model_params, model, {"a": "b"}),
    ]


def finalize(client, name):
    made = _model(client, name)
    ready = client.finalize_logged_model(made.model_id, "READY")
    failed = client.finalize_logged_model(made.model_id, "FAILED")
    return [_said(ready), _said(failed)]


def finalize_to_nothing(client, name):
    made = _model(client, name)
    path = f"logged-models/{made.model_id}"
    return [http("PATCH", path, json={"model_id": made.model_id, "status": 7})["status"]]


def tags(client, name):
    made = _model(client, name, tags={"a": "1"})
    client.set_logged_model_tags(made.model_id, {"a": "2", "b": "3"})
    client.delete_logged_model_tag(made.model_id, "b")
    return [
        client.get_logged_model(made.model_id).tags,
        attempt(client.delete_logged_model_tag, made.model_id, "b"),
    ]


def params(client, name):
    made = _model(client, name, params={"a": "1"})
    client.log_model_params(made.model_id, {"b": "2"})
    return [client.get_logged_model(made.model_id).params]


def param_twice(client, name):
    made = _model(client, name)
    path, body = f"logged-models/{made.model_id}/params", [{"key": "z", "value": "1"}]
    return [
        post(path, {"model_id": made.model_id, "params": body}),
        post(path, {"model_id": made.model_id, "params": [{"key": "z", "value": "2"}]})["status"],
    ]


def delete(client, name):
    made = _model(client, name)
    client.delete_logged_model(made.model_id)
    experiment = client.get_experiment_by_name(name).experiment_id
    path = f"logged-models/{made.model_id}"
    return [
        attempt(client.get_logged_model, made.model_id),
        get(path, allow_deleted="true")["status"],
        get(path, allow_deleted="false")["status"],
        len(client.search_logged_models([experiment])),
    ]


def metrics(client, name):
    made = _model(client, name)
    run = client.create_run(client.get_experiment_by_name(name).experiment_id).info.run_id
    client.log_metric(run, "m", 1.5, 10, 2, model_id=made.model_id)
    client.log_metric(
        run, "m", 0.5, 11, 3, model_id=made.model_id, dataset_name="d", dataset_digest="dd"
    )
    body = {"key": "n", "value": 3, "timestamp": 12, "model_id": made.model_id}
    post("runs/log-batch", {"run_id": run, "metrics": [body]})
    return [_said(client.get_logged_model(made.model_id)), client.get_run(run).data.metrics]


def metric_twice_on_other_data(client, name):
    made = _model(client, name)
    run = client.create_run(client.get_experiment_by_name(name).experiment_id).info.run_id
    found = [
        attempt(client.log_metric, run, "m", 0.5, 11, 3, model_id=made.model_id, **data)
        for data in ({"dataset_name": "d", "dataset_digest": "x"}, {})
    ]
    return [found[0] is None, found[1] is None]


def metric_of_an_unknown_model(client, name):
    run = client.create_run(client.create_experiment(name)).info.run_id
    body = {"run_id": run, "key": "m", "value": 1, "timestamp": 3, "model_id": "m-none"}
    return [post("runs/log-metric", body)]


def _world(client, name):
    experiment = client.create_experiment(name)
    run = client.create_run(experiment).info.run_id
    for n in range(5):
        made = client.create_logged_model(
            experiment, name=f"m{n}", params={"depth": str(n % 2)}, tags={"t": "xy"[n % 2]}
        )
        client.log_metric(run, "acc", n / 10, 1, 0, model_id=made.model_id)
        client.log_metric(
            run, "auc", float(n), 1, 0, model_id=made.model_id, dataset_name="d", dataset_digest="x"
        )
        if n != 2:
            client.finalize_logged_model(made.model_id, "READY")
    return experiment


def search(client, name):
    experiment = _world(client, name)

    def names(where=None, **kwargs):
        found = attempt(client.search_logged_models, [experiment], where, **kwargs)
        raised = isinstance(found, list) and found[:1] == ["raised"]
        return found if raised else sorted(model.name for model in found)

    return [
        names(),
        names("name = 'm1'"),
        names("name LIKE 'm%'"),
        names("attributes.name != 'm1'"),
        names("params.depth = '1'"),
        names("tags.t = 'x'"),
        names("metrics.acc > 0.1"),
        names("metrics.acc > 0.1 AND params.depth = '0'"),
        names("metrics.auc >= 3", datasets=[{"dataset_name": "d"}]),
        names("metrics.auc >= 3", datasets=[{"dataset_name": "d", "dataset_digest": "y"}]),
        names("creation_timestamp > 0"),
        names("name IN ('m1', 'm3')"),
        names("source_run_id = ''"),
        names("status = 'READY'"),
    ]


def search_order(client, name):
    experiment = _world(client, name)

    def names(*order):
        found = attempt(client.search_logged_models, [experiment], order_by=list(order))
        raised = isinstance(found, list) and found[:1] == ["raised"]
        return found if raised else [model.name for model in found]

    return [
        names({"field_name": "name", "ascending": True}),
        names({"field_name": "name", "ascending": False}),
        names({"field_name": "metrics.acc", "ascending": False}),
        names({"field_name": "metrics.acc"}),
        names({"field_name": "metrics.auc", "ascending": False, "dataset_name": "d"}),
    ]


def search_pages(client, name):
    experiment, found, token = _world(client, name), [], None
    while True:
        page = client.search_logged_models(
            [experiment],
            order_by=[{"field_name": "name", "ascending": True}],
            max_results=2,
            page_token=token,
        )
        found.append([model.name for model in page])
        token = page.token
        if not token:
            return found


def wrong_filters(client, name):
    experiment = client.create_experiment(name)
    return [
        attempt(client.search_logged_models, [experiment], where)
        for where in ("zz.m > 0", "metrics.m", "name <", "nothing = 'a'", "params.a = 1")
    ]


def raw(client, name):
    made = _model(client, name)
    return [
        get(f"logged-models/{made.model_id}"),
        post("logged-models", {}),
        post("logged-models/search", {}),
        http("PATCH", f"logged-models/{made.model_id}", json={"status": "LOGGED_MODEL_READY"}),
        http("PATCH", f"logged-models/{made.model_id}", json={"model_id": made.model_id}),
    ]


def outputs(client, name):
    made = _model(client, name)
    run = client.create_run(client.get_experiment_by_name(name).experiment_id, run_name="x")
    run = run.info.run_id
    client.log_outputs(run, [LoggedModelOutput(made.model_id, 3)])
    client.log_inputs(run, models=[LoggedModelInput(made.model_id)])
    found = client.get_run(run)
    listed = client.search_runs([found.info.experiment_id])[0]
    return [
        [[o.model_id, o.step] for o in found.outputs.model_outputs],
        [i.model_id for i in found.inputs.model_inputs],
        [[o.model_id, o.step] for o in listed.outputs.model_outputs],
        post("runs/outputs", {"run_id": run}),
        post("runs/outputs", {"models": []}),
    ]


def of_an_unknown_run(client, name):
    del client, name
    body = {"run_id": "f" * 32, "models": [{"model_id": "m-1", "step": 0}]}
    return [
        post("runs/outputs", body),
        post("runs/log-inputs", {"run_id": "f" * 32}),
    ]


def _dataset(n, tag="training"):
    tags = [InputTag("mlflow.data.context", tag)] if tag else []
    return DatasetInput(Dataset(f"d{n}", f"x{n}", "local", '{"uri": "a"}', "s", "p"), tags)


def inputs(client, name):
    run = client.create_run(client.create_experiment(name), run_name="x").info.run_id
    client.log_inputs(run, [_dataset(1), _dataset(2, tag="")])
    client.log_inputs(run, [_dataset(1, tag="other")])
    found = client.get_run(run).inputs.dataset_inputs
    return [sorted(repr(each.to_dictionary()) for each in found)]


def inputs_shared(client, name):
    experiment = client.create_experiment(name)
    runs = [client.create_run(experiment).info.run_id for _ in range(2)]
    client.log_inputs(runs[0], [_dataset(1, tag="training")])
    client.log_inputs(runs[1], [_dataset(1, tag="test")])
    return [
        [each.to_dictionary() for each in client.get_run(run).inputs.dataset_inputs] for run in runs
    ] + [
        len(client.search_runs([experiment], "dataset.name = 'd1'")),
        len(client.search_runs([experiment], "datasets.digest = 'x1'")),
        len(client.search_runs([experiment], "dataset.context = 'test'")),
        len(client.search_runs([experiment], "dataset.name LIKE 'd%'")),
        len(client.search_runs([experiment], "dataset.name = 'none'")),
        len(client.search_runs([experiment], "dataset.name IN ('d1', 'd2')")),
    ]


def input_limits(client, name):
    run = client.create_run(client.create_experiment(name)).info.run_id

    def of(**change):
        fields = {"name": "n", "digest": "d", "source_type": "t", "source": "s", **change}
        return post("runs/log-inputs", {"run_id": run, "datasets": [{"dataset": fields}]})

    return [
        of(),
        of(name="n" * 501),
        of(digest="d" * 37),
        of(source="s" * 65_536),
        of(schema="s" * 1_048_576),
        post("runs/log-inputs", {"run_id": run}),
        post("runs/log-inputs", {}),
        post("runs/log-inputs", {"run_id": run, "datasets": 5}),
    ]


def search_datasets(client, name):
    experiment = client.create_experiment(name)
    run = client.create_run(experiment).info.run_id
    client.log_inputs(run, [_dataset(1), _dataset(2, tag="")])
    path = "/ajax-api/2.0/mlflow/experiments/search-datasets"
    found = post(path, {"experiment_ids": [experiment]})
    return [
        sorted(found["json"].get("dataset_summaries", found["json"]), key=repr),
        post(path, {}),
        post(path, {"experiment_ids": [str(n) for n in range(21)]}),
    ]


def fluent_log_input(client, name):
    mlflow.set_experiment(name)
    data = mlflow.data.from_numpy(__import__("numpy").zeros((2, 2)), name="zeros")
    with mlflow.start_run(run_name="x") as run:
        mlflow.log_input(data, context="training")
    found = client.get_run(run.info.run_id).inputs.dataset_inputs[0]
    return [found.dataset.name, found.dataset.digest, [tag.value for tag in found.tags]]
