from __future__ import annotations

import pytest

from tests.server.inference.samples import made_home


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def serving(home):
    with made_home(home) as made:
        yield made
