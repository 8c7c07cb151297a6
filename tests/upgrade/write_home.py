"""Write a home with its objects as this release state leaves it: `write_home.py NAME`.

Beside `write_state.py`, which writes the rows of every noun: here the bytes are kept too, of files
and tables in whatever form they are stored then. Run it before that form changes; keep it small. It
uses only verbs that every state has, so that it also runs on an old one:
`PYTHONPATH=OLD/src python tests/upgrade/write_home.py NAME`.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from treadle import connect
from treadle.kernel.clock import PlayedClock, parse_instant

HOMES = Path(__file__).parent / "homes"
START = parse_instant("2024-01-01")
CSV = "id,city\n1,Bern\n2,Basel\n"


def write(name: str) -> Path:
    """Make a home and keep its database as SQL and its objects as they are."""
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder) / "home", Path(folder) / "work"
        home.mkdir()
        (home / "settings.toml").write_text('clock = "played"\n', encoding="utf-8")
        PlayedClock(home / "clock").set(START)
        fill(home, work)
        kept = HOMES / name
        database = sqlite3.connect(home / "treadle.db")
        kept.mkdir(parents=True)
        (kept / "home.sql").write_text("\n".join(database.iterdump()) + "\n", encoding="utf-8")
        database.close()
        for path in (home / "objects").glob("??/*"):
            shutil.copy(path, kept / path.name)
            (kept / path.name).chmod(0o644)
    return kept


def fill(home: Path, work: Path) -> None:
    """Commit three versions of files and of a table, a CSV, a contract, a quarantine, a run."""
    with connect(home) as client:
        for number in (1, 2, 3):
            lay_out(work / "pets", number)
            client.data.commit_files("pets", [work / "pets"], message=f"pets {number}")
            client.data.commit("trips", trips(number), message=f"trips {number}")
        client.data.infer_contract("trips@1")
        client.data.validate("trips@1")
        client.data.quarantine("trips@2", reason="a delay of 999", evidence={"rows": 1})
        (work / "cities.csv").write_text(CSV, encoding="utf-8")
        client.data.commit("cities", work / "cities.csv")
        with client.run("by hand", experiment="old") as run:
            run.artifact("note.txt", b"kept")
        client.log.seal()


def pets(number: int) -> dict[str, bytes]:
    """Return the files of a version: two that stay, one that grows, one that comes and goes."""
    files = {"cats/one.raw": noise(1), "cats/two.raw": noise(2), "readme.txt": b"pets\n" * number}
    return files if number != 2 else {**files, "dogs/rex.raw": noise(3)}


def lay_out(folder: Path, number: int) -> None:
    """Have a folder hold the files of a version, an empty folder and a link."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "empty").mkdir(parents=True)
    for name, data in pets(number).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "latest").symlink_to("cats/two.raw")


def trips(number: int) -> pa.Table:
    """Return the rows of a version: the second changes a cell, the third adds ten rows."""
    count = 210 if number == 3 else 200
    delays = [float(i % 17) for i in range(count)]
    if number == 2:
        delays[7] = 999.0
    return pa.table(
        {"id": list(range(count)), "delay": delays, "city": ["Bern", "Zug"] * (count // 2)}
    )


def noise(seed: int) -> bytes:
    """Return bytes that do not compress."""
    return random.Random(seed).randbytes(20_000)  # noqa: S311 - the same at every run


if __name__ == "__main__":
    sys.stdout.write(f"{write(sys.argv[1])}\n")
