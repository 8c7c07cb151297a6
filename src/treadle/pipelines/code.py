"""The digest of a step's code: it changes when what the step would compute may change.

It covers the step's own bytecode and, from there on, everything the code names that belongs to the
project: functions, classes, constants, other steps, also in other files. What is installed counts
by the version of its package, Python by its minor version. The project is the folder of the step's
file, or of its top-level package; inside Treadle itself only the step's own folder.

Why bytecode and not source: source is read from disk and may be newer than the code in memory,
which is what runs; bytecode also has no comments, no layout and no line numbers, and lambdas and
decorated functions have it as well. Docstrings and annotations are left out.

What it cannot see: files and services that code reads, and objects other than those below, which
count by their type and repr. For these there is `@step(version=…)`.
"""

from __future__ import annotations

import dataclasses
import dis
import enum
import functools
import importlib
import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.digests import canonical_json, digest_bytes, digest_json
from treadle.pipelines.definitions import Step

if TYPE_CHECKING:
    from collections.abc import Iterable

# Where and how a class was written, not what it does; pickling leaves `__slotnames__` behind.
LAYOUT = {
    "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__dict__",
    "__doc__", "__firstlineno__", "__module__", "__slotnames__", "__static_attributes__",
    "__weakref__",
}  # fmt: skip
GLOBAL_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
ATTRIBUTE_LOADS = {"LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM", "LOAD_SUPER_ATTR"}
NUMBER_LOADS = {"LOAD_CONST", "LOAD_SMALL_INT"}
# Packages whose import has another name than their distribution.
DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "yaml": "pyyaml",
}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_TREADLE = Path(__file__).resolve().parents[1]


def code_digest(step: Step[..., Any]) -> str:
    """Return the digest of a step's code and of the project's code it uses."""
    reader = _Reader(_project_of(step.function))
    code = reader.value(step.function)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return digest_json({"code": code, "python": python, "packages": reader.packages})


class _Reader:
    """Describes values as JSON, each function and class once, and notes packages on the way."""

    def __init__(self, project: _Project) -> None:
        self._project = project
        self._seen: dict[int, int] = {}
        self._kept: list[object] = []  # an id may be used again once its object is gone
        self.packages: dict[str, str] = {}

    def value(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | float() | complex() | str():
                return self._scalar(value)
            case bytes() | bytearray():
                return ["bytes", digest_bytes(bytes(value))]
            case CodeType():
                return self._code(value, docstring=None)
            case tuple() | frozenset():
                # Whether equal constants are one object differs between a fresh compile and a .pyc.
                return self._container(value)
        if id(value) in self._seen:
            return ["again", self._seen[id(value)]]
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)
        return self._container(value) or self._callable(value) or self._object(value)

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, enum.Enum):
            return ["enum", type(value).__qualname__, value.name]
        return [type(value).__name__, repr(value)]

    def _container(self, value: Any) -> Any:
        match value:
            case tuple() | list():
                return [type(value).__name__, [self.value(item) for item in value]]
            case set() | frozenset():
                # Their order changes from process to process.
                return ["set", sorted(canonical_json(self.value(item)).decode() for item in value)]
            case dict():
                items = sorted(value.items(), key=lambda item: repr(item[0]))
                return ["dict", [[self.value(k), self.value(v)] for k, v in items]]
        return None

    def _callable(self, value: Any) -> Any:
        match value:
            case Step():
                return ["step", value.version, value.outputs, self.value(value.function)]
            case FunctionType():
                return self._function(value)
            case MethodType():
                return ["method", self.value(value.__func__), self.value(value.__self__)]
            case functools.partial():
                parts = (value.func, value.args, value.keywords)
                return ["partial", *(self.value(part) for part in parts)]
            case BuiltinFunctionType():
                return self._foreign(value.__module__ or "", value.__qualname__)
            case ModuleType():
                return self._module(value, attributes=())
            case type():
                return self._class(value)
            case staticmethod() | classmethod():
                return [type(value).__name__, self.value(value.__func__)]
            case property():
                return ["property", *(self.value(f) for f in (value.fget, value.fset, value.fdel))]
        inner = getattr(value, "__wrapped__", None)  # lru_cache and other decorators
        return None if inner is None else [type(value).__qualname__, self.value(inner)]

    def _object(self, value: Any) -> Any:
        kind = self.value(type(value))
        if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            return [kind, [[name, self.value(getattr(value, name))] for name in names]]
        if isinstance(value, msgspec.Struct):
            names = list(value.__struct_fields__)
            return [kind, [[name, self.value(getattr(value, name))] for name in names]]
        return [kind, _bytes_of(value) or _ADDRESS.sub("", repr(value))]

    def _function(self, function: FunctionType) -> Any:
        if not self._project.holds(function.__module__, function.__code__.co_filename):
            return self._foreign(function.__module__ or "", function.__qualname__)
        closure = [self._cell(cell) for cell in function.__closure__ or ()]
        defaults = [function.__defaults__, function.__kwdefaults__]
        return [
            "function",
            self._code(function.__code__, docstring=function.__doc__),
            closure,
            [self.value(default) for default in defaults],
            self._named_by(function.__code__, function.__globals__),
        ]

    def _cell(self, cell: Any) -> Any:
        try:
            return self.value(cell.cell_contents)
        except ValueError:  # not filled yet
            return ["empty"]

    def _class(self, kind: type) -> Any:
        module = sys.modules.get(kind.__module__)
        if not self._project.holds(kind.__module__, getattr(module, "__file__", None)):
            return self._foreign(kind.__module__, kind.__qualname__)
        members = {k: v for k, v in vars(kind).items() if k not in LAYOUT}
        return [
            "class",
            kind.__qualname__,
            [self.value(base) for base in kind.__bases__],
            [[name, self.value(member)] for name, member in sorted(members.items())],
        ]

    def _module(self, module: ModuleType, *, attributes: Iterable[str]) -> Any:
        if not self._project.holds(module.__name__, getattr(module, "__file__", None)):
            return self._foreign(module.__name__, "")
        held = vars(module)
        used = [name for name in attributes if name in held]
        return ["module", [[name, self._named(held[name], attributes)] for name in used]]

    def _foreign(self, module: str, name: str) -> Any:
        package = module.partition(".")[0]
        if package and package not in sys.stdlib_module_names:
            self.packages[package] = _version(package)
        return ["foreign", module, name]

    def _code(self, code: CodeType, *, docstring: str | None) -> Any:
        constants = [
            None if docstring is not None and constant == docstring else self.value(constant)
            for constant in code.co_consts
        ]
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_flags)
        raw = digest_bytes(code.co_code + getattr(code, "co_exceptiontable", b""))
        return ["code", code.co_name, raw, constants, names, counts]

    def _named_by(self, code: CodeType, scope: dict[str, Any]) -> Any:
        """Describe what code and the functions inside it name outside of themselves."""
        loads = _Loads.of(code)
        known = [name for name in loads.names if name in scope]
        return [
            *([name, self._named(scope[name], loads.attributes)] for name in known),
            *([name, self._imported(name, loads, scope)] for name in loads.imports),
        ]

    def _named(self, value: Any, attributes: Iterable[str]) -> Any:
        if isinstance(value, ModuleType):
            return self._module(value, attributes=attributes)
        return self.value(value)

    def _imported(self, name: str, loads: _Loads, scope: dict[str, Any]) -> Any:
        if name.startswith("."):
            name = importlib.util.resolve_name(name, scope.get("__package__"))
        package = name.partition(".")[0]
        if package in sys.stdlib_module_names or not self._project.holds(package, _origin(package)):
            return self._foreign(name, "")
        return self._module(importlib.import_module(name), attributes=loads.attributes)


class _Loads(msgspec.Struct):
    """The names a piece of code loads, in the order it does."""

    names: list[str]
    attributes: list[str]
    imports: list[str]

    @classmethod
    def of(cls, code: CodeType) -> _Loads:
        loads = cls([], [], [])
        loads._read(code)
        return cls(*(list(dict.fromkeys(part)) for part in msgspec.structs.astuple(loads)))

    def _read(self, code: CodeType) -> None:
        level = 0
        for instruction in dis.get_instructions(code):
            if instruction.opname in GLOBAL_LOADS:
                self.names.append(instruction.argval)
            elif instruction.opname in ATTRIBUTE_LOADS:
                self.attributes.append(instruction.argval)
            elif instruction.opname == "IMPORT_NAME":
                self.imports.append("." * level + instruction.argval)
            elif instruction.opname in NUMBER_LOADS and isinstance(instruction.argval, int):
                level = instruction.argval  # the dots of an import are loaded just before it
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._read(constant)


class _Project:
    """Says which code belongs to the project and is followed."""

    def __init__(self, *, module: str, folder: Path | None) -> None:
        self._module = module
        self._folder = folder

    def holds(self, module: str | None, file: str | None) -> bool:
        if module == self._module:  # also in a notebook, where there is no file
            return True
        if self._folder is None or not file:
            return False
        path = Path(file).resolve()
        if not path.is_relative_to(self._folder):
            return False
        inside = path.relative_to(self._folder).parts
        return "site-packages" not in inside and (
            not path.is_relative_to(_TREADLE) or self._folder.is_relative_to(_TREADLE)
        )


def _project_of(function: Any) -> _Project:
    module = function.__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return _Project(module=module, folder=None)
    path = Path(file).resolve()
    # The file of module `a.b.c` lies one folder below that of its top-level package.
    above = module.count(".") - (path.stem != "__init__")
    inside_treadle = path.is_relative_to(_TREADLE)
    folder = path.parent if above < 1 or inside_treadle else path.parents[above]
    return _Project(module=module, folder=folder)


def _origin(package: str) -> str | None:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return None if spec is None else spec.origin


def _bytes_of(value: Any) -> Any:
    try:
        view = memoryview(value)
        if "O" in view.format:  # addresses
            return None
        return [view.format, list(view.shape or ()), digest_bytes(view.tobytes())]
    except (TypeError, ValueError, BufferError):  # no bytes, or of a type that has no format
        return None


@functools.cache
def _version(package: str) -> str:
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(package, package))
    except importlib.metadata.PackageNotFoundError:
        return str(getattr(sys.modules.get(package), "__version__", ""))
