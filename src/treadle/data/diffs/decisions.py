"""What somebody decided about the conflicts of a merge, read from the file that they were kept in.

A decision holds for a conflict that is still the same: of this key and column, with these values on
each side. So a file stays good when something else was committed meanwhile, and is refused where
what it decides has changed.
"""

from __future__ import annotations

import csv
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import msgspec

from treadle.data.diffs.entities import Conflict, Taken
from treadle.data.diffs.tables import quoted
from treadle.data.diffs.writing import ROWS_AT_ONCE, TEXTS, require_ending
from treadle.kernel.errors import Conflict as Refused
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.late import pa, pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from duckdb import DuckDBPyConnection

    from treadle.data.diffs.entities import Side

EXAMPLES = 5
CELL_CHARACTERS = 60
ANEW = "Write it anew: treadle data merge REF --conflicts FILE, then decide."
_WORDS = get_args(Taken)
_NAMED = ("kind", "key", "about")  # `column` is a word of SQL
_SIDES = ("base", "ours", "theirs")
_WHOLE = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
_WHOLE |= {"INTEGER", "UINTEGER"}


class Met(NamedTuple):
    """A conflict of this merge, the rows that it is of, and the place of its column."""

    conflict: Conflict
    ours_row: int | None = None
    theirs_row: int | None = None
    place: int = -1


def read_conflicts(path: Path) -> Iterator[Conflict]:
    """Yield the conflicts of a file that `write_conflicts` wrote and somebody edited.

    In CSV and Parquet a `value` that is no JSON is a text, and one alone is a decision.
    """
    ending = require_ending(path)
    if not path.is_file():
        raise NotFound("file", str(path))
    read = {".jsonl": _lines, ".csv": _csv, ".parquet": _parquet}[ending]
    number = 1
    try:
        for found in read(path):
            yield _checked(found)
            number += 1
    except (msgspec.MsgspecError, csv.Error, pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput(
            f"Conflict {number} of {path.name} cannot be read: {error}", hint=ANEW
        ) from error


class Decisions:
    """Decisions as tables of the engine: those that are given, and the rows that they hold for."""

    def __init__(self, given: Iterable[Conflict], *, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        decided = (Met(conflict) for conflict in given if conflict.taken is not None)
        self._keep("given", decided)
        self._require_once()

    def schema_sides(self) -> dict[str, Side]:
        """Return whose each column is that was removed, renamed or retyped on one side."""
        sql = "SELECT about, taken FROM given WHERE kind = 'schema'"
        return dict(self._connection.sql(sql).fetchall())

    def match(self, met: Iterable[Met]) -> tuple[int, ...]:
        """Find what is decided among a merge's conflicts; return the places of its columns.

        It is in the table `decided` then: `row_taken`, and for each place `t0` (what is taken) and
        `x0` (a value, as text). Raises Conflict for decisions about anything else.
        """
        self._keep("met_conflicts", met)
        same = " AND ".join(f"m.{name} = g.{name}" for name in _NAMED)
        self._require_known(same)
        self._require_as_it_was(same)
        self._connection.execute(
            "CREATE TEMP TABLE each_decided AS SELECT m.ours_row, m.theirs_row, m.place, g.taken, "
            f"g.value FROM given AS g JOIN met_conflicts AS m ON {same} WHERE g.kind <> 'schema'"
        )
        places = self._connection.sql(
            "SELECT DISTINCT place FROM each_decided WHERE place >= 0 ORDER BY place"
        )
        found = tuple(int(row[0]) for row in places.fetchall())
        cells = ["max(taken) FILTER (place < 0) AS row_taken"]
        for place in found:
            cells.append(f"max(taken) FILTER (place = {place}) AS t{place}")
            cells.append(f"max(value) FILTER (place = {place}) AS x{place}")
        self._connection.execute(
            f"CREATE TEMP TABLE decided AS SELECT ours_row, theirs_row, {', '.join(cells)} "
            "FROM each_decided GROUP BY ours_row, theirs_row"
        )
        return found

    def _keep(self, table: str, met: Iterable[Met]) -> None:
        schema = pa.schema(
            [
                *(pa.field(name, pa.string()) for name in (*_NAMED, *_SIDES, "taken", "value")),
                *(pa.field(name, pa.string()) for name in ("named", "shown")),
                *(pa.field(name, pa.int64()) for name in ("ours_row", "theirs_row", "place")),
            ]
        )
        rows = (_row(each) for each in met)
        # Through a file: the engine takes nothing in while it gives the conflicts out.
        with tempfile.TemporaryDirectory(prefix="treadle-merge-") as folder:
            path = Path(folder) / "conflicts.parquet"
            with pq.ParquetWriter(path, schema) as writer:
                while some := list(islice(rows, ROWS_AT_ONCE)):
                    columns = [
                        pa.array(cells, field.type)
                        for cells, field in zip(zip(*some, strict=True), schema, strict=True)
                    ]
                    writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            self._connection.execute(
                f"CREATE TEMP TABLE {table} AS SELECT * FROM read_parquet({quoted(str(path))})"
            )

    def _require_once(self) -> None:
        sql = f"SELECT any_value(named) FROM given GROUP BY {', '.join(_NAMED)} HAVING count(*) > 1"
        twice = self._connection.sql(sql).limit(EXAMPLES).fetchall()
        if twice:
            raise InvalidInput(
                f"Decided more than once: {_some(row[0] for row in twice)}.",
                hint="Leave one line for each.",
            )

    def _require_known(self, same: str) -> None:
        unknown = f"given AS g ANTI JOIN met_conflicts AS m ON {same}"
        found = self._connection.sql(f"SELECT g.named FROM {unknown}").limit(EXAMPLES).fetchall()
        if found:
            raise Refused(
                f"{self._count(unknown):,} decisions are about what is no conflict of this merge: "
                f"{_some(row[0] for row in found)}.",
                hint=f"It is not any more, or it never was. {ANEW}",
            )

    def _require_as_it_was(self, same: str) -> None:
        differ = " OR ".join(f"m.{side} IS DISTINCT FROM g.{side}" for side in _SIDES)
        changed = f"given AS g JOIN met_conflicts AS m ON {same} WHERE {differ}"
        found = (
            self._connection.sql(f"SELECT g.named, g.shown, m.shown FROM {changed}")
            .limit(EXAMPLES)
            .fetchall()
        )
        if found:
            told = (f"{name} ({was}, and now {now})" for name, was, now in found)
            raise Refused(
                f"{self._count(changed):,} decisions are about other values: {_some(told)}.",
                hint=f"Somebody committed since. {ANEW}",
            )

    def _count(self, rows: str) -> int:
        return int(self._connection.sql(f"SELECT count(*) FROM {rows}").fetchall()[0][0])


def as_type(text: str, sql_type: str) -> str:
    """Return SQL of a given value as a column has it; it fails where a cast would only round."""
    if sql_type == "BLOB":  # shown, and so given, as hexadecimal digits
        return f"unhex({text})"
    whole = sql_type in _WHOLE
    if not whole and not sql_type.startswith("DECIMAL"):
        return f"CAST({text} AS {sql_type})"
    scale = 0 if whole else int(sql_type.partition(",")[2].strip(" )"))
    exact = f"[+-]?[0-9]+([.][0-9]{{0,{scale}}})?"
    odd = f"concat({text}, ' has more digits than the column')"
    return (
        f"CAST(CASE WHEN regexp_full_match({text}, '{exact}') THEN {text} ELSE {odd} END "
        f"AS {sql_type})"
    )


def _row(met: Met) -> tuple[Any, ...]:
    found = met.conflict
    sides = [_canonical(getattr(found, side)) for side in _SIDES]
    shown = ", ".join(f"{side} {_short(text)}" for side, text in zip(_SIDES, sides, strict=True))
    value = found.value
    text = value if isinstance(value, str) else None if value is None else _canonical(value)
    named = found.name or found.kind
    return (
        *(found.kind, _canonical(found.key), found.column, *sides, found.taken, text),
        *(named, shown, met.ours_row, met.theirs_row, met.place),
    )


def _canonical(value: Any) -> str:
    """Return a value as the JSON that is the same however an editor wrote it."""
    return msgspec.json.encode(_whole(value), order="sorted").decode()


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return value


def _checked(found: Conflict) -> Conflict:
    about_cell = found.kind in {"both_changed", "both_added"}
    if found.taken in {"base", "value"} and not about_cell:
        raise ValueError(f"{found.name or found.kind} is no cell: take ours or theirs")
    if found.value is not None and found.taken not in {None, "value"}:
        raise ValueError(f"{found.name} takes {found.taken} and has a value, too")
    if found.value is not None and found.taken is None:
        return msgspec.structs.replace(found, taken="value")
    return found


def _lines(path: Path) -> Iterator[Conflict]:
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield msgspec.json.decode(line, type=Conflict)


def _csv(path: Path) -> Iterator[Conflict]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, strict=True)
        _require_columns(rows.fieldnames or ())
        yield from map(_from_texts, rows)


def _parquet(path: Path) -> Iterator[Conflict]:
    with pq.ParquetFile(path) as file:
        _require_columns(file.schema_arrow.names)
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(TEXTS)):
            yield from map(_from_texts, batch.to_pylist())


def _require_columns(names: Sequence[str]) -> None:
    missing = [name for name in TEXTS if name not in names]
    if missing:
        raise ValueError(f"it has no column {', '.join(missing)}")


def _from_texts(row: dict[str, str | None]) -> Conflict:
    cells: dict[str, Any] = {
        name: msgspec.json.decode(row[name] or "null") for name in ("key", *_SIDES)
    }
    taken, value = (row["taken"] or "").strip().lower() or None, row["value"] or ""
    if taken is not None and taken not in _WORDS:
        raise ValueError(f"taken is {taken!r}, not one of {', '.join(_WORDS)}")
    cells |= {"kind": row["kind"], "column": row["column"] or "", "taken": taken}
    return msgspec.convert({**cells, "value": _plain(value)}, Conflict)


def _plain(text: str) -> Any:
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _some(told: Iterable[str]) -> str:
    return "; ".join(told)


def _short(text: str) -> str:
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 1]}…"
