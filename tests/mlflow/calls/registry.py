"""Registered models, versions, tags, aliases, stages."""

from pathlib import Path

import mlflow
from mlflow import MlflowClient
from steps import attempt, get, http, post

DIFFERENCES = {
    "rename_to_a_taken_name[0]": "words: the genuine message shows its SQL statement",
    "wrong_stages[1]": "the genuine server calls it its own fault and answers 500",
    "wrong_stages[2]": "the genuine server calls it its own fault and answers 500",
    "download_of_what_was_frozen[0]": "what was in our store was signed and is served from there",
    "numbers_as_aliases": "late@3 means a version here, so that no alias may be a number",
    "sources_elsewhere": "words: no environment variable changes it here",
    "versions[11]": "the genuine server calls it its own fault and answers 500",
    "sources_of_this_machine": "words: the genuine message shows a path of its machine",
    "search_wrong[6]": "the genuine server calls it its own fault and answers 500",
    "search_wrong": "words: ours say the place and the near miss",
    "names_with_signs": "a name without control characters and backslashes can be a file's",
    "copies_of_nothing[1]": "the genuine server calls it its own fault and answers 500",
    "long_names": "the genuine server on PostgreSQL fails there; here it is the same on all",
}


LATER = "the newest refuses it, and so do we; 3.6 took it"
DIFFERENCES_36 = {
    "create_names": LATER,
    "rename_to_a_taken_name[2]": LATER,
    "unknown[11]": "3.6 said that the alias is not there, not the model",
    "versions_after_deletes[1]": "3.6 kept the aliases of deleted versions",
    "versions_after_deletes[5]": "3.6 kept the aliases of deleted versions",
    "search_models[6]": "3.6 knew no lists of names",
    "search_models[7]": "3.6 knew no lists of names",
    "versions_of_a_run": LATER,
    "copies": "3.6 fails on the URIs of models",
    "copies_of_nothing": "3.6 fails on the URIs of models",
    "sources_else*": LATER,
    "sources_that_climb": LATER,
    "logged_models": LATER,
}


def _model(client, name, versions=0):
    client.create_registered_model(name)
    for _ in range(versions):
        client.create_model_version(name, f"s3://bucket/{name}")
    return name


def create(client, name):
    made = client.create_registered_model(name, {"a": "b", "c d": "ü"}, "how late")
    return [made, client.get_registered_model(name)]


def create_bare(client, name):
    client.create_registered_model(name)
    return [get("registered-models/get", name=name), get("registered-models/get")]


def create_twice(client, name):
    _model(client, name)
    return [attempt(client.create_registered_model, name)]


def create_names(client, name):
    names = ["", " ", f"{name}/a", f"{name}:a", "..", ".", f"../{name}", f"{name}//", f"{name}/.."]
    found = [attempt(client.create_registered_model, each) for each in names]
    fine = [f"{name} ü", f"{name}@x", f"{name}.%41", f"{name} '\"; drop", f"{name}#?&="]
    return [
        *found,
        *(client.create_registered_model(each) for each in fine),
        *(client.get_registered_model(each) for each in fine),
    ]


def names_with_signs(client, name):
    return [
        attempt(client.create_registered_model, f"{name}\\x"),
        attempt(client.create_registered_model, f"{name}\nx"),
    ]


def long_names(client, name):
    del name
    return [attempt(client.create_registered_model, "x" * 300)]


def wrong_bodies(client, name):
    del client
    return [
        post("registered-models/create", {}),
        post("registered-models/create", {"name": 5}),
        post("registered-models/create", {"name": name, "tags": "a"}),
        post("model-versions/create", {"name": name}),
        post("model-versions/create", {"source": "s3://b/x"}),
        post("model-versions/create", {"name": name, "source": ""}),
        post("registered-models/rename", {"name": name}),
        post("registered-models/alias", {"name": name, "alias": "a"}),
        post("model-versions/transition-stage", {"name": name, "version": "1"}),
        http("PATCH", "registered-models/update", json={}),
        http("DELETE", "registered-models/delete", json={}),
        get("model-versions/get", name=name),
    ]


def update(client, name):
    _model(client, name)
    first = client.update_registered_model(name, "one")
    return [first, client.update_registered_model(name, ""), client.get_registered_model(name)]


def rename(client, name):
    _model(client, name, 2)
    client.set_registered_model_alias(name, "champion", 1)
    client.set_registered_model_tag(name, "a", "b")
    client.set_model_version_tag(name, "1", "k", "v")
    made = client.rename_registered_model(name, f"{name} new")
    return [
        made.name,
        client.get_registered_model(f"{name} new").aliases,
        client.get_model_version(f"{name} new", "1"),
        client.get_model_version_by_alias(f"{name} new", "champion"),
        attempt(client.get_registered_model, name),
    ]


def rename_to_a_taken_name(client, name):
    _model(client, name)
    _model(client, f"{name} 2")
    return [
        attempt(client.rename_registered_model, name, f"{name} 2"),
        attempt(client.rename_registered_model, name, " "),
        attempt(client.rename_registered_model, name, "a/b"),
        attempt(client.rename_registered_model, f"{name} none", f"{name} 3"),
    ]


def delete(client, name):
    _model(client, name, 2)
    client.set_registered_model_alias(name, "champion", 1)
    return [
        client.delete_registered_model(name),
        attempt(client.get_registered_model, name),
        attempt(client.delete_registered_model, name),
        attempt(client.get_model_version, name, "1"),
        client.create_registered_model(name),
        client.create_model_version(name, "s3://b/x").version,
    ]


def unknown(client, name):
    return [
        attempt(client.get_registered_model, name),
        attempt(client.update_registered_model, name, "x"),
        attempt(client.get_latest_versions, name),
        attempt(client.create_model_version, name, "s3://b/x"),
        attempt(client.get_model_version, name, "1"),
        attempt(client.set_registered_model_tag, name, "a", "b"),
        attempt(client.delete_registered_model_tag, name, "a"),
        attempt(client.set_model_version_tag, name, "1", "a", "b"),
        attempt(client.delete_model_version_tag, name, "1", "a"),
        attempt(client.set_registered_model_alias, name, "a", "1"),
        attempt(client.delete_registered_model_alias, name, "a"),
        attempt(client.get_model_version_by_alias, name, "a"),
        attempt(client.get_model_version_by_alias, name, "latest"),
        attempt(client.transition_model_version_stage, name, "1", "staging"),
        attempt(client.delete_model_version, name, "1"),
        attempt(client.get_model_version_download_uri, name, "1"),
        attempt(client.update_model_version, name, "1", "x"),
    ]


def tags_of_models(client, name):
    _model(client, name)
    client.set_registered_model_tag(name, "a", "1")
    client.set_registered_model_tag(name, "a", "2")
    client.set_registered_model_tag(name, "b/c d", "")
    client.delete_registered_model_tag(name, "b/c d")
    return [
        client.get_registered_model(name).tags,
        client.delete_registered_model_tag(name, "none"),
        attempt(client.set_registered_model_tag, name, "a,b", "x"),
        attempt(client.set_registered_model_tag, name, "../a", "x"),
        attempt(client.set_registered_model_tag, name, "x" * 251, "x"),
        attempt(client.set_registered_model_tag, name, "a", "x" * 100_001),
        attempt(client.set_registered_model_tag, name, "a", "x" * 100_000),
        attempt(client.set_registered_model_tag, name, "", "x"),
        post("registered-models/set-tag", {"name": name, "key": "z"}),
    ]


def versions(client, name):
    _model(client, name)
    run = client.create_run(client.create_experiment(name))
    first = client.create_model_version(
        name, "s3://b/x", run.info.run_id, {"a": "b"}, "http://link", "first"
    )
    second = client.create_model_version(name, "dbfs:/x/y")
    return [
        first,
        second,
        client.get_model_version(name, "1"),
        client.get_model_version(name, 2),
        client.get_registered_model(name),
        get("model-versions/get", name=name, version="2"),
        client.get_model_version_download_uri(name, "1"),
        client.update_model_version(name, "1", "better"),
        attempt(client.get_model_version, name, "3"),
        attempt(client.get_model_version, name, "0"),
        attempt(client.get_model_version, name, "-1"),
        attempt(client.get_model_version, name, "99999999999999999999"),
        attempt(client.get_model_version, name, "one"),
        attempt(client.get_model_version, name, "1.0"),
    ]


def versions_after_deletes(client, name):
    _model(client, name, 3)
    client.set_registered_model_alias(name, "a", 3)
    client.delete_model_version(name, "3")
    return [
        client.create_model_version(name, "s3://b/x").version,
        client.get_registered_model(name),
        attempt(client.get_model_version, name, "3"),
        attempt(client.delete_model_version, name, "3"),
        attempt(client.delete_model_version, name, "x"),
        attempt(client.get_model_version_by_alias, name, "a"),
        [v.version for v in client.search_model_versions(f"name = '{name}'")],
    ]


def tags_of_versions(client, name):
    _model(client, name, 1)
    client.set_model_version_tag(name, "1", "a", "1")
    client.set_model_version_tag(name, "1", "a", "2")
    client.set_model_version_tag(name, "1", "b", "3")
    client.delete_model_version_tag(name, "1", "b")
    return [
        client.get_model_version(name, "1").tags,
        client.delete_model_version_tag(name, "1", "none"),
        attempt(client.set_model_version_tag, name, "2", "a", "b"),
        attempt(client.set_model_version_tag, name, "1", "a,b", "b"),
        attempt(client.set_model_version_tag, name, "1", "a", "x" * 100_001),
        attempt(client.set_model_version_tag, name, "1", "mlflow.prompt.text", "x" * 100_001),
        attempt(client.set_model_version_tag, name, "x", "a", "b"),
        attempt(client.delete_model_version_tag, name, "1", "a,b"),
    ]


def aliases(client, name):
    _model(client, name, 2)
    client.set_registered_model_alias(name, "champion", 1)
    client.set_registered_model_alias(name, "champion", "2")
    client.set_registered_model_alias(name, "Größe-1_x", 2)
    found = client.get_model_version(name, "2")
    client.delete_registered_model_alias(name, "Größe-1_x")
    return [
        sorted(found.aliases),
        client.get_registered_model(name).aliases,
        client.get_model_version_by_alias(name, "champion"),
        client.get_model_version_by_alias(name, "latest").version,
        client.get_model_version_by_alias(name, "LATEST").version,
        client.delete_registered_model_alias(name, "none"),
        attempt(client.get_model_version_by_alias, name, "none"),
        attempt(client.set_registered_model_alias, name, "champion", 3),
        attempt(client.set_registered_model_alias, name, "champion", "x"),
        client.get_registered_model(name),
    ]


def wrong_aliases(client, name):
    _model(client, name, 1)
    words = ["latest", "LaTest", "v1", "V12", "a b", "a.b", "a/b", "a@b", "x" * 256, ""]
    return [attempt(client.set_registered_model_alias, name, word, 1) for word in words]


def numbers_as_aliases(client, name):
    _model(client, name, 1)
    return [attempt(client.set_registered_model_alias, name, "3", 1)]


def latest_of_a_model_without_versions(client, name):
    _model(client, name)
    return [
        attempt(client.get_model_version_by_alias, name, "latest"),
        client.get_latest_versions(name),
    ]


def stages(client, name):
    _model(client, name, 4)
    move = client.transition_model_version_stage
    first = move(name, "1", "Production")
    move(name, "2", "production")
    both = [(v.version, v.current_stage) for v in client.search_model_versions(f"name='{name}'")]
    move(name, "3", "Production", archive_existing_versions=True)
    move(name, "4", "Staging")
    return [
        first,
        sorted(both),
        sorted(
            (v.version, v.current_stage) for v in client.search_model_versions(f"name='{name}'")
        ),
        [(v.version, v.current_stage) for v in client.get_latest_versions(name)],
        client.get_latest_versions(name, ["staging"]),
        client.get_latest_versions(name, ["None"]),
        [(v.version, v.current_stage) for v in client.get_registered_model(name).latest_versions],
        post("registered-models/get-latest-versions", {"name": name, "stages": ["Production"]}),
    ]


def wrong_stages(client, name):
    _model(client, name, 1)
    move = client.transition_model_version_stage
    return [
        attempt(move, name, "1", "prod"),
        post(
            "model-versions/transition-stage",
            {"name": name, "version": "1", "stage": "None", "archive_existing_versions": True},
        )["status"],
        post(
            "model-versions/transition-stage",
            {"name": name, "version": "1", "stage": "Archived", "archive_existing_versions": True},
        )["status"],
        attempt(move, name, "2", "Staging"),
        attempt(move, name, "x", "Staging"),
        attempt(client.get_latest_versions, name, ["prod"]),
    ]


def search_models(client, name):
    for at, tags in enumerate([{"k": "v"}, {"k": "w", "t": "1"}, {}]):
        client.create_registered_model(f"{name}-{at}", tags)
    client.create_model_version(f"{name}-1", "s3://b/x")

    def found(where, **kwargs):
        mine = client.search_registered_models(where, **kwargs)
        return [m.name.removeprefix(name) for m in mine if m.name.startswith(name)]

    like = f"name LIKE '{name}%'"
    return [
        found(like),
        found(f"name = '{name}-1'"),
        found(f"name ILIKE '{name.upper()}%'"),
        found(f"{like} AND tags.k = 'v'"),
        found(f"{like} AND tag.k != 'v'"),
        found(f"{like} AND tags.k LIKE '%' AND tags.t = '1'"),
        attempt(found, f"name IN ('{name}-0', '{name}-2')"),
        attempt(found, f"name NOT IN ('{name}-0', '{name}-2') AND {like}"),
        found(like, order_by=["name DESC"]),
        found(like, order_by=["last_updated_timestamp DESC"]),
        found(like, order_by=["timestamp ASC", "name DESC"]),
        client.search_registered_models(f"name = '{name}-1'"),
    ]


def search_models_in_pages(client, name):
    for at in range(5):
        client.create_registered_model(f"{name}-{at}")
    like = f"name LIKE '{name}%'"
    first = client.search_registered_models(like, 2)
    second = client.search_registered_models(like, 2, page_token=first.token)
    third = client.search_registered_models(like, 2, page_token=second.token)
    return [
        [[m.name.removeprefix(name) for m in page] for page in (first, second, third)],
        [bool(page.token) for page in (first, second, third)],
        bool(client.search_registered_models(like, 5).token),
    ]


def search_wrong(client, name):
    del name
    return [
        attempt(client.search_registered_models, "size > 3"),
        attempt(client.search_registered_models, "name > 'a'"),
        attempt(client.search_registered_models, order_by=["size"]),
        attempt(client.search_registered_models, "name ="),
        attempt(client.search_model_versions, "flavour = 'x'"),
        attempt(client.search_model_versions, "run_id LIKE 5"),
        attempt(client.search_model_versions, order_by=["name", "name"]),
        attempt(client.search_model_versions, order_by=["size DESC"]),
        attempt(client.search_registered_models, page_token="nonsense!"),
    ]


def search_limits(client, name):
    del client, name
    return [
        get("registered-models/search", max_results=1001),
        get("model-versions/search", max_results=200_001),
        get("model-versions/search", max_results=0),
        get("registered-models/search", max_results="x"),
    ]


def search_versions(client, name):
    _model(client, name)
    run = client.create_run(client.create_experiment(name)).info.run_id
    client.create_model_version(name, f"s3://{name}/a", run, {"k": "v"})
    client.create_model_version(name, f"s3://{name}/b", None, {"k": "w"})
    client.create_model_version(name, f"s3://{name}/c")
    client.update_model_version(name, "1", "last")

    def found(where, **kwargs):
        return [v.version for v in client.search_model_versions(where, **kwargs)]

    mine = f"name = '{name}'"
    return [
        found(mine),
        found(f"run_id = '{run}'"),
        found(f"run_id IN ('{run}', 'x')"),
        found(f"source_path = 's3://{name}/b'"),
        found(f"{mine} AND tags.k = 'v'"),
        found(f"{mine} AND tags.k != 'v'"),
        found(f"{mine} AND version_number > 1"),
        found(f"{mine} AND version_number = '2'"),
        found(mine, order_by=["version_number ASC"]),
        found(mine, order_by=["creation_timestamp DESC"]),
        found(mine, order_by=["name ASC", "version_number DESC"]),
        client.search_model_versions(f"run_id = '{run}'"),
        [v.version for v in client.search_model_versions(mine, max_results=2)],
        bool(client.search_model_versions(mine, max_results=2).token),
    ]


def _run_with_model(client, name):
    run = client.create_run(client.create_experiment(name))
    client.log_text(run.info.run_id, "flavors:\n  sklearn:\n    a: b\n", "model/MLmodel")
    client.log_text(run.info.run_id, "pickled", "model/model.pkl")
    return run.info.run_id, f"{run.info.artifact_uri}/model"


def versions_of_a_run(client, name):
    _model(client, name)
    run_id, source = _run_with_model(client, name)
    return [
        client.create_model_version(name, source, run_id),
        client.create_model_version(name, f"runs:/{run_id}/model", run_id),
        attempt(client.create_model_version, name, source),
        attempt(client.create_model_version, name, source, "0" * 32),
        attempt(client.create_model_version, name, f"runs:/{run_id}/model"),
        attempt(client.create_model_version, name, f"runs:/{run_id}/model", "0" * 32),
        attempt(client.create_model_version, name, f"runs://host/{run_id}/model", run_id),
        attempt(client.create_model_version, name, f"{source}/../../../x", run_id),
        attempt(client.create_model_version, name, f"{source}/%2e%2e/x", run_id),
        attempt(client.create_model_version, name, f"{source}/%252e%252e/x", run_id),
        attempt(client.create_model_version, name, f"{source}%00", run_id),
        attempt(client.create_model_version, name, "mlflow-artifacts:/0/x/artifacts", run_id),
    ]


def download_of_what_was_frozen(client, name):
    _model(client, name)
    run_id, source = _run_with_model(client, name)
    client.create_model_version(name, source, run_id)
    folder = mlflow.artifacts.download_artifacts(f"models:/{name}/1")
    return [
        client.get_model_version_download_uri(name, "1"),
        Path(folder, "model.pkl").read_text(),
    ]


def register_model(client, name):
    run_id, _ = _run_with_model(client, name)
    made = mlflow.register_model(f"runs:/{run_id}/model", name, tags={"a": "b"})
    again = mlflow.register_model(f"runs:/{run_id}/model", name)
    return [made, again.version, client.get_registered_model(name).latest_versions]


def copies(client, name):
    _model(client, name)
    run_id, source = _run_with_model(client, name)
    client.create_model_version(name, source, run_id)
    client.set_registered_model_alias(name, "champion", 1)
    client.transition_model_version_stage(name, "1", "Staging")
    copied = f"{name} copy"
    return [
        attempt(client.copy_model_version, f"models:/{name}/1", copied),
        attempt(client.copy_model_version, f"models:/{name}@champion", copied),
        attempt(client.create_model_version, copied, f"models:/{name}/Staging"),
        attempt(client.create_model_version, copied, f"models:/{name}/latest"),
        attempt(client.create_model_version, name, f"models:/{name}/1", "0" * 32),
        attempt(client.create_model_version, name, f"models://host/{name}/1"),
        attempt(client.create_model_version, name, "models:/m-" + "0" * 32),
    ]


def copies_of_nothing(client, name):
    _model(client, name)
    return [
        attempt(client.create_model_version, name, f"models:/{name}/7"),
        post("model-versions/create", {"name": name, "source": f"models:/{name}/latest"})["status"],
        attempt(client.create_model_version, name, f"models:/{name}@none"),
        attempt(client.create_model_version, name, f"models:/{name} none/1"),
    ]


def sources_elsewhere(client, name):
    _model(client, name)
    fine = ["s3://b/x", "gs://b/x", "dbfs:/x", "wasbs://c@a.blob.core.windows.net/x"]
    wrong = [
        "http://169.254.169.254/latest", "https://example.com/x", "ftp://h/x", "sftp://h/x",
        "hdfs://h/x", "mlflow-artifacts://h:1/0/r/artifacts", "HTTP://h/x",
    ]  # fmt: skip
    return [
        *(client.create_model_version(name, each).source for each in fine),
        *(attempt(client.create_model_version, name, each) for each in wrong),
    ]


def sources_that_climb(client, name):
    _model(client, name)
    wrong = [
        "s3://b/../x", "s3://b/%2e%2e/x", "s3://b/%252e%252e/x", "s3://b/x%00", "s3://b/a/./x",
        "s3://b", "models:x/1", "s3://b/a/..", "unity:x",
    ]  # fmt: skip
    return [attempt(client.create_model_version, name, each) for each in wrong]


def sources_of_this_machine(client, name):
    _model(client, name)
    run_id, _ = _run_with_model(client, name)
    wrong = [
        "/etc", "etc/passwd", "./x", "../x", "file:/etc", "file:///etc/passwd", "FILE:///etc",
        "file://localhost/etc", "%2fetc", "file:%2f%2fetc", "file:///%2e%2e/etc", "fi\nle:/etc",
    ]  # fmt: skip
    return [
        *(attempt(client.create_model_version, name, each) for each in wrong),
        *(attempt(client.create_model_version, name, each, run_id) for each in wrong),
    ]


def logged_models(client, name):
    if not hasattr(MlflowClient, "create_logged_model"):
        return []
    _model(client, name)
    experiment = client.create_experiment(name)
    run = client.create_run(experiment).info.run_id
    model = client.create_logged_model(experiment, name="m", source_run_id=run)
    source = f"models:/{model.model_id}"
    made = client.create_model_version(name, source, model_id=model.model_id)
    return [
        made,
        made.run_id == run,
        client.create_model_version(name, model.artifact_location, model_id=model.model_id),
        client.get_logged_model(model.model_id)
        .tags.get("mlflow.modelVersions", "")
        .replace(name, ""),
        attempt(client.create_model_version, name, source),
        attempt(client.create_model_version, name, "models:/m-x", model_id=model.model_id),
        attempt(client.create_model_version, name, f"runs:/{run}/m", model_id=model.model_id),
        attempt(
            client.create_model_version, name, "mlflow-artifacts:/0/x", model_id=model.model_id
        ),
    ]
