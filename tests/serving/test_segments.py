from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import Unavailable
from treadle.serving.segments import (
    MAGIC,
    SegmentWriter,
    finished,
    framed,
    read_frames,
    read_segment,
    segments,
)

payloads = st.lists(st.binary(max_size=40), max_size=6)


@pytest.fixture
def writer(tmp_path):
    opened = SegmentWriter(tmp_path)
    yield opened
    opened.close()


def contents(folder):
    return [p for path in segments(folder) for p in read_segment(path).payloads]


@given(payloads)
def test_what_was_framed_is_read(given_payloads):
    data = MAGIC + b"".join(framed(p) for p in given_payloads)

    found = read_frames(data)

    assert found.payloads == tuple(given_payloads)
    assert found.valid_bytes == len(data)
    assert not found.damaged


@given(payloads, st.data())
def test_torn_at_any_byte_every_whole_frame_is_kept(given_payloads, data):
    whole = MAGIC + b"".join(framed(p) for p in given_payloads)
    cut = data.draw(st.integers(0, len(whole)))

    found = read_frames(whole[:cut])

    ends = [
        len(MAGIC) + sum(len(framed(p)) for p in given_payloads[: n + 1])
        for n in range(len(given_payloads))
    ]
    assert found.payloads == tuple(given_payloads[: sum(end <= cut for end in ends)])
    assert not found.damaged


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=2, max_size=5), st.data())
def test_a_changed_payload_before_the_last_is_damage(given_payloads, data):
    hit = data.draw(st.integers(0, len(given_payloads) - 2))
    frames = [framed(p) for p in given_payloads]
    frames[hit] = frames[hit][:-1] + bytes([frames[hit][-1] ^ 1])

    found = read_frames(MAGIC + b"".join(frames))

    assert found.damaged
    assert found.payloads == tuple(given_payloads[:hit])


def test_something_else_than_a_segment_is_damage():
    assert read_frames(b"PAR1 what is this").damaged


def test_what_was_acknowledged_can_be_read_while_the_segment_is_open(writer, tmp_path):
    writer.append(b"one").result()
    writer.append(b"two").result()

    assert contents(tmp_path) == [b"one", b"two"]


def test_payloads_of_many_threads_are_all_kept(writer, tmp_path):
    def work(name):
        for n in range(50):
            writer.append(f"{name}-{n}".encode()).result()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]

    assert sorted(contents(tmp_path)) == sorted(
        f"{a}-{b}".encode() for a in range(8) for b in range(50)
    )


def test_a_segment_being_written_cannot_be_taken(writer, tmp_path):
    writer.append(b"one").result()
    (path,) = segments(tmp_path)

    with finished(path) as ours:
        assert not ours
    writer.close()
    with finished(path) as ours:
        assert ours


def test_a_segment_that_is_gone_cannot_be_taken(tmp_path):
    with finished(tmp_path / "gone.segment") as ours:
        assert not ours


def test_a_large_segment_is_followed_by_another(tmp_path):
    writer = SegmentWriter(tmp_path, max_bytes=100)

    for n in range(10):
        writer.append(f"{n:030}".encode()).result()
    writer.close()

    assert len(segments(tmp_path)) > 1
    assert contents(tmp_path) == [f"{n:030}".encode() for n in range(10)]


def test_an_old_segment_is_finished_without_another_payload(tmp_path):
    writer = SegmentWriter(tmp_path, max_age_s=0.01)
    writer.append(b"one").result()
    (path,) = segments(tmp_path)

    def taken():
        with finished(path) as ours:
            return ours

    while not taken():  # the test's time limit ends it
        os.sched_yield()
    writer.close()


def test_closing_writes_what_waits(tmp_path):
    writer = SegmentWriter(tmp_path)

    promises = [writer.append(b"%d" % n) for n in range(100)]
    writer.close()

    assert all(p.done() for p in promises)
    assert len(contents(tmp_path)) == 100


def test_a_closed_log_refuses(tmp_path):
    writer = SegmentWriter(tmp_path)
    writer.close()

    with pytest.raises(Unavailable, match="closed"):
        writer.append(b"late")


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Unavailable, match="Cannot write the request log"):
        SegmentWriter(tmp_path / "file" / "segments")


WRITE_UNTIL_KILLED = """
import sys
from pathlib import Path
from treadle.serving.segments import SegmentWriter
writer = SegmentWriter(Path(sys.argv[1]))
for n in range(10**9):
    writer.append(b"%d" % n).result()
    print(n, flush=True)
"""

# The kernel refuses to let this process's files grow beyond 600 bytes, as a full disk would.
WRITE_UNTIL_FULL = """
import resource, signal, sys
from pathlib import Path
from treadle.errors import Unavailable
from treadle.serving.segments import SegmentWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600, resource.RLIM_INFINITY))
writer = SegmentWriter(Path(sys.argv[1]))
kept = 0
try:
    while True:
        writer.append(b"x" * 100).result()
        kept += 1
except Unavailable as error:
    print(kept, error, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.append(b"after").result()
writer.close()
"""


def child(script, folder):
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
    )


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path):
    with child(WRITE_UNTIL_KILLED, tmp_path) as process:
        seen = [int(process.stdout.readline()) for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        seen += [int(line) for line in process.stdout.read().split("\n")[:-1]]

    kept = [int(p) for p in contents(tmp_path)]

    assert kept[: len(seen)] == seen
    with finished(segments(tmp_path)[0]) as ours:
        assert ours


def test_a_full_disk_refuses_what_it_cannot_keep_and_goes_on_when_there_is_room(tmp_path):
    with child(WRITE_UNTIL_FULL, tmp_path) as process:
        kept, told = process.stdout.read().split(" ", 1)

    assert "Cannot write the request log" in told
    assert contents(tmp_path) == [b"x" * 100] * int(kept) + [b"after"]
