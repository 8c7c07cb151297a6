"""`treadle data`: commit, contracts, quarantine."""

from __future__ import annotations

from tests.cli.rows import rows_of, write_csv

HELD = "late-outcomes@1"


def test_a_file_is_committed_once_however_often_it_is_given(cli, csv):
    first = cli("data", "commit", csv, "--name", "flights", "-m", "the first")
    again = cli("data", "commit", csv, "--name", "flights", "--json")

    assert first.out.startswith("flights@1  600 rows  ")
    assert again.json["number"] == 1
    assert "the first" in cli("data", "show", "flights").out


def test_a_profile_says_nulls_range_and_the_commonest(cli, csv):
    cli("data", "commit", csv, "--name", "flights")

    lines = cli("data", "profile", "flights").out.splitlines()

    assert lines[0].split() == [
        "column", "kind", "nulls", "distinct", "lowest", "median", "highest", "commonest",
    ]  # fmt: skip
    assert any(line.startswith("heat    number    7.8%") for line in lines)
    assert any("Basel (" in line for line in lines)


def test_a_contract_is_learned_printed_edited_and_set(cli, csv, tmp_path):
    cli("data", "commit", csv, "--name", "flights")

    learned = cli("data", "infer", "flights", "--role", "late=target")
    (tmp_path / "edited.toml").write_text(learned.out.replace("max_null_share = 0.146", ""))
    changed = cli("data", "contract", "flights", "--set", "edited.toml")

    assert "flights follows contract 1 from now on" in learned.err
    assert 'role = "target"' in learned.out
    assert "flights follows contract 2 from now on" in changed.err
    assert cli("data", "contract", "flights").out == changed.out


def test_learning_again_keeps_the_roles(cli, csv):
    cli("data", "commit", csv, "--name", "flights")
    cli("data", "infer", "flights", "--role", "late=target", "--role", "id=id")

    again = cli("data", "infer", "flights", "--role", "city=sensitive")

    assert [r for r in ("target", "id", "sensitive") if f'role = "{r}"' in again.out] == [
        "target",
        "id",
        "sensitive",
    ]


def test_a_dry_run_prints_a_contract_and_sets_none(cli, csv):
    cli("data", "commit", csv, "--name", "flights")

    dry = cli("data", "infer", "flights", "--dry-run")

    assert "[columns.heat]" in dry.out
    assert "treadle data infer flights" in cli("data", "contract", "flights").err


def test_an_edited_contract_that_is_wrong_is_named_with_its_line_and_the_near_miss(
    cli, csv, tmp_path
):
    cli("data", "commit", csv, "--name", "flights")
    (tmp_path / "edited.toml").write_text('[columns.heat]\ntype = "number"\nlow_ = 3\n')

    said = cli("data", "contract", "flights", "--set", "edited.toml")

    assert said.code == 1
    assert "edited.toml, line 3: unknown columns.heat.low_" in said.err
    assert "Did you mean 'low'?" in said.err


def test_a_version_that_breaks_its_contract_fails_with_its_reasons(cli, csv, tmp_path):
    cli("data", "commit", csv, "--name", "flights")
    cli("data", "infer", "flights")
    wrong = write_csv(tmp_path / "wrong.csv", rows_of() | {"stops": [10_000] * 600})
    cli("data", "commit", wrong, "--name", "flights")

    said = cli("data", "validate", "flights")

    assert said.code == 1
    assert "stops" in said.out
    assert "flights@2: fail" in said.out


def test_a_role_that_is_none_gets_the_near_miss(cli, csv):
    cli("data", "commit", csv, "--name", "flights")

    assert "Did you mean 'target'?" in cli("data", "infer", "flights", "--role", "late=tarjet").err
    assert cli("data", "infer", "flights", "--role", "late").code == 2


def test_a_held_version_is_released_after_a_yes(cli, project):
    said = cli("data", "quarantines", "release", HELD, cwd=project, stdin="y\n")

    assert "Use late-outcomes@1 after all? It was held: the feed says no" in said.err
    assert said.out == "late-outcomes@1 is released\n"


def test_a_held_version_stays_held_after_a_no(cli, project):
    said = cli("data", "quarantines", "reject", HELD, cwd=project, stdin="n\n")

    assert said.code != 0
    assert cli("data", "quarantines", "--state", "held", "--json", cwd=project).json["total"] == 1


def test_a_dry_run_decides_nothing(cli, project):
    said = cli("data", "quarantines", "reject", HELD, "--dry-run", cwd=project)

    assert said.out.startswith("would reject late-outcomes@1: 2 rows")
    assert cli("data", "quarantines", "--state", "held", "--json", cwd=project).json["total"] == 1


def test_a_rejected_version_is_said_as_json(cli, project):
    said = cli("data", "quarantines", "reject", HELD, "--yes", "--json", cwd=project)

    assert said.json["state"] == "rejected"


def test_only_a_held_version_can_be_decided_on(cli, project):
    near = cli("data", "quarantines", "reject", "late-outcome@1", "--yes", cwd=project)
    cli("data", "quarantines", "reject", HELD, "--yes", cwd=project)
    gone = cli("data", "quarantines", "release", HELD, "--yes", cwd=project)

    assert "Did you mean 'late-outcomes@1'?" in near.err
    assert "Nothing is held" in gone.err
