"""A stored file is shown, never run: in Chromium, with what would read our API if it could."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.server.attacks.raw import ask

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.server.attacks.conftest import Target

STEAL = """
document.title = 'script ran';
document.documentElement.setAttribute('data-ran', 'yes');
fetch('/api/v1/runs').then(a => a.text()).then(t => { document.title = 'read ' + t.length; });
fetch('/api/2.0/mlflow/experiments/create', {method: 'POST', body: '{"name": "stolen"}',
      headers: {'content-type': 'application/json'}});
new Image().src = '/api/v1/health?from=script';
"""
HTML = f"""<!doctype html><title>harmless</title><meta http-equiv="refresh" content="0; url=/runs">
<base href="/ui/"><link rel="stylesheet" href="/ui/static/app.css"><script>{STEAL}</script>
<script src="evil.js"></script><h1 id="shown" style="color: red">shown</h1>
<img src="/api/v1/health?from=img" onerror="{STEAL.replace('"', "'")}"><iframe src="/runs"></iframe>
<object data="/runs"></object><embed src="/runs"><svg onload="document.title='script ran'"></svg>
<form action="/api/2.0/mlflow/experiments/create" method="post"><input name="name"></form>
<script>document.forms[0].submit(); window.open('/runs'); top.location = '/runs';</script>
<a href="javascript:document.title='script ran'" id="link">go</a>"""
AS_XML = STEAL.replace("&", "&amp;").replace("<", "&lt;").replace("=>", "=&gt;")
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg"
onload="document.documentElement.id='ran'">
<script>{AS_XML}</script>
<image href="/api/v1/health?from=svg" width="5" height="5"/><text y="20">shown</text></svg>"""
NAMES = {
    "page.shtml": HTML, "page.html": HTML, "page.htm": HTML, "page.HTML": HTML, "drawing.svg": SVG,
}  # fmt: skip
NEVER_PAGES = (
    "page.txt", "page.png", "page.xml", "page.xhtml", "page.js", "page.mjs", "page.css", "page.pdf",
    "page", "page.swf", "page.mhtml", "page.json", "page.xsl", "page.html.", "page.wasm",
)  # fmt: skip


@pytest.fixture(scope="module")
def stored(target: Target) -> Target:
    for name in {*NAMES, *NEVER_PAGES}:
        target.app.tracking.log_artifact(target.run_id, name, NAMES.get(name, HTML).encode())
    target.app.tracking.log_artifact(target.run_id, "evil.js", STEAL.encode())
    return target


@pytest.fixture
def asked(page: Page) -> list[str]:
    """What the browser has been given: what a policy forbids, it does not even ask for."""
    seen: list[str] = []
    page.on("response", lambda response: seen.append(response.url))
    return seen


def shown_at(target: Target, name: str) -> str:
    return f"{target.url}/api/v1/runs/{target.run_id}/artifacts/{name}"


def addresses(target: Target, name: str) -> list[str]:
    tail = f"{target.experiment_id}/{target.run_id}/artifacts/{name}"
    return [
        shown_at(target, name),
        f"{shown_at(target, name)}?download=1",
        f"{target.url}/api/2.0/mlflow-artifacts/artifacts/{tail}",
        f"{target.url}/ajax-api/2.0/mlflow-artifacts/artifacts/{tail}",
        f"{target.url}/get-artifact?run_uuid={target.run_id}&path={name}",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_uploaded_page_runs_nothing_and_asks_for_nothing(
    stored: Target, page: Page, asked: list[str], name: str, log_stays: None
) -> None:
    page.goto(shown_at(stored, name), wait_until="load")
    page.wait_for_timeout(300)

    assert page.title() in {"harmless", ""}
    assert page.locator("[data-ran], #ran").count() == 0
    assert "shown" in page.content()
    assert page.url == shown_at(stored, name)
    # Nothing but itself; a browser looks for the icon of the address by itself.
    assert {url for url in asked if not url.endswith("/favicon.ico")} == {shown_at(stored, name)}


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_ours_shows_it_in_a_box_that_runs_nothing(
    stored: Target, page: Page, asked: list[str], name: str, log_stays: None
) -> None:
    page.goto(f"{stored.url}/runs/{stored.run_id}?artifact={name}", wait_until="load")
    page.wait_for_timeout(300)

    assert "script ran" not in page.title()
    assert page.url.startswith(f"{stored.url}/runs/{stored.run_id}")
    assert not [url for url in asked if "from=" in url or "experiments/create" in url]
    assert not [frame.title() for frame in page.frames if "ran" in frame.title()]


def test_no_stored_file_is_a_script_or_a_style_of_our_pages(
    stored: Target, page: Page, log_stays: None
) -> None:
    page.goto(f"{stored.url}/runs", wait_until="load")

    for name in ("evil.js", "page.mjs", "page.js", "page.svg", "page.css"):
        for address in addresses(stored, name):
            page.evaluate(
                """address => new Promise(done => {
                    const script = document.createElement('script');
                    script.src = address; script.onload = script.onerror = () => done();
                    document.head.append(script);
                })""",
                address,
            )

    assert page.evaluate("document.documentElement.dataset.ran ?? 'nothing'") == "nothing"


@pytest.mark.parametrize("name", [*NAMES, *NEVER_PAGES])
def test_every_address_of_a_file_says_what_it_may_do(stored: Target, name: str) -> None:
    for address in addresses(stored, name):
        answer = ask(stored.url, "GET", address.removeprefix(stored.url))
        policy, media = answer.headers["content-security-policy"], answer.headers["content-type"]

        assert answer.status == 200
        assert policy.startswith("sandbox; default-src 'none'")
        assert "allow-scripts" not in policy
        assert "script-src" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "javascript" not in media
        if name in NEVER_PAGES:
            is_shown = answer.headers["content-disposition"].startswith("inline")
            assert not is_shown or media.startswith(("text/plain", "image/png"))
        if address != shown_at(stored, name):
            assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "a'\"><script>alert(1)</script>", "{{7*7}}.txt"]
)
def test_a_name_is_text_on_every_page(stored: Target, page: Page, name: str) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    stored.app.tracking.log_artifact(stored.run_id, f"names/{name.replace('/', '')}", b"x")
    run = stored.app.tracking.start_run(
        experiment="attacked", name=name, tags={"note": name}, params={"p": name}
    )
    stored.app.tracking.end_run(run.id)

    for path in ("/runs", f"/runs/{run.id}", f"/runs/{stored.run_id}", "/events", "/"):
        page.goto(stored.url + path, wait_until="load")

    assert dialogs == []
    assert page.locator("img[src=x]").count() == 0


HOSTILE = {
    "deep.json": b"[" * 100_000,
    "rows.json": json.dumps({"columns": [1], "data": [1, None, "x", {"a": 1}]}).encode(),
    "columns.json": json.dumps({"columns": [[], {}], "data": [[{"a": []}, []]]}).encode(),
    "number.json": b"1" + b"0" * 100_000,
    "nan.json": b"[NaN, Infinity, -Infinity, 1e999]",
    "half.json": b'"\\ud800"',
    "wide.csv": b"a," * 200_000,
    "cell.csv": b"a\n" + b"x" * 300_000,
    "quote.csv": b'"' * 100_001,
    "nul.csv": b"a\x00b\n1\x002",
    "fake.parquet": b"PAR1" + b"\xff" * 1000 + b"PAR1",
    "empty.parquet": b"",
    "latin.txt": b"\xff\xfe\x00caf\xe9",
    "empty.json": b"",
    "lines.txt": b"\n" * 60_000,
    "escape.txt": b"\x1b[31m\x1b]0;x\x07\x08" * 100,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_made_to_harm_who_looks_at_it_does_not(target: Target, name: str) -> None:
    target.app.tracking.log_artifact(target.run_id, f"hostile/{name}", HOSTILE[name])

    shown = ask(target.url, "GET", f"/runs/{target.run_id}?artifact=hostile/{name}")

    assert shown.status == 200, shown.text[-1000:]


def test_a_table_that_unpacks_to_gigabytes_is_not_unpacked(target: Target, tmp_path) -> None:
    rows = pa.table({"x": pa.array(["0" * 1_000_000] * 10)})
    given = {"compression": "zstd", "use_dictionary": False}
    with pq.ParquetWriter(tmp_path / "bomb.parquet", rows.schema, **given) as writer:
        for _ in range(30):
            writer.write_table(rows)
    data = (tmp_path / "bomb.parquet").read_bytes()
    assert len(data) < 1_000_000
    target.app.tracking.log_artifact(target.run_id, "hostile/bomb.parquet", data)

    shown = ask(target.url, "GET", f"/runs/{target.run_id}?artifact=hostile/bomb.parquet")

    assert shown.status == 200
    assert "unpacks to" in shown.text
