from __future__ import annotations

import re
import tomllib

import pytest

import treadle
from tests.shape.source import ROOT


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins() -> list[str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_the_changelog_begins_with_the_version_of_the_package():
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)

    assert headings[0] == treadle.__version__


def test_every_line_of_the_lock_is_one_exact_version(pins):
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.!+]+", pin)] == []


def test_the_lock_holds_every_direct_dependency(project, pins):
    extras = [need for needs in project["optional-dependencies"].values() for need in needs]
    direct = {package_name(need) for need in [*project["dependencies"], *extras]}

    assert direct - {package_name(pin) for pin in pins} == {"treadle"}


def package_name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")
