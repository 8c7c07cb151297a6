"""Models as pickles, code of the user's own project included.

A pickle names a class by its module; the process that serves the model does not see the folder the
user worked in. So what is not installed here is written into the pickle by value.
"""

from __future__ import annotations

import contextlib
import pickle
import platform
import site
import sys
import sysconfig
import threading
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle

from treadle.kernel.errors import Corrupt, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

MODEL = "model.pkl"

# What cloudpickle writes by value is one list of the whole process.
_BY_VALUE = threading.Lock()


def save_pickle(model: object, *, folder: Path) -> None:
    """Write a model as a pickle. Raises InvalidInput when it holds something that cannot be."""
    with (folder / MODEL).open("wb") as file:
        file.write(dumps(model))


def load_pickle(folder: Path) -> object:
    """Read a model back. Only for files whose signature was checked."""
    return read_pickle((folder / MODEL).read_bytes())


def read_pickle(data: bytes) -> object:
    """Read a pickle. Only for bytes that this project wrote, or that the caller trusts."""
    try:
        return pickle.loads(data)  # noqa: S301 - signed by this project, or trusted by name
    except (ImportError, AttributeError) as error:
        raise Corrupt(
            f"The model needs code that is not here: {error}.",
            hint="Install the packages its version lists under libraries.",
        ) from error


def libraries(*packages: str) -> dict[str, str]:
    """Return the versions a saved model depends on: Python's and those of packages."""
    versions = {package: metadata.version(package) for package in packages}
    return {"python": platform.python_version(), **versions}


def installed(*packages: str) -> str:
    """Return the first of several packages that bring the same module; the last when none is."""
    for package in packages[:-1]:
        with contextlib.suppress(metadata.PackageNotFoundError):
            metadata.version(package)
            return package
    return packages[-1]


def dumps(model: object) -> bytes:
    """Return a model as a pickle, code of the user's own project written by value."""
    with contextlib.suppress(Exception), written_by_value():
        return bytes(cloudpickle.dumps(model))
    # A module of the project may hold what cannot be written (a lock, a connection) where its name
    # alone would do. If that is not it, this explains what is.
    try:
        return bytes(cloudpickle.dumps(model))
    except Exception as error:
        raise InvalidInput(
            f"The {type(model).__name__} cannot be saved: {type(error).__name__}: {error}.",
            hint="Keep open files, locks and connections out of it.",
        ) from error


@contextlib.contextmanager
def written_by_value() -> Iterator[None]:
    """Let cloudpickle write what is not installed here by value, and not by its name."""
    with _BY_VALUE:
        known = cloudpickle.list_registry_pickle_by_value()
        new = [module for module in _local_modules() if module.__name__ not in known]
        for module in new:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in new:
                cloudpickle.unregister_pickle_by_value(module)


def _local_modules() -> list[ModuleType]:
    installed = _installed_folders()
    return [
        module
        for name, module in list(sys.modules.items())
        if name == getattr(module, "__name__", None)
        and name.partition(".")[0] not in {"treadle", "__main__"}
        and (file := getattr(module, "__file__", None))
        and not any(Path(file).is_relative_to(folder) for folder in installed)
    ]


def _installed_folders() -> list[Path]:
    paths = sysconfig.get_paths()
    named = [paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return [Path(p) for p in {*named, *site.getsitepackages(), site.getusersitepackages()}]
