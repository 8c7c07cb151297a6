"""Hints that a column holds personal data: by its name, and by what its values look like.

A hint is no finding: a name may mislead, and a value may look like what it is not. Where digits
carry a check (cards: Luhn, IBAN: ISO 7064 mod 97-10) it is made. Values are shown only masked.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PersonalKind = Literal[
    "e-mail",
    "phone",
    "IBAN",
    "payment card",
    "IP address",
    "national id",
    "person name",
    "address",
    "birth date",
]
EXAMPLES = 3
LOOKED_AT = 2_000
"""How many distinct values of a column are looked at."""
_LONGEST = 10_000
"""Of a longer text only so many characters are searched."""


class Hint(msgspec.Struct, frozen=True):
    """What a column may hold, and what says so: its `name`, or its values.

    `share` of the `looked` distinct values look like it; a hint by name alone has neither.
    `examples` are masked: letters are `x`, digits `0`, but for the first character.
    """

    kind: PersonalKind
    by: Literal["name", "value"]
    share: float = 0.0
    looked: int = 0
    examples: tuple[str, ...] = ()


class _Look(NamedTuple):
    """How values of a kind are found in a text, and from which share on that says something."""

    kind: PersonalKind
    pattern: re.Pattern[str]
    least: float
    holds: Callable[[str], bool] = bool


def luhn(digits: str) -> bool:
    """Say whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled  # noqa: PLR2004 - its digits added up
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """Say whether a text is an IBAN whose check digits hold (ISO 13616)."""
    bare = re.sub(r"[ -]", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", bare):
        return False
    return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1


def masked(text: str, *, longest: int = 24) -> str:
    """Return the shape of a text: its first character, then `x` for letters and `0` for digits."""
    shape = "".join("0" if c.isdigit() else "x" if c.isalpha() else c for c in text[:longest])
    return text[:1] + shape[1:] + ("…" if len(text) > longest else "")


def hints(name: str, values: Sequence[str]) -> tuple[Hint, ...]:
    """Return what a column may hold. `values` are distinct texts of it, at most 2,000 are read."""
    by_value = _by_value(values[:LOOKED_AT])
    seen = {hint.kind for hint in by_value}
    return (*by_value, *(Hint(kind, "name") for kind in _by_name(name) if kind not in seen))


def hints_of_numbers(name: str, values: Sequence[int]) -> tuple[Hint, ...]:
    """Return what a column of whole numbers may hold: only cards can be told by their digits."""
    texts = [str(value) for value in values[:LOOKED_AT]]
    cards = [text for text in texts if _CARD_NUMBER.fullmatch(text) and luhn(text)]
    found = []
    if texts and len(cards) >= _LEAST_CARDS * len(texts):
        found.append(_hint("payment card", cards, looked=len(texts)))
    named = (k for k in _by_name(name) if k in _NUMBERED and all(k != h.kind for h in found))
    return (*found, *(Hint(kind, "name") for kind in named))


def _by_name(name: str) -> list[PersonalKind]:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    words = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    return [kind for kind, pattern in _NAMES if pattern.search(f"_{words}_")]


def _by_value(values: Sequence[str]) -> tuple[Hint, ...]:
    if not values:
        return ()
    texts = [value[:_LONGEST] for value in values]
    found = []
    for look in _LOOKS:
        parts = [part for text in texts if (part := _found(look, text))]
        if parts and len(parts) >= look.least * len(texts):
            found.append(_hint(look.kind, parts, looked=len(texts)))
    return tuple(found)


def _found(look: _Look, text: str) -> str:
    return next((m[0] for m in look.pattern.finditer(text) if look.holds(m[0])), "")


def _hint(kind: PersonalKind, parts: Sequence[str], *, looked: int) -> Hint:
    shown = tuple(dict.fromkeys(masked(part) for part in parts[:100]))[:EXAMPLES]
    return Hint(kind, "value", len(parts) / looked, looked, shown)


def _is_card(text: str) -> bool:
    digits = re.sub(r"[ -]", "", text)
    return bool(_CARD_NUMBER.fullmatch(digits)) and luhn(digits)


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _is_phone(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    return 8 <= digits <= 15  # noqa: PLR2004 - ITU-T E.164 allows 15, few numbers have under 8


# Issuers' first digits, so that not every tenth long number is taken for a card.
_CARD_NUMBER = re.compile(
    r"(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12})"
)
_LEAST_CARDS = 0.5
_NUMBERED: frozenset[PersonalKind] = frozenset({"phone", "payment card", "national id"})
_LOOKS = (
    _Look("e-mail", re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), 0.01),
    _Look(
        "IBAN",
        re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}(?:[ -]?[A-Za-z0-9]{1,3})?\b"),
        0.01,
        is_iban,
    ),
    _Look("payment card", re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])"), 0.05, _is_card),
    _Look(
        "IP address",
        re.compile(
            r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[0-9A-Fa-f]*:)[0-9A-Fa-f:]{6,39})(?![\w.:])"
        ),
        0.2,
        _is_address,
    ),
    _Look(
        "national id",
        re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])"),
        0.2,
    ),
    _Look(
        "phone",
        re.compile(
            r"(?<![\w+.-])(?:\+\d[\d ()./-]{6,20}\d|\(\d{2,5}\) ?\d[\d ./-]{4,14}\d"
            r"|\d{3}[ .-]\d{3}[ .-]\d{4})(?!\w)"
        ),
        0.05,
        _is_phone,
    ),
)
_NAMES: tuple[tuple[PersonalKind, re.Pattern[str]], ...] = (
    ("e-mail", re.compile(r"_e_?mail(?:s|_addr|_address)?_|_mail_address_")),
    ("phone", re.compile(r"_(?:tele)?phone|_mobile_(?:no|number)?|_msisdn_|_fax_")),
    ("IBAN", re.compile(r"_iban_|_bank_?account")),
    (
        "payment card",
        re.compile(r"_(?:credit|debit|payment)_?card|_card_?(?:no|num|number)_|_pan_"),
    ),
    ("IP address", re.compile(r"_ip_(?:addr|address|v4|v6)?|_ip4_|_ip6_|_ipaddr")),
    (
        "national id",
        re.compile(
            r"_ssn_|_social_security|_national_?id|_passport|_tax_?id_|_nino_|_driver_?s?_?licen"
        ),
    ),
    (
        "person name",
        re.compile(r"_(?:first|last|family|given|middle|maiden|full|sur)_?name_|_surname_"),
    ),
    (
        "address",
        re.compile(
            r"_street|_(?:home|postal|mailing|billing|shipping)_address_|^_address_$|_zip_?(?:code)?_|_post_?code_|_postal_code_"
        ),
    ),
    ("birth date", re.compile(r"_birth_?(?:date|day)|_date_of_birth_|_dob_|_birthday_|_born_")),
)
