from __future__ import annotations

import datetime as dt

import pyarrow as pa

from treadle.data.contract_text import from_toml, to_toml
from treadle.data.inference import infer_body
from treadle.data.profiling import profile_table
from treadle.data.suggestions import suggested_roles

DAYS = [dt.date(2013, 1, 1) + dt.timedelta(days=i) for i in range(60)]
TABLE = pa.table(
    {
        "user_id": range(60),
        "contact": [f"p{i}@example.org" for i in range(60)],
        "last_name": ["Smith", "Jones"] * 30,
        "ordered": DAYS,
        "shipped": DAYS,
        "amount": [float(i % 7) for i in range(60)],
    }
)


def suggested(**roles):
    body = infer_body(TABLE, profile_table(TABLE), roles=roles)
    return body, suggested_roles(profile_table(TABLE), body)


def test_names_and_values_suggest_roles():
    _, found = suggested()

    assert [(s.column, s.role) for s in found] == [
        ("user_id", "id"),
        ("contact", "sensitive"),
        ("last_name", "sensitive"),
        ("ordered", "time"),
        ("shipped", "time"),
    ]
    assert found[1].why == "100% of 60 values look like e-mail"


def test_what_has_a_role_and_a_second_time_need_none():
    _, found = suggested(user_id="id", contact="sensitive", ordered="time")

    assert [s.column for s in found] == ["last_name"]


def test_a_suggestion_is_a_comment_of_the_contract():
    body, found = suggested()

    text = to_toml(body) + "\n".join(s.comment for s in found)

    assert from_toml(text, name="contract.toml") == body


def test_a_name_with_a_line_break_stays_in_its_comment():
    table = pa.table({"a\nlow = 1 _id": range(60)})
    profile = profile_table(table)

    (found,) = suggested_roles(profile, infer_body(table, profile))

    assert "\n" not in found.comment
