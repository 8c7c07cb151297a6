"""Write the pages of docs/reference that are read off the code.

python -m treadle.cli.reference [--check]
"""

from __future__ import annotations

import inspect
import pkgutil
import re
import types
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import click
import msgspec

import treadle
from treadle.cli.group import Group
from treadle.cli.root import root
from treadle.kernel.settings import PREFIX, Settings
from treadle.release.policy import Policy
from treadle.storage.events import Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

WRITTEN = "<!-- Written by python -m treadle.cli.reference; change the code instead. -->"
FOLDER = Path("docs/reference")
NOWHERE = ("treadle.testing", "treadle.cli", "treadle.demo", "treadle.server")
Struct = type[msgspec.Struct]

ON_COMMANDS = """
Exit codes: 0 done; 1 it could not be, or a check failed; 2 the command was not understood. Times
shown are UTC.

Every listing takes `--json` and prints `items`, `total` and `next_offset`, as the API does;
instants in it are microseconds since 1970, UTC. With `--json` an error is JSON on standard error:
`code`, `message`, `hint`.
"""
ON_SETTINGS = """
Read from the environment, else from `settings.toml` in the home, else the default. In the
environment lists are written with commas.

The home is `--home`, else `TREADLE_HOME`, else, for the command, `.treadle` of the project around,
else `.treadle` here.
"""
ON_EVENTS = """
Every state-changing verb writes one of these into the log, in the same transaction. An event has
`seq`, `at` (the project's clock), `recorded_at` (the machine's), `kind`, `subject`, `actor`, `body`
(the fields below as JSON), `previous` and `hash`.
"""


def pages() -> dict[str, str]:
    """Return every page by its file's name."""
    makers: dict[str, Callable[[], list[str]]] = {
        "commands.md": commands,
        "settings.md": settings,
        "events.md": events,
        "policy.md": policy,
    }
    return {name: "\n".join([WRITTEN, "", *make()]) + "\n" for name, make in makers.items()}


def commands() -> list[str]:
    """Describe every command, with its options and its examples."""
    lines = [
        "# Commands",
        "",
        _prose(ON_COMMANDS),
        "",
    ]
    for path, command in [(("treadle",), root), *_below(root, ("treadle",))]:
        lines += _command(path, command)
    return lines[:-1]


def settings() -> list[str]:
    """Describe every setting, its variable and its default."""
    meaning = _meanings(Settings)
    rows = [
        (f"`{f.name}`", f"`{PREFIX}{f.name.upper()}`", _default(f), meaning.get(f.name, ""))
        for f in msgspec.structs.fields(Settings)
    ]
    return [
        "# Settings",
        "",
        _prose(ON_SETTINGS),
        "",
        *_table(("setting", "environment", "default", "meaning"), rows),
    ]


def events() -> list[str]:
    """Describe every kind of event and what its fields hold."""
    facts = sorted(_facts(), key=lambda fact: fact.kind)
    lines = [
        "# Events",
        "",
        _prose(ON_EVENTS),
        "",
    ]
    for fact in facts:
        lines += [
            f"## {fact.kind}",
            "",
            _prose(fact.__doc__),
            "",
            f"Subject: `{_subject(fact)}`",
            "",
        ]
        lines += [*_fields(fact), ""]
    lines += ["# What the fields hold", ""]
    for struct in _held(facts):
        lines += [f"## {struct.__name__}", "", _prose(struct.__doc__), "", *_fields(struct), ""]
    return lines[:-1]


def policy() -> list[str]:
    """Describe every key of a policy file."""
    lines = ["# The policy file", "", _prose(Policy.__doc__), ""]
    own = [f for f in msgspec.structs.fields(Policy) if not _is_struct(f.type)]
    lines += [*_table(("key", "type", "default"), map(_key, own)), ""]
    for field in msgspec.structs.fields(Policy):
        if _is_struct(field.type):
            keys = map(_key, msgspec.structs.fields(field.type))
            lines += [f"## [{field.name}]", "", _prose(field.type.__doc__), ""]
            lines += [*_table(("key", "type", "default"), keys), ""]
    return lines[:-1]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a page is not up to date.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), default=FOLDER, help="Where the pages are."
)
@click.pass_context
def main(ctx: click.Context, *, check: bool, folder: Path) -> None:
    """Write the pages of docs/reference that are read off the code."""
    stale = [name for name, text in pages().items() if _read(folder / name) != text]
    for name in stale:
        if not check:
            (folder / name).write_text(pages()[name], encoding="utf-8")
        click.echo(f"{'not up to date' if check else 'wrote'}: {folder / name}")
    ctx.exit(1 if check and stale else 0)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _below(group: Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            yield (*path, name), command
        if isinstance(command, Group):
            yield from _below(command, (*path, name))


def _command(path: tuple[str, ...], command: click.Command) -> list[str]:
    words = " ".join(path)
    context = click.Context(command, info_name=words)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    options = [p for p in command.params if isinstance(p, click.Option)]
    records = filter(None, (option.get_help_record(context) for option in options))
    rows = [(f"`{names}`", text) for names, text in records]
    example = getattr(command, "example", "")
    return [
        f"{'#' * min(len(path) + 1, 3)} {words}",
        "",
        f"    {usage}",
        "",
        _prose(command.help),
        "",
        *([*_table(("option", ""), rows), ""] if rows else []),
        *(["```sh", *example.splitlines(), "```", ""] if example else []),
    ]


def _meanings(struct: Struct) -> dict[str, str]:
    """Return what the docstring says of each field, written "`name`: …" at a line's beginning."""
    text = inspect.cleandoc(struct.__doc__ or "")
    found = re.findall(r"^`(\w+)`: (.+?)(?=^`\w+`: |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return {name: " ".join(meaning.split()) for name, meaning in found}


def _facts() -> list[type[Fact]]:
    for module in pkgutil.walk_packages(treadle.__path__, "treadle."):
        if module.name.endswith((".facts", ".entities")) and not module.name.startswith(NOWHERE):
            import_module(module.name)
    return [fact for fact in _subclasses(Fact) if _is_ours(fact)]


def _is_ours(fact: type[Fact]) -> bool:
    module = fact.__module__
    return bool(fact.kind) and module.startswith("treadle.") and not module.startswith(NOWHERE)


def _subclasses(kind: type[Fact]) -> Iterator[type[Fact]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)


def _subject(fact: type[Fact]) -> str:
    found = re.search(r'return f"(.+)"', inspect.getsource(fact.subject))
    text = found.group(1) if found else fact.kind.split(".", maxsplit=1)[0]
    return re.sub(r"{self\.(?:\w+\.)*(\w+)}", lambda m: m.group(1).upper(), text)


def _held(facts: Iterable[Struct]) -> list[Struct]:
    """Return the structs that fields hold, and those that their fields hold."""
    found: dict[str, Struct] = {}
    waiting = list(facts)
    while waiting:
        for field in msgspec.structs.fields(waiting.pop()):
            for kind in _structs_in(field.type):
                if kind.__name__ not in found:
                    found[kind.__name__] = kind
                    waiting.append(kind)
    return [found[name] for name in sorted(found)]


def _structs_in(kind: Any) -> Iterator[Struct]:
    if _is_struct(kind):
        yield kind
    for part in get_args(kind):
        yield from _structs_in(part)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _fields(struct: Struct) -> list[str]:
    return _table(("field", "type", "default"), map(_key, msgspec.structs.fields(struct)))


def _key(field: msgspec.structs.FieldInfo) -> tuple[str, str, str]:
    return f"`{field.name}`", f"`{_type(field.type)}`", _default(field)


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is msgspec.NODEFAULT:
        return "required"
    if isinstance(value, msgspec.Struct):
        return ""
    plain = str(value) if isinstance(value, Path) else msgspec.to_builtins(value)
    return f"`{msgspec.json.encode(plain).decode()}`"


def _type(kind: Any) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in parts)
    if origin in {Union, types.UnionType}:
        return " | ".join(_type(part) for part in parts)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(_type(part) for part in parts)}]"
    named = {types.NoneType: "null", ...: "…", Any: "any"}
    return str(named.get(kind) or getattr(kind, "__name__", kind))


def _prose(text: str | None) -> str:
    """Return a text with each of its paragraphs on one line."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(" ".join(p.split()) for p in paragraphs)


def _table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(headers) + " |", "|" + "---|" * len(headers)]
    for row in rows:
        cells = (re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
