from __future__ import annotations

import shlex

import click
import pytest

from tests.docs.pages import pages
from tests.docs.runner import Reader, commands, fits
from treadle.cli.root import root

PAGES = pages()
RUN = [p for p in PAGES if any(b.language in {"python", "console"} or b.file for b in p.blocks)]
TYPED = sorted({line for page in PAGES if not page.is_generated for line in page.commands})


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_a_reader_who_does_what_a_page_says_sees_what_it_shows(page, set_up):
    folder, served = set_up(page)

    Reader(page, folder=folder, served=served).follow()


@pytest.mark.parametrize("command", TYPED)
def test_a_command_on_a_page_can_be_typed(command):
    assert understood(shlex.split(command, comments=True)[1:])


def understood(words: list[str]) -> bool:
    """Whether click takes the words, without doing anything."""
    command, context, rest = root, None, words
    while isinstance(command, click.Group) and rest:
        context = command.make_context(command.name, rest, parent=context, resilient_parsing=True)
        rest = [*context._protected_args, *context.args]
        if rest:
            _, found, rest = command.resolve_command(context, rest)
            command = found or command
    context = command.make_context(command.name, rest, parent=context)
    return not context.args


def test_a_console_block_is_commands_each_with_its_output():
    text = "$ treadle data\nrows\n\n$ curl x \\\n  -d y\nanswer\n"

    assert commands(text) == [("treadle data", "rows"), ("curl x \\\n  -d y", "answer")]


def test_an_ellipsis_stands_for_anything():
    assert fits("late@1  3 rows  in 0.2 s\n", printed="late@1 … rows …")
    assert not fits("late@2  3 rows\n", printed="late@1 … rows")
