"""The pages of runs as HTTP: narrowed, counted, saved, compared, put away."""

from __future__ import annotations

import html as markup
import json
import re

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from treadle.server.control import ControlServer
from treadle.tracking.entities import MetricPoint

POINTS = 60


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture
def runs(empty):
    made = []
    for number in range(4):
        run = empty.tracking.start_run(
            experiment="late" if number else "early",
            name=f"trial-{number}",
            params={"depth": 3 + number, "kind": "trees", "seed": 7},
            tags={"team": "red" if number % 2 else "blue", "say": "it's"},
        )
        points = [
            MetricPoint(
                key="loss", value=1 / (step + 1 + number), step=step, at=run.started_at + step
            )
            for step in range(POINTS)
        ]
        empty.tracking.log_points(run.id, points)
        empty.tracking.log(run.id, metrics={"auc": 0.7 + number / 100, "fixed": 1.0})
        if number != 3:
            empty.tracking.end_run(run.id, status="failed" if number == 2 else "finished")
        made.append(run.id)
    return made


@pytest.fixture
def web(empty, runs):
    with (
        ControlServer(empty, port=0) as server,
        httpx2.Client(base_url=server.url, trust_env=False, timeout=20) as made,
    ):
        yield made


def named(html):
    return re.findall(r'<a href="/runs/[0-9a-f]{32}">([^<]+)</a>', html)


# --- the list ---


def test_the_columns_that_vary_most_are_on_screen(web):
    html = web.get("/runs").text
    heads = [words(head) for head in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', html)]

    assert heads[1:] == ["Run", "Status", "Started ↓", "Took", "auc", "loss", "depth"]


def test_columns_are_chosen_in_the_address(web):
    html = web.get("/runs?column=param.seed&column=tag.team&column=metric.fixed").text
    heads = [words(head) for head in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', html)]

    assert heads[5:] == ["seed", "team", "fixed"]
    assert 'value="tag.team" checked' in html
    assert "column=param.seed&amp;column=tag.team" in html


def test_what_was_clicked_and_what_was_typed_narrow_together(web):
    asked = {"experiment": "late", "tag": "team=red", "filter": "metrics.auc > 0.72"}
    html = web.get("/runs", params=asked).text

    assert named(html) == ["trial-3"]
    chips = re.findall(r'<a class="chip" href="([^"]+)">([^<]+)', html)
    assert [said for _, said in chips] == ["Experiment: late", "team: red"]
    without = web.get(markup.unescape(chips[1][0])).text
    assert named(without) == ["trial-3"]
    assert "1–1 of" in words(without)


def test_a_value_with_an_apostrophe_narrows_too(web):
    assert len(named(web.get("/runs", params={"tag": "say=it's"}).text)) == 4


def test_facets_count_what_matches_and_each_count_is_true(web):
    part = web.get("/runs/facets", params={"filter": "metrics.auc < 0.725"}).text
    found = re.findall(
        r'<li><a href="([^"]+)"[^>]*>.*?<span>(.*?)</span><span class="count">(\d+)', part
    )

    assert ("late", "2") in [(label, count) for _, label, count in found]
    assert ("blue", "2") in [(label, count) for _, label, count in found]
    for href, _, count in found:
        assert len(named(web.get(markup.unescape(href)).text)) == int(count)


def test_facets_of_a_wrong_filter_leave_the_error_to_the_list(web):
    assert web.get("/runs/facets?filter=oops").status_code == 200
    assert "facet" not in web.get("/runs/facets?filter=oops").text


def test_the_selection_goes_on_to_the_next_page_and_the_sorted_one(web, runs):
    html = web.get("/runs", params={"runs": f"{runs[0]},elsewhere", "experiment": "late"}).text

    assert f'<input type="hidden" name="runs" value="{runs[0]}">' in html
    assert "runs=" + runs[0] in markup.unescape(
        re.search(r'href="(/runs\?[^"]*order=name[^"]*)', html)[1]
    )


def test_deleted_runs_have_their_own_view(web, runs, empty):
    empty.tracking.delete_run(runs[1])

    assert "trial-1" not in named(web.get("/runs").text)
    assert named(web.get("/runs?view=deleted").text) == ["trial-1"]


def test_the_code_for_what_is_on_screen_is_offered(web):
    said = markup.unescape(
        web.get(
            "/runs", params={"status": "failed", "order": "metric.loss", "tag": "team=blue"}
        ).text
    )

    assert (
        "runs --status 'failed' --where 'tags.`team` = '\\''blue'\\''' --sort 'metric.loss'" in said
    )
    assert "client.tracking.search_runs(status='failed', where=\"tags.`team` = 'blue'\"" in said
    assert "mlflow.set_tracking_uri('http://127.0.0.1:" in said
    assert "attributes.status = 'FAILED'" in said


def test_many_that_match_a_filter_are_counted_after_their_rows(web, empty, monkeypatch):
    monkeypatch.setattr("treadle.server.ui.paging.ROWS", 2)

    html = web.get("/runs", params={"filter": "metrics.auc < 1"}).text
    part = web.get("/runs/facets", params={"filter": "metrics.auc < 1"}).text
    rest = web.get("/runs", params={"filter": "metrics.auc < 1", "offset": "2"}).text

    assert "1–2 of more than 2 runs" in words(html)
    [place] = re.findall(r'id="(total-\w+)"', html)
    assert re.search(f'id="{place}" hx-swap-oob="true"[^>]*>4<', part)
    assert "3–4 of 4 runs" in words(rest)
    assert "1–2 of 4 runs" in words(web.get("/runs").text)


# --- saved views ---


def test_a_view_is_saved_opened_and_removed(web):
    query = "experiment=late&order=metric.loss"
    saved = web.post("/runs/views", data={"name": "late, best first", "query": query})
    html = web.get(saved.headers["location"]).text

    assert (saved.status_code, saved.headers["location"]) == (303, f"/runs?{query}")
    [opened] = re.findall(r'<a href="([^"]+)" aria-current="true">late, best first</a>', html)
    assert markup.unescape(opened) == f"/runs?{query}"
    gone = web.post("/runs/views/remove", data={"name": "late, best first", "query": ""})
    assert gone.headers["location"] == "/runs"
    assert "late, best first" not in web.get("/runs").text


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        ({"name": "", "query": ""}, {}, 400),
        ({"name": "x", "query": ""}, {"content-type": "text/plain"}, 400),
        ({"name": "x", "query": ""}, {"origin": "https://elsewhere.example"}, 403),
        ({"name": "x", "query": ""}, {"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_a_form_that_is_wrong_or_from_elsewhere_changes_nothing(web, empty, data, headers, status):
    answer = web.post("/runs/views", data=data, headers=headers)

    assert answer.status_code == status
    assert empty.views.views() == ()


# --- a run ---


def test_a_run_is_deleted_and_restored_by_its_page(web, runs, empty):
    place = f"/runs/{runs[0]}"

    gone = web.post(f"{place}/delete", data={"sure": "yes"})
    page = words(web.get(place).text)
    assert gone.headers["location"] == place
    assert "This run was deleted" in page
    assert empty.tracking.run(runs[0]).lifecycle_stage == "deleted"
    web.post(f"{place}/restore", data={"sure": "yes"})

    assert empty.tracking.run(runs[0]).lifecycle_stage == "active"
    assert "This run was deleted" not in web.get(place).text


def test_a_run_page_of_another_site_deletes_nothing(web, runs, empty):
    answer = web.post(f"/runs/{runs[0]}/delete", data={}, headers={"origin": "http://evil.example"})

    assert answer.status_code == 403
    assert empty.tracking.run(runs[0]).lifecycle_stage == "active"


def test_a_running_run_is_live_and_a_finished_one_is_not(web, runs):
    assert "data-live-curves" in web.get(f"/runs/{runs[3]}").text
    assert "data-live-curves" not in web.get(f"/runs/{runs[0]}").text


def parquet():
    sink = pa.BufferOutputStream()
    table = pa.table({"id": list(range(300)), "name": [f"row {n}" for n in range(300)]})
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        ("a/notes.txt", b"line one\nline two", "line two"),
        ("config.json", b'{"depth":6}', "&#34;depth&#34;: 6"),
        ("table.json", b'{"columns": ["p"], "data": [[0.25], [0.5]]}', "0.25"),
        ("preds.csv", b"flight,late\nUA 12,0.25\n", "UA 12"),
        ("preds.tsv", b"flight\tlate\nUA 12\t0.25\n", "UA 12"),
        ("big.csv", b"n\n" + b"1\n" * 400, "The first 100 rows of 400."),
        ("preds.parquet", parquet(), "The first 100 rows of 300."),
        ("broken.parquet", b"no parquet at all", "It cannot be shown"),
        ("broken.json", b"{", "It cannot be shown"),
        ("model.bin", bytes(range(64)), "It is neither text"),
        ("long.log", b"x" * 70_000, "The first 65.5 kB of 70.0 kB."),
        ("evil.txt", b"<script>alert(1)</script>", "&lt;script&gt;alert(1)"),
        ("empty.csv", b"", "empty.csv"),
    ],
)
def test_a_file_is_shown_in_place(web, runs, empty, path, data, says):
    empty.tracking.log_artifact(runs[0], path, data)

    html = web.get(f"/runs/{runs[0]}", params={"artifact": path}).text

    assert says in html
    assert f"<h3>{path}</h3>" in html
    assert "<script>alert" not in html


@pytest.mark.parametrize("path", ["plots/roc.png", "drawn.svg"])
def test_an_image_is_shown_from_an_address_that_serves_it(web, runs, empty, path):
    empty.tracking.log_artifact(runs[0], path, b"<svg/>")
    html = web.get(f"/runs/{runs[0]}", params={"artifact": path}).text
    [src] = re.findall(r'<img src="([^"]+)"', html)

    answer = web.get(src)

    assert answer.headers["content-type"].startswith("image/")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_html_stands_in_a_frame_that_may_do_nothing(web, runs, empty):
    empty.tracking.log_artifact(runs[0], "report.html", b"<script>parent.x=1</script><h1>Hi</h1>")
    html = web.get(f"/runs/{runs[0]}", params={"artifact": "report.html"}).text

    [frame] = re.findall(r"<iframe [^>]+>", html)
    answer = web.get(re.search('src="([^"]+)"', frame)[1])

    assert "allow" not in frame
    assert " sandbox " in frame
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


def test_children_stand_on_the_page_of_their_parent(web, runs, empty):
    child = empty.tracking.start_run(experiment="late", name="fold 1", parent_id=runs[0])
    empty.tracking.log(child.id, metrics={"auc": 0.5})

    said = words(web.get(f"/runs/{runs[0]}").text)

    assert "fold 1" in said
    assert "All 1 below" in said


# --- models and experiments that clients of MLflow made ---


def test_a_version_that_is_only_a_link_has_a_page(web, empty):
    empty.registry.create_model("far", description="Lives elsewhere", tags={"team": "red"})
    made = empty.registry.create_version("far", source="s3://models/far", description="as it is")
    empty.registry.tag_version("far", made.number, {"note": "by hand"})

    said = words(web.get("/models/far/1").text)

    assert "s3://models/far" in said
    assert "a link: its files are not here" in said
    assert "Its files do not say what it takes and gives." in said
    assert "note by hand" in said
    listed = words(web.get("/models").text)
    assert "Lives elsewhere" in listed
    assert "team red" in listed
    assert "far@1" in words(web.get("/models/far").text)


def test_a_model_without_versions_says_so(web, empty):
    empty.registry.create_model("bare")

    assert "No version yet" in words(web.get("/models/bare").text)


def test_models_are_found_by_a_filter_and_a_wrong_one_is_told(web, empty):
    empty.registry.create_model("late")
    empty.registry.create_model("early")

    html = web.get("/models", params={"filter": "name LIKE 'la%'"}).text

    assert re.findall(r'<a href="/models/(\w+)">', html) == ["late"]
    assert "cannot be read" in words(web.get("/models?filter=name+late").text)


def test_experiments_are_counted_deleted_and_restored(web, empty, runs):
    html = web.get("/experiments").text
    late = empty.tracking.experiment_by_name("late").id

    assert re.search(
        r">late</a>.*?<td class=\"n\">3</td>\s*<td class=\"n\">1</td>", html, re.DOTALL
    )
    assert web.post(f"/experiments/{late}/delete", data={"sure": "yes"}).status_code == 303
    assert "late" not in re.findall(r'href="/runs\?experiment=(\w+)"', web.get("/experiments").text)
    gone = web.get("/experiments?view=deleted").text
    assert "experiment=late&amp;view=deleted" in gone
    assert re.search(r">late</a>.*?<td class=\"n\">3</td>", gone, re.DOTALL)
    web.post(f"/experiments/{late}/restore", data={"sure": "yes"})
    assert ">late</a>" in web.get("/experiments").text


def test_experiments_are_found_by_a_filter(web):
    html = web.get("/experiments", params={"filter": "name LIKE 'ear%'"}).text

    assert re.findall(r'href="/runs\?experiment=(\w+)"', html) == ["early"]
    assert "cannot be read" in words(web.get("/experiments?filter=name+late").text)


# --- comparing ---


def test_what_differs_comes_before_what_is_the_same(web, runs):
    html = web.get(f"/compare?runs={','.join(runs)}").text
    said = words(html)

    assert "Compare 4 runs" in said
    assert said.index("depth") < said.index("kind")
    assert "2 the same in every run" in said
    assert "+1" in said
    assert len(re.findall(r'<figure class="chart" id="curve-', html)) == 1


def test_runs_are_named_one_by_one_or_by_commas_or_by_their_beginnings(web, runs):
    one_by_one = web.get(f"/compare?runs={runs[0]}&runs={runs[1]}&runs={runs[1]}").text

    assert "Compare 2 runs" in one_by_one


def test_a_comparison_goes_on_without_one_of_its_runs(web, runs):
    html = web.get(f"/compare?runs={','.join(runs)}&without={runs[1]}&x=time").text

    assert "Compare 3 runs" in words(html)
    assert runs[1] not in html
    rest = ",".join(run for run in runs if run != runs[1])
    assert f'<input type="hidden" name="runs" value="{rest}">' in html
    assert '<input type="hidden" name="x" value="time">' in html


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "Select two runs or more"),
        ("runs=RUN", "Select two runs or more"),
        ("runs=RUN,ffffffffffffffff", "Not every run can be compared"),
        ("runs=" + ",".join(f"{n:032x}" for n in range(60)), "60 runs are selected"),
    ],
)
def test_what_cannot_be_compared_is_said(web, runs, query, says):
    answer = web.get("/compare?" + query.replace("RUN", runs[0]))

    assert answer.status_code == 200
    assert says in words(answer.text)


def test_curves_come_once_and_are_not_sent_again_while_they_are_the_same(web, runs, empty):
    place = f"/ui/curves.json?runs={runs[3]},{runs[0]}&key=loss&key=auc"
    first = web.get(place)
    curves = first.json()["curves"]

    assert {(c["run"], c["key"]) for c in curves} == {
        (run, key) for run in (runs[0], runs[3]) for key in ("auc", "loss")
    }
    assert not any(c["is_thinned"] for c in curves)
    assert len(curves[0]["step"]) == len(curves[0]["at"]) == len(curves[0]["value"]) == POINTS
    tag = first.headers["etag"]
    assert web.get(place, headers={"if-none-match": tag}).status_code == 304
    empty.tracking.log(runs[3], metrics={"loss": 0.001}, step=POINTS)
    again = web.get(place, headers={"if-none-match": tag})
    lengths = {(c["run"], c["key"]): len(c["step"]) for c in again.json()["curves"]}
    assert again.status_code == 200
    assert lengths[runs[3], "loss"] == POINTS + 1


def test_a_long_curve_is_thinned_and_keeps_its_extremes(web, empty):
    run = empty.tracking.start_run(experiment="long")
    points = [("loss", 9.0 if step == 7777 else 0.5, step, step) for step in range(20_000)]
    empty.tracking.log_points(
        run.id, [MetricPoint(key=k, value=v, step=s, at=a) for k, v, s, a in points]
    )

    [curve] = web.get(f"/ui/curves.json?runs={run.id}&key=loss").json()["curves"]

    assert len(curve["step"]) <= 2_000
    assert curve["is_thinned"]
    assert max(curve["value"]) == 9.0
    assert (curve["step"][0], curve["step"][-1]) == (0, 19_999)


def test_nan_is_a_gap_in_a_curve(web, empty):
    run = empty.tracking.start_run(experiment="gap")
    for step, value in enumerate((0.1, float("nan"), 0.3)):
        empty.tracking.log(run.id, metrics={"loss": value}, step=step)

    answer = web.get(f"/ui/curves.json?runs={run.id}&key=loss")

    assert json.loads(answer.text)["curves"][0]["value"] == [0.1, None, 0.3]


@pytest.mark.parametrize("query", ["", "runs=RUN", "key=loss", "runs=RUN" + "&key=k" * 200])
def test_curves_of_nothing_or_of_too_much_are_refused(web, runs, query):
    assert web.get("/ui/curves.json?" + query.replace("RUN", runs[0])).status_code == 400


# --- tenants ---


def test_a_tenant_sees_its_own_log_and_whether_its_chain_holds(web, empty):
    with empty.tenant("red") as theirs:
        theirs.views.save("only theirs", query="status=failed")

    said = words(web.get("/t/red/events").text)

    assert "View only theirs of runs saved" in said
    assert "verified" in said
    assert "trial-0" not in said
    assert "trial-0" in words(web.get("/events?subject=run").text + web.get("/runs").text)


def test_a_form_of_a_tenant_sends_its_reader_back_to_the_tenant(web, empty):
    saved = web.post("/t/red/runs/views", data={"name": "mine", "query": "status=failed"})

    assert saved.headers["location"] == "/t/red/runs?status=failed"
    assert empty.views.views() == ()
    assert 'href="/t/red/runs"' in web.get("/t/red/nowhere").text
