"""Traces as wholes: log, get, search, tag, link to runs and prompts, delete; versions 2 and 3."""

import hashlib

from steps import attempt, get, http, post

DIFFERENCES = {
    "log_wrongly[1]": "the genuine server fails with 500",
    "log_wrongly[2]": "the genuine server stores what it could read of a wrong body",
    "log_wrongly[3]": "the genuine server stores what it could read of a wrong body",
    "log_wrongly[4]": "the genuine server stores what it could read of a wrong body",
    "log_wrongly": "words: ours say what is wrong in other words",
    "log_again": "the genuine server loses the tags of the second call",
    "search_wrongly": "words: ours name the position and the near miss",
    "search_more": "ours take more: OR, NOT, parentheses, NOT LIKE",
    "get_without_spans": "the genuine server fails with 500 where no span has come yet",
    "tag_wrongly": "words: ours name the key in other words",
}
DIFFERENCES_36 = {
    "links_to_prompts": "3.6 keeps them in a tag",
    "get_without_spans": "3.6 has no such route",
    "get_many_infos": "3.6 has no such route",
    "search_null": "3.6 cannot ask whether something is there",
    "search_text": "3.6 does not look into spans",
}

_AT = "2024-05-06T07:08:09.123Z"


def _id(name, n=0):
    return "tr-" + hashlib.md5(f"{name}{n}".encode(), usedforsecurity=False).hexdigest()


def _body(experiment, trace_id, **more):
    info = {
        "trace_id": trace_id,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": experiment},
        },
        "request_time": _AT,
        "execution_duration": "1.500s",
        "state": "OK",
        "trace_metadata": {"made": "here"},
        "tags": {"mlflow.traceName": "answer", "team": "red"},
        "request_preview": "what?",
        "response_preview": "that",
        **more,
    }
    return {"trace": {"trace_info": info}}


def _log(experiment, trace_id, **more):
    return http("POST", "/api/3.0/mlflow/traces", json=_body(experiment, trace_id, **more))


def _plain(answer):
    """Return an answer without what only one of two versions says beside."""
    for info in _infos(answer["json"]):
        info.get("trace_metadata", {}).pop("mlflow.trace.infoFinalized", None)
        info.get("trace_metadata", {}).pop("mlflow.trace_schema.version", None)
        info.get("tags", {}).pop("mlflow.trace.spansLocation", None)
        for field in ("assessments", "trace_metadata"):
            if not info.get(field):
                info.pop(field, None)
    return answer


def _infos(body):
    if isinstance(body, dict):
        if "trace_id" in body and "request_time" in body:
            yield body
        for value in body.values():
            yield from _infos(value)
    elif isinstance(body, list):
        for value in body:
            yield from _infos(value)


def log(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    return [
        _plain(_log(experiment, trace_id)),
        _plain(get(f"/api/3.0/mlflow/traces/{trace_id}")),
    ]


def log_little(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    body = _body(experiment, trace_id)
    kept = ("trace_id", "trace_location", "request_time", "state")
    info = {key: body["trace"]["trace_info"][key] for key in kept}
    return [
        _plain(post("/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})),
        _plain(get(f"/api/3.0/mlflow/traces/{trace_id}")),
    ]


def log_states_and_times(client, name):
    experiment = client.create_experiment(name)
    said = [
        {"state": "ERROR", "execution_duration": "0s"},
        {"state": "IN_PROGRESS", "request_time": "2024-01-01T00:00:00Z"},
        {"state": "STATE_UNSPECIFIED", "execution_duration": "3.000000001s"},
        {"execution_duration": "12s", "request_time": "2024-01-01T00:00:00.5Z"},
        {"client_request_id": "mine"},
    ]
    return [_plain(_log(experiment, _id(name, n), **each)) for n, each in enumerate(said)]


def log_again(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    _log(experiment, trace_id)
    more = {"state": "ERROR", "tags": {"other": "x"}, "trace_metadata": {"more": "1"}}
    return [_plain(_log(experiment, trace_id, **more))]


def log_long_texts(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    return [_plain(_log(experiment, trace_id, request_preview="é" * 1000))]


def log_wrongly(client, name):
    experiment = client.create_experiment(name)
    return [
        _log("98765432", _id(name)),
        post("/api/3.0/mlflow/traces", {"trace": {}}),
        _log(experiment, _id(name, 2), request_time="yesterday"),
        _log(experiment, _id(name, 3), execution_duration="long"),
        _log(experiment, _id(name, 4), state="DONE"),
    ]


def log_into_a_deleted_experiment(client, name):
    experiment = client.create_experiment(name)
    client.delete_experiment(experiment)
    return [_log(experiment, _id(name))]


def get_unknown(client, name):
    return [
        get(f"/api/3.0/mlflow/traces/{_id(name)}"),
        get(f"/api/2.0/mlflow/traces/{_id(name)}/info"),
    ]


def get_in_the_words_of_version_2(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    _log(experiment, trace_id)
    found = [
        get(f"/api/2.0/mlflow/traces/{trace_id}/info")["json"]["trace_info"],
        get("/api/2.0/mlflow/traces", experiment_ids=[experiment])["json"]["traces"][0],
    ]
    for info in found:
        for field in ("request_metadata", "tags"):
            info[field] = sorted(
                [each["key"], each["value"]]
                for each in info[field]
                if not each["key"].startswith("mlflow.trace.")
            )
    return found


def version_2(client, name):
    experiment = client.create_experiment(name)
    pair = [{"key": "a", "value": "b"}]
    begun = post(
        "traces",
        {
            "experiment_id": experiment,
            "timestamp_ms": 1000,
            "request_metadata": pair,
            "tags": [{"key": "mlflow.traceName", "value": "old"}],
        },
    )
    trace_id = begun["json"]["trace_info"]["request_id"]
    ended = http(
        "PATCH",
        f"traces/{trace_id}",
        json={"timestamp_ms": 1250, "status": "OK", "request_metadata": pair, "tags": pair},
    )
    found = [begun["json"]["trace_info"], ended["json"]["trace_info"]]
    return [
        {key: info.get(key) for key in ("timestamp_ms", "execution_time_ms", "status")}
        for info in found
    ]


def get_without_spans(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    _log(experiment, trace_id)
    return [get("/api/3.0/mlflow/traces/get", trace_id=trace_id, allow_partial=True)]


def get_many_infos(client, name):
    experiment = client.create_experiment(name)
    ids = [_id(name, n) for n in range(3)]
    for trace_id in ids[:2]:
        _log(experiment, trace_id)
    answer = post("/api/3.0/mlflow/traces/batchGetInfos", {"trace_ids": ids})
    return [sorted(info["trace_id"] for info in answer["json"]["trace_infos"])]


_MADE = {}


def _world(client):
    address = client.tracking_uri
    if address not in _MADE:
        experiment = client.create_experiment("traces.world")
        for n in range(8):
            tags = {"mlflow.traceName": f"t{n}", "team": "red" if n < 4 else "Blue"}
            if n % 3 == 0:
                tags["rare"] = str(n)
            _log(
                experiment,
                _id("world", n),
                request_time=f"2024-05-06T07:08:0{n}.000Z",
                execution_duration=f"{n}.500s",
                state="ERROR" if n % 2 else "OK",
                tags=tags,
                trace_metadata={"size": str(n), "kind": "big" if n > 5 else "small"},
                client_request_id=f"c{n}",
            )
        _MADE[address] = experiment
    return _MADE[address]


def _names(client, where="", **kwargs):
    found = attempt(_search, client, where, **kwargs)
    return found if isinstance(found, list) else [found]


def _search(client, where, **kwargs):
    body = {
        "locations": [
            {
                "type": "MLFLOW_EXPERIMENT",
                "mlflow_experiment": {"experiment_id": _world(client)},
            }
        ],
        "filter": where,
        **kwargs,
    }
    answer = post("/api/3.0/mlflow/traces/search", body)
    if answer["status"] != 200:
        return ["raised", "", answer["json"]["error_code"], answer["json"]["message"]]
    return [t["tags"]["mlflow.traceName"] for t in answer["json"].get("traces", [])]


def search(client, name):
    return [
        _names(client, where)
        for where in (
            "",
            "status = 'OK'",
            "trace.status = 'ERROR'",
            "attributes.status != 'OK'",
            "status IN ('OK', 'x')",
            "name = 't3'",
            "name LIKE 't%'",
            "name ILIKE 'T1'",
            "timestamp_ms > 1714979284000",
            "timestamp_ms = 1714979284000",
            "timestamp_ms <= 1714979284000 AND status = 'OK'",
            "execution_time_ms < 2500",
            "execution_time >= 6500",
            "end_time_ms > 1714979290000",
            "client_request_id = 'c4'",
            "client_request_id IN ('c1', 'c2')",
            "tags.team = 'red'",
            "tag.team = 'Blue'",
            "tags.team != 'red'",
            "tags.team LIKE 'B%'",
            "tags.rare = '3'",
            "tags.`mlflow.traceName` = 't5'",
            "metadata.size = '4'",
            "request_metadata.kind = 'big'",
            "metadata.kind LIKE 'sm%' AND tags.team = 'Blue'",
            "tags.none = 'x'",
        )
    ]


def search_null(client, name):
    return [
        _names(client, where)
        for where in ("tags.rare IS NULL", "tags.rare IS NOT NULL", "metadata.none IS NULL")
    ]


def search_in_order(client, name):
    return [
        _names(client, order_by=order)
        for order in (
            ["timestamp_ms ASC"],
            ["timestamp DESC"],
            ["execution_time_ms DESC"],
            ["status ASC"],
            ["status DESC", "timestamp_ms ASC"],
            ["name DESC"],
            ["tags.team ASC"],
            ["tags.rare ASC"],
            ["metadata.size DESC"],
        )
    ]


def search_in_pages(client, name):
    found = client.search_traces([_world(client)], max_results=3, include_spans=False)
    more = client.search_traces(
        [_world(client)], max_results=3, page_token=found.token, include_spans=False
    )
    last = client.search_traces(
        [_world(client)], max_results=3, page_token=more.token, include_spans=False
    )
    return [[trace.info.tags["mlflow.traceName"] for trace in page] for page in (found, more, last)]


def search_wrongly(client, name):
    return [
        _names(client, where)
        for where in (
            "unknown = 'x'",
            "tags.team > 1",
            "status",
            "status = ",
            "span.colour = 'x'",
            "timestamp_ms LIKE 'x'",
        )
    ] + [
        _names(client, order_by=["colour"]),
        _names(client, max_results=501),
        _names(client, page_token="???"),
    ]


def search_more(client, name):
    return [
        _names(client, where)
        for where in (
            "name = 't1' OR name = 't2'",
            "NOT status = 'OK'",
            "(name = 't1')",
        )
    ]


def search_unknown_experiments(client, name):
    answer = post("/api/3.0/mlflow/traces/search", {"locations": []})
    return [answer["status"]]


def tags(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    _log(experiment, trace_id)
    client.set_trace_tag(trace_id, "a", "b")
    client.set_trace_tag(trace_id, "a", "c")
    client.set_trace_tag(trace_id, "mlflow.traceName", "renamed")
    client.set_trace_tag(trace_id, "long", "x" * 9000)
    first = _plain(get(f"/api/3.0/mlflow/traces/{trace_id}"))
    for info in _infos(first["json"]):
        info["tags"]["long"] = len(info["tags"]["long"])
    client.delete_trace_tag(trace_id, "a")
    client.delete_trace_tag(trace_id, "team")
    client.delete_trace_tag(trace_id, "long")
    return [first, _plain(get(f"/api/3.0/mlflow/traces/{trace_id}"))]


def tag_wrongly(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    _log(experiment, trace_id)
    path = f"traces/{trace_id}/tags"
    return [
        http("PATCH", path, json={"value": "x"}),
        http("PATCH", path, json={"key": "a/../b", "value": "x"}),
        http("PATCH", path, json={"key": "k" * 251, "value": "x"}),
        http("DELETE", path, json={"key": "none"}),
        http("DELETE", path, json={}),
    ]


def tag_an_unknown(client, name):
    return [http("DELETE", f"traces/{_id(name)}/tags", json={"key": "x"})["status"]]


def links_to_runs(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    _log(experiment, trace_id)
    _log(experiment, _id(name, 2))
    run = client.create_run(experiment).info.run_id
    client.link_traces_to_run([trace_id], run)
    client.link_traces_to_run([trace_id], run)
    _log(experiment, _id(name, 3), trace_metadata={"mlflow.sourceRun": run})
    found = client.search_traces(
        [experiment], filter_string=f"run_id = '{run}'", include_spans=False
    )
    return [sorted(trace.info.trace_id == trace_id for trace in found)]


def link_wrongly(client, name):
    experiment = client.create_experiment(name)
    run = client.create_run(experiment).info.run_id
    return [
        post("traces/link-to-run", {"trace_ids": [_id(name)] * 101, "run_id": run}),
        post("traces/link-to-run", {"run_id": run}),
    ]


def links_to_prompts(client, name):
    experiment, trace_id = client.create_experiment(name), _id(name)
    _log(experiment, trace_id)
    ref = [{"name": "p", "version": "1"}]
    linked = post("traces/link-prompts", {"trace_id": trace_id, "prompt_versions": ref})
    found = client.search_traces([experiment], filter_string="prompt = 'p/1'", include_spans=False)
    none = client.search_traces([experiment], filter_string="prompt = 'p/2'", include_spans=False)
    unknown = post("traces/link-prompts", {"trace_id": _id(name, 1), "prompt_versions": ref})
    return [linked, len(found), len(none), unknown]


def delete(client, name):
    experiment = client.create_experiment(name)
    for n in range(6):
        _log(experiment, _id(name, n), request_time=f"2024-05-06T07:08:0{n}.000Z")
    gone = [
        client.delete_traces(experiment, trace_ids=[_id(name, 0), _id(name, 9)]),
        client.delete_traces(experiment, max_timestamp_millis=1714979283000, max_traces=1),
        client.delete_traces(experiment, max_timestamp_millis=1714979283000),
    ]
    left = client.search_traces([experiment], include_spans=False)
    return [gone, [trace.info.timestamp_ms for trace in left]]


def delete_wrongly(client, name):
    experiment = client.create_experiment(name)
    return [
        post("traces/delete-traces", {"experiment_id": experiment, **more})
        for more in (
            {},
            {"max_timestamp_millis": 1, "request_ids": ["a"]},
            {"max_traces": 1, "request_ids": ["a"]},
            {"max_traces": 0, "max_timestamp_millis": 1},
        )
    ]
