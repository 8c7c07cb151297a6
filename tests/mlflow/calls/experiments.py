"""Experiments."""

from steps import attempt, get, http, post

DIFFERENCES = {
    "create_twice[1]": "words: the genuine message shows its SQL statement",
    "create_of_a_deleted_name[2]": "words: the genuine message shows its SQL statement",
    "rename_deleted": "the genuine server answers 500, which its client repeats for minutes",
    "rename_to_a_taken_name[0]": "the genuine server answers BAD_REQUEST with its SQL statement",
    "get_unknown": "words: an experiment's id is a text here, so any text may be one",
    "wrong_ids": "an experiment's id is a text here, so any text may be one: it is only not there",
    "body_is_a_list": "the genuine server fails with 500",
    "tags_of_wrong_types": "the genuine server goes on with what it could read",
    "blank_name": "words: a name of blanks names nothing",
}
DIFFERENCES_36 = {
    "tag_limits": "3.6 allows 5,000 characters",
    "search_by_get": "3.6 has no workspaces",
    "raw_answers": "3.6 has no workspaces",
}


def create(client, name):
    made = client.create_experiment(name)
    return [client.get_experiment(made), client.get_experiment_by_name(name)]


def create_with_location_and_tags(client, name):
    made = client.create_experiment(name, "s3://bucket/path", {"a": "b", "c d": "ü"})
    found = client.get_experiment(made)
    run = client.create_run(made)
    return [found, found.tags, run.info.artifact_uri]


def create_twice(client, name):
    client.create_experiment(name)
    return ["made", attempt(client.create_experiment, name)]


def create_of_a_deleted_name(client, name):
    made = client.create_experiment(name)
    client.delete_experiment(made)
    found = client.get_experiment_by_name(name)
    return [found, found.lifecycle_stage, attempt(client.create_experiment, name)]


def create_names(client, name):
    names = [f"{name} ü/ö:.%", "x" * 600, "", f"{name} '\"; drop"]
    made = [attempt(client.create_experiment, each) for each in names]
    return [each if isinstance(each, list) else "made" for each in made]


def blank_name(client, name):
    del client, name
    return [post("experiments/create", {"name": ""}), post("experiments/create", {})]


def get_unknown(client, name):
    return [
        attempt(client.get_experiment, "987654321"),
        client.get_experiment_by_name(name + "none"),
    ]


def wrong_ids(client, name):
    del name
    return [
        attempt(client.get_experiment, "abc"),
        attempt(client.delete_experiment, "abc"),
        attempt(client.create_run, "abc"),
    ]


def default(client, name):
    del name
    found = client.get_experiment("0")
    return [found.name, found.experiment_id, found.artifact_location, found.lifecycle_stage]


def rename(client, name):
    made = client.create_experiment(name)
    client.rename_experiment(made, name + " new")
    return [client.get_experiment(made), client.get_experiment_by_name(name)]


def rename_to_a_taken_name(client, name):
    client.create_experiment(name + "1")
    made = client.create_experiment(name + "2")
    return [attempt(client.rename_experiment, made, name + "1")]


def rename_deleted(client, name):
    made = client.create_experiment(name)
    client.delete_experiment(made)
    return [attempt(client.rename_experiment, made, name + " new")]


def rename_to_nothing(client, name):
    made = client.create_experiment(name)
    return [attempt(client.rename_experiment, made, "")]


def delete_and_restore(client, name):
    made = client.create_experiment(name)
    run = client.create_run(made)
    client.delete_experiment(made)
    gone = [client.get_experiment(made).lifecycle_stage]
    gone.append(client.get_run(run.info.run_id).info.lifecycle_stage)
    again = attempt(client.delete_experiment, made)
    client.restore_experiment(made)
    back = [client.get_experiment(made).lifecycle_stage]
    back.append(client.get_run(run.info.run_id).info.lifecycle_stage)
    return [gone, back, again, attempt(client.restore_experiment, made)]


def delete_unknown(client, name):
    del name
    return [attempt(client.delete_experiment, "987654321")]


def run_in_a_deleted_one(client, name):
    made = client.create_experiment(name)
    client.delete_experiment(made)
    return [attempt(client.create_run, made)]


def tags(client, name):
    made = client.create_experiment(name)
    client.set_experiment_tag(made, "a", "1")
    client.set_experiment_tag(made, "a", "2")
    client.set_experiment_tag(made, "b/c.d", "x" * 5000)
    return [client.get_experiment(made).tags]


def tag_limits(client, name):
    made = client.create_experiment(name)
    return [
        attempt(client.set_experiment_tag, made, "k" * 251, "v"),
        attempt(client.set_experiment_tag, made, "k", "v" * 20_001),
        attempt(client.set_experiment_tag, made, "k", "v" * 20_000),
        attempt(client.set_experiment_tag, made, "a//b", "v"),
        attempt(client.set_experiment_tag, made, "a?b", "v"),
        attempt(client.set_experiment_tag, made, "", "v"),
        attempt(client.set_experiment_tag, made, "number", 5),
    ]


def tag_deleted(client, name):
    made = client.create_experiment(name)
    client.delete_experiment(made)
    return [attempt(client.set_experiment_tag, made, "a", "1")]


def delete_tag(client, name):
    made = client.create_experiment(name, tags={"a": "1"})
    path = "experiments/delete-experiment-tag"
    return [
        post(path, {"experiment_id": made, "key": "a"}),
        post(path, {"experiment_id": made, "key": "a"}),
        client.get_experiment(made).tags,
    ]


def search(client, name):
    for part in "abc":
        client.create_experiment(f"{name} {part}", tags={"part": part})
    where = f"name LIKE '{name}%'"
    return [
        [e.name for e in client.search_experiments(filter_string=where)],
        [e.name for e in client.search_experiments(filter_string=where, order_by=["name DESC"])],
        [e.name for e in client.search_experiments(filter_string=where, order_by=["name"])],
        [e.name for e in client.search_experiments(filter_string=where + " AND tags.part = 'b'")],
        [e.name for e in client.search_experiments(filter_string=where + " AND tags.part != 'b'")],
        [e.name for e in client.search_experiments(filter_string=f"name = '{name} a'")],
        [e.name for e in client.search_experiments(filter_string=f"name ILIKE '{name.upper()}%'")],
    ]


def search_pages(client, name):
    for number in range(5):
        client.create_experiment(f"{name} {number}")
    where, found, token = f"name LIKE '{name}%'", [], None
    while True:
        page = client.search_experiments(
            filter_string=where, max_results=2, order_by=["name"], page_token=token
        )
        found.append([e.name for e in page])
        token = page.token
        if not token:
            return found


def search_views(client, name):
    made = client.create_experiment(name + " 1")
    client.create_experiment(name + " 2")
    client.delete_experiment(made)
    where = f"name LIKE '{name}%'"
    return [
        [e.name for e in client.search_experiments(view, filter_string=where, order_by=["name"])]
        for view in (1, 2, 3)
    ]


def search_limits(client, name):
    del name
    return [
        post("experiments/search", {}),
        post("experiments/search", {"max_results": 0}),
        post("experiments/search", {"max_results": -1}),
        post("experiments/search", {"max_results": 50_001}),
        post("experiments/search", {"max_results": 5, "page_token": "zzz"}),
        attempt(client.search_experiments, max_results=50_001),
    ]


def search_by_get(client, name):
    client.create_experiment(name)
    return [
        get("experiments/search", max_results="1", filter=f"name = '{name}'"),
        get("experiments/search", max_results="1", filter=f"name = '{name}'", view_type="ALL"),
        get("experiments/search", max_results="x"),
    ]


def raw_answers(client, name):
    made = client.create_experiment(name, tags={"a": "b"})
    return [
        get("experiments/get", experiment_id=made),
        get("experiments/get-by-name", experiment_name=name),
        get("experiments/get"),
        get("experiments/get-by-name"),
        get("experiments/get-by-name", experiment_name="none of them"),
        post("experiments/update", {"experiment_id": made}),
        post("experiments/update", {"experiment_id": made, "new_name": name + "2"}),
        post("experiments/delete", {}),
        post("experiments/delete", {"experiment_id": made}),
        post("experiments/restore", {"experiment_id": made}),
        post("experiments/set-experiment-tag", {"experiment_id": made}),
        post("experiments/set-experiment-tag", {"experiment_id": made, "key": "k", "value": "v"}),
    ]


def raw_types(client, name):
    del client, name
    return [
        post("experiments/create", {"name": 5}),
        post("experiments/create", {"name": "x", "tags": 5}),
        post("experiments/create", {"name": True}),
        post("experiments/create", {"name": None}),
        post("experiments/create", {"name": {"a": 1}}),
        http(
            "POST", "experiments/create", data="{nope", headers={"content-type": "application/json"}
        ),
        http("POST", "experiments/create", data="", headers={"content-type": "application/json"}),
        http("POST", "experiments/create", data="{}", headers={"content-type": "text/plain"}),
        http("POST", "experiments/create", data="{}"),
    ]


def body_is_a_list(client, name):
    del client, name
    return [post("experiments/create", [1])]


def tags_of_wrong_types(client, name):
    del client
    return [
        post("experiments/create", {"name": name + "1", "tags": [5]}),
        post("experiments/create", {"name": name + "2", "tags": [{"key": 5, "value": "x"}]}),
    ]


def unknown_fields(client, name):
    del client
    made = post("experiments/create", {"name": name, "nothing": 1})
    return [made["status"], list(made["json"])]


def twins(client, name):
    made = client.create_experiment(name)
    return [
        get("/ajax-api/2.0/mlflow/experiments/get", experiment_id=made)["status"],
        get("/api/2.0/mlflow/experiments/get", experiment_id=made)["status"],
        get("/health")["status"],
        get("/version")["status"],
    ]


def unknown_paths(client, name):
    del client, name
    return [
        get("/api/2.0/mlflow/nope")["status"],
        post("/api/2.0/mlflow/experiments/nope", {})["status"],
    ]
