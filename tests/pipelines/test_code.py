"""When the key of a step changes, and when it must not."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.execution.targets import load_file, resolve
from treadle.pipelines import step
from treadle.pipelines.code import code_digest

FLOW = '''
import functools
import math
import numpy as np
import neighbour
from neighbour import helper
from treadle.pipelines import step

LIMIT = 10
COLUMNS = ["a", "b"]
UNUSED = 1

class Scale:
    factor = 2

    def apply(self, value):
        return value * self.factor

def inner(value):
    return value + LIMIT

def unused(value):
    return value

@functools.lru_cache
def remembered(value):
    return inner(value)

@step
def train(table, depth=3):
    """Train a model."""
    # a remark
    parts = [helper(column) for column in COLUMNS]
    return neighbour.other(Scale().apply(remembered(depth))), parts, np.mean(parts), math.pi
'''
NEIGHBOUR = """
STRENGTH = 5

def helper(column):
    return column * STRENGTH

def other(value):
    from deeper import deepest
    return deepest(value)

def unused():
    return 1
"""
DEEPER = """
def deepest(value):
    return value
"""

_count = iter(range(10**9))


@pytest.fixture
def digest_of(tmp_path):
    """The digest of step `train` in files written anew and imported by a process of their own."""

    def digest(flow=FLOW, neighbour=NEIGHBOUR, deeper=DEEPER):
        folder = tmp_path / str(next(_count))
        folder.mkdir()
        (folder / "flow.py").write_text(flow)
        (folder / "neighbour.py").write_text(neighbour)
        (folder / "deeper.py").write_text(deeper)
        program = (
            "import sys; from treadle.execution.targets import resolve; "
            "from treadle.pipelines.code import code_digest; "
            f"print(code_digest(resolve({str(folder / 'flow.py')!r} + ':train')))"
        )
        return subprocess.check_output([sys.executable, "-c", program], text=True).strip()

    return digest


def changed(text, before, after):
    assert before in text
    return text.replace(before, after)


def test_another_process_and_folder_give_the_same_digest(digest_of):
    assert digest_of() == digest_of()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    # a remark\n", ""),
        ("Train a model.", "Train the model."),
        ("LIMIT = 10", "\n\n\nLIMIT = 10"),
        ("UNUSED = 1", "UNUSED = 2"),
        ("def unused(value):\n    return value", "def unused(value):\n    return -value"),
        ("def train(table, depth=3):", "def train(table: object, depth: int = 3) -> list:"),
    ],
)
def test_what_changes_no_result_keeps_the_digest(digest_of, before, after):
    assert digest_of(changed(FLOW, before, after)) == digest_of()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("depth=3", "depth=4"),
        ("LIMIT = 10", "LIMIT = 11"),
        ('["a", "b"]', '["a", "c"]'),
        ("factor = 2", "factor = 3"),
        ("value * self.factor", "value / self.factor"),
        ("value + LIMIT", "value - LIMIT"),
        ("return inner(value)", "return -inner(value)"),
        ("np.mean", "np.median"),
        ("math.pi", "math.e"),
        ("@step", "@step\n@functools.lru_cache"),
    ],
)
def test_what_may_change_a_result_changes_the_digest(digest_of, before, after):
    assert digest_of(changed(FLOW, before, after)) != digest_of()


@pytest.mark.parametrize(
    ("before", "after"),
    [("STRENGTH = 5", "STRENGTH = 6"), ("column * STRENGTH", "column + STRENGTH")],
)
def test_code_in_other_files_of_the_project_counts(digest_of, before, after):
    assert digest_of(neighbour=changed(NEIGHBOUR, before, after)) != digest_of()


def test_code_imported_inside_a_function_counts(digest_of):
    assert digest_of(deeper=DEEPER.replace("return value", "return -value")) != digest_of()


def test_unused_code_of_other_files_does_not_count(digest_of):
    edited = changed(NEIGHBOUR, "return 1", "return 2")

    assert digest_of(neighbour=edited) == digest_of()


def test_packages_that_are_used_count_by_their_version(tmp_path, monkeypatch):
    file = tmp_path / "flow_of_numpy.py"
    file.write_text(
        "import numpy as np\nfrom treadle.pipelines import step\n"
        "@step\ndef run():\n    return np.mean([1])\n"
    )
    found = resolve(f"{file}:run")
    before = code_digest(found)

    monkeypatch.setattr("treadle.pipelines.code._version", lambda package: f"{package} of tomorrow")

    assert code_digest(found) != before


def test_a_module_of_a_package_follows_its_whole_package(tmp_path, monkeypatch):
    for folder in ("projekt", "projekt/steps", "projekt/features"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "projekt/features/rates.py").write_text("def rate():\n    return 1\n")
    (tmp_path / "projekt/steps/fit.py").write_text(
        "from treadle.pipelines import step\nfrom projekt.features import rates\n"
        "@step\ndef fit():\n    return rates.rate()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = resolve("projekt.steps.fit:fit")
    before = code_digest(found)

    monkeypatch.setattr(sys.modules["projekt.features.rates"], "rate", lambda: 2)

    assert code_digest(found) != before


def test_functions_that_call_each_other_have_a_digest(tmp_path):
    file = tmp_path / "circle.py"
    file.write_text(
        "from treadle.pipelines import step\n"
        "def even(n):\n    return n == 0 or odd(n - 1)\n"
        "def odd(n):\n    return n != 0 and even(n - 1)\n"
        "@step\ndef run(n):\n    return even(n)\n"
    )

    assert code_digest(load_file(file).run)


CONSTANTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def digest_with(constant):
    namespace = {"__name__": "written_here", "CONSTANT": constant, "step": step}
    exec("def use():\n    return CONSTANT\nuse = step(use)", namespace)  # noqa: S102
    return code_digest(namespace["use"])


@given(CONSTANTS, CONSTANTS)
def test_digests_of_constants_are_equal_exactly_when_they_are(first, second):
    same = repr(first) == repr(second)

    assert (digest_with(first) == digest_with(second)) == same


@given(st.dictionaries(st.text(max_size=3), st.integers(), min_size=2, max_size=5))
def test_the_order_of_a_dict_does_not_count(constant):
    turned = dict(reversed(constant.items()))

    assert digest_with(constant) == digest_with(turned)
