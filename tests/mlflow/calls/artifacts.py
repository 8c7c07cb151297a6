"""Artifacts: files and folders in and out, nested, named oddly, in parts, and what is refused."""

import os
import tempfile
from pathlib import Path

import mlflow
import steps
from mlflow.artifacts import download_artifacts, list_artifacts, load_dict, load_text
from steps import attempt, get, http, post

ROUTE = "/api/2.0/mlflow-artifacts"

DIFFERENCES = {
    "absent_files[0]": "words: ours name what there is",
    "absent_files[1]": "the genuine server answers in the shape of its web framework",
    "odd_names_encoded": "the genuine server refuses `#`, and decodes a name until it is another",
    "a_question_mark[1]": "the genuine server loses what is behind the question mark",
    "path_that_leaves[0]": "the genuine server adds fields to errors that no client reads",
    "list_answers[7]": "above what a run has there is no folder of ours",
    "presigned": "the genuine server signs no address for files on its own disk",
    "a_file_and_a_folder": "the genuine server answers 500",
}
DIFFERENCES_36 = {
    "odd_names": "3.6 fails on names beyond ASCII",
    "absent_files": "3.6 answers 500 with the paths of its disk",
    "answers_to_bodies": "3.6 answers no ranges",
}


def _run(client, name):
    return client.create_run(client.create_experiment(name)).info.run_id


def _file(name, data=b"data"):
    path = Path(tempfile.mkdtemp()) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def _tree():
    root = Path(tempfile.mkdtemp())
    for path in ("a.txt", "plots/roc.png", "plots/deep/er/b.bin", "z/empty.txt"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"" if "empty" in path else path.encode())
    return str(root)


def _listed(client, run, path=None):
    return [(f.path, f.is_dir, f.file_size) for f in client.list_artifacts(run, path)]


def _all(folder):
    root = Path(folder)
    return sorted(
        (str(p.relative_to(root)), p.read_bytes().decode()) for p in root.rglob("*") if p.is_file()
    )


def _proxied(path, prefix="/api"):
    return http("GET", f"{prefix}/2.0/mlflow-artifacts/artifacts", params={"path": path})


def _level(**query):
    return http("GET", "artifacts/list", params=query)


def one_file(client, name):
    run = _run(client, name)
    client.log_artifact(run, _file("a.txt"))
    client.log_artifact(run, _file("b.txt", b"more"), "in/a/folder")
    return [_listed(client, run), _listed(client, run, "in"), _listed(client, run, "in/a/folder")]


def a_folder(client, name):
    run = _run(client, name)
    client.log_artifacts(run, _tree())
    client.log_artifacts(run, _tree(), "again")
    return [
        _listed(client, run),
        _listed(client, run, "plots"),
        _listed(client, run, "plots/deep"),
        _listed(client, run, "again/plots/deep/er"),
        _listed(client, run, "plots/roc.png"),
        _listed(client, run, "nowhere"),
        _listed(client, run, ""),
    ]


def download(client, name):
    run = _run(client, name)
    client.log_artifacts(run, _tree())
    into = tempfile.mkdtemp()
    whole = client.download_artifacts(run, "", into)
    one = client.download_artifacts(run, "plots/deep/er/b.bin", tempfile.mkdtemp())
    part = download_artifacts(artifact_uri=f"runs:/{run}/plots")
    return [_all(whole), Path(one).read_text(), _all(part)]


def text_and_dict(client, name):
    run = _run(client, name)
    client.log_text(run, "Grüße\n", "notes/a.txt")
    client.log_text(run, "<h1>x</h1>", "page.html")
    client.log_dict(run, {"a": [1, 2.5, None]}, "d.json")
    client.log_dict(run, {"b": "c"}, "d.yml")
    uri = client.get_run(run).info.artifact_uri
    return [
        load_text(f"{uri}/notes/a.txt"),
        load_text(f"runs:/{run}/page.html"),
        load_dict(f"{uri}/d.json"),
        [(f.path, f.file_size) for f in list_artifacts(run_id=run)],
        [f.path for f in list_artifacts(artifact_uri=f"{uri}/notes")],
    ]


def overwritten(client, name):
    run = _run(client, name)
    client.log_text(run, "one", "a.txt")
    client.log_text(run, "three", "a.txt")
    return [_listed(client, run), load_text(f"runs:/{run}/a.txt")]


def in_an_active_run(client, name):
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        mlflow.log_text("x", "a/b.txt")
        mlflow.log_dict({"x": 1}, "c.json")
        uri = mlflow.get_artifact_uri("a/b.txt")
    return [_listed(client, run.info.run_id), uri.endswith("/artifacts/a/b.txt")]


def a_table(client, name):
    run = _run(client, name)
    client.log_table(run, data={"x": [1, 2], "y": ["a", "b"]}, artifact_file="t.json")
    client.log_table(run, data={"x": [3], "y": ["c"]}, artifact_file="t.json")
    return [
        _listed(client, run),
        client.load_table(client.get_run(run).info.experiment_id).to_dict(),
    ]


def odd_names(client, name):
    run = _run(client, name)
    names = ["ä b.txt", "日本語.txt", "a+b.txt", "x" * 250, "a&b=c.txt", "-.txt", "..a", "a'b.txt"]
    for each in names:
        client.log_artifact(run, _file(each, each.encode()))
    return [_listed(client, run), _all(client.download_artifacts(run, "", tempfile.mkdtemp()))]


def odd_names_encoded(client, name):
    run = _run(client, name)
    experiment = client.get_run(run).info.experiment_id
    root = f"{ROUTE}/artifacts/{experiment}/{run}/artifacts"
    return [
        *[http("PUT", f"{root}/{part}", data=b"x") for part in ("h%23.txt", "a%20b%2520%3F.txt")],
        _proxied(f"{experiment}/{run}/artifacts"),
    ]


def a_question_mark(client, name):
    run = _run(client, name)
    return [attempt(client.log_artifact, run, _file("why?.txt")), _listed(client, run)]


def empty_and_large(client, name):
    run = _run(client, name)
    client.log_artifact(run, _file("empty.bin", b""))
    client.log_artifact(run, _file("large.bin", b"0123456789abcdef" * (1 << 18)))
    into = client.download_artifacts(run, "", tempfile.mkdtemp())
    return [_listed(client, run), [p.stat().st_size for p in sorted(Path(into).iterdir())]]


def delete_artifacts(client, name):
    run = _run(client, name)
    client.log_artifacts(run, _tree())
    uri = client.get_run(run).info.artifact_uri
    repo = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(uri)
    repo.delete_artifacts("plots/deep")
    first = _listed(client, run, "plots")
    repo.delete_artifacts("a.txt")
    second = _listed(client, run)
    repo.delete_artifacts()
    return [first, second, _listed(client, run)]


def deleting_what_is_absent(client, name):
    run = _run(client, name)
    experiment = client.get_run(run).info.experiment_id
    return [http("DELETE", f"{ROUTE}/artifacts/{experiment}/{run}/artifacts/nowhere")]


def absent_files(client, name):
    run = _run(client, name)
    client.log_text(run, "x", "a/b.txt")
    experiment = client.get_run(run).info.experiment_id
    root = f"{ROUTE}/artifacts/{experiment}/{run}/artifacts"
    return [http("GET", f"{root}/nowhere.txt"), http("GET", f"{root}/a")]


def a_file_and_a_folder(client, name):
    run = _run(client, name)
    client.log_text(run, "x", "a")
    experiment = client.get_run(run).info.experiment_id
    return [http("PUT", f"{ROUTE}/artifacts/{experiment}/{run}/artifacts/a/b", data=b"x")]


def path_that_leaves(client, name):
    run = _run(client, name)
    return [
        attempt(client.list_artifacts, run, "../x"),
        attempt(client.log_artifact, run, _file("a.txt"), "../x"),
        attempt(client.log_text, run, "x", "/etc/passwd"),
        _level(run_id=run, path="../.."),
        _level(run_id=run, path="/etc"),
        _level(run_id=run, path="%2e%2e/x"),
        _proxied("../x"),
        http("PUT", f"{ROUTE}/artifacts/%2e%2e/x", data=b"x"),
        http("PUT", f"{ROUTE}/artifacts/a/%252e%252e/x", data=b"x"),
        http("DELETE", f"{ROUTE}/artifacts/%2e%2e/x"),
        http("GET", f"{ROUTE}/artifacts/%2e%2e/x"),
        post(f"{ROUTE}/mpu/create/%2e%2e/x", {"path": "a", "num_parts": 1}),
    ]


def list_answers(client, name):
    run = _run(client, name)
    empty = _level(run_id=run)
    client.log_artifacts(run, _tree())
    experiment = client.get_run(run).info.experiment_id
    return [
        empty,
        _level(run_id=run),
        _level(run_uuid=run, path="plots"),
        _level(run_id=run, path="plots", page_token="x"),
        http("GET", "/ajax-api/2.0/mlflow/artifacts/list", params={"run_id": run}),
        _proxied(f"{experiment}/{run}/artifacts"),
        _proxied(f"{experiment}/{run}/artifacts/plots"),
        _proxied(f"{experiment}/{run}", "/ajax-api"),
        _proxied("nowhere/at/all"),
        _level(),
        _level(run_id="0" * 32),
    ]


def answers_to_bodies(client, name):
    run = _run(client, name)
    experiment = client.get_run(run).info.experiment_id
    root = f"{ROUTE}/artifacts/{experiment}/{run}/artifacts"
    put = http("PUT", f"{root}/a.txt", data=b"0123456789")
    answer = steps.requests.get(f"{steps.ADDRESS}{root}/a.txt", timeout=30)
    part = steps.requests.get(
        f"{steps.ADDRESS}{root}/a.txt", headers={"Range": "bytes=2-4"}, timeout=30
    )
    kept = {"content-length", "x-content-type-options"}
    return [
        put["status"],
        [
            answer.status_code,
            answer.text,
            {k.lower(): v for k, v in answer.headers.items() if k.lower() in kept},
        ],
        answer.headers["Content-Disposition"].partition(";")[0],
        [part.status_code, part.text, part.headers.get("Content-Range")],
        http("DELETE", f"{root}/a.txt"),
    ]


def from_pages(client, name):
    run = _run(client, name)
    client.log_text(run, "hello", "a/b.txt")

    def text(path, **query):
        answer = steps.requests.get(steps.ADDRESS + path, params=query, timeout=30)
        return [answer.status_code, answer.text if answer.status_code == 200 else ""]

    return [
        text("/get-artifact", path="a/b.txt", run_uuid=run),
        text("/get-artifact", path="a/b.txt", run_id=run),
        text("/get-artifact", path="../b.txt", run_id=run),
        text("/get-artifact", path="a/b.txt", run_id="0" * 32),
    ]


def loose_places(client, name):
    uri = f"mlflow-artifacts:/some/place/{name}"
    repo = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(uri)
    repo.log_artifacts(_tree(), "x")
    return [
        [(f.path, f.is_dir, f.file_size) for f in repo.list_artifacts("x")],
        _all(repo.download_artifacts("x", tempfile.mkdtemp())),
        _proxied(f"some/place/{name}"),
    ]


def own_location(client, name):
    experiment = client.create_experiment(name, artifact_location=f"mlflow-artifacts:/my/{name}")
    run = client.create_run(experiment).info.run_id
    client.log_text(run, "x", "a/b.txt")
    return [
        client.get_run(run).info.artifact_uri,
        _listed(client, run, "a"),
        load_text(f"runs:/{run}/a/b.txt"),
        _proxied(f"my/{name}/{run}/artifacts"),
    ]


def of_a_logged_model(client, name):
    experiment = client.create_experiment(name)
    model = client.create_logged_model(experiment, name="late")
    client.log_model_artifacts(model.model_id, _tree())
    client.log_model_artifact(model.model_id, _file("extra.txt"))
    return [
        [
            (f.path, f.is_dir, f.file_size)
            for f in client.list_logged_model_artifacts(model.model_id)
        ],
        [
            (f.path, f.is_dir, f.file_size)
            for f in client.list_logged_model_artifacts(model.model_id, "plots")
        ],
        _all(download_artifacts(artifact_uri=f"models:/{model.model_id}")),
        get(f"logged-models/{model.model_id}/artifacts/directories"),
    ]


def in_parts(client, name):
    run = _run(client, name)
    chosen = {
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "1000000",
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": "5242880",
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "true",
        "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE": "3000000",
    }
    os.environ.update(chosen)
    try:
        data = bytes(range(256)) * (12 << 12)
        client.log_artifact(run, _file("in parts.bin", data), "in/a")
        client.log_artifact(run, _file("small.bin", b"small"))
        first = _listed(client, run, "in/a")
        came = client.download_artifacts(run, first[0][0] if first else "", tempfile.mkdtemp())
        return [first, Path(came).read_bytes() == data]
    finally:
        for each in chosen:
            del os.environ[each]


def presigned(client, name):
    run = _run(client, name)
    client.log_text(run, "x", "a.txt")
    experiment = client.get_run(run).info.experiment_id
    answer = get(f"{ROUTE}/presigned/{experiment}/{run}/artifacts/a.txt")
    return [answer["status"], sorted(answer["json"] or {})]
