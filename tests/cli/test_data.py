"""`treadle data`: commit, contracts, quarantine."""

from __future__ import annotations

import pytest

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
        "column", "kind", "distribution", "nulls", "distinct",
        "lowest", "median", "highest", "commonest", "stands", "out",
    ]  # fmt: skip
    heat = next(line for line in lines if line.startswith("heat "))
    assert heat.split()[:2] == ["heat", "number"]
    assert "7.8%" in heat
    assert "█" in heat
    assert any("Basel (" in line for line in lines)
    assert "600 rows" in lines


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


def folder_of(tmp_path, **files):
    folder = tmp_path / "pets"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def test_a_folder_is_committed_seen_and_checked_out(cli, tmp_path):
    folder = folder_of(tmp_path, cat="meow", dog="woof")

    planned = cli("data", "commit", folder, "--name", "pets", "--dry-run")
    made = cli("data", "commit", folder, "--name", "pets")
    clean = cli("data", "status", folder)
    out = cli("data", "checkout", "pets@1", tmp_path / "out")

    assert planned.out == "Would commit 2 files  8 B  new 8 B\n"
    assert made.out.startswith("pets@1  2 files  8 B  stored ")
    assert clean.out.endswith("is pets@1: 2 files, nothing differs\n")
    assert out.out == "Wrote 2 files of pets@1, kept 0\n"
    assert (tmp_path / "out" / "dog").read_text() == "woof"


def test_the_status_exits_1_when_something_differs(cli, tmp_path):
    folder = folder_of(tmp_path, cat="meow", dog="woof")
    cli("data", "commit", folder, "--name", "pets")
    folder_of(tmp_path, cat="purr purr", wolf="howl")
    (folder / "dog").unlink()

    told = cli("data", "status", folder)
    as_json = cli("data", "status", folder, "--json").json

    assert told.code == 1
    assert told.out == "added    wolf\nchanged  cat\nremoved  dog\n"
    assert as_json["diff"] == {
        "added": ["wolf"], "removed": ["dog"], "changed": ["cat"], "renamed": [],
    }  # fmt: skip


def test_two_versions_of_files_are_compared(cli, tmp_path):
    folder = folder_of(tmp_path, cat="meow", dog="woof")
    cli("data", "commit", folder, "--name", "pets")
    (folder / "dog").rename(folder / "wolf\nname")
    cli("data", "commit", folder, "--name", "pets")

    told = cli("data", "diff", "pets@1", "pets@2")
    same = cli("data", "diff", "pets@2", "pets@2")

    assert told.out == "renamed  dog → 'wolf\\nname'\n"
    assert same.out == "Nothing differs\n"


def test_files_are_listed_a_page_at_a_time(cli, tmp_path):
    cli("data", "commit", folder_of(tmp_path, cat="meow", dog="woof"), "--name", "pets")

    page = cli("data", "files", "pets", "--limit", "1", "--offset", "1", "--json").json
    shown = cli("data", "files", "pets", "--only", "c*").out

    assert [(f["path"], f["kind"], f["size_bytes"]) for f in page["items"]] == [("dog", "file", 4)]
    assert page["total"] == 2
    assert shown.splitlines()[1].split()[:4] == ["cat", "4", "B", "file"]


def test_a_csv_is_kept_as_a_file_when_that_is_asked_for(cli, csv):
    made = cli("data", "commit", csv, "--name", "raw", "--as", "files")

    assert " 1 file " in made.out
    assert "files" in cli("data", "show", "raw").out


def test_a_check_of_all_objects_exits_1_when_one_is_damaged(cli, tmp_path):
    cli("data", "commit", folder_of(tmp_path, cat="meow"), "--name", "pets")
    sound = cli("data", "fsck")
    (pack,) = (tmp_path / ".treadle" / "objects").glob("??/*")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:-1])

    damaged = cli("data", "fsck")

    assert "0 damaged" in sound.out
    assert "pets@1" in damaged.out
    assert "1 damaged" in damaged.out
    assert (sound.code, damaged.code) == (0, 1)


def test_a_database_without_a_query_is_told_to_have_one(cli):
    said = cli("data", "commit", "--name", "x", "--from", "sqlite:///shop.db")

    assert said.code == 2
    assert "sqlite is a database: ask it by --sql" in said.err


def test_a_sweep_without_anything_to_remove_asks_nothing(cli, tmp_path):
    cli("data", "commit", folder_of(tmp_path, cat="meow"), "--name", "pets")

    assert cli("data", "gc").out == "Everything is needed, or too young.\n"


# --- rows in quarantine, contracts by number ---

OFFERS = "id,shop,price\n1,north,9.5\n2,south,8.75\n3,north,999\n4,sorth,8.5\n"
CONTRACT = """\
[columns.shop]
type = "text"
categories = ["north", "south"]

[columns.price]
type = "number"
high = 100.0
"""


@pytest.fixture
def offers(cli, tmp_path):
    """A folder with a dataset of which two rows break the contract."""
    (tmp_path / "offers.csv").write_text(OFFERS)
    (tmp_path / "contract.toml").write_text(CONTRACT)
    (tmp_path / "wider.toml").write_text(CONTRACT.replace("100.0", "200.0"))
    assert cli("data", "commit", "offers.csv", "--name", "offers", cwd=tmp_path).code == 0
    assert cli("data", "contract", "offers", "--set", "contract.toml", cwd=tmp_path).code == 0
    return tmp_path


def test_a_dry_run_counts_the_rows_that_would_be_held(cli, offers):
    said = cli("data", "validate", "offers", "--quarantine", "--dry-run", cwd=offers)
    as_json = cli("data", "validate", "offers", "--quarantine", "--dry-run", "--json", cwd=offers)

    assert said.out.startswith("would hold 2 rows of offers@1\n")
    assert as_json.json == {
        "version": "offers@1",
        "rows": 2,
        "checks": {"range price": 1, "categories shop": 1},
    }
    assert cli("data", "quarantines", "--json", cwd=offers).json["total"] == 0


def test_rows_are_held_shown_and_decided_on(cli, offers):
    held = cli("data", "validate", "offers", "--quarantine", "--json", cwd=offers)
    shown = cli("data", "quarantines", "show", "offers@1", "--json", cwd=offers)
    one = ("--where", "shop=sorth", "--yes")
    rejected = cli("data", "quarantines", "reject", "offers@1", *one, "--json", cwd=offers)
    would = cli("data", "quarantines", "release", "offers@1", "--dry-run", cwd=offers)
    released = cli("data", "quarantines", "release", "offers@1", "--yes", cwd=offers)

    assert held.code == 1
    assert held.json["version"]["number"] == 2
    assert [row["checks"] for row in shown.json["items"]] == [["range price"], ["categories shop"]]
    assert (rejected.json["state"], rejected.json["rows"]) == ("rejected", 1)
    assert would.out.startswith("would release offers@1: 1 row, held since")
    assert released.out == "1 row of offers@1 is released, back in offers@3\n"


def test_what_is_not_held_and_bad_words_are_explained(cli, offers):
    nothing = cli("data", "quarantines", "release", "offers@1", "--yes", cwd=offers)
    cli("data", "validate", "offers", "--quarantine", cwd=offers)
    check = cli("data", "quarantines", "reject", "offers@1", "--check", "range prise", cwd=offers)
    value = cli("data", "quarantines", "reject", "offers@1", "--where", "shop", cwd=offers)
    alone = cli("data", "validate", "offers", "--dry-run", cwd=offers)

    assert "Nothing is held" in nothing.err
    assert "range price" in check.err
    assert "'shop' is not COLUMN=VALUE" in value.err
    assert "--dry-run goes with --quarantine" in alone.err


def test_contracts_are_compared_by_their_numbers(cli, offers):
    cli("data", "contract", "offers", "--set", "wider.toml", cwd=offers)

    widened = cli("data", "contract", "offers", "--diff", "1", "2", cwd=offers)
    narrowed = cli("data", "contract", "offers@2..1", "--diff", "--json", cwd=offers)
    edited = cli("data", "contract", "offers", "--diff", "contract.toml", cwd=offers)
    since = cli("data", "contract", "offers", "--diff", "1", cwd=offers)
    listed = cli("data", "contract", "offers", "--versions", "--json", cwd=offers)
    first = cli("data", "contract", "offers@1", cwd=offers)
    none = cli("data", "contract", "offers", "--diff", "1", "7", cwd=offers)

    assert (widened.code, since.out) == (1, widened.out)
    assert "breaks" in widened.out
    assert (narrowed.code, narrowed.json[0]["effect"]) == (0, "tightens")
    assert (edited.code, "tightens" in edited.out) == (0, True)
    assert [c["number"] for c in listed.json["items"]] == [2, 1]
    assert "high = 100.0" in first.out
    assert "offers has the contracts 1 to 2" in none.err


def test_what_is_the_same_as_a_held_version_is_released_with_it(cli, tmp_path):
    for rows in ("1", "2", "1"):
        (tmp_path / "n.csv").write_text(f"x\n{rows}\n")
        cli("data", "commit", "n.csv", "--name", "n", cwd=tmp_path)
    cli("data", "quarantines", "hold", "n@1", "--reason", "units", cwd=tmp_path)

    released = cli("data", "quarantines", "release", "n@3", "--yes", cwd=tmp_path)

    assert released.out == "n@1 is released\n"
