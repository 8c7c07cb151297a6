"""A walk through the real pages in Chromium: light and dark, wide and narrow, live."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.release.world import ROUGH, World
from treadle.server.control import ControlServer

PAGES = [
    "/",
    "/runs",
    "/runs/RUN",
    "/data",
    "/data/outcomes",
    "/data/flights/1",
    "/models",
    "/models/late",
    "/models/late/2",
    "/endpoints",
    "/endpoints/late",
    "/monitors",
    "/monitors/late",
    "/events",
]
DARK = "rgb(15, 16, 19)"


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

    answer = page.goto(server.url + path.replace("RUN", seeded.run_id), wait_until="load")

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
    assert "filter=params.kind" in page.url
    page.get_by_label("Filter").fill("params.kind < 'trees'")
    page.get_by_label("Filter").press("Enter")
    expect(page.locator("#results")).to_contain_text("Texts are compared by = and != only.")


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
