"""Writes the tables of docs/reference/python.md: `python -m tests.docs.python_page`.

The prose of the page is written by hand; between the marks of a noun stands a table of its verbs,
each with its signature and the first sentence of its docstring.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import typing
from functools import cached_property

from tests.docs.pages import DOCS
from treadle import app as composition
from treadle.client import Client

PAGE = DOCS / "reference" / "python.md"
MARK = re.compile(r"<!-- verbs of (?P<noun>\w+) -->\n(?P<table>.*?)<!-- end -->", re.DOTALL)
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def verbs(client: type[Client]) -> dict[str, list[str]]:
    """Return the public verbs of every noun of a client, each with its shape."""
    return {noun: [shown(*verb) for verb in verbs_in(kind)] for noun, kind in nouns(client).items()}


def verbs_of(text: str) -> dict[str, list[str]]:
    """Return the verbs that a page's tables name."""
    return {found["noun"]: ROW.findall(found["table"]) for found in MARK.finditer(text)}


def nouns(client: type[Client]) -> dict[str, type]:
    """Return the class behind each noun's attribute."""
    made = {n: p for n, p in vars(client).items() if isinstance(p, cached_property)}
    # The composition imports a noun only when it is asked for: where from, its text says.
    source = ast.parse(inspect.getsource(composition))
    froms = [node for node in ast.walk(source) if isinstance(node, ast.ImportFrom)]
    modules = {alias.name: node.module or "" for node in froms for alias in node.names}
    names = {noun: p.func.__annotations__["return"] for noun, p in made.items()}
    return {n: getattr(importlib.import_module(modules[k]), k) for n, k in names.items()}


def verbs_in(kind: type) -> list[tuple[str, typing.Any]]:
    """Return the public methods of a class, and of a service it extends, as they are written."""
    services = [k for k in kind.__mro__ if k.__module__.startswith("treadle.")]
    every = [item for service in services for item in vars(service).items()]
    return [(n, f) for n, f in every if inspect.isfunction(f) and n[0] != "_"]


def table(kind: type) -> str:
    rows = [f"| `{shown(n, f)}` | {sentence(f)} |" for n, f in verbs_in(kind)]
    return "\n".join(["| verb | what it does |", "|---|---|", *rows]) + "\n"


def shown(name: str, function: typing.Any) -> str:
    """Return a call's shape: names and defaults, types left to the editor."""
    parts: list[str] = []
    for argument in list(inspect.signature(function).parameters.values())[1:]:
        star = argument.kind is argument.KEYWORD_ONLY and "*" not in parts
        parts += ["*"] if star else []
        parts.append(argument.name + default(argument))
    return f"{name}({', '.join(parts)})"


def default(argument: inspect.Parameter) -> str:
    if argument.default is argument.empty:
        return ""
    plain = isinstance(argument.default, str | int | float | bool | None)
    return f"={argument.default!r}" if plain else "=…"


def sentence(function: typing.Any) -> str:
    paragraph = inspect.cleandoc(function.__doc__ or "").split("\n\n", maxsplit=1)[0]
    return " ".join(paragraph.split()).replace("|", "\\|")


def write() -> None:
    """Write every table of the page anew."""
    kinds = nouns(Client)
    text = PAGE.read_text(encoding="utf-8")
    fresh = MARK.sub(
        lambda m: f"<!-- verbs of {m['noun']} -->\n{table(kinds[m['noun']])}<!-- end -->", text
    )
    PAGE.write_text(fresh, encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    write()
