"""Runs, their params, tags and metrics, and the limits of all these."""

import math

from mlflow.entities import Metric, Param, RunTag
from steps import attempt, get, http, points, post

DIFFERENCES = {
    "create_without_experiment": "the genuine server breaks on a foreign key; the default is meant",
    "update_to_an_unknown_status": "the genuine server takes it and does nothing",
    "metric_of_wrong_types": "the genuine server stores what it could read of a wrong body",
    "params_changed_in_a_batch[1]": "words: ours are in the order of their keys",
    "raw_run[10]": "the genuine server passes over tags it cannot read",
}
DIFFERENCES_36 = {
    "metric_twice": "3.6 answers with its SQL statement",
    "raw_run": "3.6 passes over what it cannot read",
    "history_of_nothing": "3.6 answers a page of no size with nothing",
}


def _run(client, name, **kwargs):
    return client.create_run(client.create_experiment(name), start_time=5, **kwargs).info.run_id


def create(client, name):
    made = client.create_experiment(name)
    run = client.create_run(made, start_time=1000, tags={"a": "b"}, run_name="calm-seal")
    return [run, client.get_run(run.info.run_id)]


def create_without_a_name(client, name):
    found = client.get_run(_run(client, name))
    return [found.info.run_name, found.data.tags == {"mlflow.runName": found.info.run_name}]


def create_named_by_tag(client, name):
    found = client.get_run(_run(client, name, tags={"mlflow.runName": "by tag"}))
    return [found.info.run_name, found.data.tags]


def create_named_twice(client, name):
    made = client.create_experiment(name)
    tags = {"mlflow.runName": "one"}
    return [attempt(client.create_run, made, run_name="two", tags=tags)]


def create_in_the_default(client, name):
    run = client.create_run("0", run_name=name, start_time=1)
    return [run.info.experiment_id, run.info.artifact_uri]


def create_in_an_unknown(client, name):
    del name
    return [attempt(client.create_run, "98765432")]


def create_without_experiment(client, name):
    del client, name
    return [post("runs/create", {})["status"]]


def child(client, name):
    parent = _run(client, name)
    experiment = client.get_run(parent).info.experiment_id
    run = client.create_run(experiment, tags={"mlflow.parentRunId": parent})
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'")
    return [len(found), found[0].info.run_id == run.info.run_id]


def child_of_nobody(client, name):
    made = client.create_experiment(name)
    tags = {"mlflow.parentRunId": "0" * 32}
    run = client.create_run(made, tags=tags, run_name="x")
    return [run.data.tags]


def user_and_source(client, name):
    tags = {"mlflow.user": "ann", "mlflow.source.name": "a.py", "mlflow.source.type": "LOCAL"}
    found = client.get_run(_run(client, name, tags=tags, run_name="x"))
    raw = post("runs/create", {"experiment_id": "0", "user_id": "ben", "run_name": "y"})
    return [found.data.tags, found.info.user_id, raw["json"]["run"]["info"]["user_id"]]


def finish(client, name):
    run = _run(client, name, run_name="x")
    client.set_terminated(run, "FAILED", 77)
    return [client.get_run(run)]


def statuses(client, name):
    run, found = _run(client, name), []
    for status in ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED", "RUNNING"):
        client.update_run(run, status)
        found.append(client.get_run(run).info.status)
    return found


def reopened(client, name):
    run = _run(client, name)
    client.set_terminated(run, "FINISHED", 77)
    client.update_run(run, "RUNNING")
    return [client.get_run(run).info.status, client.get_run(run).info.end_time]


def update_to_an_unknown_status(client, name):
    return [post("runs/update", {"run_id": _run(client, name), "status": "NOPE"})["status"]]


def rename(client, name):
    run = _run(client, name, run_name="x")
    client.update_run(run, name="second")
    first = client.get_run(run)
    client.set_tag(run, "mlflow.runName", "third")
    second = client.get_run(run)
    client.log_batch(run, tags=[RunTag("mlflow.runName", "fourth")])
    third = client.get_run(run)
    return [[r.info.run_name, r.data.tags] for r in (first, second, third)]


def rename_to_nothing(client, name):
    run = _run(client, name, run_name="x")
    return [
        post("runs/update", {"run_id": run, "run_name": ""}),
        client.get_run(run).info.run_name,
    ]


def long_run_name(client, name):
    run = _run(client, name, run_name="n" * 250)
    return [client.get_run(run).info.run_name]


def delete_and_restore(client, name):
    run = _run(client, name, run_name="x")
    experiment = client.get_run(run).info.experiment_id
    client.delete_run(run)
    gone = [client.get_run(run).info.lifecycle_stage, len(client.search_runs([experiment]))]
    views = [len(client.search_runs([experiment], run_view_type=view)) for view in (1, 2, 3)]
    client.restore_run(run)
    back = [client.get_run(run).info.lifecycle_stage, len(client.search_runs([experiment]))]
    return [gone, views, back]


def delete_twice(client, name):
    run = _run(client, name)
    client.delete_run(run)
    again = attempt(client.delete_run, run)
    client.restore_run(run)
    return [again, attempt(client.restore_run, run)]


def changes_of_a_deleted_run(client, name):
    run = _run(client, name)
    client.delete_run(run)
    return [
        attempt(client.log_metric, run, "m", 1.0),
        attempt(client.log_param, run, "p", 1),
        attempt(client.set_tag, run, "t", 1),
        attempt(client.delete_tag, run, "mlflow.runName"),
        attempt(client.update_run, run, "FINISHED"),
        attempt(client.log_batch, run, [Metric("m", 1.0, 1, 0)], [], []),
    ]


def unknown_run(client, name):
    del name
    run = "f" * 32
    return [
        attempt(client.get_run, run),
        attempt(client.log_metric, run, "m", 1.0),
        attempt(client.log_param, run, "p", 1),
        attempt(client.set_tag, run, "t", 1),
        attempt(client.delete_tag, run, "t"),
        attempt(client.set_terminated, run),
        attempt(client.delete_run, run),
        attempt(client.restore_run, run),
        attempt(client.log_batch, run, [Metric("m", 1.0, 1, 0)], [], []),
    ]


def a_prefix_is_no_id(client, name):
    run = _run(client, name)
    return [attempt(client.get_run, run[:8])[:3], attempt(client.get_run, run.upper())[:3]]


def params(client, name):
    run = _run(client, name, run_name="x")
    client.log_param(run, "a", 1)
    client.log_param(run, "a", 1)
    client.log_param(run, "b/c.d e-f:g", "ü" * 100)
    client.log_param(run, "empty", "")
    return [client.get_run(run).data.params]


def param_changed(client, name):
    run = _run(client, name)
    client.log_param(run, "a", 1)
    return [attempt(client.log_param, run, "a", 2), client.get_run(run).data.params]


def params_changed_in_a_batch(client, name):
    run = _run(client, name)
    client.log_batch(run, params=[Param("a", "1"), Param("b", "1")])
    return [
        attempt(
            client.log_batch, run, [Metric("m", 1.0, 1, 0)], [Param("a", "2"), Param("c", "3")]
        ),
        attempt(client.log_batch, run, [], [Param("b", "2"), Param("a", "2")]),
        client.get_run(run).data,
    ]


def param_limits(client, name):
    run = _run(client, name)
    return [
        attempt(client.log_param, run, "k" * 251, "v"),
        attempt(client.log_param, run, "long", "v" * 6000),
        attempt(client.log_param, run, "longer", "v" * 6001),
        attempt(client.log_param, run, "a?b", "v"),
        attempt(client.log_param, run, "a//b", "v"),
        attempt(client.log_param, run, "/a", "v"),
        attempt(client.log_param, run, "../a", "v"),
        attempt(client.log_param, run, ".", "v"),
        attempt(client.log_param, run, "", "v"),
        {key: len(value) for key, value in client.get_run(run).data.params.items()},
    ]


def tags(client, name):
    run = _run(client, name, run_name="x")
    client.set_tag(run, "a", "1")
    client.set_tag(run, "a", "2")
    client.set_tag(run, "ü b", "ö")
    client.delete_tag(run, "ü b")
    return [client.get_run(run).data.tags, attempt(client.delete_tag, run, "ü b")]


def tag_limits(client, name):
    run = _run(client, name)
    return [
        attempt(client.set_tag, run, "k" * 251, "v"),
        attempt(client.set_tag, run, "long", "v" * 8000),
        attempt(client.set_tag, run, "longer", "v" * 8001),
        attempt(client.set_tag, run, "a?b", "v"),
        attempt(client.set_tag, run, "a/../b", "v"),
        attempt(client.set_tag, run, "", "v"),
        {k: len(v) for k, v in client.get_run(run).data.tags.items() if k.startswith("long")},
    ]


def metrics(client, name):
    run = _run(client, name, run_name="x")
    client.log_metric(run, "m", 1.5, 100, 0)
    client.log_metric(run, "m", 2.5, 200, 1)
    client.log_metric(run, "m", 0.5, 300, 1)
    client.log_metric(run, "whole", 3, 1, 0)
    return [client.get_run(run).data.metrics, points(client.get_metric_history(run, "m"))]


def latest_metric(client, name):
    run, found = _run(client, name), []
    for value, at, step in [
        (1.0, 10, 5), (2.0, 20, 4), (3.0, 5, 5), (4.0, 10, 5), (0.5, 10, 5), (9.0, 11, 5),
        (1.0, 1, 6), (math.nan, 1, 6), (math.nan, 2, 6), (7.0, 2, 6), (-math.inf, 3, 6),
    ]:  # fmt: skip
        client.log_metric(run, "m", value, at, step)
        found.append(repr(client.get_run(run).data.metrics["m"]))
    return found


def latest_of_a_batch(client, name):
    run = _run(client, name)
    batch = [
        Metric("m", v, at, s) for v, at, s in [(1.0, 9, 3), (5.0, 9, 3), (7.0, 1, 3), (2.0, 99, 2)]
    ]
    client.log_batch(run, batch)
    return [client.get_run(run).data.metrics, points(client.get_metric_history(run, "m"))]


def nan_first(client, name):
    run = _run(client, name)
    client.log_metric(run, "m", math.nan, 1, 0)
    first = repr(client.get_run(run).data.metrics["m"])
    client.log_metric(run, "m", -1.0, 1, 0)
    return [first, repr(client.get_run(run).data.metrics["m"])]


def not_finite(client, name):
    run = _run(client, name)
    for key, value in [("nan", math.nan), ("inf", math.inf), ("minus", -math.inf)]:
        client.log_metric(run, key, value, 1, 0)
    data = client.get_run(run).data.metrics
    return [
        {key: repr(value) for key, value in data.items()},
        [points(client.get_metric_history(run, key)) for key in ("nan", "inf", "minus")],
    ]


def extreme_numbers(client, name):
    run = _run(client, name)
    values = [1e308, 5e-324, -0.0, 0.1 + 0.2, 1 / 3, 2.0**53 + 2, -1e-300]
    for step, value in enumerate(values):
        client.log_metric(run, "m", value, 1, step)
    client.log_metric(run, "steps", 1.0, 1, 2**62)
    client.log_metric(run, "steps", 1.0, 1, -(2**62))
    return [
        points(client.get_metric_history(run, "m")),
        points(client.get_metric_history(run, "steps")),
    ]


def metric_twice(client, name):
    run = _run(client, name)
    for _ in range(3):
        client.log_metric(run, "m", 1.0, 1, 0)
    client.log_batch(run, [Metric("m", 1.0, 1, 0), Metric("m", 2.0, 1, 0), Metric("m", 2.0, 1, 0)])
    client.log_batch(run, [Metric("n", math.nan, 1, 0), Metric("n", math.nan, 1, 0)])
    return [
        points(client.get_metric_history(run, "m")),
        points(client.get_metric_history(run, "n")),
    ]


def metric_limits(client, name):
    run = _run(client, name)
    return [
        attempt(client.log_metric, run, "k" * 251, 1.0),
        attempt(client.log_metric, run, "a?b", 1.0),
        attempt(client.log_metric, run, "a//b", 1.0),
        attempt(client.log_metric, run, "", 1.0),
        attempt(client.log_metric, run, "m", 1.0, -5),
        attempt(client.log_metric, run, "m", "text"),
        attempt(client.log_metric, run, "k" * 250, 1.0),
    ]


def metric_of_wrong_types(client, name):
    run = _run(client, name)
    body = {"run_id": run, "metrics": [{"key": "a", "value": 1, "timestamp": "x"}]}
    return [post("runs/log-batch", body)["status"]]


def raw_metric(client, name):
    run = _run(client, name)
    body = {"run_id": run, "key": "m", "value": 1.0, "timestamp": 1}
    return [
        post("runs/log-metric", body),
        post("runs/log-metric", {**body, "value": "2.5"}),
        post("runs/log-metric", {**body, "timestamp": "7", "step": "3"}),
        post("runs/log-metric", {**body, "value": "NaN"}),
        post("runs/log-metric", {**body, "value": "-Infinity"}),
        post("runs/log-metric", {**body, "value": "x"}),
        post("runs/log-metric", {**body, "timestamp": "x"}),
        post("runs/log-metric", {**body, "key": 5}),
        post("runs/log-metric", {**body, "key": ""}),
        post("runs/log-metric", {k: v for k, v in body.items() if k != "value"}),
        post("runs/log-metric", {k: v for k, v in body.items() if k != "timestamp"}),
        post("runs/log-metric", {k: v for k, v in body.items() if k != "run_id"}),
        post("runs/log-metric", {**body, "value": None}),
        post("runs/log-metric", {"run_uuid": run, "key": "u", "value": 1, "timestamp": 1}),
        post("runs/log-metric", {**body, "unknown": {"a": 1}}),
        points(client.get_metric_history(run, "m")),
    ]


def raw_run(client, name):
    run = _run(client, name, run_name="x")
    client.log_param(run, "p", "v")
    client.log_metric(run, "m", math.nan, 3, 2)
    return [
        get("runs/get", run_id=run),
        get("runs/get", run_uuid=run),
        get("runs/get"),
        get("runs/get", run_id="nope"),
        http("GET", "runs/get", json={"run_id": run})["status"],
        post("runs/update", {"run_id": run, "status": "FINISHED", "end_time": 9}),
        post("runs/update", {"run_id": run, "end_time": "10"}),
        post("runs/update", {}),
        post("runs/create", {"experiment_id": "0", "start_time": "5", "run_name": "y"}),
        post("runs/create", {"experiment_id": 0}),
        post("runs/create", {"experiment_id": "0", "tags": {"a": "b"}}),
    ]


def batch(client, name):
    run = _run(client, name, run_name="x")
    client.log_batch(
        run,
        [Metric("m", 1.0, 1, 0), Metric("n", 2.0, 1, 0)],
        [Param("p", "1"), Param("q", "2")],
        [RunTag("t", "1"), RunTag("t", "2")],
    )
    return [client.get_run(run).data]


def empty_batch(client, name):
    run = _run(client, name)
    return [attempt(client.log_batch, run), post("runs/log-batch", {"run_id": run})]


def batch_limits(client, name):
    run = _run(client, name)
    metrics = [{"key": "m", "value": 1.0, "timestamp": 1, "step": n} for n in range(1001)]
    params = [{"key": f"p{n}", "value": "1"} for n in range(101)]
    return [
        post("runs/log-batch", {"run_id": run, "metrics": metrics}),
        post("runs/log-batch", {"run_id": run, "params": params}),
        post("runs/log-batch", {"run_id": run, "tags": params}),
        post("runs/log-batch", {"run_id": run, "metrics": metrics[:950], "params": params[:60]}),
        post("runs/log-batch", {"run_id": run, "metrics": metrics[:900], "params": params[:100]}),
        post("runs/log-batch", {"run_id": run, "params": [params[100], params[100]]}),
        len(client.get_metric_history(run, "m")),
        len(client.get_run(run).data.params),
    ]


def batch_of_wrong_names(client, name):
    run = _run(client, name)
    good = {"key": "m", "value": 1.0, "timestamp": 1}
    return [
        post("runs/log-batch", {"run_id": run, "metrics": [good, {**good, "key": "a?b"}]}),
        post("runs/log-batch", {"run_id": run, "metrics": [good, {**good, "key": ""}]}),
        post("runs/log-batch", {"run_id": run, "metrics": [good, {**good, "key": "k" * 251}]}),
        post("runs/log-batch", {"run_id": run, "metrics": [good, {**good, "timestamp": -1}]}),
        post("runs/log-batch", {"run_id": run, "metrics": [good, {"key": "m", "value": 1}]}),
        post("runs/log-batch", {"run_id": run, "metrics": [{"key": "m", "timestamp": 1}]}),
        post("runs/log-batch", {"run_id": run, "params": [{"key": "a//b", "value": "1"}]}),
        post("runs/log-batch", {"run_id": run, "params": [{"value": "1"}]}),
        post(
            "runs/log-batch", {"run_id": run, "tags": [{"key": "t"}, {"key": "a?b", "value": "1"}]}
        ),
        post("runs/log-batch", {"run_id": run, "tags": [{"key": "k" * 251, "value": "1"}]}),
        post("runs/log-batch", {"run_id": run, "metrics": {"key": "m"}}),
        post("runs/log-batch", {"run_id": "a/b"}),
        post("runs/log-batch", {"run_id": ""}),
        post("runs/log-batch", {}),
        client.get_run(run).data.metrics,
    ]


def history_pages(client, name):
    run = _run(client, name)
    client.log_batch(run, [Metric("m", float(n % 7), 100 - n, n) for n in range(25)])
    found, token = [], None
    while True:
        query = {"run_id": run, "metric_key": "m", "max_results": "10"}
        page = get("metrics/get-history", **query, **({"page_token": token} if token else {}))[
            "json"
        ]
        found.append(page)
        token = page.get("next_page_token")
        if not token:
            return [*found, points(client.get_metric_history(run, "m"))]


def history_of_nothing(client, name):
    run = _run(client, name)
    return [
        client.get_metric_history(run, "none"),
        get("metrics/get-history", run_id="f" * 32, metric_key="m"),
        get("metrics/get-history", run_id=run),
        get("metrics/get-history", metric_key="m"),
        get("metrics/get-history", run_id=run, metric_key="m", max_results="0"),
        get("metrics/get-history", run_id=run, metric_key="m", max_results="5", page_token="?"),
    ]


def history_in_bulk(client, name):
    runs = sorted(_run(client, f"{name} {n}") for n in range(3))
    for place, run in enumerate(runs):
        client.log_batch(run, [Metric("m", place + n / 10, n, n) for n in range(4)])
    path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
    return [
        get(path, run_id=runs, metric_key="m"),
        get(path, run_id=runs, metric_key="m", max_results="5"),
        get(path, run_id=runs[0], metric_key="none"),
        get(path, metric_key="m"),
        get(path, run_id=runs),
        get(path, run_id=["a"] * 101, metric_key="m"),
    ]


def history_in_intervals(client, name):
    runs = [_run(client, f"{name} {n}") for n in range(2)]
    for place, run in enumerate(runs):
        client.log_batch(run, [Metric("m", place + n / 10, n, n) for n in range(20)])
    path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
    return [
        get(path, run_ids=runs, metric_key="m"),
        get(path, run_ids=runs, metric_key="m", start_step="5", end_step="8"),
        get(path, run_ids=runs[0], metric_key="none"),
        get(path, run_ids=runs, metric_key="m", max_results="0"),
        get(path, run_ids=runs, metric_key="m", max_results="2501"),
        get(path, run_ids=runs, metric_key="m", start_step="1"),
        get(path, run_ids=runs, metric_key="m", start_step="5", end_step="1"),
        get(path, metric_key="m"),
        get(path, run_ids=runs),
        get(path, run_ids=["a"] * 101, metric_key="m"),
    ]


def same_time_and_step(client, name):
    run = _run(client, name)
    for value in (3.0, 1.0, math.nan, 2.0):
        client.log_metric(run, "m", value, 5, 1)
    return [points(client.get_metric_history(run, "m"))]


def log_model(client, name):
    run = _run(client, name)
    return [
        post("runs/log-model", {"run_id": run})["status"],
        post("runs/log-model", {"run_id": run, "model_json": "{nope"})["status"],
    ]
