"""Searching runs: filters, orders, pages."""

from mlflow.entities import Metric, Param, RunTag
from steps import attempt, get, post

DIFFERENCES = {
    "wrong_filters[9]": "the genuine server passes over an AND that joins nothing",
    "wrong_filters[10]": "the genuine server passes over an AND that joins nothing",
    "wrong_filters[11]": "the genuine server takes what it cannot read for an AND",
    "wrong_filters[22]": "ours also ask whether a metric is there",
    "limits[6]": "the genuine server goes on with what it could read of a wrong body",
    "wrong_orders[0]": "a name may hold blanks here, also without quotes",
    "wrong_*": "words: ours name the position and the near miss",
    "beyond": "ours take more: OR, NOT, parentheses, NOT LIKE",
    "order_twice": "the genuine server fails with 500",
    "a_list_of_statuses": "ours take a list for every text",
    "blank_filter": "a filter of blanks asks for nothing",
}
DIFFERENCES_36 = {
    "metrics": "3.6 takes NaN for 0, which it stores",
    "many_conditions": "3.6 takes NaN for 0, which it stores",
    "null_checks": "3.6 cannot ask whether something is there",
    "exact_page": "3.6 gives a token to an empty page",
    "limits": "3.6 passes over what it cannot read",
}

_MADE = {}


def _world(client, name):
    """Make one experiment for all cases of a server: ten runs, r0 to r9."""
    del name
    address = client.tracking_uri
    if address in _MADE:
        return _MADE[address]
    experiment = client.create_experiment("search.world")
    for n in range(10):
        run = client.create_run(experiment, start_time=1000 + n, run_name=f"r{n}").info.run_id
        metrics = [Metric("loss", 1 - n / 10, 1, 0), Metric("acc", n / 10, 1, 0)]
        if n % 3 == 0:
            metrics.append(Metric("rare key", float(n), 1, 0))
        if n == 4:
            metrics = [Metric("loss", float("nan"), 1, 0)]
        params = [Param("depth", str(n % 4)), Param("kind", "Tree" if n % 2 else "line")]
        tags = [
            RunTag("team", "red" if n < 5 else "Blue"),
            RunTag("q'uote".replace("'", ""), "a'b"),
        ]
        client.log_batch(run, metrics, params, tags)
        if n < 8:
            client.set_terminated(run, "FINISHED" if n % 2 else "FAILED", 2000 - n)
        if n == 9:
            client.delete_run(run)
    _MADE[address] = experiment
    return experiment


def _names(client, name, where="", order=("attributes.start_time ASC",), **kwargs):
    found = attempt(
        client.search_runs, [_world(client, name)], where, order_by=list(order), **kwargs
    )
    raised = isinstance(found, list) and found and found[0] == "raised"
    return found if raised else [run.info.run_name for run in found]


def _each(client, name, *filters):
    return [_names(client, name, where) for where in filters]


def everything(client, name):
    return _each(client, name, "")


def metrics(client, name):
    return _each(
        client,
        name,
        "metrics.loss < 0.5",
        "metrics.loss <= 0.5",
        "metrics.loss > 0.5",
        "metrics.loss >= 0.5",
        "metrics.loss = 0.5",
        "metrics.loss != 0.5",
        "metric.acc > 0.3 and metrics.loss > 0.2",
        "metrics.acc > -1e3",
        'metrics."rare key" >= 3',
        "metrics.`rare key` = 0",
        "metrics.none > 0",
        "metrics.acc > 3.5E-1",
    )


def params(client, name):
    return _each(
        client,
        name,
        "params.depth = '1'",
        'params.depth = "1"',
        "params.depth != '1'",
        "param.depth = '1' AND parameters.kind = 'Tree'",
        "params.kind LIKE 'T%'",
        "params.kind LIKE 't%'",
        "params.kind ILIKE 't%'",
        "params.kind LIKE '%ne'",
        "params.kind LIKE '_ree'",
        "params.none = '1'",
        "params.none != '1'",
        "params.`depth` = '2'",
    )


def tags(client, name):
    return _each(
        client,
        name,
        "tags.team = 'red'",
        "tag.team != 'red'",
        "tags.team LIKE '%e%'",
        "tags.team ILIKE '%BLUE%'",
        'tags."team" = "Blue"',
        "tags.`mlflow.runName` = 'r3'",
        "tags.mlflow.runName = 'r3'",
        'tags.quote = "a\'b"',
        "tags.none = 'x'",
    )


def attributes(client, name):
    return _each(
        client,
        name,
        "attributes.status = 'FINISHED'",
        "attribute.status != 'FINISHED'",
        "status = 'FAILED'",
        "attr.status = 'RUNNING'",
        "run_name = 'r2'",
        "attributes.run_name LIKE 'r%'",
        "attributes.`run name` = 'r1'",
        "attributes.\"Run name\" = 'r1'",
        "run_name ILIKE 'R%'",
        "start_time > 1004",
        "attributes.start_time >= 1004 AND start_time < 1007",
        "start_time = 1003",
        "end_time > 1995",
        "attributes.artifact_uri != 'x'",
        "user_id = 'unknown'",
        "attributes.created > 1004",
    )


def a_list_of_statuses(client, name):
    return _each(client, name, "status IN ('FINISHED', 'RUNNING')")


def blank_filter(client, name):
    return _each(client, name, " ")


def order_twice(client, name):
    return [_names(client, name, order=["start_time", "start_time DESC"])]


def run_ids(client, name):
    ids = [
        run.info.run_id
        for run in client.search_runs([_world(client, name)], order_by=["start_time"])
    ]
    return [
        _names(client, name, f"run_id = '{ids[0]}'"),
        _names(client, name, f"attributes.run_id IN ('{ids[0]}', '{ids[2]}')"),
        _names(client, name, f"attributes.run_id NOT IN ('{ids[0]}', '{ids[2]}')"),
        _names(client, name, f"run_id != '{ids[0]}'"),
        _names(client, name, f"run_id LIKE '{ids[0][:31]}%'"),
        _names(client, name, "run_id IN ('a',)"),
    ]


def null_checks(client, name):
    return _each(
        client,
        name,
        "params.none IS NULL",
        "params.depth IS NOT NULL AND metrics.loss < 0.3",
        "tags.team IS NULL",
        "tags.team IS NOT NULL",
    )


def joined(client, name):
    return _each(
        client,
        name,
        "metrics.loss < 0.8 and params.kind = 'Tree' and tags.team = 'red' and status = 'FINISHED'",
        "metrics.loss < 0.8 AND metrics.loss > 0.3",
        "params.kind = 'Tree' AND params.depth = '3'",
        "  metrics.loss<0.5   AND params.kind='Tree'  ",
    )


def orders(client, name):
    return [
        _names(client, name, order=order)
        for order in (
            [],
            ["metrics.loss"],
            ["metrics.loss DESC"],
            ["metrics.acc ASC"],
            ["metrics.`rare key` DESC"],
            ["params.depth", "attributes.start_time DESC"],
            ["params.kind DESC", "metrics.acc"],
            ["tags.team ASC", "start_time"],
            ["attributes.end_time"],
            ["end_time DESC"],
            ["start_time desc"],
            ["run_name DESC"],
            ["attributes.status", "start_time"],
            ["params.none", "start_time DESC"],
            ["metric.acc DESC", "param.depth"],
        )
    ]


def wrong_orders(client, name):
    return [
        _names(client, name, order=[order])
        for order in ("metrics.loss UP", "nope", "metrics", "metrics.loss,acc", "zz.loss", "a b c")
    ]


def wrong_filters(client, name):
    return _each(
        client,
        name,
        "metrics.loss",
        "metrics.loss <",
        "metrics.loss < 'a'",
        "params.depth = 1",
        "params.depth > '1'",
        "tags.team = red",
        "zz.loss < 1",
        "loss < 1",
        "metrics.loss << 1",
        "metrics.loss < 1 AND",
        "AND metrics.loss < 1",
        "metrics.loss < 1 metrics.acc > 1",
        "metrics.loss LIKE 'a'",
        "params.kind LIKE 5",
        "'a' = 'a'",
        "1 = 1",
        "status = FINISHED",
        "status > 'FINISHED'",
        "start_time = 'x'",
        "metrics.loss = 1; drop table runs",
        "params.`a = 'b'",
        'params."a = "b"',
        "metrics.loss IS NULL",
        "run_id > 'a'",
        "metrics.loss IN (1, 2)",
    )


def beyond(client, name):
    return _each(
        client,
        name,
        "metrics.loss < 0.2 OR metrics.loss > 0.8",
        "NOT status = 'FINISHED'",
        "(metrics.loss < 0.2)",
        "params.kind NOT LIKE 'T%'",
    )


def sql_is_no_part_of_it(client, name):
    return _each(
        client,
        name,
        "tags.team = 'red'' OR ''1'' = ''1'",
        "params.kind = '\"; drop table runs; --'",
        "params.kind LIKE '%'",
        "params.kind LIKE '%%%'",
        "tags.team = 'a\\'",
    )


def views(client, name):
    return [_names(client, name, run_view_type=view) for view in (1, 2, 3)]


def pages(client, name):
    experiment, found, token = _world(client, name), [], None
    while True:
        page = client.search_runs(
            [experiment], order_by=["metrics.acc DESC"], max_results=4, page_token=token
        )
        found.append([run.info.run_name for run in page])
        token = page.token
        if not token:
            return found


def exact_page(client, name):
    page = client.search_runs([_world(client, name)], max_results=9)
    return [len(page), page.token]


def limits(client, name):
    experiment = _world(client, name)
    return [
        post("runs/search", {"experiment_ids": [experiment], "max_results": 0}),
        post("runs/search", {"experiment_ids": [experiment], "max_results": -3}),
        post("runs/search", {"experiment_ids": [experiment], "max_results": 50_001}),
        post("runs/search", {"experiment_ids": [experiment], "page_token": "?"}),
        post("runs/search", {"experiment_ids": [experiment], "filter": 5}),
        post("runs/search", {"experiment_ids": experiment}),
        post("runs/search", {"experiment_ids": [5]}),
        post("runs/search", {"experiment_ids": [experiment], "order_by": "metrics.loss"}),
        post("runs/search", {"experiment_ids": [experiment], "order_by": [5]}),
        post("runs/search", {"experiment_ids": [experiment], "max_results": "2"})["status"],
        len(client.search_runs([experiment], max_results=50_000)),
    ]


def no_experiment(client, name):
    del name
    return [
        post("runs/search", {}),
        post("runs/search", {"experiment_ids": []}),
        post("runs/search", {"experiment_ids": ["99999999"]}),
        len(client.search_runs([])),
    ]


def several_experiments(client, name):
    other = client.create_experiment(name)
    client.create_run(other, start_time=5000, run_name="other")
    found = client.search_runs([_world(client, name), other], order_by=["start_time DESC"])
    return [[run.info.run_name for run in found][:3]]


def raw(client, name):
    body = {"experiment_ids": [_world(client, name)], "filter": "run_name = 'r3'"}
    return [
        post("runs/search", body),
        post("runs/search", {**body, "run_view_type": "ALL"})["status"],
        post("runs/search", {**body, "run_view_type": "DELETED_ONLY"}),
        get("runs/search")["status"],
    ]


def whole_runs(client, name):
    return [
        client.search_runs([_world(client, name)], "run_name LIKE 'r3%'", order_by=["run_name"])
    ]


def many_conditions(client, name):
    return _each(client, name, " AND ".join(f"metrics.loss < {n}" for n in range(1, 25)))
