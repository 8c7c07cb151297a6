from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.execution.capture import Tail, capturing


@contextlib.contextmanager
def own_stdout():
    """A process's own stdout, in place of the one pytest lends its tests."""
    with open(1, "w", encoding="utf-8", closefd=False) as stdout, pytest.MonkeyPatch.context() as m:
        m.setattr(sys, "stdout", stdout)
        yield


def test_words_of_python_c_code_and_children_are_kept():
    tail = Tail()

    with own_stdout(), capturing(tail):
        print("python")
        os.write(1, b"c code\n")
        subprocess.run([sys.executable, "-c", "print('child')"], check=True)

    assert set(tail.text().splitlines()) == {"python", "c code", "child"}


def test_both_streams_are_back_afterwards(capfd):
    with capturing(Tail()):
        os.write(1, b"inside\n")
    os.write(1, b"outside\n")

    assert capfd.readouterr().out == "outside\n"


def test_a_stream_closed_by_work_does_no_harm(monkeypatch):
    tail = Tail()

    with capturing(tail), os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        print("last words", flush=True)
        stream.close()

    assert tail.text() == "last words\n"


def test_bytes_that_are_no_text_are_shown_as_such():
    tail = Tail()

    tail.add(b"a\xff\x00b")

    assert tail.text() == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=30), st.integers(1, 50))
def test_a_tail_is_the_end_and_counts_the_rest(blocks, limit):
    tail = Tail(limit=limit)
    for block in blocks:
        tail.add(b"".join(bytes([65 + byte % 26]) for byte in block))
    whole = "".join(chr(65 + byte % 26) for block in blocks for byte in block)

    text = tail.text()

    dropped = max(0, len(whole) - limit)
    expected = f"… {dropped} bytes before this were dropped\n" if dropped else ""
    assert text == expected + whole[dropped:]
