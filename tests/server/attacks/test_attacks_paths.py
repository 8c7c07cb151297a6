"""No path leads out of the artifacts of its owner, in whatever encoding it comes."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.server.attacks.conftest import SECRET, Target
from tests.server.attacks.raw import ask

ROUTE = "/api/2.0/mlflow-artifacts/artifacts"
WAYS_OUT = [
    "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt",
    ".%2e/secret.txt", "%252e%252e%252fsecret.txt", "%25252e%25252e/secret.txt",
    "a/../../secret.txt", "a/..%2f..%2fsecret.txt", "..%5csecret.txt", "%2e%2e%5csecret.txt",
    "..\\secret.txt", "%5c%5chost%5cshare", "%2fetc/passwd", "//etc/passwd", "/etc/passwd",
    "%2f%2fetc%2fpasswd", "file:/etc/passwd", "file:///etc/passwd", "file:%2f%2f%2fetc/passwd",
    "C:/Windows/win.ini", "C:%5cWindows%5cwin.ini", "c%3a/windows", "a%00.txt", "%00",
    "a%00/../../secret.txt", "%c0%ae%c0%ae/secret.txt", "%c0%af..%c0%afsecret.txt",
    "%e0%80%ae%e0%80%ae/secret.txt", "%ff%fe/secret.txt", "%u002e%u002e/secret.txt/%2e%2e/x",
    "..;/secret.txt/..", "..%23/../secret.txt", "a%0d%0aX-Evil:%201", "a%0a", "%7f",
    "./secret.txt", "a/./b", "a//b", "..%3f/../secret.txt", "%2e", "%2e%2e",
    "..%2f" * 12 + "etc/passwd",
]  # fmt: skip
"""Ways out of a folder, as they stand in an address."""


def planted_below(target: Target) -> list[str]:
    return [
        f"{ROUTE}/{target.experiment_id}/{target.run_id}/artifacts",
        f"/ajax-api/2.0/mlflow-artifacts/artifacts/{target.experiment_id}/{target.run_id}/artifacts",
        f"{ROUTE}/loose/place",
        f"/api/v1/runs/{target.run_id}/artifacts",
        f"/runs/{target.run_id}/artifacts",
        f"{ROUTE}/versions/{'0' * 32}",
    ]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("way", WAYS_OUT)
def test_nothing_is_read_by_a_way_out(target: Target, way: str, method: str) -> None:
    for folder in planted_below(target):
        answer = ask(target.url, method, f"{folder}/{way}")

        assert 400 <= answer.status < 500, (folder, answer)
        assert SECRET not in answer.body
        assert b"root:" not in answer.body


@pytest.mark.parametrize("way", WAYS_OUT)
def test_nothing_is_written_or_deleted_by_a_way_out(
    target: Target, way: str, log_stays: None
) -> None:
    before = target.files()
    for folder in planted_below(target):
        put = ask(target.url, "PUT", f"{folder}/{way}", body=b"planted")
        deleted = ask(target.url, "DELETE", f"{folder}/{way}")

        assert 400 <= put.status < 500, (folder, put)
        assert 400 <= deleted.status < 500, (folder, deleted)

    assert target.files() == before


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_list_leaves_its_owner(target: Target, way: str) -> None:
    for query in (
        f"{ROUTE}?path={way}",
        f"/api/2.0/mlflow/artifacts/list?run_id={target.run_id}&path={way}",
        f"/api/v1/runs/{target.run_id}/artifacts?path={way}",
        f"/get-artifact?run_id={target.run_id}&path={way}",
        f"/model-versions/get-artifact?name=a&version=1&path={way}",
    ):
        answer = ask(target.url, "GET", query)

        listed = json.loads(answer.body) if answer.status == 200 else {}
        assert answer.status == 200 or 400 <= answer.status < 500, (query, answer)
        assert not listed.get("files"), (query, answer)
        assert not listed.get("items"), (query, answer)
        assert SECRET not in answer.body


@pytest.mark.parametrize("way", WAYS_OUT)
def test_no_upload_of_another_kind_leaves_its_owner(
    target: Target, way: str, log_stays: None
) -> None:
    before = target.files()
    folder = f"{target.experiment_id}/{target.run_id}/artifacts/{way}"
    as_json = {"Content-Type": "application/json"}
    body = json.dumps({"path": "x", "num_parts": 1}).encode()

    begun = ask(
        target.url,
        "POST",
        f"/api/2.0/mlflow-artifacts/mpu/create/{folder}",
        headers=as_json,
        body=body,
    )
    from_pages = ask(
        target.url,
        "POST",
        f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={target.run_id}&path={way}",
        headers=as_json,
        body=b"planted",
    )
    linked = ask(target.url, "GET", f"/api/2.0/mlflow-artifacts/presigned/{folder}")

    assert 400 <= begun.status < 500, begun
    assert 400 <= from_pages.status < 500, from_pages
    assert 400 <= linked.status < 500, linked
    assert target.files() == before


@pytest.mark.parametrize("name", ["..", ".", "", "a/..", "..\\x", "\x00", "a\nb", "/"])
def test_no_name_in_the_body_of_an_upload_leaves_its_folder(
    target: Target, name: str, log_stays: None
) -> None:
    body = json.dumps({"path": name, "num_parts": 1}).encode()

    answer = ask(
        target.url,
        "POST",
        f"/api/2.0/mlflow-artifacts/mpu/create/{target.experiment_id}/{target.run_id}/artifacts",
        headers={"Content-Type": "application/json"},
        body=body,
    )

    assert 400 <= answer.status < 500, answer


def test_a_name_from_an_upload_is_only_its_last_part(target: Target) -> None:
    body = json.dumps({"path": "/home/me/../../etc/model.bin", "num_parts": 1}).encode()
    folder = f"{target.experiment_id}/{target.run_id}/artifacts/in"

    answer = ask(
        target.url,
        "POST",
        f"/api/2.0/mlflow-artifacts/mpu/create/{folder}",
        headers={"Content-Type": "application/json"},
        body=body,
    )

    upload = target.app.artifacts.find_upload(json.loads(answer.body)["upload_id"])
    assert upload.path == "in/model.bin"


@pytest.mark.parametrize(
    "name", ["h#.txt", "a b%20?.txt", "ä 日本語 🎈.txt", "x" * 250, "%41", "a;b=c"]
)
def test_a_name_that_only_looks_odd_comes_back_exactly(target: Target, name: str) -> None:
    folder = f"{ROUTE}/{target.experiment_id}/{target.run_id}/artifacts/odd"
    there = f"{folder}/{quote(name, safe='')}"

    put = ask(target.url, "PUT", there, body=name.encode())
    got = ask(target.url, "GET", there)
    listed = target.app.artifacts.files(target.app.artifacts.of_run(target.run_id, "odd"))

    assert (put.status, got.status, got.body) == (200, 200, name.encode())
    assert f"odd/{name}" in {file.path for file in listed}
    assert quote(name, safe="") in got.headers["content-disposition"]


def test_what_is_behind_a_question_mark_belongs_to_the_name(target: Target) -> None:
    there = f"{ROUTE}/{target.experiment_id}/{target.run_id}/artifacts/asked/why?%20not%3F"

    ask(target.url, "PUT", there, body=b"x")

    listed = target.app.artifacts.files(target.app.artifacts.of_run(target.run_id, "asked"))
    assert [file.path for file in listed] == ["asked/why? not?"]


def test_a_link_planted_among_the_objects_gives_nothing_away(target: Target) -> None:
    there = f"{ROUTE}/planted/link.txt"
    ask(target.url, "PUT", there, body=b"to be replaced by a link")
    (file,) = target.app.artifacts.files(target.app.artifacts.resolve("planted"))
    path = target.app.home / "objects" / file.digest[:2] / file.digest
    path.unlink()
    path.symlink_to(target.folder / "secret.txt")

    whole = ask(target.url, "GET", there)
    part = ask(target.url, "GET", there, headers={"Range": "bytes=0-9"})

    assert (whole.status, part.status) == (500, 500)
    assert b"secret" not in whole.body + part.body
    assert b"DATA_LOSS" in whole.body
