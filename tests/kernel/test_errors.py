from __future__ import annotations

import pytest

from treadle import errors
from treadle.kernel.errors import (
    ContractBroken,
    InvalidInput,
    MissingExtra,
    NotFound,
    TreadleError,
    near_misses,
)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_public_error_is_one_of_ours(name: str) -> None:
    assert issubclass(getattr(errors, name), TreadleError)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [getattr(errors, name).code for name in errors.__all__]

    assert len(set(codes)) == len(codes)


def test_an_error_says_what_is_wrong_and_what_to_do() -> None:
    error = InvalidInput("It is broken.", hint="Mend it.", line=3)

    assert str(error) == "It is broken. Mend it."
    assert error.data == {"line": 3}


def test_an_error_without_a_hint_ends_with_its_message() -> None:
    assert str(InvalidInput("It is broken.")) == "It is broken."


def test_a_broken_contract_is_invalid_input() -> None:
    assert issubclass(ContractBroken, InvalidInput)


def test_what_is_not_found_suggests_what_looks_like_it() -> None:
    error = NotFound("dataset", "flihgts", known=["flights", "weather"])

    assert str(error) == "No dataset 'flihgts'. Did you mean 'flights'?"


def test_what_looks_like_nothing_shows_five_of_what_there_is() -> None:
    error = NotFound("model", "zzz", known=["a1", "b2", "c3", "d4", "e5", "f6"])

    assert error.hint == "There is: a1, b2, c3, d4, e5, …."


def test_where_nothing_is_known_nothing_is_suggested() -> None:
    assert str(NotFound("run", "x")) == "No run 'x'."


def test_a_missing_extra_names_the_command() -> None:
    assert "pip install 'treadle[cloud]'" in str(MissingExtra("obstore", extra="cloud"))


def test_near_misses_are_at_most_three() -> None:
    assert len(near_misses("aaaa", ["aaab", "aaac", "aaad", "aaae"])) == 3
