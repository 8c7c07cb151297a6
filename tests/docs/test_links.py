from __future__ import annotations

from itertools import pairwise

import pytest

from tests.docs.pages import ROOT, Page, pages

PAGES = pages()
LINKS = [(p, link) for p in PAGES for link in dict.fromkeys(p.links) if "://" not in link]


@pytest.mark.parametrize(("page", "link"), LINKS, ids=lambda value: getattr(value, "name", value))
def test_a_link_leads_to_what_is_there(page, link):
    name, _, fragment = link.partition("#")
    target = (page.path.parent / name).resolve() if name else page.path

    assert target.is_relative_to(ROOT), link
    assert target.exists(), link
    assert not fragment or fragment in Page(target).anchors, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_begins_with_its_title(page):
    written = [line for line in page.text.splitlines() if line and not line.startswith("<!--")]

    assert written[0].startswith("# ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_nothing_twice_in_a_row(page):
    # Rows of generated tables repeat where two events have the same fields.
    said = (line.strip() for line in page.prose.splitlines())
    lines = [line for line in said if len(line) > 40 and not line.startswith("|")]

    assert [a for a, b in pairwise(lines) if a == b] == []
