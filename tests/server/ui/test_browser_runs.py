"""Many runs in Chromium: selecting them, comparing them, their curves, and them all at once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.server.ui.samples import compared
from treadle.server.ui.render import render


def boxes(page):
    return page.locator('#selection tbody input[name="runs"]')


def test_selected_runs_are_in_the_address_and_go_on_to_the_comparison(site, page):
    page.goto(f"{site.url}/runs")

    boxes(page).nth(0).click()
    boxes(page).nth(3).click(modifiers=["Shift"])

    expect(page).to_have_url(re.compile(r"\?runs=0197a0\w+,0197a1\w+,0197a2\w+,0197a3\w+$"))
    expect(page.locator("tr.picked")).to_have_count(4)
    page.reload()
    expect(boxes(page).nth(3)).to_be_checked()
    page.get_by_role("button", name=re.compile("^Compare")).click()
    expect(page).to_have_url(re.compile(r"/compare\?runs=0197a0\w+(,\w+){3}$"))


def test_one_run_alone_is_nothing_to_compare(site, page):
    page.goto(f"{site.url}/runs")

    boxes(page).nth(5).click()

    expect(page.get_by_role("button", name=re.compile("^Compare"))).to_be_disabled()
    boxes(page).nth(6).click()
    expect(page.get_by_role("button", name=re.compile("^Compare"))).to_be_enabled()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("tr.picked")).to_have_count(0)
    expect(page).to_have_url(f"{site.url}/runs")


def test_runs_are_selected_by_keyboard_and_by_the_box_of_all(site, page):
    page.goto(f"{site.url}/runs")

    boxes(page).nth(2).focus()
    page.keyboard.press("Space")
    expect(page.locator("tr.picked")).to_have_count(1)
    page.get_by_label("Select all rows").click()

    expect(page.locator("tr.picked")).to_have_count(12)
    page.get_by_label("Select all rows").click()
    expect(page.locator("tr.picked")).to_have_count(0)


def test_the_total_of_a_filtered_list_comes_after_its_rows(site, page):
    page.goto(f"{site.url}/runs")

    expect(page.locator("#total-1f2e3d4c")).to_have_text("50,123")
    expect(page.locator(".facet-values .count").first).to_have_text("17")


def test_sorting_keeps_the_selection(site, page):
    page.goto(f"{site.url}/runs")
    html = site.pages["runs"]
    site.pages["runs"] = html.replace('href="?order=auc"', 'href="/runs?order=auc"')
    page.reload()

    boxes(page).nth(0).click()
    page.get_by_role("link", name="auc", exact=True).click()

    expect(page).to_have_url(re.compile(r"/runs\?order=auc&runs=0197a0"))
    expect(boxes(page).nth(0)).to_be_checked()


def test_a_live_list_keeps_what_is_selected(site, page):
    page.goto(f"{site.url}/runs")
    boxes(page).nth(1).click()
    site.pages["runs"] = (
        site.pages["runs"]
        .replace(">base-rate</a>", ">renamed</a>")
        .replace('<main id="main" tabindex="-1"', '<main id="main" tabindex="-1" data-live="run."')
    )
    page.get_by_label("Filter").fill("x")
    page.get_by_label("Filter").press("Enter")

    expect(page.locator("#selection")).to_contain_text("renamed")
    expect(boxes(page).nth(1)).to_be_checked()
    expect(page.locator("tr.picked")).to_have_count(1)
    expect(page).to_have_url(re.compile("runs=0197a1"))


def test_compared_runs_share_charts_and_choices_are_in_the_address(site, page):
    page.goto(f"{site.url}/compare")

    page.locator("#curves-metrics").scroll_into_view_if_needed()
    expect(page.locator("#curves-metrics canvas")).to_have_count(2)
    expect(page.locator("#curve-log_loss .chart-note")).to_have_text(
        "Thinned to 150 points; every extreme is kept."
    )
    page.locator("[data-curve-look] select").select_option("relative")
    page.get_by_label("Logarithmic").check()

    expect(page).to_have_url(re.compile(r"\?x=relative&log=1$"))
    expect(page.locator("#curves-metrics canvas")).to_have_count(2)


def test_the_cursor_says_the_values_below_the_chart(site, page):
    page.goto(f"{site.url}/compare")
    chart = page.locator("#curve-log_loss")
    chart.scroll_into_view_if_needed()
    expect(chart.locator("canvas")).to_be_visible()

    chart.locator(".u-over").hover()

    expect(chart.locator(".chart-note")).to_contain_text(re.compile(r"step \d+: trial-1 0\.0\d+"))


def test_all_runs_are_drawn_at_once_and_a_drag_keeps_some(site, page):
    page.goto(f"{site.url}/compare")
    expect(page.locator("[data-parallel] polyline")).to_have_count(3)
    # One run has no loss: it has a line, and no place in the scatter.
    expect(page.locator("[data-scatter] circle")).to_have_count(2)

    page.locator(".plot-handle").first.scroll_into_view_if_needed()
    box = page.locator(".plot-handle").first.bounding_box()
    across = box["x"] + box["width"] / 2
    page.mouse.move(across, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(across, box["y"] + box["height"] * 0.3)
    page.mouse.up()

    expect(page.locator("[data-parallel] polyline.off")).to_have_count(2)
    expect(page.locator("[data-scatter] circle.off")).to_have_count(1)
    page.get_by_label("Up").select_option("param.kind")
    expect(page.locator("[data-scatter] circle")).to_have_count(3)
    expect(page).to_have_url(re.compile("py=param.kind"))


def test_a_dot_leads_to_its_run(site, page):
    page.goto(f"{site.url}/compare")

    dot = page.locator("[data-scatter]").get_by_role("link", name="trial-2")

    expect(dot).to_have_attribute("href", "/runs/2")


@pytest.mark.parametrize("count", [2, 50])
def test_few_and_many_runs_fit_a_phone(site, page, count):
    site.pages["compare"] = render("compare.html", compared(count))
    page.set_viewport_size({"width": 390, "height": 800})

    page.goto(f"{site.url}/compare")

    expect(page.locator("[data-parallel] polyline")).to_have_count(count)
    expect(page.locator("html")).to_have_js_property("scrollWidth", 390)


def test_a_comparison_is_readable_without_scripts(site, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()

    page.goto(f"{site.url}/compare")

    expect(page.get_by_role("region", name="Metrics that differ")).to_contain_text("+0.005")
    expect(page.locator(".chart-plot").first).to_be_visible()
    context.close()


@pytest.mark.parametrize(
    ("printed", "here"),
    [
        ("#/experiments/1/runs/0197a0ff", "/runs/0197a0ff"),
        ("#/experiments/17", "/experiments/17"),
        ("#/models/late%20flights", "/models/late%20flights"),
        ("#/models/late/versions/3", "/models/late/3"),
    ],
)
def test_an_address_that_mlflow_prints_leads_to_our_page(site, page, printed, here):
    page.route(f"**{here}", lambda route: route.fulfill(body="there"))

    page.goto(f"{site.url}/home{printed}")

    expect(page).to_have_url(f"{site.url}{here}")
