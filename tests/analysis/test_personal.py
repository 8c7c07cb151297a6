from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.analysis.personal import hints, hints_of_numbers, is_iban, luhn, masked

VALUES = {
    "e-mail": ["ada@example.org", "grace.hopper@navy.example.mil"],
    "IBAN": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"],
    "payment card": ["4111 1111 1111 1111", "5500-0000-0000-0004"],
    "IP address": ["192.168.2.1", "2001:db8::ff00:42:8329"],
    "national id": ["078-05-1120", "219-09-9999"],
    "phone": ["+49 30 901820", "(030) 901 820", "555-867-5309"],
}
NAMES = {
    "customerEmail": "e-mail",
    "Phone": "phone",
    "iban": "IBAN",
    "credit_card_number": "payment card",
    "client-ip-address": "IP address",
    "ssn": "national id",
    "last_name": "person name",
    "home_address": "address",
    "DateOfBirth": "birth date",
}
PLAIN = [
    ["UA1545", "AA1141", "N14228"],
    ["2013-07-04", "2013-07-05"],
    ["2013-07-04 12:00:00", "12:34:56"],
    ["4111111111111112", "1234567890123456"],
    ["DE89 3704 0044 0532 0130 01"],
    ["999.1.1.1", "1:2"],
    ["000000123", "000000124"],
    ["3.14159", "-0.001"],
]


@pytest.mark.parametrize(("kind", "values"), VALUES.items(), ids=VALUES)
def test_values_give_a_hint_with_its_share(kind, values):
    (found,) = hints("x", [*values, "nothing of the sort"])

    assert (found.kind, found.by, found.looked) == (kind, "value", len(values) + 1)
    assert found.share == pytest.approx(len(values) / (len(values) + 1))


@pytest.mark.parametrize(("name", "kind"), NAMES.items(), ids=NAMES)
def test_a_name_gives_a_hint(name, kind):
    (found,) = hints(name, ["a", "b"])

    assert (found.kind, found.by, found.looked) == (kind, "name", 0)


@pytest.mark.parametrize("values", PLAIN)
def test_what_only_looks_like_it_gives_none(values):
    assert hints("x", values) == ()


@pytest.mark.parametrize(
    "name", ["name", "carrier", "dest", "shipping", "tip", "emailed_at", "born"]
)
def test_common_names_of_columns_give_few(name):
    assert {hint.kind for hint in hints(name, [])} <= {"birth date"}


def test_mail_within_a_text_is_found():
    (found,) = hints("note", ["please write to ada@example.org soon", *map(str, range(50))])

    assert found.examples == ("axx@xxxxxxx.xxx",)


def test_cards_are_told_from_other_whole_numbers():
    cards = [4111111111111111, 5500000000000004, 340000000000009]

    assert [h.kind for h in hints_of_numbers("x", cards)] == ["payment card"]
    assert hints_of_numbers("x", list(range(10**15, 10**15 + 100))) == ()
    assert [(h.kind, h.by) for h in hints_of_numbers("phone", [1])] == [("phone", "name")]


def test_check_digits_are_checked():
    assert luhn("79927398713")
    assert not luhn("79927398710")
    assert is_iban("NO9386011117947")
    assert not is_iban("NO9386011117948")


@given(text=st.text(min_size=2, max_size=60))
def test_a_mask_shows_no_letter_and_no_digit_but_the_first(text):
    shown = masked(text)[1:]

    assert not any(c.isdigit() and c != "0" for c in shown)
    assert not any(c.isalpha() and c != "x" for c in shown)
