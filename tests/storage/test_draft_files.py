from __future__ import annotations

import io
import mmap
import os

import pytest

from treadle.storage import draft_files
from treadle.storage.draft_files import LARGE_BYTES, DraftFile, is_large

PAGES = os.urandom(64 << 10)
TAIL = b"and a rest that fills no page"


def written(path, blocks):
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with DraftFile(handle, is_large=True) as file:
        sizes = [file.write(block) for block in blocks]
    assert sizes == [len(block) for block in blocks]
    return path.read_bytes()


def test_whole_pages_and_a_rest_are_all_there(tmp_path):
    memory = mmap.mmap(-1, len(PAGES))
    memory[:] = PAGES

    assert written(tmp_path / "a", [memoryview(memory), TAIL]) == PAGES + TAIL


def test_a_block_that_ends_within_a_page_goes_past_the_cache_but_for_its_end(tmp_path, monkeypatch):
    memory = mmap.mmap(-1, 2 * len(PAGES))
    memory[: len(PAGES) + len(TAIL)] = PAGES + TAIL
    sizes = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, block: sizes.append(len(block)) or write(fd, block))

    block = memoryview(memory)[: len(PAGES) + len(TAIL)]

    assert written(tmp_path / "a", [block, TAIL]) == PAGES + TAIL + TAIL
    assert sizes == [len(PAGES), len(TAIL), len(TAIL)]


def test_blocks_that_begin_in_the_middle_of_a_page_are_written_as_usual(tmp_path):
    memory = mmap.mmap(-1, len(PAGES) + 4096)
    memory[7 : 7 + len(PAGES)] = PAGES
    unaligned = memoryview(memory)[7 : 7 + len(PAGES)]

    assert written(tmp_path / "a", [unaligned, TAIL, unaligned]) == PAGES + TAIL + PAGES


def test_a_file_system_that_wants_its_cache_gets_it(tmp_path, monkeypatch):
    told = draft_files.fcntl.fcntl

    def refuse(handle, what, flags=0):
        if what == draft_files.fcntl.F_SETFL:
            raise OSError(22, "Invalid argument")
        return told(handle, what, flags)

    monkeypatch.setattr(draft_files.fcntl, "fcntl", refuse)

    assert written(tmp_path / "a", [PAGES, TAIL]) == PAGES + TAIL


def test_the_handle_is_closed_when_writing_fails(tmp_path):
    handle = os.open(tmp_path / "a", os.O_RDONLY | os.O_CREAT)

    with (
        pytest.raises(OSError, match="Bad file descriptor"),
        DraftFile(handle, is_large=False) as f,
    ):
        f.write(TAIL)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_only_a_stream_that_knows_that_it_is_long_is_large():
    class Told(io.BytesIO):
        size_bytes = LARGE_BYTES

    assert is_large(Told())
    assert not is_large(io.BytesIO())
