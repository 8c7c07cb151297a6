"""Write what this release state leaves behind: `python tests/upgrade/write_state.py NAME`.

Run it before a change of the schema; the file is kept for ever and every later version must open
it. It holds one of everything that can be made without a model library.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from treadle import Trained, connect
from treadle.analysis.leakage import single_feature_probe
from treadle.kernel.clock import DAY_US, PlayedClock, parse_instant
from treadle.release.policy import parse_policy

STATES = Path(__file__).parent / "states"
START = parse_instant("2024-01-01")
POLICY = """
endpoint = "even"
model = "even"
[gates]
leak = true
[labels]
dataset = "truth"
"""


class HalfEach:
    """Answers one half to everybody."""

    output = "probability"

    def predict(self, table: pa.Table) -> list[float]:
        return [0.5] * table.num_rows


def write(name: str) -> Path:
    """Make a home with one of everything and write its database as SQL."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        (home / "settings.toml").write_text('clock = "played"\n', encoding="utf-8")
        PlayedClock(home / "clock").set(START)
        fill(home)
        path = STATES / f"{name}.sql"
        database = sqlite3.connect(home / "treadle.db")
        path.write_text("\n".join(database.iterdump()) + "\n", encoding="utf-8")
        database.close()
    return path


def fill(home: Path) -> None:
    """Use every noun once."""
    rows = pa.table({"x": [float(i % 17) for i in range(400)], "y": [i % 2 for i in range(400)]})
    policy = parse_policy(POLICY)
    with connect(home) as client:
        client.data.commit("rows", rows, message="first")
        client.data.infer_contract("rows", roles={"y": "target"})
        client.data.validate("rows")
        with client.run("by hand", experiment="even", params={"depth": 3}) as run:
            run.log(loss=0.7, step=1)
            run.artifact("note.txt", b"kept")
        client.loop.start(policy)
        example = rows.select(["x"]).slice(0, 5)
        probes = single_feature_probe({"x": rows["x"]}, rows["y"])
        trained = Trained(model=HalfEach(), example=example, metrics={"auc": 0.5}, probes=probes)
        made = client.loop.candidate(policy, trained, name="first")
        client.loop.propose(policy, made.version or "", why="first version")
        client.serving.score_batch(
            "even",
            rows.select(["x"]),
            keys=[f"k{i}" for i in range(400)],
            times=[START + i * DAY_US // 100 for i in range(400)],
        )
        client.replay_to(START + 8 * DAY_US)
        truth = pa.table({"key": [f"k{i}" for i in range(400)], "label": rows["y"]})
        client.data.commit("truth", truth)
        client.loop.tick("even")
        client.log.seal()


if __name__ == "__main__":
    sys.stdout.write(f"{write(sys.argv[1])}\n")
