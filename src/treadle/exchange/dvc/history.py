"""Every state of a repository's outputs, from Git's history."""

from __future__ import annotations

import posixpath
import subprocess
from typing import TYPE_CHECKING

from treadle.exchange.dvc.entities import Commit, Out
from treadle.exchange.dvc.parsing import LOCK, read_outs
from treadle.kernel.errors import InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECOND_US = 1_000_000
FIELDS = ("%H", "%P", "%an <%ae>", "%at", "%B")
# Git's pathspecs: at any depth, as DVC looks for them.
SPECS = (":(top,glob)**/*.dvc", f":(top,glob)**/{LOCK}")


class Repository:
    """A checkout of a DVC repository, asked through Git."""

    def __init__(self, folder: Path, *, tell: Callable[[str, str], None]) -> None:
        if not (folder / ".dvc").is_dir():
            raise NotFound("DVC repository", folder, hint="Name the folder that holds .dvc.")
        if not (folder / ".git").exists():
            raise InvalidInput(
                f"{folder} is no checkout of Git: its history is where the versions are.",
                hint="Commit its files as they are instead: treadle data commit FOLDER.",
            )
        self.folder = folder
        self._tell = tell
        self._parsed: dict[str, list[Out]] = {}

    def commits(self) -> list[Commit]:
        """Return the commits that changed an output, each after its parents."""
        text = self._git(
            "log", "-z", "--topo-order", "--reverse", "--parents", "--full-history",
            f"--format={'%x01'.join(FIELDS)}", "HEAD", "--", *SPECS,
        )  # fmt: skip
        return [_commit(entry) for entry in text.split("\0") if entry.strip()]

    def outs(self, commit: Commit) -> list[Out]:
        """Return every output as it was at a commit."""
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", commit.id)
        outs: list[Out] = []
        for line in listed.split("\0"):
            about, _, path = line.partition("\t")
            name = posixpath.basename(path)
            # `.dvc` itself is the folder of DVC's own things.
            if (name.endswith(".dvc") and name != ".dvc") or name == LOCK:
                outs += self._read(about.split()[2], path)
        return outs

    def _read(self, blob: str, path: str) -> list[Out]:
        key = f"{blob}:{path}"
        if key not in self._parsed:
            try:
                outs, left = read_outs(path, self._git("cat-file", "blob", blob))
            except InvalidInput as error:
                outs, left = [], [(path, error.message)]
            for what, why in left:
                self._tell(f"{what} of {path}", why)
            self._parsed[key] = outs
        return self._parsed[key]

    def _git(self, *args: str) -> str:
        # Nothing that the repository configures is run by looking at it.
        command = ["git", "-c", "core.fsmonitor=false", "--no-optional-locks", "-C"]
        try:
            done = subprocess.run(
                [*command, str(self.folder), *args], capture_output=True, check=True
            )
        except FileNotFoundError as error:
            raise Unavailable("There is no git to ask.", hint="Install git.") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()
            raise Unavailable(f"git {args[0]} failed in {self.folder}: {said}") from error
        return done.stdout.decode(errors="surrogateescape")


def _commit(entry: str) -> Commit:
    head, parents, author, at, message = entry.lstrip("\n").split("\x01", 4)
    return Commit(
        id=head,
        parents=tuple(parents.split()),
        author=author.encode(errors="replace").decode(),
        at=int(at) * SECOND_US,
        message=message.strip().encode(errors="replace").decode(),
    )
