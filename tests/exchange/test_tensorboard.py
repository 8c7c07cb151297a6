"""Event files against TensorBoard itself: what it writes is read, what we write it reads."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.exchange.tensorboard.events import read_event, write_scalar
from treadle.exchange.tensorboard.logs import metric_name, read_logs, write_logs
from treadle.exchange.tensorboard.records import checksum, framed, frames
from treadle.kernel.errors import NotFound
from treadle.kernel.protobuf import Malformed
from treadle.tracking.entities import MetricPoint

# TensorBoard's own writer and reader; in a process of its own, for it warns while it is imported.
WRITER = """
import sys
import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, HistogramProto
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

writer = EventFileWriter(sys.argv[1])
for step in range(5):
    old = Summary(value=[Summary.Value(tag="loss", simple_value=1.0 / (step + 1))])
    writer.add_event(Event(wall_time=1000.0 + step, step=step, summary=old))
    new = scalar_pb("accuracy é", step / 10)
    writer.add_event(Event(wall_time=1000.0 + step, step=step, summary=new))
png = b"\\x89PNG" + bytes(20)
image = Summary.Image(height=1, width=1, colorspace=3, encoded_image_string=png)
writer.add_event(Event(wall_time=1.0, step=2, summary=Summary(value=[
    Summary.Value(tag="sample/0", image=image),
    Summary.Value(tag="weights", histo=HistogramProto(min=0, max=1, num=1)),
])))
writer.add_event(Event(wall_time=1.0, step=0, summary=text_pb("note", "hello")))
writer.close()
"""
READER = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

found = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
found.Reload()
tags = found.Tags()
scalars = {t: [[e.step, e.wall_time, e.value] for e in found.Scalars(t)] for t in tags["scalars"]}
texts = {t: found.Tensors(t)[0].tensor_proto.string_val[0].decode() for t in tags["tensors"]}
print(json.dumps({"scalars": scalars, "texts": texts}))
"""


def tensorboard(code, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def test_what_tensorboard_wrote_is_read(tracking, tmp_path):
    tensorboard(WRITER, tmp_path / "logs" / "first")

    (brought,) = read_logs(tracking, tmp_path / "logs", experiment="boards")

    run = tracking.run(brought.run_id)
    losses = tracking.history(run.id, "loss")
    accuracies = tracking.history(run.id, "accuracy é")
    paths = [a.path for a in tracking.artifacts(run.id) if a.path.startswith("tensorboard/")]
    assert (run.name, run.experiment, brought.points) == ("first", "boards", 10)
    assert [(p.step, p.at) for p in losses] == [(s, (1000 + s) * 1_000_000) for s in range(5)]
    assert [p.value for p in losses] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert [p.value for p in accuracies] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert paths == ["tensorboard/note/00000000.md", "tensorboard/sample/0/00000002.png"]
    assert brought.left_out == {"weights": 1}


def test_a_folder_read_again_adds_nothing_twice(tracking, tmp_path):
    tensorboard(WRITER, tmp_path)

    (first,) = read_logs(tracking, tmp_path, experiment="boards")
    (again,) = read_logs(tracking, tmp_path, experiment="boards")

    assert again.run_id == first.run_id
    assert len(tracking.history(first.run_id, "loss")) == 5


def test_a_folder_without_event_files_is_refused(tracking, tmp_path):
    with pytest.raises(NotFound, match="event file"):
        read_logs(tracking, tmp_path)


def test_what_we_write_tensorboard_reads(tracking, tmp_path):
    run = tracking.start_run(experiment="boards", name="a/b", params={"depth": 6})
    points = [
        MetricPoint(key="loss", value=0.5 / (s + 1), step=s, at=s * 500_000) for s in range(3)
    ]
    tracking.log_points(run.id, [*points, MetricPoint(key="odd", value=math.nan, step=1, at=5)])

    path = write_logs(tracking, run.id, tmp_path)

    found = json.loads(tensorboard(READER, path.parent))
    assert found["scalars"]["loss"] == [
        [0, 0.0, 0.5],
        [1, 0.5, 0.25],
        [2, 1.0, pytest.approx(1 / 6)],
    ]
    assert math.isnan(found["scalars"]["odd"][0][2])
    assert "| depth | 6 |" in found["texts"]["run/params"]


def test_a_file_that_is_still_being_written_is_read_up_to_its_end(tmp_path):
    whole = framed(write_scalar("a", 1.0, step=0, seconds=0))
    (tmp_path / "half").write_bytes(whole + whole[:-3])

    with (tmp_path / "half").open("rb") as stream:
        found = list(frames(stream))

    assert len(found) == 1


def test_a_damaged_frame_ends_the_reading(tmp_path):
    whole = framed(write_scalar("a", 1.0, step=0, seconds=0))
    damaged = bytearray(whole)
    damaged[14] ^= 1
    (tmp_path / "bad").write_bytes(bytes(damaged) + whole)

    with (tmp_path / "bad").open("rb") as stream:
        assert list(frames(stream)) == []


def test_the_checksum_is_castagnolis():
    # RFC 3720, B.4: 32 bytes of zero; unmasked 0x8A9136AA.
    crc = 0x8A9136AA
    assert checksum(bytes(32)) == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@given(
    tag=st.text(min_size=1),
    number=st.floats(width=32),
    step=st.integers(-(2**63), 2**63 - 1),
    seconds=st.floats(allow_nan=False),
)
def test_an_event_is_read_as_it_was_written(tag, number, step, seconds):
    tag = tag.encode(errors="replace").decode()

    event = read_event(write_scalar(tag, number, step=step, seconds=seconds))

    (value,) = event.values
    assert (value.tag, value.plugin, event.step, event.seconds) == (tag, "scalars", step, seconds)
    assert struct.pack("<f", value.number) == struct.pack("<f", number)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_malformed(data):
    try:
        event = read_event(data)
    except Malformed:
        return
    assert event.step == event.step


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_metric_name_is_short_and_of_allowed_characters(one, other):
    assert 1 <= len(metric_name(one)) <= 250
    assert (metric_name(one) == metric_name(other)) or one != other
