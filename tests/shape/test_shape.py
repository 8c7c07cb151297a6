"""DESIGN section 3: the shape of the code is a decision, so a change of it is one too.

Sizes are lines of code: blank lines, comments and docstrings are free.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.shape.source import Function, Source, percentile, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "base"}


@pytest.fixture(scope="module")
def package() -> list[Source]:
    return sources()


@pytest.fixture(scope="module")
def function_sizes(package) -> dict[str, int]:
    return {
        f"{source.where(node)} {node.name}": source.size(node)
        for source in package
        for node in source.functions
    }


def test_no_file_exceeds_700_lines(package):
    large = {s.name: len(s.code_lines) for s in package if len(s.code_lines) > 700}

    assert large == {}


def test_nine_files_of_ten_have_at_most_400_lines(package):
    sizes = [len(source.code_lines) for source in package]

    assert percentile(sizes, 90) <= 400


def test_no_function_exceeds_100_lines(function_sizes):
    large = {where: size for where, size in function_sizes.items() if size > 100}

    assert large == {}


def test_nine_functions_of_ten_have_at_most_25_lines(function_sizes):
    larger = {where: size for where, size in function_sizes.items() if size > 25}

    assert percentile(list(function_sizes.values()), 90) <= 25, larger


def test_half_of_the_functions_have_at_most_8_lines(function_sizes):
    assert percentile(list(function_sizes.values()), 50) <= 8


def test_the_kernel_stays_below_1000_lines(package):
    sizes = [len(source.code_lines) for source in package if source.name.startswith("kernel/")]

    assert sum(sizes) <= 1000


def test_no_file_or_folder_is_named_for_having_no_name(package):
    parts = {part.removesuffix(".py") for source in package for part in source.name.split("/")}

    assert {part for part in parts if part.split("_")[-1] in FORBIDDEN_NAMES} == set()


def test_no_class_is_named_for_having_no_name(package):
    named = {node.name: source.name for source in package for node in source.classes}

    assert {n: where for n, where in named.items() if last_word(n) in FORBIDDEN_NAMES} == {}


def last_word(camel: str) -> str:
    """What a class is: `BaseRate` is a rate and may stay, `RunBase` says nothing."""
    return re.split(r"(?<=[a-z0-9])(?=[A-Z])", camel)[-1].lower()


def test_a_seam_has_at_most_six_verbs(package):
    wide = {
        f"{source.where(seam)} {seam.name}": verbs(seam)
        for source in package
        if source.path.name == "ports.py"
        for seam in source.classes
        if is_seam(seam) and len(verbs(seam)) > 6
    }

    assert wide == {}


def is_seam(node: ast.ClassDef) -> bool:
    bases = {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
    return bool(bases & {"Protocol", "ABC"})


def verbs(seam: ast.ClassDef) -> list[str]:
    methods = [node.name for node in seam.body if isinstance(node, Function)]
    return sorted({name for name in methods if not name.startswith("_")})


def test_own_imports_inside_functions_are_in_the_cli_or_say_why(package):
    silent = [
        source.where(node)
        for source in package
        if not source.name.startswith("cli/")
        for node in inner_imports(source)
        if len(source.reason_at(node).split()) < 3
    ]

    assert silent == []


def inner_imports(source: Source) -> Iterator[ast.stmt]:
    for function in source.functions:
        for node in ast.walk(function):
            match node:
                case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "treadle":
                    yield node
                case ast.Import(names=names) if any(n.name.startswith("treadle") for n in names):
                    yield node
