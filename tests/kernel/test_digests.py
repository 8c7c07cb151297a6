from __future__ import annotations

import io
import json
from typing import Any

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.digests import (
    CHUNK_BYTES,
    canonical_json,
    digest_bytes,
    digest_json,
    digest_stream,
    sha256_hex,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_canonical_json_means_the_same(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(JSON)
def test_canonical_json_of_what_was_read_back_is_the_same(value: Any) -> None:
    assert canonical_json(json.loads(canonical_json(value))) == canonical_json(value)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9)))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))

    assert digest_json(turned) == digest_json(value)


def test_canonical_json_has_sorted_keys_and_no_spaces() -> None:
    assert canonical_json({"b": [1, 2], "a": "é"}) == '{"a":"é","b":[1,2]}'.encode()


def test_different_values_have_different_digests() -> None:
    values = [None, False, 0, "", "0", [], {}, [0], {"0": 0}]

    assert len({digest_json(v) for v in values}) == len(values)


@given(st.binary(max_size=2000))
def test_a_stream_has_the_digest_of_its_bytes(data: bytes) -> None:
    assert digest_stream(io.BytesIO(data)) == (digest_bytes(data), len(data))


def test_a_long_stream_has_the_digest_of_its_bytes() -> None:
    data = bytes(range(256)) * (CHUNK_BYTES // 256) + b"tail"

    assert digest_stream(io.BytesIO(data)) == (blake3(data).hexdigest(), len(data))


def test_digests_are_those_of_the_published_functions() -> None:
    assert digest_bytes(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
