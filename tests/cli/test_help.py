"""Help, near misses and exit codes."""

from __future__ import annotations

import click
import pytest

from treadle.cli.root import COMMANDS, root


def commands(group=root, path=()):
    """Every command, however deep."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = {" ".join(path): command for path, command in commands()}


def test_help_names_every_command_in_a_group(cli):
    said = cli("--help")

    assert said.code == 0
    assert all(f"\n  {name} " in said.out for name in COMMANDS)


def test_alone_it_shows_the_help(cli):
    assert cli() == cli("--help")


@pytest.mark.parametrize("words", ALL)
def test_a_command_explains_itself_with_an_example(cli, words):
    said = cli(*words.split(), "--help")

    assert said.code == 0
    assert said.out.startswith(f"Usage: treadle {words}")
    assert "Example" in said.out
    assert f"treadle {words}" in said.out.partition("Example")[2]


@pytest.mark.parametrize("words", ALL)
def test_every_option_says_what_it_does(words):
    silent = [p.name for p in ALL[words].params if isinstance(p, click.Option) and not p.help]

    assert silent == []


@pytest.mark.parametrize(
    "words", [w for w, c in ALL.items() if isinstance(c, click.Group) and w != "demo"]
)
def test_every_listing_takes_json(words):
    options = {name for p in ALL[words].params for name in p.opts}

    assert words in {"audit", "import", "export"} or "--json" in options


USAGE = {
    "a command that is none": ("runz", "Did you mean run or runs?"),
    "a command of a group that is none": ("data shw", "Did you mean show?"),
    "an id where a command stands": ("runs 01a1", "To see one: treadle runs show 01a1"),
    "an option that is none": ("runs --lmit 3", "Did you mean '--limit'?"),
    "a value that is none": ("runs --status fnished", "finished"),
    "a number out of range": ("runs --limit 0", "1<=x<=10000"),
    "an argument left out": ("data show", "Missing argument 'REF'"),
}


@pytest.mark.parametrize(("words", "says"), USAGE.values(), ids=USAGE)
def test_a_command_that_is_not_understood_exits_2_and_says_what_was_meant(cli, words, says):
    said = cli(*words.split())

    assert said.code == 2
    assert said.err.startswith("Usage: treadle ")
    assert says in said.err


def test_a_sort_that_is_none_exits_1(cli):
    assert cli("runs", "--sort", "metrics").code == 1


def test_the_home_is_that_of_the_project_around(cli, seed):
    said = cli("status", cwd=seed / "data")

    assert str(seed / ".treadle") in said.out


def test_a_home_that_is_given_wins(cli, seed, tmp_path):
    said = cli("--home", tmp_path / "other", "status", cwd=seed)

    assert str(tmp_path / "other") in said.out


def test_a_list_of_commands_says_whole_sentences(cli):
    told = cli("data", "--help").out.partition("Commands:")[2]

    assert "Store a table, or files and folders, as the next version of a\n" in told
    assert "..." not in told
