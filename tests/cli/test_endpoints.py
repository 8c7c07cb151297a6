"""`treadle endpoints`: who serves, stop, roll back."""

from __future__ import annotations

import re

import pytest

import treadle
from treadle.serving.contract_log.entities import (
    BrokenCount,
    BrokenExample,
    ContractBatch,
    JudgedCount,
)
from treadle.serving.contract_log.waiting import BUCKET_US

WHY = ("--reason", "wrong prices")


@pytest.fixture
def replaced(project):
    """The project after its second version went live, without weeks of evidence."""
    with treadle.connect(project / ".treadle") as client, client.app.store.write() as tx:
        client.releases._promote(tx, client.releases.current("late"))
    return project


def test_an_endpoint_shows_who_serves_and_its_releases(cli, seed):
    said = cli("endpoints", "show", "late", cwd=seed)

    assert "late@1 live 100%, late@2 in shadow" in said.out
    assert "all 3 gates passed" in said.out


def test_a_release_is_stopped_after_a_yes_and_the_champion_stays(cli, project):
    said = cli("endpoints", "stop", "late", *WHY, cwd=project, stdin="y\n")

    assert "Stop late@2, in shadow on late?" in said.err
    assert said.out == "stopped late@2; late@1 takes all traffic\n"
    assert "wrong prices" in cli("endpoints", "show", "late", cwd=project).out


def test_a_dry_run_stops_nothing(cli, project):
    said = cli("endpoints", "stop", "late", *WHY, "--dry-run", cwd=project)

    assert said.out.startswith("would stop late@2")
    assert "late@2 in shadow" in cli("endpoints", cwd=project).out


def test_a_no_stops_nothing(cli, project):
    said = cli("endpoints", "stop", "late", *WHY, cwd=project, stdin="n\n")

    assert said.code != 0
    assert "late@2 in shadow" in cli("endpoints", cwd=project).out


def test_without_a_release_there_is_nothing_to_stop(cli, project):
    cli("endpoints", "stop", "late", *WHY, "--yes", cwd=project)

    said = cli("endpoints", "stop", "late", *WHY, "--yes", cwd=project)

    assert said.code == 1
    assert "No release is under way on late." in said.err


def test_the_first_version_cannot_be_rolled_back(cli, project):
    said = cli("endpoints", "rollback", "late", *WHY, "--dry-run", cwd=project)

    assert said.code == 1
    assert "late has served nothing before late@1." in said.err


def test_a_reason_must_be_given(cli, project):
    assert cli("endpoints", "rollback", "late", "--yes", cwd=project).code == 2


def test_a_rollback_says_who_comes_back_before_it_asks(cli, replaced):
    dry = cli("endpoints", "rollback", "late", *WHY, "--dry-run", cwd=replaced)
    done = cli("endpoints", "rollback", "late", *WHY, cwd=replaced, stdin="y\n")

    assert dry.out == "would put late@1 back into service on late, in place of late@2\n"
    assert "Put late@1 back into service on late, in place of late@2?" in done.err
    assert done.out == "late@1 is live on late\n"
    assert "late@1 live 100%" in cli("endpoints", cwd=replaced).out


def test_a_rollback_as_json_is_its_release(cli, replaced):
    said = cli("endpoints", "rollback", "late", *WHY, "--yes", "--json", cwd=replaced)

    assert (said.json["candidate"], said.json["state"]) == ("late@1", "live")


def test_the_contract_of_requests_is_shown_and_its_mode_set(cli, project):
    shown = cli("endpoints", "contract", "late", cwd=project)
    would = cli("endpoints", "contract", "late", "--mode", "off", "--dry-run", cwd=project)
    done = cli("endpoints", "contract", "late", "--mode", "refuse", "--json", cwd=project)
    wrong = cli("endpoints", "contract", "late", "--mode", "strict", cwd=project)

    assert shown.out.startswith("# late: warn; ")
    assert would.out == "would set late from warn to off\n"
    assert done.json["mode"] == "refuse"
    assert "strict" in wrong.err
    assert "refuse" in cli("endpoints", "show", "late", cwd=project).out


def test_what_requests_broke_is_listed_by_claim_with_the_rows(cli, project):
    with treadle.connect(project / ".treadle") as client:
        at = client.now()
        count = {"endpoint": "late", "at": at - at % BUCKET_US, "outcome": "refused", "requests": 1}
        example = BrokenExample(
            id="x",
            endpoint="late",
            at=at,
            outcome="refused",
            claim="range wind",
            values={"wind": 451.0},
            left_out=("who",),
        )
        client.serving.contract_log.write(
            ContractBatch(
                judged=(JudgedCount(rows=2, broken=1, **count),),
                broken=(BrokenCount(rows=1, claim="range wind", **count),),
                examples=(example,),
            )
        )

    said = cli("endpoints", "broken", "late", cwd=project)
    as_json = cli("endpoints", "broken", "late", "--outcome", "refused", "--json", cwd=project).json
    none = cli("endpoints", "broken", "late", "--outcome", "warned", cwd=project)

    assert "1 of 2 rows in 1 requests broke the contract since" in said.out
    assert re.search(r"refused +range wind +wind=451.0 who left out", said.out)
    assert as_json["counts"]["claims"][0]["refused_rows"] == 1
    assert as_json["examples"]["items"][0]["values"] == {"wind": 451.0}
    assert "No rows are kept." in none.out
