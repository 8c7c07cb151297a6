"""What code and packages a run was made with.

Looked up once per process: what was imported at its start is what runs. Environment variables are
never read, and files named like secrets are left out of the diff.
"""

from __future__ import annotations

import functools
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import msgspec

from treadle.kernel.digests import digest_bytes

DIFF_PATH = "code/uncommitted.diff"
PACKAGES_PATH = "environment/packages.txt"
DIFF_LIMIT_BYTES = 1 << 20
GIT_TIMEOUT_S = 10.0
SECRETS = (".env*", "*.env", "*.pem", "*.key", "id_rsa*", "*secret*", "*credential*", ".netrc")


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """Tags that say how a run was made, and the files that go with them."""

    tags: dict[str, str]
    files: dict[str, bytes]


@functools.cache
def capture_process() -> Capture:
    """Return the code and packages of this process, found on its first call."""
    return capture(Path.cwd())


def capture(folder: Path) -> Capture:
    """Return the code state of a folder and this interpreter's packages."""
    code = _code(folder)
    packages = _packages()
    tags = {
        **code.tags,
        "treadle.python": platform.python_version(),
        "treadle.os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "treadle.packages": digest_bytes(packages),
    }
    return Capture(tags=tags, files={**code.files, PACKAGES_PATH: packages})


def _code(folder: Path) -> Capture:
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return Capture(tags={}, files={})
    tags = {"treadle.code.commit": commit.decode().strip()}
    options = ("--binary", "--no-ext-diff", "--no-textconv", "--no-color")
    unwanted = (f":(top,exclude,icase,glob)**/{name}" for name in SECRETS)
    diff = _git(folder, "diff", "HEAD", *options, "--", ":/", *unwanted)
    if not diff:
        return Capture(tags=tags, files={})
    tags["treadle.code.diff"] = digest_bytes(diff)
    stored = {DIFF_PATH: diff} if len(diff) <= DIFF_LIMIT_BYTES else {}
    return Capture(tags=tags, files=stored)


def _git(folder: Path, *arguments: str) -> bytes | None:
    # No hook, pager or monitor of the repository is run by looking at it.
    command = ["git", "-c", "core.fsmonitor=false", "--no-optional-locks", "-C", str(folder)]
    try:
        done = subprocess.run(
            [*command, *arguments],
            capture_output=True,
            check=False,
            timeout=GIT_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here, or a tree too large to wait for
        return None
    return done.stdout if done.returncode == 0 else None


def _packages() -> bytes:
    found = {
        (name.lower().replace("_", "-"), distribution.version)
        for distribution in metadata.distributions()
        if (name := distribution.name)
    }
    return "".join(f"{name}=={version}\n" for name, version in sorted(found)).encode()
