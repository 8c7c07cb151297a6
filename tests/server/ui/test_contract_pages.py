"""The pages Contract and Quarantine, asked for as a browser does."""

from __future__ import annotations

import re

import httpx2
import pyarrow as pa
import pytest

from treadle.data.contract_words import in_words
from treadle.data.contracts import ColumnRule, ContractBody, LabelRule, RelationRule, TableRule
from treadle.server.control import ControlServer
from treadle.server.ui.formats import number

BODY = ContractBody(
    columns=(
        ColumnRule(name="id", type="integer", role="id"),
        ColumnRule(name="price", type="number", low=0, high=10),
        ColumnRule(name="shop", type="text", categories=("north", "south")),
    )
)
ROWS = pa.table(
    {"id": [1, 2, 3, 4], "price": [1.0, 99.0, 2.0, 3.0], "shop": ["north", "south", "<b>", "north"]}
)


@pytest.fixture
def asked(empty):
    """A server of a home with held rows and two contracts."""
    empty.data.commit("prices", ROWS)
    wider = ColumnRule(name="price", type="number", low=0, high=20)
    empty.data.set_contract("prices", ContractBody(columns=(BODY.columns[0], wider)))
    empty.data.set_contract("prices", BODY)
    empty.data.quarantine_rows("prices")
    with (
        ControlServer(empty, port=0) as server,
        httpx2.Client(base_url=server.url, trust_env=False) as client,
    ):
        yield client


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_contract_is_said_in_words_with_what_changed(asked):
    said = words(asked.get("/data/prices/contract").text)

    assert "is one of north, south" in said
    assert "What changed from 1 to 2" in said
    assert "tightens columns.price.high 20.0 10.0" in said
    assert "[columns.price]" in said
    assert "prices@1" in said


def test_a_contract_is_compared_with_any_other(asked):
    said = words(asked.get("/data/prices/contract?number=1&before=2").text)

    assert "breaks columns.price.high 10.0 20.0" in said
    assert asked.get("/data/prices/contract?number=7").status_code == 404


def test_held_rows_are_shown_with_what_they_break_and_by_check(asked):
    html = asked.get("/data/prices/quarantines").text
    by_check = asked.get("/data/prices/quarantines", params={"check": "range price"}).text

    assert "&lt;b&gt;" in html
    assert "range price" in words(html)
    assert "categories shop" in words(html)
    assert "&lt;b&gt;" not in by_check


def test_held_rows_are_named_at_their_version(asked):
    said = words(asked.get("/data/prices/1").text)

    assert "rows of prices@1 2 held" in said
    assert "Held rows, and what was decided" in said
    assert re.search(r"1 the first blocked 4 1 2 ", words(asked.get("/data/prices").text))


def test_what_a_contract_says_of_labels_shows_how_they_were_judged(asked, empty):
    table = pa.table({"id": range(40), "late": [0, 1] * 20})
    empty.data.commit("trips", table)
    empty.data.infer_contract("trips", roles={"late": "target"})
    empty.data.validate("trips")

    said = words(asked.get("/data/trips/contract").text)

    assert re.search(r"late label is the label.{0,60} passed", said)


def test_files_are_not_told_to_learn_a_contract(asked, empty, tmp_path):
    (tmp_path / "cat.txt").write_text("meow")
    empty.data.commit_files("pets", [tmp_path])

    said = words(asked.get("/data/pets/contract").text)

    assert "pets holds files; contracts are for tables" in said
    assert "data infer" not in said


def test_of_a_long_contract_the_page_shows_the_first_claims_what_failed_before_all(asked, empty):
    columns = {f"c{n:03}": [1.0, 2.0] for n in range(200)}
    empty.data.commit("wide", pa.table(columns))
    rules = [ColumnRule(name=name, type="number", low=0, high=9) for name in columns]
    rules[-1] = ColumnRule(name="c199", type="number", low=5, high=9)
    empty.data.set_contract("wide", ContractBody(columns=tuple(rules)))
    empty.data.validate("wide")

    contract, version = asked.get("/data/wide/contract").text, asked.get("/data/wide/1").text

    assert "Claims 400 The first 300, those that failed before all" in words(contract)
    assert words(contract).index("c199 range") < words(contract).index("c000 type")
    assert "c000 type" in words(contract)
    assert "the first 150, what failed before all" in words(version)
    assert words(version).index("c199 range") < words(version).index("c000 type")


def test_a_contract_that_asks_for_no_number_of_rows_claims_none(asked):
    assert "0 or more rows" not in asked.get("/data/prices/contract").text


def test_rows_are_released_and_rejected_by_forms(asked, empty):
    (held,) = empty.data.row_quarantines("prices")
    place = f"/data/prices/quarantines/{held.id}"

    released = asked.post(f"{place}/release", data={"check": "range price"})
    rejected = asked.post(f"{place}/reject", data={"check": ""})

    assert (released.status_code, rejected.status_code) == (303, 303)
    assert empty.data.table("prices")["id"].to_pylist() == [1, 4, 2]
    assert {q.state for q in empty.data.row_quarantines("prices")} == {"released", "rejected"}


def test_a_held_version_is_released_by_the_same_form(asked, empty):
    held = empty.data.quarantine("prices@1", reason="doubt", evidence={})

    asked.post(f"/data/prices/quarantines/{held.id}/release", data={"check": ""})

    assert empty.data.is_quarantined("prices@1") is False


def test_another_site_may_not_decide(asked, empty):
    (held,) = empty.data.row_quarantines("prices")

    answer = asked.post(
        f"/data/prices/quarantines/{held.id}/reject",
        data={},
        headers={"origin": "https://elsewhere.example"},
    )

    assert answer.status_code == 403
    assert empty.data.row_quarantine(held.id).state == "held"


def test_a_dataset_without_either_says_what_to_do(asked, empty):
    empty.data.commit("bare", ROWS)

    assert "treadle data infer bare" in asked.get("/data/bare/contract").text
    assert "validate bare --quarantine" in asked.get("/data/bare/quarantines").text


def test_every_claim_has_words():
    body = ContractBody(
        table=TableRule(max_age_hours=48, unique=(("id", "day"),), warn=("age",)),
        columns=(
            ColumnRule(name="at", type="timestamp", role="time", ascending=True),
            ColumnRule(name="shop", type="text", pattern="[a-z]+", references="shops"),
            ColumnRule(name="x", type="number", grid=0.5, max_daily_step=3.0, unique=True),
        ),
        relations=(RelationRule(name="cheaper", claim="x <= y", max_broken_share=0.01),),
        label=LabelRule(column="x", above=1.0, low=0.1, high=0.4),
    )

    said = {(s.of, s.check): s.text for s in in_words(body)}

    assert said["whole table", "age"] == "its newest row is at most 48 hours old"
    assert said["shop", "references"] == "each value is in shop of shops"
    assert said["x", "grid"] == "comes in steps of 0.5"
    assert said["x", "label"] == "is the label (a yes is above 1): a day shows 0.1 to 0.4"
    assert said["cheaper", "relation"] == f"x <= y, but for {number(1)}.00% of rows"
    assert [s.check for s in in_words(body) if s.warns] == ["age"]
