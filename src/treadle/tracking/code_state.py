"""What a folder's version control knows: the commit, what is not committed, what is not known.

Git, Mercurial and Subversion are asked through their own programs; none is needed. Files named like
secrets are left out of the diff. Nothing that the repository configures is run.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

TIMEOUT_S = 10.0
SECRETS = (".env*", "*.env", "*.pem", "*.key", "id_rsa*", "*secret*", "*credential*", ".netrc")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


class CodeState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a checkout; `repository` is where it came from, without credentials."""

    system: str
    commit: str
    branch: str = ""
    repository: str = ""
    diff: bytes = b""
    untracked: tuple[str, ...] = ()


def code_state(folder: Path) -> CodeState | None:
    """Return the state of the checkout a folder lies in, or None when it lies in none."""
    for root in (folder, *folder.parents):
        for marker, look in SYSTEMS.items():
            if (root / marker).exists():
                return look(root)
    return None


def is_secret(path: str) -> bool:
    """Whether a file is named like something that must not be kept."""
    name = path.rpartition("/")[2].lower()
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in SECRETS)


def without_credentials(url: str) -> str:
    """Return an address without the user and password in it."""
    return _USERINFO.sub("", url)


def _git(root: Path) -> CodeState | None:
    # No hook, pager or monitor of the repository is run by looking at it.
    git = ("git", "-c", "core.fsmonitor=false", "--no-optional-locks", "-C", str(root))
    head = _said([*git, "rev-parse", "HEAD", "--abbrev-ref", "HEAD"])
    if head is None:
        return None
    commit, branch = head.decode().split("\n")[:2]
    options = ("--binary", "--no-ext-diff", "--no-textconv", "--no-color")
    unwanted = (f":(top,exclude,icase,glob)**/{name}" for name in SECRETS)
    origin = _said([*git, "config", "--get", "remote.origin.url"])
    return CodeState(
        system="git",
        commit=commit,
        branch="" if branch == "HEAD" else branch,
        repository=without_credentials(_text(origin)),
        diff=_said([*git, "diff", "HEAD", *options, "--", ":/", *unwanted]) or b"",
        untracked=_names(_said([*git, "ls-files", "--others", "--exclude-standard", "-z"])),
    )


def _mercurial(root: Path) -> CodeState | None:
    hg = ("hg", "--noninteractive", "-R", str(root), "--cwd", str(root))
    head = _said([*hg, "log", "-r", ".", "-T", "{node}\n{branch}\n"])
    if not head:  # nothing is committed yet
        return None
    commit, branch = head.decode().split("\n")[:2]
    unwanted = [f"relre:(?i:(^|/){_regex(name)})" for name in SECRETS]
    excluded = [part for pattern in unwanted for part in ("-X", pattern)]
    return CodeState(
        system="hg",
        commit=commit,
        branch=branch,
        diff=_said([*hg, "diff", "--git", *excluded]) or b"",
        untracked=_names(_said([*hg, "status", "--unknown", "--no-status", "--print0"])),
    )


def _subversion(root: Path) -> CodeState | None:
    shown = ("svn", "info", "--non-interactive", "--show-item")
    revision = _text(_said([*shown, "revision"], folder=root))
    if not revision:
        return None
    status = _said(["svn", "status", "--non-interactive"], folder=root) or b""
    unknown = (line[8:] for line in status.decode().splitlines() if line.startswith("?"))
    diff = _said(["svn", "diff", "--non-interactive", "--internal-diff"], folder=root) or b""
    return CodeState(
        system="svn",
        commit=f"r{revision}",
        repository=without_credentials(_text(_said([*shown, "url"], folder=root))),
        diff=_without_secrets(diff),
        untracked=tuple(sorted(unknown)),
    )


def _without_secrets(diff: bytes) -> bytes:
    # Subversion cannot leave files out itself; what a file holds never begins a line like this.
    files = re.split(rb"^(?=Index: )", diff, flags=re.MULTILINE)
    names = (_text(file.partition(b"\n")[0].removeprefix(b"Index: ")) for file in files)
    return b"".join(f for f, name in zip(files, names, strict=True) if not is_secret(name))


SYSTEMS: dict[str, Callable[[Path], CodeState | None]] = {
    ".git": _git,
    ".hg": _mercurial,
    ".svn": _subversion,
}


def _said(command: Iterable[str], *, folder: Path | None = None) -> bytes | None:
    # Plain output in one language; Mercurial is kept from reading the repository's own settings.
    plain = {"HGPLAIN": "1", "HGRCSKIPREPO": "1", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            list(command),
            capture_output=True,
            check=False,
            cwd=folder,
            env={**os.environ, **plain},
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):  # not installed, or a tree too large to wait for
        return None
    return done.stdout if done.returncode == 0 else None


def _text(said: bytes | None) -> str:
    return (said or b"").decode(errors="replace").strip()


def _names(said: bytes | None) -> tuple[str, ...]:
    return tuple(sorted(n.decode(errors="replace") for n in (said or b"").split(b"\0") if n))


def _regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", "[^/]*") + "$"
