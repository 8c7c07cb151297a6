"""The key of a step as its inputs vary."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.pipelines import dataset, pipeline, step

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@step
def identity(value):
    return value


@pipeline
def flow(value):
    return identity(value)


@pytest.fixture
def keys_of(home):
    def keys(value):
        return [s.key for s in home.pipelines.run(flow, params={"value": value}).steps]

    return keys


def spelled(value) -> str:
    """A text that tells values apart as JSON does: 1 is not 1.0, the order of keys is nothing."""
    if isinstance(value, dict):
        return f"dict {sorted((key, spelled(item)) for key, item in value.items())}"
    if isinstance(value, list):
        return f"list {[spelled(item) for item in value]}"
    return f"{type(value).__name__} {value!r}"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(JSON, JSON)
def test_keys_are_equal_exactly_when_the_inputs_are(keys_of, first, second):
    assert (keys_of(first) == keys_of(second)) == (spelled(first) == spelled(second))


def key_of(home, flow):
    return home.pipelines.run(flow).steps[-1].key


def test_every_part_of_a_step_is_part_of_its_key(home):
    def made(**options):
        @step(**options)
        def one(table):
            return (1, 2) if options.get("outputs") else 1

        @pipeline
        def flow():
            one(dataset("numbers"))

        return flow

    home.commit_numbers(1)
    keys = [
        key_of(home, made()),
        key_of(home, made(version="2")),
        key_of(home, made(outputs=("a", "b"))),
    ]
    home.commit_numbers(2)
    keys.append(key_of(home, made()))

    assert len(set(keys)) == 4


def test_the_same_rows_under_another_name_have_the_same_key(home):
    @step
    def one(table):
        return 1

    @pipeline
    def first():
        return one(dataset("numbers"))

    @pipeline
    def second():
        return one(dataset("copies"))

    home.commit_numbers(1)
    home.commit_numbers(1, name="copies")

    assert key_of(home, first) == key_of(home, second)
