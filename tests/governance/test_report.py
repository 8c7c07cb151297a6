from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.release.world import GOOD, ROUGH
from treadle.governance.report import ReportContext, write_report

if TYPE_CHECKING:
    from playwright.sync_api import Page


def report_of(world):
    app = world.app
    return write_report(
        "late",
        at=app.clock.now(),
        log=app.log,
        governance=app.governance,
        monitoring=app.monitoring,
        data=app.data,
    )


@pytest.fixture
def lived(solo):
    """Six weeks: a swap, an alert, a refused candidate."""
    solo.release(ROUGH, why="first version")
    for week in range(6):
        if week == 1:
            solo.release(GOOD, why="knows <more>")
        solo.week(week, retrain=solo.retrain_with(GOOD), **({"bias": 0.4} if week == 3 else {}))
    solo.app.log.seal()
    return solo


def test_the_report_is_one_file_with_nothing_outside_it(lived):
    html = report_of(lived)

    assert html.startswith("<!doctype html>")
    assert re.findall(r"https?://[^\s\"'<]*", html) == []
    assert not re.findall(r"<(?:script|link|img|iframe)\b|@import|url\(", html)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy.group(1) == "default-src 'none'; style-src 'unsafe-inline'"


def test_what_the_report_tells_is_what_happened(lived):
    html = report_of(lived)

    for release in lived.app.releases.releases("late"):
        assert release.candidate in html
    assert "Outcomes are more frequent than predicted" in html
    assert "beats_baseline" not in html
    assert "against the baseline" in html
    assert lived.app.governance.verify().head in html
    assert lived.app.registry.version("late@champion").digest[:12] in html


def test_text_that_somebody_wrote_is_shown_and_not_run(lived):
    html = report_of(lived)

    assert "knows &lt;more&gt;" in html
    assert "knows <more>" not in html


def test_a_report_before_anything_happened_says_so(solo):
    html = report_of(solo)

    assert "No release yet." in html
    assert "No window was judged yet." in html
    assert "No candidate was judged yet." in html


def test_every_field_of_the_context_is_used_by_the_template():
    from treadle.governance import report  # noqa: PLC0415 - to find its folder

    folder = report.__file__.rpartition("/")[0]
    with open(f"{folder}/templates/report.html", encoding="utf-8") as file:  # noqa: PTH123 - one line
        template = file.read()

    assert [
        f for f in ReportContext.__struct_fields__ if not re.search(rf"\b{f}\b", template)
    ] == []


def test_the_report_opens_offline_without_a_complaint(lived, tmp_path, page: Page):
    file = tmp_path / "report.html"
    file.write_text(report_of(lived), encoding="utf-8")
    complaints, asked = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    page.goto(file.as_uri())

    assert complaints == []
    assert asked == [file.as_uri()]
    assert page.title() == "late: report"
    assert page.locator("svg circle.alert").count() >= 1
    assert page.locator("h2").all_inner_texts()[:2] == [
        "Log-loss by week",
        "Observed rate over predicted rate by week",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_fits_a_narrow_window(lived, tmp_path, page: Page, scheme):
    file = tmp_path / "report.html"
    file.write_text(report_of(lived), encoding="utf-8")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 800})

    page.goto(file.as_uri())

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
