"""Reads `.dvc` files, `dvc.lock` files and DVC's configuration."""

from __future__ import annotations

import configparser
import posixpath
import re
from typing import TYPE_CHECKING, Any

import yaml

from treadle.exchange.dvc.entities import Out
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = "dvc.lock"
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_REMOTE = re.compile(r"""'?remote "(?P<name>.*)"'?""")


def read_outs(path: str, text: str) -> tuple[list[Out], list[tuple[str, str]]]:
    """Return the outputs that a `.dvc` or `dvc.lock` file names, and what cannot come and why."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} is no YAML.") from error
    outs: list[Out] = []
    left: list[tuple[str, str]] = []
    folder = posixpath.dirname(path)
    for base, fields in _fields(found, folder, is_lock=posixpath.basename(path) == LOCK):
        where = posixpath.normpath(posixpath.join(base, str(fields.get("path", ""))))
        why = _why_not(fields, where)
        if why:
            left.append((str(fields.get("path", "")), why))
        elif fields.get("cache", True):  # otherwise Git itself keeps it
            outs.append(
                Out(
                    path=where,
                    md5=str(fields["md5"]),
                    is_text_md5="hash" not in fields,
                    is_executable=bool(fields.get("isexec")),
                )
            )
    return outs, left


def _fields(found: Any, folder: str, *, is_lock: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each output says of itself, and the folder its path begins in."""
    if not isinstance(found, dict):
        return
    if not is_lock:
        base = posixpath.join(folder, str(found.get("wdir", "")))
        yield from ((base, out) for out in _dicts(found.get("outs")))
        return
    stages = found.get("stages", found)  # the first form had nothing around them
    for stage in _dicts(list(stages.values()) if isinstance(stages, dict) else None):
        yield from ((folder, out) for out in _dicts(stage.get("outs")))


def _dicts(found: Any) -> Iterator[dict[str, Any]]:
    yield from (each for each in found or () if isinstance(each, dict))


def _why_not(fields: dict[str, Any], where: str) -> str:
    if "://" in str(fields.get("path", "")) or where.startswith(("../", "/")) or where == "..":
        return "it lies outside of the repository"
    if not _MD5.fullmatch(str(fields.get("md5", ""))):
        return f"DVC knows no MD5 of it, only {', '.join(sorted(fields)) or 'nothing'}"
    return ""


def read_config(text: str) -> dict[str, dict[str, str]]:
    """Return the sections of a configuration; a remote's is named `remote:NAME`."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise InvalidInput("DVC's configuration cannot be read.") from error
    sections = {}
    for title in parser.sections():
        remote = _REMOTE.fullmatch(title)
        sections[f"remote:{remote['name']}" if remote else title] = dict(parser[title])
    return sections
