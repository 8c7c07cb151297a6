"""Which paths are safe, and whose they are, decided before any store is asked."""

from __future__ import annotations

import posixpath
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treadle.kernel.errors import InvalidInput
from treadle.tracking.artifacts_paths import LOOSE, Owner, Place, owner_in, safe_path, tail_of

RUN = "0123456789abcdef0123456789abcdef"
MODEL = f"m-{RUN}"


@pytest.mark.parametrize("path", [
    "../a", "a/../../b", "/etc/passwd", "//etc/passwd", "//", "a\\..\\b", "C:/a", "a/./b", "a//b",
    "\x00", "a\nb", "%2e%2e/a", "a/%2e%2e%2fb", "%252e%252e/a", "%25252e%25252e/a", "a%5c..%5cb",
    "a%00", "%2fetc/passwd", "%c0%ae%c0%ae/../a", "\ud800", "..", ".", "a/..", "%2e", "x" * 1001,
    "a%0d%0ab", "\r\nSet-Cookie: a", "%" + "25" * 12 + "2e%2fx", "c%3a/x",
])  # fmt: skip
def test_a_path_that_could_leave_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        safe_path(path)


@given(st.text(max_size=60) | st.text(alphabet="./%2eEfF5cC\\:a", max_size=40))
@example("a/%2e%2e")
@example("..%2f")
@example("%2525")
def test_what_is_let_through_stays_inside_however_often_it_is_decoded(path: str) -> None:
    try:
        safe = safe_path(path)
    except InvalidInput:
        return
    seen = safe
    for _ in range(20):
        joined = posixpath.normpath(posixpath.join("/root", seen))
        assert joined == "/root" or joined.startswith("/root/")
        assert "\\" not in seen
        assert "\x00" not in seen
        seen = unquote(seen)


@given(
    st.text(
        alphabet=st.characters(exclude_characters="/\\%", exclude_categories=("C",)), min_size=1
    )
)
@example("h#.txt")
@example("why?")
@example("日本語 🎈")
def test_a_plain_name_is_itself(name: str) -> None:
    path = f"folder/x{name[:200]}"

    assert safe_path(path) == path
    assert safe_path(unquote(quote(path))) == path


@pytest.mark.parametrize(("tail", "place"), [
    (f"0/{RUN}/artifacts", Place(Owner("run", RUN))),
    (f"0/{RUN}/artifacts/a/b", Place(Owner("run", RUN), "a/b")),
    (f"my/root/{RUN}/artifacts/a", Place(Owner("run", RUN), "a")),
    (f"0/models/{MODEL}/artifacts/MLmodel", Place(Owner("model", MODEL), "MLmodel")),
    (f"versions/{RUN}/model/a", Place(Owner("version", RUN), "model/a")),
    (f"0/{RUN}/other/a", Place(LOOSE, f"0/{RUN}/other/a")),
    (f"0/{MODEL}/artifacts/a", Place(LOOSE, f"0/{MODEL}/artifacts/a")),
    ("versions", Place(LOOSE, "versions")),
    ("", Place(LOOSE)),
])  # fmt: skip
def test_the_form_of_a_path_names_its_owner(tail: str, place: Place) -> None:
    assert owner_in(tail) == place


@pytest.mark.parametrize("uri", [
    "s3://bucket/a", "file:///etc/passwd", "file:/etc/passwd", "FILE:///etc/passwd", "data:,x",
    "http://169.254.169.254/latest", "https://example.org/x", "gopher://x/y", "dbfs:/x",
    "ftp://h/x", "C:/Windows/x", "hdfs://h/x", "viewfs:/x",
])  # fmt: skip
def test_a_place_elsewhere_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInput):
        tail_of(uri)


@pytest.mark.parametrize(
    "uri", ["mlflow-artifacts:/a/b", "mlflow-artifacts:///a/b", "mlflow-artifacts://h:1/a/b"]
)
def test_an_authority_changes_nothing(uri: str) -> None:
    assert tail_of(uri) == "a/b"
