"""The pages as HTTP: from a whole life, from an empty home, and for what is not there."""

from __future__ import annotations

import re

import httpx2
import pyarrow as pa
import pytest

from treadle.kernel.errors import NotFound
from treadle.server.control import ControlServer
from treadle.server.ui.chain import ChainWatch
from treadle.server.ui.paging import ROWS

PAGES = [
    "/",
    "/runs",
    "/runs/RUN",
    "/experiments",
    "/experiments?view=deleted",
    "/compare?runs=RUN,OTHER",
    "/data",
    "/data/flights",
    "/data/flights/1",
    "/data/outcomes/latest",
    "/data/flights/diff",
    "/data/flights/diff?from=1&to=1",
    "/data/flights/diff?from=1&to=1&key=nonsense",
    "/evaluation",
    "/evaluation?filter=tags.team like 'x%25'",
    "/evaluation?filter=nonsense",
    "/evaluation/why late",
    "/evaluation/why late?offset=1",
    "/models",
    "/models/late",
    "/models/late/2",
    "/models/late/champion",
    "/models/late/compare?versions=1,champion",
    "/endpoints",
    "/endpoints/late",
    "/monitors",
    "/monitors/late",
    "/events",
    "/ui/patterns",
]
LISTS = [
    "/",
    "/runs",
    "/experiments",
    "/compare",
    "/data",
    "/evaluation",
    "/models",
    "/endpoints",
    "/monitors",
    "/events",
]
BUDGET_BYTES = 300_000


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture(scope="module")
def address(seeded):
    runs = seeded.app.tracking.search_runs(limit=2).items
    other = next(run.id for run in runs if run.id != seeded.run_id)
    return lambda path: path.replace("RUN", seeded.run_id).replace("OTHER", other)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_answers_within_its_budget(client, address, path):
    answer = client.get(address(path))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert len(answer.content) < BUDGET_BYTES


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_home_says_what_to_do_first(empty, path):
    with ControlServer(empty, port=0) as server:
        answer = httpx2.get(server.url + path, trust_env=False)

    assert answer.status_code == 200
    assert 'class="notice"' in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(client, address, path):
    html = client.get(address(path)).text
    inside = {href for href in re.findall(r'href="(/[^"#]*)', html) if "?v=" not in href}

    found = {href: client.get(href.replace("&amp;", "&")).status_code for href in inside}

    # The portfolio's links are examples.
    assert {k for k, v in found.items() if v != 200} <= {"/runs/example"}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/runz", "/runs"),
        ("/models/lates", "Did you mean"),
        ("/models/late/99", "late@"),
        ("/data/flight", "Did you mean"),
        ("/data/flights/99", "flights@1"),
        ("/evaluation/why lat", "Did you mean"),
        ("/endpoints/lat", "Did you mean"),
        ("/monitors/lat", "Did you mean"),
        ("/runs/ffffffffffff", "treadle runs"),
    ],
)
def test_what_is_not_there_gets_a_page_with_the_near_miss(client, address, path, says):
    answer = client.get(address(path))

    assert answer.status_code == 404
    assert "<h1>Not here</h1>" in answer.text
    assert says in words(answer.text)


def test_a_bug_shows_all_of_its_traceback(seeded, monkeypatch, caplog):
    monkeypatch.setattr(seeded.app.monitoring, "monitors", lambda: 1 // 0)

    with ControlServer(seeded.app, port=0) as server:
        answer = httpx2.get(f"{server.url}/monitors", trust_env=False)

    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.text
    assert "ZeroDivisionError" in caplog.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


# --- what stands on them ---


def test_home_draws_the_loop_from_what_is_there(client):
    said = words(client.get("/").text)

    assert "the past, replayed" in said
    assert re.search(r"Train: done, \d+ runs", client.get("/").text) or "runs" in said
    assert "late@2" in said
    assert "labels" in said.lower()


def test_runs_are_sorted_by_a_metric_and_keep_their_filter(client):
    html = client.get(
        "/runs", params={"order": "metric.log_loss", "filter": "metrics.log_loss < 1"}
    ).text
    names = re.findall(r'<a href="/runs/[0-9a-f]{32}">([^<]+)</a>', html)

    assert 'aria-sort="ascending"' in html
    assert names[:2] == ["trial-1", "knows the wind"]
    assert "leaks" not in names
    assert "order=metric.log_loss+desc" in html
    assert "filter=metrics.log_loss+%3C+1" in html


def test_a_filter_that_cannot_be_read_is_told_in_place(client):
    answer = client.get("/runs", params={"filter": "metric log_loss < 1"})

    assert answer.status_code == 200
    assert "character 8" in words(answer.text)
    assert 'value="metric log_loss &lt; 1"' in answer.text


def test_a_run_shows_its_curve_its_inputs_and_its_files(client, seeded):
    html = client.get(f"/runs/{seeded.run_id}").text

    assert 'id="curve-log_loss"' in html
    assert 'href="/data/flights/1"' in html
    assert "artifact=notes%2Fhow+it+was.txt" in html


def test_a_file_of_a_run_is_shown_in_place_and_can_be_saved(client, seeded):
    html = client.get(f"/runs/{seeded.run_id}", params={"artifact": "notes/how it was.txt"}).text
    place = re.findall(r'href="(/api/v1/runs/[^"]+txt\?download=1)"', html)[0]

    saved = client.get(place)

    assert "by hand" in words(html)
    assert saved.content == b"by hand"
    assert saved.headers["content-disposition"].startswith("attachment;")
    assert saved.headers["content-security-policy"].startswith("sandbox")


def test_a_dataset_version_shows_its_contract_and_who_used_it(client, seeded):
    said = words(client.get("/data/flights/1").text)

    assert "420 rows; at least" in said
    assert "trial-1" in said
    assert "passed" in said


def looked_at(home, *paths):
    with ControlServer(home, port=0) as server:
        return [httpx2.get(server.url + path, trust_env=False).text for path in paths]


def test_a_diff_shows_cells_before_and_after(empty):
    before = pa.table({"id": [1, 2, 3], "city": ["Bern", "<b>Chur", "Genf"], "fare": [1, 2, 3]})
    after = pa.table({"id": [1, 2, 4], "city": ["Bern", "Thun", None], "fare": [1.0, 2.0, 4.0]})
    empty.data.commit("trips", before)
    empty.data.commit("trips", after)

    page, wrong, version, listed = looked_at(
        empty,
        "/data/trips/diff?from=1&to=2",
        "/data/trips/diff?from=1&to=2&key=cty",
        "/data/trips/2",
        "/data/trips",
    )

    said = words(page)
    assert "Rows by id, found to repeat in no row" in said
    assert "fare retyped int64 double compared as number" in said
    assert "2 was &lt;b&gt;Chur → is Thun" in said
    assert "added 4 null 4.0" in said
    assert "removed 3 Genf 3" in said
    assert "Did you mean &#39;city&#39;" in wrong
    assert '/data/trips/diff?from=1&amp;to=2">What changed since trips@1' in version
    assert '<option value="1" selected>trips@1</option>' in listed


def test_what_is_too_much_for_a_page_is_for_the_command(empty, monkeypatch):
    monkeypatch.setattr("treadle.server.ui.diff_page.CELLS_MOST", 3)
    empty.data.commit("trips", pa.table({"id": [1], "was": [1]}))
    empty.data.commit("trips", pa.table({"id": [1.0], "new": [1]}))

    (page,) = looked_at(empty, "/data/trips/diff")

    said = words(page)
    assert "4 cells are not in both versions" in said
    assert "treadle data diff trips@1 trips@2 --out changes.parquet" in said
    assert "id retyped int64 double" in said
    assert "was removed int64" in said


def test_a_diff_of_files_names_them(empty, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one").write_bytes(b"1")
    empty.data.commit("pets", tmp_path / "in")
    (tmp_path / "in" / "one").rename(tmp_path / "in" / "two")
    empty.data.commit("pets", tmp_path / "in")

    page, same = looked_at(empty, "/data/pets/diff", "/data/pets/diff?from=2&to=2")

    assert "two renamed one" in words(page)
    assert "Nothing differs" in same


def test_a_version_of_files_shows_them_a_page_at_a_time(empty, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(120):
        (tmp_path / "in" / f"{number:03} <b>").write_bytes(b"%d" % number)
    (tmp_path / "in" / "newest").symlink_to("../elsewhere")
    empty.data.commit("pets", tmp_path / "in")
    (tmp_path / "in" / "000 <b>").write_bytes(b"other")
    empty.data.commit("pets", tmp_path / "in")

    with ControlServer(empty, port=0) as server:
        first = httpx2.get(server.url + "/data/pets/2", trust_env=False).text
        second = httpx2.get(server.url + "/data/pets/2?offset=100", trust_env=False).text
        listed = words(httpx2.get(server.url + "/data/pets", trust_env=False).text)
        log = words(httpx2.get(server.url + "/events", trust_env=False).text)

    assert "000 &lt;b&gt;" in first
    assert "1 changed since pets@1" in words(first)
    assert "Schema and profile" not in first
    assert "→ ../elsewhere" in words(second)
    assert "101–121 of 121 files" in words(second)
    assert "121" in listed
    assert "pets@2 committed, 121 files" in log


def test_a_version_whose_files_cannot_be_listed_says_so(empty, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one").write_bytes(b"1")
    empty.data.commit("pets", tmp_path / "in")
    for info in empty.objects.iterate():
        empty.objects.delete(info.digest)

    with ControlServer(empty, port=0) as server:
        answer = httpx2.get(server.url + "/data/pets/1", trust_env=False)

    assert answer.status_code == 200
    assert "The files cannot be listed" in words(answer.text)
    assert "treadle data fsck" in words(answer.text)


def test_a_quarantined_version_says_why(client):
    said = words(client.get("/data/outcomes/latest").text)

    assert "quarantined" in said
    assert "the feed says on time for everybody" in said


def test_a_model_version_shows_the_evidence_of_its_gates_and_its_seal(client):
    said = words(client.get("/models/late/2").text)

    assert "against the baseline" in said
    assert "the stored bytes are those that were signed" in said
    assert "late@2 is live on late" in said


def test_versions_stand_side_by_side_with_what_differs_first(client):
    said = words(client.get("/models/late/compare?versions=1,2").text)

    assert "late@1" in said
    assert said.index("Metrics 1 differ") < said.index("Signature 0 differ")
    missing = words(client.get("/models/late/compare?versions=1,99").text)
    assert "Not every version can be compared" in missing
    assert "Select two versions" in words(client.get("/models/late/compare").text)


def test_an_endpoint_shows_traffic_releases_and_a_request_that_works(client, server):
    html = client.get("/endpoints/late").text
    said = words(html)

    assert f"POST {server.inference_url}/v2/models/late/infer" in said
    assert "Predictions by version" in said
    assert "Log-loss, paired by day" in said
    assert "0 errors in" in said


def test_a_monitor_shows_windows_and_alerts_with_their_effect(client):
    said = words(client.get("/monitors/late").text)

    assert "Outcomes are more frequent than predicted" in said
    assert "Log-loss by window" in said
    assert "waiting" in said


def test_events_are_found_by_the_name_of_a_thing_and_by_kind(client):
    by_name = client.get("/events", params={"subject": "late"}).text
    by_kind = client.get("/events", params={"kind": "alert.opened"}).text
    nothing = client.get("/events", params={"subject": "nobody"}).text

    assert {"model.created", "endpoint.created"} <= set(re.findall(r"<code>(\S+)</code>", by_name))
    assert set(re.findall(r"<td><code>(\S+)</code></td>", by_kind)) == {"alert.opened"}
    assert "No event matches" in nothing


def test_the_palette_knows_everything_by_name(client, seeded):
    entries = client.get("/ui/palette.json").json()

    groups = {e["group"] for e in entries}
    assert {"Page", "Dataset", "Model", "Model version", "Endpoint", "Monitor"} <= groups
    assert any(seeded.run_id[:12] in e["label"] for e in entries)
    assert {client.get(e["href"]).status_code for e in entries} == {200}


# --- paging ---


def test_a_long_list_goes_on_and_back(empty):
    for number in range(ROWS + 3):
        empty.tracking.experiment(f"e{number}")
    with (
        ControlServer(empty, port=0) as server,
        httpx2.Client(base_url=server.url, trust_env=False) as client,
    ):
        first = client.get("/events").text
        [onward] = re.findall(r'rel="next" href="([^"]+)"', first)
        second = client.get(onward).text
        [back] = re.findall(r'rel="prev" href="([^"]+)"', second)

    assert onward == f"/events?offset={ROWS}"
    assert "101–103 of" in words(second)
    assert back == "/events"


@pytest.mark.parametrize("offset", ["-1", "many", "1e3", "9" * 30, ""])
def test_an_offset_that_is_no_number_is_the_beginning(client, offset):
    assert "1–" in words(client.get("/events", params={"offset": offset}).text)


# --- the chain ---


def test_the_chain_is_verified_as_it_grows(empty):
    watch = ChainWatch(empty.log)
    nothing = watch.look()
    empty.tracking.experiment("late")

    one = watch.look()

    assert (nothing.state, nothing.events) == ("verified", 0)
    assert (one.state, one.events, one.head) == ("verified", 1, empty.log.last().hash)


def test_an_event_that_was_changed_breaks_the_chain(empty):
    for name in ("a", "b", "c"):
        empty.tracking.experiment(name)
    with empty.store.write() as tx:
        tx.connection.exec_driver_sql("UPDATE events SET actor = 'user:eve' WHERE seq = 2")

    found = ChainWatch(empty.log).look()

    assert (found.state, found.note) == ("broken", "event 2 is not what was written")


def test_a_long_log_is_checked_on_in_the_background(empty, monkeypatch):
    monkeypatch.setattr("treadle.server.ui.chain.LINKS_AT_ONCE", 2)
    for number in range(7):
        empty.tracking.experiment(f"e{number}")
    watch = ChainWatch(empty.log)

    first = watch.look()
    watch._catching_up.join(20)
    second = watch.look()

    assert (first.state, first.note) == ("unchecked", "checked up to 2")
    assert (second.state, second.head) == ("verified", empty.log.last().hash)


def test_a_thing_that_went_away_is_no_bug(client, seeded, monkeypatch):
    def gone(ref):
        raise NotFound("version", ref)

    monkeypatch.setattr(seeded.app.data, "version", gone)

    assert client.get(f"/runs/{seeded.run_id}").status_code == 200


def test_a_profile_is_a_page_with_its_distance_and_no_whole_value(empty):
    empty.data.commit(
        "people", pa.table({"n": range(60), "contact": [f"p{i}@a.org" for i in range(60)]})
    )
    empty.data.commit("people", pa.table({"n": range(30, 90), "contact": ["p@a.org"] * 60}))
    empty.data.profile("people@2", against="people@1")

    with ControlServer(empty, port=0) as server:
        answer = httpx2.get(server.url + "/data/people/2/profile", trust_env=False)
        version = httpx2.get(server.url + "/data/people/2", trust_env=False).text
    said = words(answer.text)

    assert "against people@1" in said
    assert "e-mail" in said
    assert "a.org" not in answer.text
    assert "/data/people/2/profile" in version


def test_many_columns_are_shown_a_page_at_a_time(empty):
    empty.data.commit("wide", pa.table({f"c{i}": [1.0, 2.0, 4.0] for i in range(500)}))

    with ControlServer(empty, port=0) as server:
        first = httpx2.get(server.url + "/data/wide/1/profile", trust_env=False)
        second = httpx2.get(server.url + "/data/wide/1/profile?offset=450", trust_env=False).text
        version = httpx2.get(server.url + "/data/wide/1", trust_env=False)

    assert "1–50 of 500 columns" in words(first.text)
    assert "c499" in second
    assert max(len(first.content), len(version.content)) < 300_000


def test_files_have_no_page_of_a_profile(empty, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"1")
    empty.data.commit("files", tmp_path / "a.bin")

    with ControlServer(empty, port=0) as server:
        answer = httpx2.get(server.url + "/data/files/1/profile", trust_env=False)

    assert answer.status_code == 404


def test_a_large_version_without_a_profile_says_how_to_make_one(empty, monkeypatch):
    monkeypatch.setattr("treadle.server.ui.profile_page.PROFILED_CELLS", 0)
    empty.data.commit("unlooked", pa.table({"never_seen": [1.0, 2.0, 4.0]}))

    with ControlServer(empty, port=0) as server:
        answer = httpx2.get(server.url + "/data/unlooked/1", trust_env=False)
    said = words(answer.text)

    assert "treadle data profile unlooked@1" in said
    assert "0 %" not in said
