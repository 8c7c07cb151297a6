"""STYLE 33: whatever a user can type, set, ask or read stands on a page."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import treadle
from tests.docs import python_page
from tests.docs.pages import DOCS, ROOT, Page, pages
from treadle import errors
from treadle.cli.root import COMMANDS
from treadle.client import Client
from treadle.kernel.settings import Settings
from treadle.server import api
from treadle.server.ui import routes as ui
from treadle.storage.events import Fact

REFERENCE = DOCS / "reference"


@pytest.fixture(scope="module")
def written() -> str:
    return "\n".join(page.text for page in pages())


@pytest.fixture(scope="module")
def http() -> str:
    return (REFERENCE / "http.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def python() -> str:
    return (REFERENCE / "python.md").read_text(encoding="utf-8")


def test_every_command_is_on_a_page(written):
    assert [name for name in COMMANDS if f"treadle {name}" not in written] == []


def test_every_setting_is_on_a_page(written):
    settings = [name for name in Settings.__struct_fields__ if name != "home"]
    assert [name for name in settings if f"TREADLE_{name.upper()}" not in written] == []


def test_every_kind_of_event_is_on_a_page(written):
    words = set(re.findall(r"[\w.]+", written))

    assert kinds() - words == set()


def test_every_route_of_the_api_is_on_its_page(http):
    asked = {
        f"{method} {route.path}"
        for route in api.routes()
        for method in (route.methods or set()) - {"HEAD"}
    }

    assert sorted(route for route in asked if f"`{route}`" not in http) == []


def test_every_page_of_the_interface_is_on_its_page(http):
    assert sorted(r.path for r in ui.routes() if f"`{r.path}`" not in http) == []


def test_every_route_on_the_page_is_there(http):
    told = set(re.findall(r"`(?:GET|POST) (/api/\S+)`", http))

    assert told - {route.path for route in api.routes()} == set()


def test_every_public_name_is_on_its_page(python):
    names = [f"treadle.{name}" for name in treadle.__all__ if name != "__version__"]
    names += [f"errors.{name}" for name in errors.__all__]

    assert [name for name in names if f"`{name}" not in python] == []


def test_the_verbs_on_the_page_are_those_of_the_code(python):
    assert python_page.verbs_of(python) == python_page.verbs(Client), (
        "write it anew: python -m tests.docs.python_page"
    )


def test_no_page_is_left_out_of_the_index():
    index, decisions = Page(DOCS / "index.md"), Page(DOCS / "decisions" / "README.md")
    linked = {(p.path.parent / link).resolve() for p in (index, decisions) for link in p.links}

    assert {page.path for page in pages()} - linked - {index.path} <= {
        ROOT / "CHANGELOG.md",
        ROOT / "CONTRIBUTING.md",
    }


def kinds() -> set[str]:
    """Every kind of event of every noun; those of the contract suites are not ours."""
    folder = Path(treadle.__file__).parent
    for module in pkgutil.walk_packages([str(folder)], "treadle."):
        if module.name.rpartition(".")[2] in {"entities", "facts"}:
            importlib.import_module(module.name)
    ours = (kind for kind in every(Fact) if not kind.__module__.startswith("treadle.testing"))
    return {kind.kind for kind in ours if kind.kind and kind.__module__.startswith("treadle.")}


def every(kind: type) -> set[type]:
    below = kind.__subclasses__()
    return set(below).union(*(every(each) for each in below)) if below else set()
