"""What a process runs in: its program and arguments, its packages, what its container allows."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import socket
import sys
from importlib import metadata
from pathlib import Path

from treadle.tracking.code_state import without_credentials

CGROUPS, OWN_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
MASK = "***"
_SECRET_NAME = re.compile(r"(?i)(pass|pwd|secret|token|key|credential|auth)")


def program() -> str:
    """Return what runs: a notebook, a module or a script; empty at an interactive prompt."""
    main = sys.modules.get("__main__")
    notebook = getattr(main, "__vsc_ipynb_file__", "") or os.environ.get("JPY_SESSION_NAME", "")
    if notebook and in_notebook():
        return str(notebook)
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    path = getattr(main, "__file__", None)
    if not path:
        return ""
    return (
        str(Path(path).relative_to(Path.cwd())) if Path(path).is_relative_to(Path.cwd()) else path
    )


def in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this process."""
    return "ipykernel" in sys.modules


def masked(arguments: list[str]) -> list[str]:
    """Return command-line arguments without what looks like a secret.

    That is what follows or is given to an option named like one, and passwords in addresses.
    """
    found: list[str] = []
    hide_next = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        is_option = argument.startswith("-")
        if hide_next and not is_option:
            found.append(MASK)
        elif equals and _SECRET_NAME.search(name):
            found.append(f"{name}={MASK}")
        else:
            found.append(without_credentials(argument))
        hide_next = is_option and not equals and bool(_SECRET_NAME.search(name))
    return found


def user() -> str:
    """Return the name of who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return str(os.getuid())


def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def packages() -> bytes:
    """Return every installed package with its version, in the form pip installs from.

    The first lines say which Python and system they are for. What came from version control is
    listed with its commit.
    """
    about = (f"# {platform.system()} {platform.machine()}", f"# Python {platform.python_version()}")
    found = {pin for each in metadata.distributions() if (pin := _pinned(each))[0]}
    return "".join(f"{line}\n" for line in (*about, *(pin[1] for pin in sorted(found)))).encode()


def container_limits(root: Path = CGROUPS, *, own: Path = OWN_CGROUP) -> dict[str, str]:
    """Return what the control groups of this process allow: `cpu_limit`, `memory_limit_mb`.

    A group above may allow less than ours, so the least counts. Nothing where there is no limit.
    """
    folders = _groups(root, own=own)
    cpus = [limit for folder in folders if (limit := _cpus(folder)) is not None]
    memory = [limit for folder in folders if (limit := _memory(folder)) is not None]
    found = {"cpu_limit": f"{min(cpus):g}"} if cpus else {}
    return found | ({"memory_limit_mb": str(min(memory) // 1_000_000)} if memory else {})


def _pinned(distribution: metadata.Distribution) -> tuple[str, str]:
    """Return a package's name and its line; a broken one has no name."""
    name = (distribution.name or "").lower().replace("_", "-")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    vcs = origin.get("vcs_info")
    if vcs is None:
        return name, f"{name}=={distribution.version}"
    url = without_credentials(origin["url"])
    return name, f"{name} @ {vcs['vcs']}+{url}@{vcs['commit_id']}"


def _groups(root: Path, *, own: Path) -> list[Path]:
    try:
        lines = own.read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return []
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    group = root / path.lstrip("/")
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(root)]


def _cpus(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def _memory(folder: Path) -> int | None:
    limit = _read(folder / "memory.max")
    return int(limit) if limit.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:  # no such limit at this level
        return ""
