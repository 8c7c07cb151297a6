"""The documentation as data: its pages, their fenced blocks, links and words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SET_UP = re.compile(r"^<!-- set up: (?P<names>[\w ,-]+) -->$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src|srcset)=\"([^\"]+)\"")
_CODE_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file it is to be kept as, its text and first line.

    `is_printed` says that it shows what the block before it printed.
    """

    language: str
    file: str
    text: str
    line: int
    is_printed: bool


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The text without its blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(self._block(found) for found in _FENCE.finditer(self.text))

    @property
    def is_generated(self) -> bool:
        """Whether `./run docs` writes it, which has tests of its own."""
        return self.text.startswith("<!-- Written by ")

    @property
    def set_up(self) -> tuple[str, ...]:
        """What the page asks to be there before its first block: `<!-- set up: project -->`."""
        found = _SET_UP.search(self.text)
        return tuple(re.split(r"[ ,]+", found["names"])) if found else ()

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(first or second for first, second in _LINK.findall(self.prose))

    @property
    def code_spans(self) -> tuple[str, ...]:
        return tuple(_CODE_SPAN.findall(self.prose))

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The fragments a link may point to, made of the headings as GitHub does."""
        return frozenset(_anchor(heading) for heading in _HEADING.findall(self.prose))

    @property
    def commands(self) -> tuple[str, ...]:
        """Every `treadle …` line a reader is told to type and no test types for them."""
        shells = (block.text for block in self.blocks if block.language == "sh")
        lines = (line for text in shells for line in text.splitlines())
        return tuple(line for line in lines if line.startswith("treadle "))

    def _block(self, found: re.Match[str]) -> Block:
        indent, info, text = found.groups()
        language, _, rest = info.strip().partition(" ")
        lines = [line.removeprefix(indent) for line in text.splitlines(keepends=True)]
        return Block(
            language=language,
            file=rest.removeprefix("file=") if rest.startswith("file=") else "",
            text="".join(lines),
            line=self.text.count("\n", 0, found.start()) + 2,
            is_printed=rest == "printed",
        )


def pages() -> list[Page]:
    """Every page a user reads."""
    top = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
    return [Page(path) for path in [*top, *sorted(DOCS.rglob("*.md"))]]


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")
