"""Finding the function that work names, in a file or in a package."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FILES: dict[str, ModuleType] = {}
_LOADING = threading.RLock()
_IMPORTING: ContextVar[str] = ContextVar("treadle_importing", default="")


def check_target(target: str) -> tuple[str, str]:
    """Split a target into where and which. Raises InvalidInput when it does not read like one."""
    where, colon, name = target.rpartition(":")
    if not (where and colon and name.isidentifier()):
        raise InvalidInput(
            f"{target!r} does not name a function.",
            hint="Write /folder/file.py:function or package.module:function.",
        )
    return where, name


def resolve(target: str) -> Callable[..., Any]:
    """Return the function a target names, importing its file or module.

    Raises NotFound with the near miss when the file, the module or the function is not there;
    errors of the imported code itself come through as they are.
    """
    where, name = check_target(target)
    module = load_file(Path(where)) if where.endswith(".py") else _load_module(where)
    try:
        found: Callable[..., Any] = getattr(module, name)
    except AttributeError as error:
        raise NotFound("function", name, known=_callables(module)) from error
    return found


def load_file(path: Path) -> ModuleType:
    """Import a Python file, once per process; its folder comes first for its own imports."""
    file = path.expanduser().resolve()
    with _LOADING:
        return _FILES.get(str(file)) or _load(file)


def refuse_while_importing() -> None:
    """Raise InvalidInput when code that is being imported as a target starts work of its own.

    A worker imports the file that a step is in; if the file then ran its pipeline, that would start
    the next worker, and so on for ever.
    """
    if _IMPORTING.get():
        raise InvalidInput(
            f"{_IMPORTING.get()} starts work while it is imported.",
            hint='Put what starts it under: if __name__ == "__main__":',
        )


def loaded_files() -> tuple[ModuleType, ...]:
    """Return the modules imported from files, which no other process can import by name."""
    return tuple(_FILES.values())


def _load(file: Path) -> ModuleType:
    if not file.is_file():
        raise NotFound("file", file, known=[str(p) for p in file.parent.glob("*.py")])
    # The name is no file's: two files called pipeline.py must not take each other's place.
    spec = importlib.util.spec_from_file_location(f"{file.stem}_{_mark(file)}", file)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"{file} is not a Python file.")
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        with _importing(str(file)):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    _FILES[str(file)] = module
    return module


def _load_module(name: str) -> ModuleType:
    try:
        with _importing(name):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # What is missing may be the module itself or something it imports: only the first is ours.
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise NotFound("module", name, known=sys.modules) from error
        raise


@contextlib.contextmanager
def _importing(what: str) -> Iterator[None]:
    token = _IMPORTING.set(what)
    try:
        yield
    finally:
        _IMPORTING.reset(token)


def _mark(file: Path) -> str:
    return digest_bytes(str(file).encode())[:8]


def _callables(module: ModuleType) -> list[str]:
    return [n for n, v in vars(module).items() if isinstance(v, FunctionType) and n[0] != "_"]
