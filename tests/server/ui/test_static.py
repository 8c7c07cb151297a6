"""What is served as it is: vendored files as named, small islands, colours with contrast."""

from __future__ import annotations

import hashlib
import re

import pytest

from treadle.server.ui.render import STATIC

VENDOR = STATIC / "vendor"
ROW = re.compile(r"^\| (\S+) \| \S+ \| \S+ \| .+ \((\S+)\) \| ([0-9a-f]{64}) \|$", re.MULTILINE)
CSS = (STATIC / "app.css").read_text()
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", CSS)
}
TONES = ("ok", "warn", "bad", "info", "neutral")
PAIRS = [
    *(
        (text, ground)
        for text in ("text", "muted", "accent")
        for ground in ("page", "surface", "sunken")
    ),
    *((tone, f"{tone}-soft") for tone in TONES),
    *((tone, "surface") for tone in TONES),
    ("text", "accent-soft"),
    ("text", "bad-soft"),
    ("muted", "accent-soft"),
    ("muted", "bad-soft"),
]


def test_every_vendored_file_is_the_one_that_is_named():
    named = {file: digest for file, _, digest in ROW.findall((VENDOR / "VENDORED.md").read_text())}

    there = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.suffix not in {".LICENSE", ".md"}
    }

    assert named == there


def test_every_vendored_file_has_its_licence_beside_it():
    licences = {licence for _, licence, _ in ROW.findall((VENDOR / "VENDORED.md").read_text())}

    assert licences == {path.name for path in VENDOR.glob("*.LICENSE")}


@pytest.mark.parametrize("path", sorted((STATIC / "islands").glob("*.js")), ids=lambda p: p.name)
def test_an_island_stays_an_island(path):
    assert len(path.read_text().splitlines()) < 350


def test_the_sheet_stays_small_and_fetches_nothing_from_elsewhere():
    assert len(CSS.splitlines()) <= 600
    assert re.findall(r'url\("(.+?)"\)', CSS) == ["vendor/inter-latin-wght-normal.woff2"]
    assert "@import" not in CSS


@pytest.mark.parametrize(("text", "ground"), PAIRS)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast_of_aa(text, ground, theme):
    assert contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio of two sRGB colours."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    parts = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
