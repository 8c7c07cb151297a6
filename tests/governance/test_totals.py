from __future__ import annotations

import pytest

from tests.release.world import GOOD, HARMFUL, World
from treadle.governance.entities import GateTotals


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.app.close()


def test_nothing_was_judged_in_the_beginning(world):
    assert world.app.governance.gate_totals() == GateTotals(judged=0, passed=0)
    assert world.app.governance.gate_verdicts(["nobody"]) == {}


def test_candidates_are_counted_with_those_that_passed(world):
    good, bad = world.candidate(GOOD), world.candidate(HARMFUL)
    verdicts = {good.run_id: good.report.passed, bad.run_id: bad.report.passed}

    assert world.app.governance.gate_totals() == GateTotals(judged=2, passed=sum(verdicts.values()))
    assert world.app.governance.gate_verdicts([*verdicts, "nobody"]) == verdicts
