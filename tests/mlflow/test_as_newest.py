"""To the same calls by the client of MLflow (newest), ours answers as its own server does."""

from __future__ import annotations

import pytest

from tests.mlflow.comparing import cases, check

VERSION = "newest"


@pytest.mark.timeout(900)  # the first one starts the peer's server and makes all the calls
@pytest.mark.parametrize("case", cases())
def test_ours_answers_as_the_genuine_server_does(all_answers, case):
    check(all_answers(VERSION), case, version=VERSION)
