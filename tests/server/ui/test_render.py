"""Every page renders from its context, uses all of it, and keeps its promises."""

from __future__ import annotations

import dataclasses
import gzip
import re
from html.parser import HTMLParser

import jinja2
import jinja2.meta
import jinja2.nodes
import pytest

from tests.server.ui.samples import NOW, PART_SAMPLES, SAMPLES, error
from treadle.server.ui import render as module
from treadle.server.ui import states
from treadle.server.ui.contexts import PAGES, PARTS, CurveSet, Dimension, ErrorContext, RunsPlot
from treadle.server.ui.render import STATIC, chart_json, environment, render, static_url
from treadle.server.ui.widgets import Chart, LoopNode, LoopPicture, Page, Series

TEMPLATES = module.HERE / "templates"
EVERY = [(name, make) for name, makers in SAMPLES.items() for make in makers]
BUDGET_BYTES = 300_000


class Tags(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def addresses(self):
        both = [a.get("src") or a.get("href") for t, a in self.found if t in {"script", "link"}]
        return [address for address in both if address is not None]


@pytest.fixture(params=EVERY, ids=lambda pair: f"{pair[0]}-{pair[1].__name__}")
def html(request):
    name, make = request.param
    return render(name, make())


def fields(context_type):
    return {field.name for field in dataclasses.fields(context_type)}


def test_every_template_that_is_a_page_has_a_context_and_a_sample():
    pages = {path.name for path in TEMPLATES.glob("*.html") if "extends" in path.read_text()}

    assert pages == set(PAGES) == set(SAMPLES)
    assert set(PARTS) == set(PART_SAMPLES)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_a_page_uses_its_context_and_brings_no_page(name):
    source = (TEMPLATES / name).read_text()
    used = jinja2.meta.find_undeclared_variables(environment().parse(source))

    html = render(name, PART_SAMPLES[name][0]())

    assert used - set(environment().globals) == fields(PARTS[name])
    assert "<html" not in html
    assert len(html) > 100


@pytest.mark.parametrize("name", PAGES)
def test_a_template_uses_exactly_the_fields_of_its_context(name):
    sources = [(TEMPLATES / each).read_text() for each in (name, "layout.html")]
    trees = [environment().parse(source) for source in sources]
    imported = {each.target for tree in trees for each in tree.find_all(jinja2.nodes.Import)}
    provided = imported | set(environment().globals)

    used = set().union(*(jinja2.meta.find_undeclared_variables(tree) for tree in trees))

    assert used - provided == fields(PAGES[name])


def test_every_field_of_every_value_is_shown_somewhere(monkeypatch):
    read = set()
    original = jinja2.Environment.getattr

    def recording(self, obj, attribute):
        read.add((type(obj), attribute))
        return original(self, obj, attribute)

    monkeypatch.setattr(jinja2.Environment, "getattr", recording)
    values = {}
    for name, make in EVERY:
        context = make()
        render(name, context)
        collect(context, values)

    unread = {
        f"{kind.__name__}.{field}"
        for kind, names in values.items()
        if kind not in {*PAGES.values(), Chart, Series, CurveSet, Dimension, RunsPlot}
        for field in names
        if (kind, field) not in read
    }

    # Levels, markers, curves and plots go to the islands as JSON.
    assert unread == {"Level.label", "Level.value", "Marker.x", "Marker.label", "Marker.tone"}


def collect(value, into):
    if dataclasses.is_dataclass(value):
        into[type(value)] = fields(type(value))
        for name in fields(type(value)):
            collect(getattr(value, name), into)
    elif isinstance(value, tuple):
        for each in value:
            collect(each, into)


def test_under_a_prefix_every_address_has_it_and_text_keeps_its_words(html):
    name, make = EVERY[0]
    rooted = module.rooted(html, root="/t/red")

    addresses = re.findall(r'\b(?:href|src|action|formaction|hx-get|data-src)="(/[^"]*)', rooted)

    assert addresses
    assert all(address.startswith("/t/red/") for address in addresses)
    assert rooted.replace("/t/red", "") == html
    assert render(name, make(), root="/t/red") == module.rooted(render(name, make()), root="/t/red")


def test_a_page_refuses_the_context_of_another():
    with pytest.raises(TypeError, match=r"runs\.html takes RunsContext, not ErrorContext"):
        render("runs.html", error())


def test_what_comes_from_outside_is_escaped():
    evil = "<script>alert(1)</script>"
    context = ErrorContext(Page(evil, ""), 404, evil, evil, evil, (), evil)

    html = render("error.html", context)

    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5


def test_a_chart_cannot_end_its_script_element():
    chart = Chart("c", "</script><!--&", "x", (1.0,), (Series("s", (float("nan"),)),))

    text = chart_json(chart)

    assert not set("<>&") & set(text)
    assert '"values":[null]' in text


def test_nothing_is_inline(html):
    inline = [
        (tag, attrs)
        for tag, attrs in Tags(html).found
        if "style" in attrs
        or any(name.startswith(("on", "hx-on")) for name in attrs)
        or tag == "style"
        or (tag == "script" and "src" not in attrs and attrs.get("type") != "application/json")
    ]

    assert inline == []


def test_everything_comes_from_here(html):
    addresses = Tags(html).addresses()

    assert all(address.startswith("/ui/static/") for address in addresses)
    assert all((STATIC / re.split(r"[/?]static/|\?", a)[1]).is_file() for a in addresses)


def test_ids_are_unique(html):
    ids = [attrs["id"] for _, attrs in Tags(html).found if "id" in attrs]

    assert len(ids) == len(set(ids))


def test_a_page_has_one_h1_one_main_and_a_title(html):
    tags = [tag for tag, _ in Tags(html).found]

    assert (tags.count("h1"), tags.count("main")) == (1, 1)
    assert re.search(r"<title>.+ · Treadle</title>", html)


def test_every_icon_is_in_the_sprite(html):
    found = Tags(html).found
    symbols = {attrs["id"] for tag, attrs in found if tag == "symbol"}
    used = {attrs["href"].removeprefix("#") for tag, attrs in found if tag == "use"}

    assert used <= symbols


def test_buttons_and_fields_have_names(html):
    nameless = [
        (tag, attrs)
        for tag, attrs in Tags(html).found
        if tag in {"button", "input"}
        and not attrs.get("aria-label")
        and attrs.get("type") not in {"submit", "hidden"}
    ]

    assert [attrs.get("name") for _, attrs in nameless] in ([], ["filter"], ["subject"])


def test_a_page_with_all_it_loads_stays_within_budget(html):
    files = {re.split(r"static/|\?", address)[1] for address in Tags(html).addresses()}
    files.add("vendor/inter-latin-wght-normal.woff2")

    total = len(html.encode()) + sum((STATIC / file).stat().st_size for file in files)

    assert total <= BUDGET_BYTES
    assert len(gzip.compress(html.encode())) <= 40_000


def test_a_static_address_changes_with_its_content():
    assert re.fullmatch(r"/ui/static/app\.css\?v=[0-9a-f]{10}", static_url("app.css"))


def test_every_look_has_a_tone_in_the_sheet_and_an_icon_in_the_sprite():
    css = (STATIC / "app.css").read_text()
    sprite = (TEMPLATES / "icons.html").read_text()
    looks = {states.look(state) for state in (*states.known(), "never heard of")}

    assert all(f".badge.{look.tone} " in css for look in looks)
    assert all(f'id="i-{look.icon}"' in sprite for look in looks)


def test_the_loop_refuses_stations_out_of_order():
    node = LoopNode("serve", "Serve", "idle", None, "", "/")

    with pytest.raises(ValueError, match="draws data, contract, train"):
        LoopPicture((node,), (), ())


def test_a_state_is_told_by_word_and_icon():
    html = render("events.html", SAMPLES["events.html"][0]())

    assert re.search(r'class="badge ok"><svg class="icon i-check".*?</svg>verified', html)


def test_an_instant_is_readable_without_scripts_and_exact_for_machines():
    html = render("events.html", SAMPLES["events.html"][0]())

    assert NOW == 1_795_180_800_000_000
    assert 'datetime="2026-11-20T13:20:00.000000Z"' in html
    assert "2026-11-20 13:20:00 UTC" in html


def test_a_full_disk_does_not_stop_the_pages(monkeypatch, tmp_path):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jinja2.FileSystemBytecodeCache, "dump_bytecode", full)
    environment.cache_clear()

    html = render("error.html", error())

    environment.cache_clear()
    assert "No model is called" in html
