"""The pages in Chromium, under the real content security policy: each island, and both widths."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.server.ui.samples import NOW, SAMPLES, home
from treadle.server.ui.render import render

# Counts what the page's own event stream has delivered, where a locator can wait for it:
# `wait_for_function` needs `eval`, and our policy refuses it whenever the first look is too early.
HEARD = """
window.EventSource = class extends EventSource {
  constructor(address) {
    super(address);
    const told = document.documentElement.dataset;
    this.addEventListener("fact", () => { told.heard = String(Number(told.heard ?? 0) + 1); });
  }
};
"""
NAMES = [name.removesuffix(".html") for name in SAMPLES]


@pytest.fixture
def complaints(page):
    """What the browser complains of: errors of scripts, refused content, missing files."""
    heard = []
    page.on(
        "console",
        lambda message: (
            heard.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


@pytest.mark.parametrize("name", NAMES)
def test_a_page_loads_without_a_complaint(site, page, complaints, name):
    page.goto(f"{site.url}/{name}", wait_until="load")

    expect(page.locator("h1")).to_be_visible()
    assert complaints == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_never_scrolls_sideways_on_a_phone(site, page, name):
    page.set_viewport_size({"width": 390, "height": 800})

    page.goto(f"{site.url}/{name}", wait_until="load")

    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("name", ["home", "runs", "monitor"])
def test_a_page_is_readable_without_scripts(site, browser, name):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()

    page.goto(f"{site.url}/{name}")

    assert page.locator("main").inner_text().count("\n") > 10
    assert page.locator("time").first.inner_text().endswith("UTC")
    context.close()


def test_the_theme_is_remembered_and_set_before_the_first_paint(site, page):
    page.goto(f"{site.url}/events")
    toggle = page.get_by_role("button", name=re.compile("^Theme"))

    toggle.click()
    toggle.click()
    page.reload(wait_until="commit")
    page.wait_for_selector("h1")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 16, 19)"


def test_the_theme_follows_the_system_until_chosen(site, browser):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()

    page.goto(f"{site.url}/events")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 16, 19)"
    context.close()


def options(page):
    return page.locator("#palette").get_by_role("option")


def test_the_palette_finds_a_model_by_part_of_its_name(site, page):
    page.goto(f"{site.url}/events")

    page.keyboard.press("Control+k")
    expect(options(page)).to_have_count(3)
    page.keyboard.type("lat")
    expect(options(page)).to_have_count(1)
    page.keyboard.press("Enter")

    page.wait_for_url("**/model_version")


def test_the_palette_moves_by_arrow_keys_and_closes_by_escape(site, page):
    page.goto(f"{site.url}/events")
    page.keyboard.press("Control+k")
    expect(options(page)).to_have_count(3)

    page.keyboard.press("ArrowUp")

    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("late@4")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_the_palette_says_when_nothing_matches(site, page):
    page.goto(f"{site.url}/events")
    page.keyboard.press("Control+k")

    page.keyboard.type("zebra")

    expect(page.locator("#palette-list")).to_contain_text("Nothing is called “zebra”.")


def test_the_palette_closes_by_one_escape_even_with_something_typed(site, page):
    page.goto(f"{site.url}/events")
    page.keyboard.press("Control+k")
    page.keyboard.type("zebra")

    page.keyboard.press("Escape")

    expect(page.locator("#palette")).to_be_hidden()


def test_a_digest_is_copied_in_full(site, browser):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{site.url}/events")
    button = page.locator(".digest .copy").first

    button.click()

    expect(button).to_have_attribute("aria-label", "Copied")
    assert len(page.evaluate("navigator.clipboard.readText()")) == 64
    context.close()


def test_an_instant_is_shown_in_the_zone_of_the_viewer(site, browser):
    context = browser.new_context(timezone_id="Asia/Kolkata")
    page = context.new_page()

    page.goto(f"{site.url}/events")

    first = page.locator("tbody time").first
    expect(first).to_have_text("2026-11-20 18:50:00")
    expect(first).to_have_attribute("title", "2026-11-20 13:20:00 UTC")
    context.close()


def test_how_long_ago_is_said_of_what_is_recent(site, page):
    page.clock.install(time=NOW / 1e6 + 200)

    page.goto(f"{site.url}/endpoints")

    expect(page.locator("tbody time").first).to_have_text("3 min ago")


def test_a_chart_is_drawn_with_its_markers_and_its_numbers(site, page):
    page.goto(f"{site.url}/monitor")

    chart = page.locator("#quality")
    expect(chart.locator("canvas")).to_be_visible()
    expect(chart.locator(".chart-marks li")).to_have_count(3)
    chart.get_by_text("Numbers").click()
    expect(chart.locator(".chart-data tbody tr")).to_have_count(44)
    expect(chart.locator(".chart-data tbody th").first).to_have_text("2013-03-04")


def test_a_chart_follows_the_theme_and_the_width(site, page):
    page.goto(f"{site.url}/monitor")
    canvas = page.locator("#quality canvas")
    expect(canvas).to_be_visible()
    light = pixels(page)

    page.get_by_role("button", name=re.compile("^Theme")).click()
    page.get_by_role("button", name=re.compile("^Theme")).click()
    expect(canvas).to_be_visible()
    dark = pixels(page)
    page.set_viewport_size({"width": 390, "height": 800})

    assert light != dark
    # uPlot writes the size it draws at on its wrap; on this width it is at most that of the phone.
    expect(page.locator("#quality .u-wrap")).to_have_attribute(
        "style", re.compile(r"width: 3[0-5]\dpx")
    )


def pixels(page):
    return page.evaluate("document.querySelector('#quality canvas').toDataURL()")


def test_a_live_page_takes_in_what_happened_and_keeps_what_the_reader_opened(site, page):
    page.goto(f"{site.url}/home")
    expect(page.locator("#live")).to_have_text("live")
    page.get_by_text("Use from code").click()
    site.pages["home"] = site.pages["home"].replace(">247,118<", ">247,999<")

    site.tell("release.stage_passed")

    expect(page.locator(".loop-wide")).to_contain_text("247,999")
    expect(page.locator(".menu-panel")).to_be_visible()
    expect(page.locator("time").first).not_to_contain_text("UTC")


def test_a_live_chart_is_drawn_anew_only_when_its_numbers_changed(site, page):
    page.goto(f"{site.url}/monitor")
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("canvas")).to_have_count(3)
    page.evaluate("document.querySelectorAll('canvas').forEach(c => { c.dataset.old = '1' })")
    changed = site.pages["monitor"].replace(
        '"label":"PSI","values":[0.9', '"label":"PSI","values":[0.8'
    )
    site.pages["monitor"] = changed.replace(">late, weekly</h1>", ">late, each week</h1>")

    site.tell("monitor.window_judged")

    expect(page.locator("h1")).to_have_text("late, each week")
    expect(page.locator("canvas")).to_have_count(3)
    assert page.evaluate(
        "[...document.querySelectorAll('canvas')].map(c => c.dataset.old ?? '')"
    ) == ["1", "1", ""]


def test_a_live_page_lets_pass_what_does_not_concern_it(site, page):
    page.clock.install()
    page.add_init_script(HEARD)
    page.goto(f"{site.url}/endpoint")
    expect(page.locator("#live")).to_have_text("live")
    site.asked.clear()

    site.tell("dataset.committed")
    expect(page.locator("html")).to_have_attribute("data-heard", "1")
    page.clock.run_for(5_000)

    assert site.asked == []
    with page.expect_response("**/endpoint"):
        site.tell("release.stage_passed")
        expect(page.locator("html")).to_have_attribute("data-heard", "2")
        page.clock.run_for(5_000)


def test_a_live_page_keeps_what_it_shows_when_the_server_fails(site, page):
    page.goto(f"{site.url}/endpoint")
    expect(page.locator("#live")).to_have_text("live")
    del site.pages["endpoint"]

    with page.expect_response("**/endpoint") as answer:
        site.tell("release.stage_passed")

    assert answer.value.status == 404
    expect(page.locator("h1")).to_have_text("late")


def test_a_filter_changes_the_list_and_the_address_but_not_the_page(site, page):
    page.goto(f"{site.url}/runs")
    page.evaluate("window.samePage = true")
    site.pages["runs"] = site.pages["runs"].replace("base-rate", "found: FILTER")

    page.get_by_label("Filter").fill("metrics.auc > 0.7")
    page.get_by_label("Filter").press("Enter")

    expect(page.locator("#results")).to_contain_text("found: metrics.auc > 0.7")
    expect(page).to_have_url(re.compile(r"filter=metrics\.auc(\+|%20)%3E(\+|%20)0\.7"))
    assert page.evaluate("window.samePage") is True


def test_everything_is_reached_by_keyboard_with_visible_focus(site, page):
    page.goto(f"{site.url}/home")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.textContent") == "Home"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_station_of_the_loop_leads_to_its_page(site, page):
    page.goto(f"{site.url}/home")

    station = page.locator(".loop-wide").get_by_role(
        "link", name="Gate: done, 3 of 4 candidates passed"
    )

    assert station.get_attribute("href") == "/gate"


def test_the_loop_turns_upright_on_a_phone(site, page):
    page.set_viewport_size({"width": 390, "height": 800})

    page.goto(f"{site.url}/home")

    expect(page.locator(".loop-narrow")).to_be_visible()
    expect(page.locator(".loop-wide")).to_be_hidden()


def test_nothing_moves_for_who_asked_for_stillness(site, browser):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()

    page.goto(f"{site.url}/home")

    assert (
        page.evaluate("getComputedStyle(document.querySelector('.i-moving use')).animationName")
        == "none"
    )
    assert render("home.html", home()).count("i-moving") > 0
    context.close()
