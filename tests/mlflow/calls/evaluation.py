"""Evaluation datasets: as programs use them, by the fluent API, by the client and by HTTP."""

import json

import mlflow
import mlflow.genai.datasets as fluent
import pandas as pd
from steps import attempt, http

V3 = "/api/3.0/mlflow/datasets"
AJAX = "/ajax-api/3.0/mlflow/datasets"
IS_36 = mlflow.__version__.startswith("3.6.")

BUG = "the genuine server fails with a 500; ours says what is wrong and merges nothing"
WORDS = "words: the same refusal, said as every list of ours says it"
MORE = "ours can do more: it answers"
DIFFERENCES = {
    "records_meet_again[10]": "the genuine server fails when a kind of outputs gets fields",
    "records_meet_again[11]": "what follows from step 10",
    "records_meet_again[13]": "what follows from step 10",
    **{f"wrong_records[{step}]": BUG for step in range(9)},
    "created[8]": BUG,
    "created[9]": BUG,
    "tags[7]": BUG,
    "tags[8]": BUG,
    "what_is_not_there[8]": "theirs shows a statement of SQL; ours says that it is not there",
    "what_is_not_there[9]": "nothing was merged into nothing; ours says that it is not there",
    "search[9]": "ours reads backticks around the key of a tag here too, as everywhere else",
    "too_long": "SQLite does not enforce the lengths of their columns, as PostgreSQL does; we do",
    "wrong_searches[1]": "theirs finds nothing; ours says how texts are compared",
    "wrong_searches[5]": MORE,
    "wrong_searches[9]": MORE,
    "wrong_searches[11]": MORE,
    "wrong_searches[12]": MORE,
    **{f"wrong_searches[{step}]": WORDS for step in (0, 2, 3, 4, 6, 7, 8, 10, 13, 14)},
}
DIFFERENCES_36 = {
    "unspecified_source": "3.6 cannot read what it took itself; the newest and ours can",
    "created[6]": "3.6 takes a text for a list; the newest refuses it, and so do we",
    "search[13]": "3.6 has no IN here; the newest has, and so do we",
}

ASKED = [
    {"inputs": {"q": "why?", "n": 1}, "expectations": {"answer": "so", "score": 0.5}},
    {"inputs": {"q": "how?", "n": 2}, "tags": {"level": "easy"}},
    {
        "inputs": {"q": "when?", "n": None, "context": {"deep": [1, 2.5, True]}},
        "source": {"source_type": "DOCUMENT", "source_data": {"source_id": "manual.pdf"}},
        "outputs": {"answer": "now"},
    },
]


def _named(client, name):
    """A dataset past the fluent API, in no experiment but the default one."""
    return client.create_dataset(name, experiment_id=["0"], tags={"case": name})


def _shown(dataset):
    return [
        dataset.name,
        dataset.tags,
        dataset.schema and json.loads(dataset.schema),
        dataset.profile and json.loads(dataset.profile),
        len(dataset.digest),
        dataset.created_by,
        dataset.last_updated_by,
        sorted(dataset.experiment_ids),
        dataset.dataset_id[:2],
        len(dataset.dataset_id),
        dataset.last_update_time >= dataset.created_time,
    ]


def _records(found):
    """Records in an order of their own: the genuine server has none within a merge."""
    rows = [record.to_dict() for record in found]
    for row in rows:
        row["dataset_record_id"] = [row["dataset_record_id"][:3], len(row["dataset_record_id"])]
    return sorted(rows, key=lambda row: json.dumps(row["inputs"], sort_keys=True))


def _rows(frame):
    columns = [name for name in frame.columns if name != "dataset_record_id"]
    rows = [
        {name: str(row[name]) for name in columns if name != "created_time"}
        for _, row in frame.iterrows()
    ]
    return [sorted(columns), sorted(rows, key=repr)]


def _raw(path, method="GET", **kwargs):
    """An answer past the client; records in it are no text but values, in an order of their own."""
    found = http(method, path, **kwargs)
    body = found["json"]
    if isinstance(body, dict):
        for name in ("records", "tags", "schema", "profile"):
            if name in body:
                body[name] = json.loads(body[name])
            if name in body.get("dataset", {}):
                body["dataset"][name] = json.loads(body["dataset"][name])
        if "records" in body:
            body["records"].sort(key=lambda row: json.dumps(row["inputs"], sort_keys=True))
        if "digest" in body.get("dataset", {}):
            body["dataset"]["digest"] = len(body["dataset"]["digest"])
    return found


def as_a_program_does(client, name):
    del client
    made = fluent.create_dataset(name=name, experiment_id="0", tags={"team": "support"})
    made.merge_records(ASKED)
    made.merge_records([{"inputs": {"q": "how?", "n": 2}, "expectations": {"answer": "thus"}}])
    frame = made.to_df()
    found = fluent.get_dataset(dataset_id=made.dataset_id)
    fluent.set_dataset_tags(dataset_id=made.dataset_id, tags={"team": "sales", "n": 3, "x": None})
    fluent.delete_dataset_tag(dataset_id=made.dataset_id, key="n")
    listed = fluent.search_datasets(filter_string=f"name = '{name}'")
    fluent.delete_dataset(dataset_id=made.dataset_id)
    return [
        _rows(frame),
        _shown(found),
        _records(found.records),
        [(each.name, each.tags) for each in listed],
        attempt(fluent.get_dataset, dataset_id=made.dataset_id)[2],
        len(fluent.search_datasets(filter_string=f"name = '{name}'")),
    ]


def from_a_frame(client, name):
    made = _named(client, name)
    frame = pd.DataFrame(
        [
            {"inputs": {"q": 1}, "expectations": {"a": 1.5}},
            {"inputs": {"q": 2}, "expectations": {"a": 2.5}},
        ]
    )
    made.merge_records(frame)
    empty = _named(client, f"{name} empty").to_df()
    return [
        _rows(made.to_df()),
        list(empty.columns),
        len(empty),
        _shown(client.get_dataset(made.dataset_id)),
    ]


def by_name(client, name):
    _named(client, name)
    twice = [_named(client, f"{name} twice") for _ in range(2)]
    return (
        [
            len(twice),
            attempt(fluent.get_dataset, name=f"{name} none"),
            attempt(fluent.get_dataset, name=f"{name} twice"),
            attempt(lambda: fluent.get_dataset(name=name).tags),
        ]
        if not IS_36
        else [len(twice)]
    )


def records_meet_again(client, name):
    made = _named(client, name)
    key = {"inputs": {"a": 1, "b": [1, {"c": 2}]}}
    same = {"inputs": {"b": [1, {"c": 2}], "a": 1}}
    steps = []
    for records in (
        [key],
        [{**same, "expectations": {"x": 1}, "tags": {"t": "1"}}],
        [{**key, "expectations": {"y": 2}, "tags": {"t": "2", "u": "3"}}],
        [{**key, "expectations": {}, "outputs": "plain"}],
        [{**key, "outputs": None}],
        [{**key, "outputs": [1, 2]}, {**key, "outputs": {"z": 1}}],
        [{**key, "source": {"source_type": "HUMAN", "source_data": {"user": "u"}}}],
    ):
        steps.append(
            _raw(f"{V3}/{made.dataset_id}/records", "POST", json={"records": json.dumps(records)})
        )
        steps.append(_raw(f"{V3}/{made.dataset_id}/records"))
    return [*steps, _raw(f"{V3}/{made.dataset_id}")]


def who_did_it(client, name):
    made = client.create_dataset(name, tags={"mlflow.user": "ann"})
    records = [
        {"inputs": {"q": 1}, "tags": {"mlflow.user": "bob"}},
        {"inputs": {"q": 2}},
        {"inputs": {"q": 1}, "tags": {"mlflow.user": "eve"}},
    ]
    post = {"records": json.dumps(records)}
    done = _raw(f"{V3}/{made.dataset_id}/records", "POST", json=post)
    found = client.get_dataset(made.dataset_id)
    _raw(f"{V3}/{made.dataset_id}/records", "POST", json={"records": json.dumps([{"inputs": {}}])})
    after = client.get_dataset(made.dataset_id)
    return [
        done,
        [made.created_by, made.last_updated_by],
        [found.created_by, found.last_updated_by],
        [after.created_by, after.last_updated_by],
        _records(found.records),
    ]


def kinds_of_fields(client, name):
    made = _named(client, name)
    records = [
        {"inputs": {"null": None, "bool": True, "int": 1, "float": 1.0, "text": "", "list": []}},
        {"inputs": {"object": {}, "int": "now a text", "": 0, "ünï": "ü", "nan": float("nan")}},
        {"inputs": {"q": 1}, "outputs": 5, "expectations": {"e": None, "f": False}},
        {"inputs": {"q": 2}, "outputs": False},
    ]
    made.merge_records(records)
    return [_shown(client.get_dataset(made.dataset_id)), _records(made.records)]


def sources(client, name):
    made = _named(client, name)
    records = [
        {
            "inputs": {"q": 1},
            "source": {"source_type": "trace", "source_data": {"trace_id": "tr-1"}},
        },
        {"inputs": {"q": 2}, "source": {"source_type": "CODE", "source_data": None}},
        {
            "inputs": {"q": 3},
            "source": {"source_type": "Human", "source_data": {"source_id": "s", "x": [1]}},
        },
        {"inputs": {"q": 4}, "source": {"source_type": "DOCUMENT"}},
        {"inputs": {"q": 5}, "source": None},
        {"inputs": {"q": 6}, "source": {}},
    ]
    made.merge_records(records)
    wrong = [{"inputs": {"q": 7}, "source": {"source_type": "RUMOUR"}}]
    return [
        _records(made.records),
        _raw(f"{V3}/{made.dataset_id}/records", "POST", json={"records": json.dumps(wrong)}),
    ]


def unspecified_source(client, name):
    made = _named(client, name)
    made.merge_records([{"inputs": {"q": 1}, "source": {"source_type": "UNSPECIFIED"}}])
    return [_raw(f"{V3}/{made.dataset_id}/records")["status"]] if IS_36 else _records(made.records)


def pages_of_records(client, name):
    made = _named(client, name)
    made.merge_records([{"inputs": {"q": each}} for each in range(7)])
    path, seen, token, sizes = f"{V3}/{made.dataset_id}/records", [], None, []
    while token or not sizes:
        asked = {"max_results": 3} | ({"page_token": token} if token else {})
        body = http("GET", path, params=asked)["json"]
        rows = json.loads(body["records"])
        sizes.append(len(rows))
        seen += [row["inputs"]["q"] for row in rows]
        token = body.get("next_page_token")
    return [
        sizes,
        sorted(seen),
        len(json.loads(http("GET", path, params={"max_results": 0})["json"]["records"])),
        len(json.loads(http("GET", path, json={"max_results": 2})["json"]["records"])),
        len(json.loads(http("GET", path.replace(V3, AJAX))["json"]["records"])),
    ]


def all_of_many(client, name):
    made = _named(client, name)
    made.merge_records(
        [{"inputs": {"q": each}, "expectations": {"a": each}} for each in range(2345)]
    )
    frame = made.to_df()
    return [len(frame), sorted(row["q"] for row in frame["inputs"]) == list(range(2345))]


def records_go(client, name):
    if IS_36:
        return []
    made = _named(client, name)
    made.merge_records([{"inputs": {"q": each}} for each in range(4)])
    ids = list(made.to_df()["dataset_record_id"])
    steps = [made.delete_records(ids[:2]), made.delete_records(ids[:2]), made.delete_records([])]
    steps += [made.delete_records(["dr-none"]), len(made.to_df())]
    steps.append(_raw(f"{V3}/{made.dataset_id}"))
    steps.append(made.delete_records([*ids[2:], ids[2]]))
    steps.append(_raw(f"{V3}/{made.dataset_id}"))
    made.merge_records([{"inputs": {"q": 9}}])
    steps.append(_raw(f"{V3}/{made.dataset_id}"))
    return steps


def nothing_merged(client, name):
    made = _named(client, name)
    path = f"{V3}/{made.dataset_id}/records"
    return [
        _raw(path, "POST", json={"records": "[]"}),
        _raw(path),
        _raw(f"{V3}/{made.dataset_id}"),
        _raw(path, "POST", json={"records": ""}),
        _raw(path, "POST", json={}),
        _raw(path, "POST", json={"records": [{"inputs": {}}]}),
    ]


def wrong_records(client, name):
    made = _named(client, name)
    path = f"{V3}/{made.dataset_id}/records"
    wrong = [
        "no json",
        '{"inputs": {}}',
        "[1]",
        '[{"inputs": [1]}]',
        '[{"inputs": {"a": 1}, "expectations": [1]}]',
        '[{"inputs": {"a": 1}, "tags": [1]}]',
        '[{"inputs": {"a": 1}, "source": "s"}]',
        '[{"inputs": {"a": 1}, "source": {"x": 1}}]',
        '[{"inputs": {"a": 2}}, {"inputs": null}]',
    ]
    return [
        *(_raw(path, "POST", json={"records": each}) for each in wrong),
        len(made.to_df()),
        attempt(made.merge_records, [{"expectations": {}}]),
        attempt(made.merge_records, [5]),
    ]


def created(client, name):
    full = {"name": name, "experiment_ids": ["0"], "tags": json.dumps({"a": "b", "c": "5"})}
    return [
        _raw(f"{V3}/create", "POST", json=full),
        _raw(f"{AJAX}/create", "POST", json={"name": f"{name} bare"}),
        _raw(f"{V3}/create", "POST", json={"name": f"{name} nowhere", "experiment_ids": ["77"]}),
        _raw(f"{V3}/create", "POST", json={}),
        _raw(f"{V3}/create", "POST", json={"name": ""}),
        _raw(f"{V3}/create", "POST", json={"name": 5}),
        _raw(f"{V3}/create", "POST", json={"name": name, "experiment_ids": "0"}),
        _raw(f"{V3}/create", "POST", json={"name": name, "tags": {"a": "b"}}),
        _raw(f"{V3}/create", "POST", json={"name": name, "tags": "no json"}),
        _raw(f"{V3}/create", "POST", json={"name": name, "tags": "[1]"}),
        _raw(f"{V3}/create", "POST", json={"name": f"{name} é 'q' \"d\" %_/ ✓"}),
    ]


def too_long(client, name):
    made = _named(client, name)
    return [
        attempt(client.create_dataset, "n" * 256),
        attempt(client.create_dataset, name, tags={"k": "v" * 5001}),
        attempt(client.set_dataset_tags, made.dataset_id, {"k" * 256: "v"}),
    ]


def just_long_enough(client, name):
    made = client.create_dataset(("n" * 255), tags={"k" * 255: "v" * 5000})
    made.merge_records([{"inputs": {"q": "x" * 100_000}}])
    return [len(made.name), [len(each) for each in made.tags.values()], len(made.to_df())]


def without_an_experiment(client, name):
    del client
    found = fluent.create_dataset(name=name)
    return [_shown(found), attempt(fluent.create_dataset)]


def tags(client, name):
    made = _named(client, name)
    path = f"{V3}/{made.dataset_id}/tags"
    return [
        _raw(path, "PATCH", json={"tags": json.dumps({"a": 1, "b": True, "c": None, "d": [1]})}),
        client.get_dataset(made.dataset_id).tags,
        _raw(path, "PATCH", json={"tags": json.dumps({"a": "2", "é": "ü", "": "empty"})}),
        client.get_dataset(made.dataset_id).tags,
        _raw(path, "PATCH", json={"tags": "{}"}),
        _raw(path, "PATCH", json={"tags": ""}),
        _raw(path, "PATCH", json={}),
        _raw(path, "PATCH", json={"tags": "no json"}),
        _raw(path, "PATCH", json={"tags": "[1]"}),
        _raw(f"{path}/a", "DELETE"),
        _raw(f"{path}/a", "DELETE"),
        _raw(f"{path}/none", "DELETE"),
        client.get_dataset(made.dataset_id).tags,
    ]


def what_is_not_there(client, name):
    del name
    gone = "d-" + "0" * 32
    return [
        attempt(client.get_dataset, gone),
        attempt(client.get_dataset, "x"),
        attempt(client.delete_dataset, gone),
        attempt(client.set_dataset_tags, gone, {"a": "b"}),
        attempt(client.delete_dataset_tag, gone, "a"),
        attempt(client.add_dataset_to_experiments, gone, ["0"]),
        attempt(client.remove_dataset_from_experiments, gone, ["0"]),
        _raw(f"{V3}/{gone}/records"),
        _raw(f"{V3}/{gone}/records", "POST", json={"records": '[{"inputs": {"a": 1}}]'}),
        _raw(f"{V3}/{gone}/records", "POST", json={"records": "[]"}),
        _raw(f"{V3}/{gone}/experiment-ids"),
    ]


def records_of_what_is_not_there(client, name):
    del client, name
    path = f"{V3}/d-{'0' * 32}/records"
    return [] if IS_36 else [_raw(path, "DELETE", json={"dataset_record_ids": ["dr-1"]})]


def in_experiments(client, name):
    made = _named(client, name)
    more = [client.create_experiment(f"{name} {each}") for each in range(3)]
    client.delete_experiment(more[2])

    def listed():
        ids = client.get_dataset(made.dataset_id).experiment_ids
        return sorted("default" if each == "0" else str(more.index(each)) for each in ids)

    steps = [listed()]
    steps.append(fluent.add_dataset_to_experiments(made.dataset_id, more[:2]).name)
    steps.append(listed())
    steps.append(client.add_dataset_to_experiments(made.dataset_id, [more[1], more[2]]).name)
    steps.append(listed())
    steps.append(attempt(client.add_dataset_to_experiments, made.dataset_id, ["9999"]))
    steps.append(_raw(f"{V3}/{made.dataset_id}/add-experiments", "POST", json={}))
    steps.append(len(client.search_datasets(experiment_ids=[more[0]])))
    steps.append(len(client.search_datasets(experiment_ids=more)))
    steps.append(fluent.remove_dataset_from_experiments(made.dataset_id, more).name)
    steps.append(listed())
    steps.append(client.remove_dataset_from_experiments(made.dataset_id, [more[0], "9999"]).name)
    steps.append(_raw(f"{V3}/{made.dataset_id}/remove-experiments", "POST", json={}))
    steps.append(len(client.search_datasets(experiment_ids=[more[0]])))
    return steps


def search(client, name):
    for each, team in (("b", "x"), ("a", "y"), ("C", "x"), ("d%", "é")):
        client.create_dataset(f"{name} {each}", tags={"team": team, "mlflow.user": f"u{team}"})

    def names(text, **kwargs):
        like = f"name LIKE '{name} %'"
        wanted = f"{like} AND {text}" if text else like
        return attempt(
            lambda: [
                found.name.removeprefix(name)
                for found in client.search_datasets(filter_string=wanted, **kwargs)
            ]
        )

    by_name = {"order_by": ["name"]}
    return [
        sorted(names("")),
        names("", **by_name),
        names("", order_by=["name DESC"]),
        names("", order_by=["created_time ASC", "name"]),
        sorted(names("", order_by=["last_update_time"])),
        names("tags.team = 'x'", **by_name),
        names("tags.team != 'x'", **by_name),
        names("tags.team LIKE 'x%'", **by_name),
        names("tags.team ILIKE 'X'", **by_name),
        names("tags.team = 'x' AND tags.`mlflow.user` = 'ux'", **by_name),
        names("tags.none = 'x'", **by_name),
        names("name ILIKE '% c'", **by_name),
        names(f"name != '{name} a'", **by_name),
        names(f"name IN ('{name} a', '{name} b')", **by_name),
        names("created_by = 'ux'", **by_name),
        names("last_updated_by = 'ux'", **by_name),
        names("created_time > 5", **by_name),
        names("created_time < 5", **by_name),
        names("last_update_time >= 5 AND created_time != 5", **by_name),
    ]


def wrong_searches(client, name):
    _named(client, name)
    asked = [
        {"filter_string": "nome = 'x'"},
        {"filter_string": "name > 'x'"},
        {"filter_string": "name = 5"},
        {"filter_string": "created_time LIKE '5'"},
        {"filter_string": "created_time = 'x'"},
        {"filter_string": "created_time = 1.5"},
        {"filter_string": "tags.a > 'x'"},
        {"filter_string": "params.a = 'x'"},
        {"filter_string": "name = "},
        {"filter_string": "name = 'x' OR name = 'y'"},
        {"order_by": ["nome"]},
        {"order_by": ["tags.a"]},
        {"order_by": ["created_by"]},
        {"order_by": ["name sideways"]},
        {"max_results": 0},
        {"max_results": -1},
        {"max_results": 50_001},
        {"page_token": "nonsense"},
    ]
    return [_raw(f"{V3}/search", "POST", json=each) for each in asked]


def pages_of_datasets(client, name):
    for each in range(5):
        client.create_dataset(f"{name} {each}")
    wanted = {"filter_string": f"name LIKE '{name}%'", "order_by": ["name"]}
    seen, token, sizes = [], None, []
    while token or not sizes:
        page = client.search_datasets(**wanted, max_results=2, page_token=token)
        sizes.append(len(page))
        seen += [found.name.removeprefix(name) for found in page]
        token = page.token
    return [
        sizes,
        seen,
        len(fluent.search_datasets(filter_string=wanted["filter_string"], max_results=3)),
        len(
            http("GET", f"{V3}/search", params={"filter_string": wanted["filter_string"]})["json"][
                "datasets"
            ]
        ),
        len(http("POST", f"{AJAX}/search", json=wanted)["json"]["datasets"]),
        http("POST", f"{V3}/search", json={"filter_string": "name = 'nobody'"}),
    ]


def sessions_and_records_do_not_mix(client, name):
    if IS_36:
        return []
    made = _named(client, name)
    made.merge_records([{"inputs": {"goal": "find", "persona": "student"}}])
    return [
        attempt(made.merge_records, [{"inputs": {"q": 1}}]),
        attempt(made.merge_records, [{"inputs": {"goal": "x", "q": 1}}]),
        len(made.to_df()),
    ]


def as_the_input_of_a_run(client, name):
    made = _named(client, name)
    made.merge_records([{"inputs": {"q": 1}}])
    with mlflow.start_run(experiment_id="0") as run:
        mlflow.log_input(client.get_dataset(made.dataset_id), context="eval")
    found = client.get_run(run.info.run_id).inputs.dataset_inputs[0].dataset
    return [
        found.name,
        len(found.digest),
        found.source_type,
        len(json.loads(found.source)["dataset_id"]),
    ]
