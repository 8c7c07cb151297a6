"""docs/reference is what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from treadle.cli.reference import main, pages
from treadle.cli.root import COMMANDS
from treadle.kernel.settings import Settings

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name):
    written = (REFERENCE / name).read_text()

    assert written == PAGES[name], "run: python -m treadle.cli.reference"


def test_every_command_setting_and_rule_is_named():
    assert all(f"### treadle {name}\n" in PAGES["commands.md"] for name in COMMANDS)
    assert all(f"`TREADLE_{f.upper()}`" in PAGES["settings.md"] for f in Settings.__struct_fields__)
    assert all(f"## [{part}]" in PAGES["policy.md"] for part in ("gates", "release", "retrain"))
    assert "## model.version_registered" in PAGES["events.md"] or "## model." in PAGES["events.md"]


def test_every_setting_says_what_it_means():
    rows = [line for line in PAGES["settings.md"].splitlines() if line.startswith("| `")]

    assert len(rows) == len(Settings.__struct_fields__)
    assert [row for row in rows if row.endswith("|  |")] == []


def test_a_check_names_what_is_not_up_to_date_and_writes_nothing(tmp_path):
    asked = CliRunner().invoke(main, ["--check", "--to", str(tmp_path)])
    written = CliRunner().invoke(main, ["--to", str(tmp_path)])
    again = CliRunner().invoke(main, ["--check", "--to", str(tmp_path)])

    assert (asked.exit_code, written.exit_code, again.exit_code) == (1, 0, 0)
    assert "not up to date" in asked.output
    assert {p.name for p in tmp_path.iterdir()} == set(PAGES)
