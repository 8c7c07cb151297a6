from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from treadle.analysis import drift
from treadle.data import store as sql
from treadle.data.contracts import ColumnRule, ContractBody, LabelRule
from treadle.data.profiling import kept
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.service import Data
    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore

DRAW = np.random.default_rng(5)
BEFORE = DRAW.normal(size=600)
NOW = DRAW.normal(0.5, size=500)
OLD = pa.table(
    {
        "x": BEFORE,
        "kind": ["a", "b", None] * 200,
        "yes": [True, False] * 300,
        "gone": [1] * 600,
        "turned": [1] * 600,
        "mail": [f"p{i}@example.org" for i in range(600)],
        "note": [f"text {i}" for i in range(600)],
    }
)
NEW = pa.table(
    {
        "x": NOW,
        "kind": ["a", "c"] * 250,
        "yes": [True] * 500,
        "turned": ["one"] * 500,
        "mail": [f"q{i}@example.org" for i in range(500)],
        "note": [f"word {i}" for i in range(500)],
        "fresh": [2] * 500,
    }
)


@pytest.fixture
def moved(data: Data) -> Data:
    data.commit("t", OLD)
    data.commit("t", NEW)
    return data


def test_distances_are_those_of_the_rows_themselves(moved: Data) -> None:
    found = moved.profile("t@2", against="t@1").drift

    columns = {c.name: c for c in found.columns}
    assert (found.against, found.rows_before) == ("t@1", 600)
    assert columns["x"].psi == pytest.approx(drift.psi(BEFORE, NOW))
    assert columns["kind"].psi == pytest.approx(
        drift.psi_from_counts({"a": 200, "b": 200, "(null)": 200}, {"a": 250, "c": 250})
    )
    assert columns["yes"].js == pytest.approx(drift.jensen_shannon([300, 300], [500, 0]))
    assert (columns["kind"].nulls_before, columns["kind"].nulls_now) == (pytest.approx(1 / 3), 0.0)
    assert (found.added, found.removed) == (("fresh",), ("gone",))


def test_what_cannot_be_compared_says_why(moved: Data) -> None:
    found = moved.profile("t@2", against="t@1").drift

    assert {c.name: c.why for c in found.columns if c.why} == {
        "turned": "was number, is category",
        "mail": "personal data is not kept",
        "note": "free text",
    }


def test_a_profile_made_before_is_compared_in_a_smaller_scan(
    moved: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = moved.profile("t@2")
    moved.profile("t@1")
    monkeypatch.setattr(kept, "profile_with_cuts", None)

    compared = moved.profile("t@2", against="t@1")

    assert alone.drift is None
    assert msgspec.structs.replace(compared, drift=None) == alone
    assert moved.known_profile("t@2") == compared


def test_one_scan_gives_the_distances_that_a_second_scan_gives(moved: Data, data: Data) -> None:
    moved.profile("t@1")
    in_one = moved.profile("t@2")
    data.commit("other", NEW)

    assert in_one.drift == data.profile("other", against="t@1").drift


def test_a_version_before_is_known_where_it_is_a_table(data: Data, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"\0")
    data.commit("t", OLD)
    data.commit("t", NEW)
    data.commit("t", tmp_path / "file.bin")
    data.commit("t", OLD.slice(0, 3))

    assert [data.table_before(f"t@{n}") for n in (1, 2, 3, 4)] == [None, "t@1", "t@2", None]


def test_the_version_before_is_what_it_was_made_on(data: Data) -> None:
    data.commit("t", OLD)
    data.branch("t", "exp")
    data.commit("t", NEW, branch="exp")
    data.commit("t", OLD.slice(0, 3))
    data.commit("t", OLD.slice(0, 2))
    data.commit("t", OLD.slice(0, 1))
    data.remove("t@4")

    assert [data.table_before(f"t@{n}") for n in (2, 3, 5)] == ["t@1", "t@1", "t@3"]


def test_files_have_no_profile(data: Data, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"\0")
    data.commit("t", tmp_path / "file.bin")

    with pytest.raises(InvalidInput, match="holds files"):
        data.profile("t")


def test_a_profile_of_an_older_form_is_made_again(
    data: Data, objects: FolderObjectStore, store: SqlMetadataStore
) -> None:
    version = data.commit("t", OLD)
    old = b'{"rows": 600, "columns": []}'
    with store.write() as tx:
        sql.save_profile(tx, version.table, objects.put(io.BytesIO(old)).digest)

    assert data.known_profile("t") is None
    assert len(data.profile("t").columns) == OLD.num_columns


def test_another_target_makes_the_profile_again(data: Data) -> None:
    data.commit("t", OLD)
    before = data.profile("t")
    rule = ColumnRule(name="yes", type="boolean", role="target")
    data.set_contract("t", ContractBody(columns=(rule,), label=LabelRule(column="yes")))

    after = data.profile("t")

    assert (before.target, after.target) == ("", "yes")
    assert [t.name for t in after.target_ties][:1] != ["yes"]
    assert data.known_profile("t") == after


def test_some_columns_are_taken_from_what_is_known_or_looked_at_alone(data: Data) -> None:
    data.commit("t", OLD)
    alone = data.profile("t", columns=["kind", "x"])
    nothing = data.known_profile("t")
    data.profile("t")

    assert nothing is None
    assert [c.name for c in alone.columns] == ["kind", "x"]
    assert data.profile("t", columns=["kind", "x"]).columns == alone.columns
    with pytest.raises(NotFound, match="Did you mean 'kind'"):
        data.profile("t", columns=["kinds"])


def test_no_whole_value_of_a_person_is_kept(
    moved: Data, objects: FolderObjectStore, store: SqlMetadataStore
) -> None:
    version = moved.version("t@1")
    moved.profile("t@1")

    with store.read() as tx:
        digest = sql.profile_digest(tx, version.table)
    with objects.open(digest) as stream:
        text = stream.read()

    assert b"e-mail" in text
    assert b"example.org" not in text
