"""A contract as TOML: written for a person to read and edit, read back with its mistakes named."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import msgspec

from treadle.data.contracts import (
    ColumnRule,
    ContractBody,
    LabelRule,
    RelationRule,
    TableRule,
)
from treadle.kernel.errors import InvalidInput, near_misses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WIDTH = 96
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PARTS = ("table", "label", "columns", "relations")
_LEGEND = """\
# What every version of this dataset is expected to be. A line left out claims nothing.
# Shares lie between 0 and 1. Roles: id, time, target, sensitive, known_after.
"""


def to_toml(body: ContractBody, *, legend: str = _LEGEND) -> str:
    """Write a contract as TOML; `from_toml` reads back an equal one."""
    plain = as_mapping(body)
    blocks = [_block(part, plain[part]) for part in ("table", "label") if plain.get(part)]
    for part in ("columns", "relations"):
        for name, rule in plain.get(part, {}).items():
            blocks.append(_block(f"{part}.{_key(name)}", rule))
    return legend + "".join("\n" + block for block in blocks)


def from_toml(text: str, *, name: str = "contract") -> ContractBody:
    """Read a contract from TOML.

    Raises InvalidInput that says where: the position of bad TOML, the line of an unknown key (with
    the known one that looks like it), the path of a wrong value.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{name} is not valid TOML: {error}.") from error
    return from_mapping(values, name=name, text=text)


def as_mapping(body: ContractBody) -> dict[str, Any]:
    """Return a contract as the plain mapping that its TOML is; columns keep their order."""
    plain: dict[str, Any] = {}
    if table := _fields(body.table):
        plain["table"] = table
    if body.label is not None:
        plain["label"] = _fields(body.label)
    if body.columns:
        plain["columns"] = {rule.name: _fields(rule, without="name") for rule in body.columns}
    if body.relations:
        plain["relations"] = {rule.name: _fields(rule, without="name") for rule in body.relations}
    return plain


def from_mapping(
    values: Mapping[str, Any], *, name: str = "contract", text: str = ""
) -> ContractBody:
    """Read a contract from the mapping that a TOML file (or a part of one) is."""
    where = _Where(name, text)
    where.require_known(values, _PARTS, path="")
    columns = where.table(values.get("columns", {}), path="columns")
    relations = where.table(values.get("relations", {}), path="relations")
    label = values.get("label")
    return ContractBody(
        table=where.rule(TableRule, values.get("table", {}), path="table"),
        label=None if label is None else where.rule(LabelRule, label, path="label"),
        columns=tuple(
            where.rule(ColumnRule, rule, path=f"columns.{column}", name=column)
            for column, rule in columns.items()
        ),
        relations=tuple(
            where.rule(RelationRule, rule, path=f"relations.{key}", name=key)
            for key, rule in relations.items()
        ),
    )


class _Where:
    """Reads parts of a contract and says where one is wrong."""

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._lines = text.splitlines()

    def table(self, value: Any, *, path: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise InvalidInput(f"{self._name}: {path} must be a table, like [{path}].")
        return value

    def require_known(self, values: Mapping[str, Any], known: Iterable[str], *, path: str) -> None:
        known = tuple(known)
        for key in values:
            if key in known:
                continue
            close = near_misses(key, known)
            hint = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(known)}."
            full = f"{path}.{key}" if path else key
            where = f"{self._name}{self._line_of(key, path)}"
            raise InvalidInput(f"{where}: unknown {full}.", hint=hint)

    def rule(self, kind: type[Any], value: Any, *, path: str, **given: Any) -> Any:
        fields = self.table(value, path=path)
        self.require_known(fields, (f for f in kind.__struct_fields__ if f not in given), path=path)
        try:
            return msgspec.convert({**fields, **given}, kind)
        except msgspec.ValidationError as error:
            hint = _words_for(kind, str(error))
            raise InvalidInput(f"{self._name}: {path}: {error}.", hint=hint) from error
        except InvalidInput as error:
            raise InvalidInput(f"{self._name}: {error.message}", hint=error.hint) from error

    def _line_of(self, key: str, path: str) -> str:
        """Return `, line N` of a key below its header, or nothing when it cannot be told."""
        inside = not path
        for number, line in enumerate(self._lines, start=1):
            stripped = line.strip()
            if stripped.startswith("["):
                header = stripped.strip("[] ")
                inside = header.replace('"', "") == path
                if not path and header.split(".")[0].strip('"') == key:
                    return f", line {number}"
            elif inside and re.match(rf'"?{re.escape(key)}"?\s*=', stripped):
                return f", line {number}"
        return ""


def _words_for(kind: type[Any], told: str) -> str:
    """Return the words that a field may hold, where another one was the mistake."""
    field = re.search(r"Invalid enum value .* at `\$\.(\w+)`", told)
    words = get_args(get_type_hints(kind)[field[1]]) if field else ()
    return f"There is: {', '.join(word for word in words if word)}." if words else ""


def _fields(rule: msgspec.Struct, *, without: str = "") -> dict[str, Any]:
    """Return what a rule claims: the fields that differ from their default."""
    unclaimed = {f.name: f.default for f in msgspec.structs.fields(rule)}
    return {
        name: value
        for name, value in msgspec.structs.asdict(rule).items()
        if name != without and value != unclaimed[name]
    }


def _block(header: str, values: Mapping[str, Any]) -> str:
    lines = [f"[{header}]", *(f"{_key(key)} = {_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return _array([_value(v) for v in value])
    return repr(value)


def _text(value: str) -> str:
    # JSON's strings are TOML's, but for the one control character JSON lets through.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _array(items: list[str]) -> str:
    if sum(len(item) + 2 for item in items) <= _WIDTH:
        return f"[{', '.join(items)}]"
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "[\n" + "\n".join([*lines, line]) + "\n]"
