"""What code, packages and machine a run was made with.

Looked up once per process: what was imported at its start is what runs. No environment variable is
kept, arguments that look like secrets are masked, and files named like them are left out.

The `treadle.…` tags are the ones we read; those that MLflow's clients read are copies of them.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.digests import digest_bytes
from treadle.tracking import rules, surroundings
from treadle.tracking.code_state import code_state

if TYPE_CHECKING:
    from treadle.tracking.code_state import CodeState

DIFF_PATH = "code/uncommitted.diff"
UNTRACKED_PATH = "code/untracked.txt"
PACKAGES_PATH = "environment/packages.txt"
DIFF_LIMIT_BYTES = 1 << 20
UNTRACKED_LISTED = 1_000
COPIES = {
    "mlflow.source.name": "treadle.source",
    "mlflow.source.git.branch": "treadle.code.branch",
    "mlflow.source.git.repoURL": "treadle.code.repository",
    "mlflow.user": "treadle.user",
}


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """Tags that say how a run was made, and the files that go with them."""

    tags: dict[str, str]
    files: dict[str, bytes]


@functools.cache
def capture_process() -> Capture:
    """Return the code and packages of this process, found on its first call."""
    return capture(Path.cwd())


@functools.cache
def code_commit() -> str | None:
    """Return the commit of this process's code; packages, which take longer, are left alone."""
    state = code_state(Path.cwd())
    return state.commit or None if state else None


def capture(folder: Path) -> Capture:
    """Return the code state of a folder, this process and this interpreter's packages."""
    state = code_state(folder)
    packages = surroundings.packages()
    tags = {
        **(_code_tags(state) if state else {}),
        **_process_tags(),
        "treadle.packages": digest_bytes(packages),
    }
    tags |= {copy: tags[ours] for copy, ours in COPIES.items() if ours in tags}
    if state is not None and state.system == "git":
        tags["mlflow.source.git.commit"] = state.commit
    files = {**(_code_files(state) if state else {}), PACKAGES_PATH: packages}
    return Capture(tags={k: v[: rules.TAG_LENGTH] for k, v in tags.items() if v}, files=files)


def _code_tags(state: CodeState) -> dict[str, str]:
    return {
        "treadle.code.system": state.system,
        "treadle.code.commit": state.commit,
        "treadle.code.branch": state.branch,
        "treadle.code.repository": state.repository,
        "treadle.code.diff": digest_bytes(state.diff) if state.diff else "",
        "treadle.code.untracked": str(len(state.untracked)) if state.untracked else "",
    }


def _code_files(state: CodeState) -> dict[str, bytes]:
    files = {DIFF_PATH: state.diff} if 0 < len(state.diff) <= DIFF_LIMIT_BYTES else {}
    if state.untracked:
        listed = state.untracked[:UNTRACKED_LISTED]
        more = len(state.untracked) - len(listed)
        lines = [*listed, f"… and {more} more"] if more else listed
        files[UNTRACKED_PATH] = "".join(f"{line}\n" for line in lines).encode()
    return files


def _process_tags() -> dict[str, str]:
    limits = surroundings.container_limits()
    is_notebook = surroundings.in_notebook()
    return {
        "treadle.source": surroundings.program(),
        # A kernel's own arguments say nothing about the notebook.
        "treadle.arguments": "" if is_notebook else " ".join(surroundings.masked(sys.argv[1:])),
        "treadle.user": surroundings.user(),
        "treadle.host": surroundings.host(),
        "treadle.python": platform.python_version(),
        "treadle.os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "treadle.cpus": str(os.cpu_count() or ""),
        **{f"treadle.{name}": value for name, value in limits.items()},
        "mlflow.source.type": "NOTEBOOK" if is_notebook else "LOCAL",
    }
