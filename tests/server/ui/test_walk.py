"""A walk through the real pages in Chromium: light and dark, wide and narrow, live."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.release.world import ROUGH, World
from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer

PAGES = [
    "/",
    "/runs",
    "/runs/RUN",
    "/runs/RUN?artifact=notes/how it was.txt",
    "/compare?runs=RUN,OTHER",
    "/experiments",
    "/data",
    "/data/outcomes",
    "/data/flights/1",
    "/evaluation",
    "/evaluation/why late",
    "/models",
    "/models/late",
    "/models/late/2",
    "/models/late/compare?versions=1,2",
    "/endpoints",
    "/endpoints/late",
    "/monitors",
    "/monitors/late",
    "/events",
]
DARK = "rgb(15, 16, 19)"
# What a page asks for again every two seconds is there long before, on a busy machine too.
SOON_MS = 20_000


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=[1280, 390])
def width(request):
    return request.param


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_in_every_size_and_light(server, seeded, browser, path, scheme, width):
    complaints = []
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, timezone_id="UTC"
    )
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if m.type != "log" else None)
    page.on("pageerror", lambda e: complaints.append(str(e)))

    runs = seeded.app.tracking.search_runs(limit=2).items
    other = next(run.id for run in runs if run.id != seeded.run_id)
    whole = path.replace("RUN", seeded.run_id).replace("OTHER", other)
    answer = page.goto(server.url + whole, wait_until="load")

    expect(page.locator("h1")).to_be_visible()
    assert answer.status == 200
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == DARK) == (scheme == "dark")
    context.close()


def test_one_walks_from_the_loop_to_the_files_a_model_was_made_from(server, page):
    page.goto(server.url)

    page.locator(".loop-wide").get_by_role("link", name="Serve").click()
    expect(page.locator("h1")).to_have_text("late")
    page.get_by_role("link", name="late@2").first.click()
    expect(page.locator("h1")).to_have_text("late@2")
    page.get_by_role("link", name="knows the wind").first.click()
    expect(page.locator("h1")).to_have_text("knows the wind")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Data").click()
    page.get_by_role("link", name="flights", exact=True).click()
    page.locator("tbody").get_by_role("link").first.click()

    expect(page.locator("h1")).to_contain_text("flights@1")
    expect(page.get_by_role("link", name="trial-1")).to_be_visible()


def test_runs_are_filtered_in_place_and_the_address_says_so(server, page):
    page.goto(f"{server.url}/runs")

    page.get_by_label("Filter").fill("params.kind = 'trees'")
    page.get_by_label("Filter").press("Enter")

    expect(page.locator("#results tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("filter=params.kind"))
    page.get_by_label("Filter").fill("params.kind < 'trees'")
    page.get_by_label("Filter").press("Enter")
    expect(page.locator("#results")).to_contain_text("Texts are compared by")


def test_two_runs_are_selected_and_compared(server, page):
    page.goto(f"{server.url}/runs?experiment=late")

    boxes = page.locator('#selection tbody input[name="runs"]')
    boxes.nth(0).click()
    boxes.nth(1).click()
    page.get_by_role("button", name="Compare").click()

    expect(page.locator("h1")).to_have_text("Compare 2 runs")
    expect(page.get_by_role("region", name="Compared runs").locator("tbody tr")).to_have_count(2)


def test_facets_come_after_the_table_and_narrow_it(server, page):
    page.goto(f"{server.url}/runs")

    page.locator(".facet summary", has_text="Status").click()
    page.locator(".facet-values a", has_text="failed").click()

    expect(page.locator("#selection tbody tr")).to_have_count(1)
    expect(page.locator(".chip")).to_contain_text("Status: failed")
    page.locator(".chip").click()
    expect(page.locator(".chip")).to_have_count(0)


def test_a_column_is_added_by_its_box_and_the_menu_stays_open(server, page):
    page.goto(f"{server.url}/runs?experiment=late")

    page.locator("#columns summary").click()
    page.locator("#columns").get_by_label("trial", exact=True).check()

    expect(page.locator("thead")).to_contain_text("trial")
    expect(page).to_have_url(re.compile("column=tag.trial"))
    expect(page.locator("#columns .menu-panel")).to_be_visible()


def test_a_view_is_saved_under_a_name_and_gone_back_to(server, page):
    page.goto(f"{server.url}/runs?filter=metrics.log_loss+%3C+1&order=metric.log_loss")

    page.locator("#views summary").click()
    page.get_by_placeholder("Name of this view").fill("good ones")
    page.locator("#views").get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile("order=metric.log_loss"))
    page.goto(f"{server.url}/runs")
    page.locator("#views summary").click()
    page.get_by_role("link", name="good ones").click()

    expect(page.get_by_label("Filter")).to_have_value("metrics.log_loss < 1")
    page.locator("#views summary").click()
    page.get_by_role("button", name="Remove the view good ones").click()
    page.locator("#views summary").click()
    expect(page.get_by_role("link", name="good ones")).to_have_count(0)


def test_curves_of_a_running_run_grow_while_they_are_watched(tmp_path, page):
    with App(Settings(home=tmp_path / "home")) as app, ControlServer(app, port=0) as server:
        run = app.tracking.start_run(experiment="late", name="long")
        app.tracking.log_points(run.id, [("loss", 1 / (1 + s), s, s) for s in range(20)])
        page.goto(f"{server.url}/runs/{run.id}")
        figure = page.locator("#curve-loss")
        figure.scroll_into_view_if_needed()
        expect(figure).to_have_attribute("data-points", "20")

        app.tracking.log_points(run.id, [("loss", 1 / (1 + s), s, s) for s in range(20, 30)])

        expect(figure).to_have_attribute("data-points", "30", timeout=SOON_MS)
        app.tracking.end_run(run.id)
        expect(page.locator(".title .badge")).to_have_text("finished", timeout=SOON_MS)
        expect(page.locator("[data-live-curves]")).to_have_count(0)


def test_a_file_is_chosen_from_the_tree_without_leaving_the_page(server, seeded, page):
    page.goto(f"{server.url}/runs/{seeded.run_id}")
    page.evaluate("document.documentElement.dataset.same = '1'")

    page.locator(".tree").get_by_role("link", name="how it was.txt").click()

    expect(page.locator("#preview")).to_contain_text("by hand")
    expect(page).to_have_url(re.compile("artifact=notes"))
    expect(page.locator("html")).to_have_attribute("data-same", "1")
    expect(page.locator(".tree [aria-current]")).to_have_count(1)


def test_html_of_a_run_can_reach_nothing(tmp_path, page):
    evil = b"<h1>Report</h1><script>parent.document.title='taken';fetch('/runs')</script>"
    with App(Settings(home=tmp_path / "home")) as app, ControlServer(app, port=0) as server:
        run = app.tracking.start_run(experiment="late")
        app.tracking.log_artifact(run.id, "report.html", evil)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/runs/{run.id}?artifact=report.html#artifacts")

        inside = page.frame_locator("#preview iframe")

        expect(inside.locator("h1")).to_have_text("Report")
        assert "taken" not in page.title()
        assert f"{server.url}/runs" not in asked


def test_a_tenant_has_pages_of_its_own_and_every_link_stays_with_it(tmp_path, page):
    with App(Settings(home=tmp_path / "home")) as app, ControlServer(app, port=0) as server:
        app.tracking.start_run(experiment="late", name="not theirs")
        page.goto(f"{server.url}/t/red/runs")
        expect(page.locator("main")).to_contain_text("No run yet")
        with app.tenant("red") as theirs:
            run = theirs.tracking.start_run(experiment="red late", name="theirs")
            theirs.tracking.log(run.id, metrics={"loss": 0.5})

        expect(page.locator("#live")).to_have_text("live")
        page.goto(f"{server.url}/t/red/runs")
        page.get_by_role("link", name="theirs").click()
        expect(page).to_have_url(f"{server.url}/t/red/runs/{run.id}")
        expect(page.locator("h1")).to_have_text("theirs")
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Runs").click()
        expect(page).to_have_url(f"{server.url}/t/red/runs")
        page.keyboard.press("Control+k")
        page.keyboard.type("red late")
        expect(page.locator("#palette").get_by_role("option")).to_have_count(2)
        hrefs = page.locator("main a[href], header a[href]").evaluate_all(
            "links => links.map(link => link.getAttribute('href'))"
        )
        assert [
            href for href in hrefs if href.startswith("/") and not href.startswith("/t/red/")
        ] == []


def test_the_palette_goes_to_a_thing_by_its_name(server, page):
    page.goto(f"{server.url}/events")

    options = page.locator("#palette").get_by_role("option")
    page.keyboard.press("Control+k")
    expect(options.first).to_be_visible()
    page.keyboard.type("late@2")
    expect(options).to_have_count(1)
    page.keyboard.press("Enter")

    page.wait_for_url("**/models/late/2")


def test_home_fills_while_it_is_watched(tmp_path, page):
    world = World(tmp_path)
    with ControlServer(world.app, port=0) as server:
        page.goto(server.url)
        expect(page.locator("#live")).to_have_text("live")
        serve = page.locator(".loop-wide").get_by_role("link", name="Serve")
        expect(serve).to_have_class("station idle")

        world.release(ROUGH, why="first")

        expect(serve).to_have_class("station done")
        expect(serve).to_contain_text("late@1")
        expect(page.locator(".timeline")).to_contain_text("late@1 is live on late")
    expect(page.locator("#live")).to_have_text("reconnecting")
    world.app.close()
