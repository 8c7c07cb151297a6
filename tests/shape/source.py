"""The package's source as data: what the shape tests ask about."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "treadle"
SILENT = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(PACKAGE))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def code_lines(self) -> frozenset[int]:
        """Numbers of the lines that hold code: neither blank, nor comment, nor docstring."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        lines = {n for t in tokens if t.type not in SILENT for n in range(t.start[0], t.end[0] + 1)}
        return frozenset(lines - set(self._docstring_lines()))

    def _docstring_lines(self) -> Iterator[int]:
        for node in ast.walk(self.tree):
            match node:
                case ast.Module(body=body) | ast.ClassDef(body=body):
                    pass
                case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
                    pass
                case _:
                    continue
            match body:
                case [ast.Expr(ast.Constant(str())) as text, *_]:
                    yield from range(text.lineno, (text.end_lineno or text.lineno) + 1)

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]

    def size(self, node: Function) -> int:
        last = node.end_lineno or node.lineno
        return sum(node.lineno <= line <= last for line in self.code_lines)

    def where(self, node: ast.stmt) -> str:
        return f"{self.name}:{node.lineno}"

    def reason_at(self, node: ast.stmt) -> str:
        """The words of the comment on a statement's first line and on a line of its own above."""
        lines = self.text.splitlines()
        above = lines[node.lineno - 2].strip() if node.lineno > 1 else ""
        beside = lines[node.lineno - 1].partition("#")[2].strip()
        if beside.startswith("noqa"):
            beside = beside.partition(" - ")[2]
        return f"{above.lstrip('# ') if above.startswith('#') else ''} {beside}".strip()


def sources() -> list[Source]:
    """Every file a person writes; Alembic writes the migrations, one statement per table."""
    written = (p for p in sorted(PACKAGE.rglob("*.py")) if p.parent.name != "versions")
    return [Source(path) for path in written]


def percentile(values: list[int], percent: int) -> int:
    """The smallest value that `percent` of a hundred values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else 0
