from __future__ import annotations

import math
import pickle
import subprocess
import sys

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.execution.targets import resolve
from treadle.kernel.digests import canonical_json
from treadle.kernel.errors import Corrupt
from treadle.pipelines.values import Values, _as_arrow, _NotPlain, _plain
from treadle.storage.keys import Signer
from treadle.storage.metadata import open_metadata
from treadle.storage.objects import put_bytes, read_bytes


@pytest.fixture
def values(home):
    return Values(objects=home.objects, signer=home.signer, tables=home.data.rows)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "json"),
        ({"a": [1, 2.5, "x", True, None]}, "json"),
        (2**64, "pickle"),
        (math.inf, "pickle"),
        ((1, 2), "pickle"),
        ({1: 2}, "pickle"),
        (b"bytes", "pickle"),
        (np.float64(0.5), "json"),
        ([np.int64(3), np.bool_(True)], "json"),
        (np.datetime64("2013-01-01"), "pickle"),
    ],
)
def test_plain_data_is_json_and_the_rest_is_pickled(values, value, kind):
    stored = values.put(value)

    assert stored.kind == kind
    assert values.get(stored) == value


@pytest.mark.parametrize(
    "array",
    [np.arange(6).reshape(2, 3), np.array(1.5), np.array(["a", "bc"]), np.zeros((0, 2), "f4")],
)
def test_arrays_come_back_as_they_were(values, array):
    stored = values.put(array)

    assert stored.kind == "npy"
    np.testing.assert_array_equal(values.get(stored), array)
    assert values.get(stored).dtype == array.dtype


def test_an_array_of_objects_is_pickled(values):
    stored = values.put(np.array(["a", None], dtype=object))

    assert stored.kind == "pickle"
    assert values.get(stored).tolist() == ["a", None]


def test_tables_come_back_as_they_were(values):
    table = pa.table(
        {
            "number": pa.array([1, None], pa.int32()),
            "text": pa.array(["x", "y"]).dictionary_encode(),
            "time": pa.array([0, 1], pa.timestamp("us", tz="UTC")),
            "nested": [[1], [2, 3]],
        }
    ).replace_schema_metadata({"said": "by the step"})

    stored = values.put(table)

    assert stored.kind == "arrow"
    assert values.get(stored).equals(table, check_metadata=True)


def test_a_table_without_rows_or_columns_comes_back(values):
    assert values.get(values.put(pa.table({"a": pa.array([], pa.int8())}))).num_rows == 0
    assert values.get(values.put(pa.table({}))).num_columns == 0


@given(st.lists(st.integers(1, 5), max_size=4))
def test_how_rows_are_chunked_does_not_change_the_bytes(lengths):
    parts = [[n if n % 2 else None for n in range(length)] for length in lengths]
    words = [pa.array([str(n) for n in part], pa.string()) for part in parts]
    coded = pa.dictionary(pa.int32(), pa.string())
    chunked = pa.table(
        {
            "number": pa.chunked_array(parts, pa.int64()),
            "text": pa.chunked_array(words, pa.string()),
            "coded": pa.chunked_array([word.dictionary_encode() for word in words], coded),
        }
    )

    with _as_arrow(chunked) as first, _as_arrow(chunked.combine_chunks()) as second:
        assert first.read() == second.read()


def test_a_class_of_a_pipeline_file_is_known_where_that_file_is_not(values, tmp_path):
    file = tmp_path / "own_class.py"
    file.write_text(
        "class Model:\n    def predict(self):\n        return 7\ndef make():\n    return Model()\n"
    )

    stored = values.put(resolve(f"{file}:make")())

    file.unlink()
    payload = tmp_path / "payload"
    payload.write_bytes(read_bytes(values._objects, stored.digest).partition(b"\n")[2])
    program = f"import pickle; print(pickle.load(open({str(payload)!r}, 'rb')).predict())"
    assert subprocess.check_output([sys.executable, "-c", program]) == b"7\n"


class Bomb:
    """Something that must never be unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def stored_as(values, data):
    info = put_bytes(values._objects, data)
    return msgspec.structs.replace(
        values.put((1, 2)), digest=info.digest, size_bytes=info.size_bytes
    )


def test_a_pickle_without_signature_is_not_unpickled(values):
    with pytest.raises(Corrupt, match="not unpickled"):
        values.get(stored_as(values, pickle.dumps(Bomb())))


def test_a_pickle_under_anothers_signature_is_not_unpickled(values):
    honest = read_bytes(values._objects, values.put((1, 2)).digest)
    forged = honest.partition(b"\n")[0] + b"\n" + pickle.dumps(Bomb())

    with pytest.raises(Corrupt, match="signature does not match"):
        values.get(stored_as(values, forged))


def test_a_pickle_of_another_project_is_not_unpickled(values, home, tmp_path):
    other_store = open_metadata(f"sqlite:///{tmp_path / 'other.db'}")
    other = Values(
        objects=home.objects,
        signer=Signer(tmp_path / "other", store=other_store),
        tables=home.data.rows,
    )
    foreign = other.put(Bomb())
    other_store.close()

    with pytest.raises(Corrupt, match="does not know"):
        values.get(foreign)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(PLAIN)
def test_plain_values_survive_json(value):
    assert msgspec.json.decode(canonical_json(_plain(value))) == value


@given(st.sampled_from([math.nan, (1,), {1: 1}, {1}, b"", object(), 2**64]))
def test_what_json_would_change_is_not_plain(value):
    with pytest.raises(_NotPlain):
        _plain([value])
