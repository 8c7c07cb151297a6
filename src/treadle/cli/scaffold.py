"""What `treadle init` makes of a table: which columns are inputs, and the files of a project."""

from __future__ import annotations

import json
import re
import shutil
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.compute as pc
import pyarrow.types as kinds

from treadle.data.column_types import kind_of, plain
from treadle.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from treadle.kernel.ids import new_id

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

NUMERIC = ("integer", "number", "boolean")
DATED = ("timestamp", "date")
FEW_NAMES = 200
"""More different texts than this are ids or free text, not names of something."""
ENOUGH_FOR_IDS = 50
"""In fewer rows, whole numbers may all differ by chance."""
FEWEST_OF_EACH = 20
"""With fewer rows of an outcome nothing can be learned, held out and judged."""
TWO = 2
VALUES_SHOWN = 5
YES = ("true", "1", "1.0", "yes", "y")

_SHUFFLED = {
    "import_split": "from sklearn.model_selection import train_test_split\n",
    "split": """\
    \"\"\"Hold a quarter of the rows out, drawn at random and alike in their outcomes.\"\"\"
    outcome, places = rows[TARGET].to_numpy(), np.arange(rows.num_rows)
    kept, held = train_test_split(places, test_size=HELD_OUT, stratify=outcome, random_state=seed)
    return rows.take(kept), rows.take(held)""",
    "moments": """\
    at = np.arange(rows.num_rows) * 3_600_000_000  # without a time, rows stand an hour apart""",
}
_BY_TIME = {
    "import_split": "",
    "split": """\
    \"\"\"Hold the latest quarter out: what came later must not teach what came before.\"\"\"
    rows = rows.sort_by(TIME)
    cut = round(rows.num_rows * (1 - HELD_OUT))
    return rows.slice(0, cut), rows.slice(cut)""",
    "moments": """\
    at = rows[TIME].cast($as_time).cast(pa.int64())  # microseconds since 1970""",
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What each column of a table becomes."""

    target: str
    positive: Any
    rows: int
    positives: int
    unlabelled: int
    time: str | None
    ids: tuple[str, ...]
    numbers: tuple[str, ...]
    names: tuple[str, ...]
    left_out: dict[str, str]


def plan(table: pa.Table, *, target: str) -> Plan:
    """Decide what each column is. Raises InvalidInput or NotFound for a target that is none."""
    if target not in table.column_names:
        raise NotFound("column", target, known=table.column_names)
    counts = _outcomes(table, target=target)
    positive = _positive(counts)
    time = _time(table, target=target)
    ids: list[str] = []
    numbers: list[str] = []
    names: list[str] = []
    left_out: dict[str, str] = {}
    for name in table.column_names:
        if name in {target, time}:
            continue
        column = plain(table[name])
        if why := _unusable(column):
            left_out[name] = why
        elif _is_id(column):
            ids.append(name)
        else:
            (numbers if kind_of(column.type) in NUMERIC else names).append(name)
    if not numbers and not names:
        told = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise InvalidInput(f"No column but {target!r} can be an input.", hint=told)
    return Plan(
        target=target,
        positive=positive,
        rows=table.num_rows,
        positives=counts[positive],
        unlabelled=table[target].null_count,
        time=time,
        ids=tuple(ids),
        numbers=tuple(numbers),
        names=tuple(names),
        left_out=left_out,
    )


def files_of(found: Plan, *, folder: Path, source: Path, schema: pa.Schema) -> dict[str, str]:
    """Return the text of every file of a project but its data."""
    name, dataset = name_of(folder.name), name_of(source.name)
    roles = {found.target: "target", **dict.fromkeys(found.ids, "id")}
    if found.time:
        roles[found.time] = "time"
    values = {
        "name": name,
        "dataset": json.dumps(dataset),
        "dataset_name": dataset,
        "file": _text(source.name),
        "data_file": _text(f"data/{source.name}"),
        "target": _text(found.target),
        "positive": _literal(found.positive),
        "roles": ", ".join(f"{_text(column)} = {_text(role)}" for column, role in roles.items()),
        "lists": _lists(found),
        **_fragments(found, schema),
    }
    return {
        "pipeline.py": _filled("pipeline.py.txt", values),
        "policy.toml": _filled("policy.toml.txt", values),
        "test_pipeline.py": _filled("test_pipeline.py.txt", values),
        ".gitignore": ".treadle/\n__pycache__/\n",
    }


def name_of(text: str) -> str:
    """Return a text as the name of a model, an endpoint, a dataset: `my data.csv` is my-data."""
    name = re.sub(r"[^a-zA-Z0-9_-]+", "-", text.split(".", maxsplit=1)[0]).strip("-_")
    if not name:
        raise InvalidInput(f"{text!r} cannot become a name.", hint="Use letters, digits, _ and -.")
    return name


def require_empty(folder: Path) -> None:
    """Raise Conflict when a folder has something in it, git's own folder aside."""
    try:
        there = sorted(p.name for p in folder.iterdir() if p.name != ".git")
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot_write(folder, error) from error
    if there:
        more = ", …" if len(there) > VALUES_SHOWN else ""
        raise Conflict(
            f"{folder} is not empty: {', '.join(there[:VALUES_SHOWN])}{more}.",
            hint="Choose another folder; nothing was written.",
        )


def write(folder: Path, files: dict[str, str], *, source: Path) -> None:
    """Write a project: all of it or, on any error, nothing. Raises Unavailable."""
    is_new = not folder.exists()
    draft = folder / f".draft-{new_id()}"
    try:
        (draft / "data").mkdir(parents=True)
        for name, text in files.items():
            (draft / name).write_text(text, encoding="utf-8")
        shutil.copyfile(source, draft / "data" / source.name)
        for path in list(draft.iterdir()):
            path.rename(folder / path.name)
        draft.rmdir()
    except OSError as error:
        shutil.rmtree(folder if is_new else draft, ignore_errors=True)
        raise _cannot_write(folder, error) from error


def _outcomes(table: pa.Table, *, target: str) -> dict[Any, int]:
    pairs = pc.value_counts(plain(table[target]).drop_null()).to_pylist()
    counts = {pair["values"]: pair["counts"] for pair in pairs}
    if len(counts) != TWO:
        shown = ", ".join(repr(value) for value in list(counts)[:VALUES_SHOWN])
        more = ", …" if len(counts) > VALUES_SHOWN else ""
        what = "no values" if not counts else f"{len(counts)} values: {shown}{more}"
        raise InvalidInput(
            f"The target {target!r} has {what}. A target has two.",
            hint="Make it a yes-or-no column first, such as delay > 15.",
            target=target,
            values=len(counts),
        )
    value, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest < FEWEST_OF_EACH:
        raise InvalidInput(
            f"Only {fewest} rows have {target} = {value}: too few to learn from.",
            hint=f"At least {FEWEST_OF_EACH} rows of each outcome are needed.",
        )
    return counts


def _positive(counts: dict[Any, int]) -> Any:
    # The value a person means by yes; without such a word the rarer one: late, fraud, churn.
    for word in YES:
        for value in counts:
            if str(value).lower() == word:
                return value
    return min(counts, key=lambda value: (counts[value], str(value)))


def _time(table: pa.Table, *, target: str) -> str | None:
    dated = [f.name for f in table.schema if kind_of(f.type) in DATED and f.name != target]
    whole = [name for name in dated if not table[name].null_count]
    return whole[0] if whole else None


def _unusable(column: pa.ChunkedArray) -> str:
    distinct = len(column.unique().drop_null())
    kind = kind_of(column.type)
    if distinct < TWO:
        return "it has one value only" if distinct else "it is empty"
    if kinds.is_decimal(column.type) or kind not in {*NUMERIC, "text"}:
        return f"it is of type {column.type}; make a number of what matters in it"
    if kind == "text" and distinct > FEW_NAMES:
        return f"{distinct:,} different texts, more than the {FEW_NAMES} taken as names"
    return ""


def _is_id(column: pa.ChunkedArray) -> bool:
    rows = len(column)
    is_whole = kind_of(column.type) == "integer"
    return is_whole and rows > ENOUGH_FOR_IDS and len(column.unique()) == rows


def _lists(found: Plan) -> str:
    lists = {"NUMBERS": found.numbers, "NAMES": found.names}
    lines = [_list(name, values) for name, values in lists.items()]
    if found.time:
        lines.insert(0, f"TIME = {_text(found.time)}")
    return "\n".join(lines)


def _list(name: str, values: tuple[str, ...]) -> str:
    kind = "" if values else ": list[str]"
    line = f"{name}{kind} = [{', '.join(_text(v) for v in values)}]"
    if len(line) <= 100:  # noqa: PLR2004 - columns of a line
        return line
    items = "".join(f"    {_text(v)},\n" for v in values)
    return f"{name} = [\n{items}]"


def _fragments(found: Plan, schema: pa.Schema) -> dict[str, str]:
    if not found.time:
        return _SHUFFLED
    kind = schema.field(found.time).type
    zone = f", tz={_text(kind.tz)}" if kinds.is_timestamp(kind) and kind.tz else ""
    as_time = f'pa.timestamp("us"{zone})'
    return {name: text.replace("$as_time", as_time) for name, text in _BY_TIME.items()}


def _literal(value: Any) -> str:
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    # JSON's strings are TOML's and, but for lone surrogates that no table holds, Python's.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _filled(name: str, values: dict[str, str]) -> str:
    path = resources.files("treadle.cli").joinpath("template", name)
    return Template(path.read_text(encoding="utf-8")).substitute(values)


def _cannot_write(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"Cannot write {folder}: {error.strerror or error}.",
        hint="Choose another folder; nothing was written.",
    )
