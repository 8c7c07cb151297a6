"""Write a version so that DVC pulls it: a remote of objects by MD5, and a `.dvc` file."""

from __future__ import annotations

import hashlib
import json
import os
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import yaml

from treadle.exchange.mlflow.entities import LeftOut
from treadle.kernel.digests import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from treadle.data.entities import DatasetVersion
    from treadle.data.service import Data
    from treadle.data.trees.entities import TreeEntry

REMOTE = "remote"
OBJECTS = f"{REMOTE}/files/md5"
CONFIG = f"""[core]
    remote = treadle
    no_scm = {{no_scm}}
['remote "treadle"']
    url = ../{REMOTE}
"""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was written for DVC: the version, its `.dvc` file, how many files were new there.

    `hint` is a command to be given in the folder before `dvc pull`; empty where none is needed.
    """

    ref: str
    path: str
    files: int
    new_files: int
    size_bytes: int
    left_out: tuple[LeftOut, ...] = ()
    hint: str = ""


class Departure:
    """Writes versions into a folder: a fresh one, or one that is a DVC repository already."""

    def __init__(
        self, folder: Path, *, data: Data, tell: Callable[[str, str], None], dry_run: bool
    ) -> None:
        self._folder = folder
        self._data = data
        self._tell = tell
        self._dry_run = dry_run
        self._new = 0
        self._size = 0

    def write(self, ref: str) -> Written:
        """Write a version; what is there already is left as it is."""
        version = self._data.version(ref)
        entries = self._data.files(version.ref) if version.tree else ()
        listed: list[dict[str, str]] = []
        if not self._dry_run:
            for path, blocks in self._contents(version, entries):
                listed.append({"md5": self._object(blocks), "relpath": path})
                self._tell("files", path)
        target, hint = self._folder / f"{version.dataset}.dvc", ""
        if not self._dry_run:
            # As DVC writes it, so that its own status finds the folder unchanged.
            text = json.dumps(sorted(listed, key=lambda e: e["relpath"]), sort_keys=True).encode()
            md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
            self._keep(text, f"{md5}.dir")
            out = {
                "md5": f"{md5}.dir",
                "size": self._size,
                "nfiles": len(listed),
                "hash": "md5",
                "path": version.dataset,
            }
            meta = {"treadle": version.ref, "digest": version.digest}
            target.write_text(yaml.safe_dump({"outs": [out], "meta": meta}, sort_keys=False))
            hint = self._configure()
        return Written(
            ref=version.ref,
            path=str(target),
            files=sum(entry.is_file for entry in entries) or len(version.files),
            new_files=self._new,
            size_bytes=self._size or version.size_bytes,
            left_out=tuple(_left_out(entries)),
            hint=hint,
        )

    def _contents(
        self, version: DatasetVersion, entries: Sequence[TreeEntry]
    ) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Yield the paths and bytes of all files of a version."""
        for entry, blocks in self._data.contents(e for e in entries if e.is_file):
            yield entry.path, blocks
        for file in () if version.tree else version.files:
            with self._data.open_object(file.digest) as stream:
                yield file.path, iter(partial(stream.read, CHUNK_BYTES), b"")

    def _object(self, blocks: Iterable[bytes]) -> str:
        """Write a file under its MD5; return that."""
        hasher = hashlib.md5(usedforsecurity=False)
        place = self._folder / REMOTE
        place.mkdir(parents=True, exist_ok=True)
        draft = place / f"draft-{os.getpid()}"
        try:
            with draft.open("wb") as file:
                for block in blocks:
                    hasher.update(block)
                    file.write(block)
                    self._size += len(block)
            self._move(draft, hasher.hexdigest())
        finally:
            draft.unlink(missing_ok=True)
        return hasher.hexdigest()

    def _keep(self, data: bytes, md5: str) -> None:
        target = self._target(md5)
        if not target.exists():
            draft = target.with_suffix(".draft")
            draft.write_bytes(data)
            draft.replace(target)

    def _move(self, draft: Path, md5: str) -> None:
        target = self._target(md5)
        if not target.exists():
            draft.replace(target)
            self._new += 1

    def _target(self, md5: str) -> Path:
        target = self._folder / OBJECTS / md5[:2] / md5[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _configure(self) -> str:
        """Have a fresh folder be a DVC repository; of one that is say how it finds the remote."""
        home = self._folder / ".dvc"
        config = home / "config"
        if home.is_dir() and config.is_file():
            known = config.read_text(encoding="utf-8")
            if f"url = ../{REMOTE}" in known:
                return ""
            return f"dvc remote add treadle {REMOTE} && dvc pull -r treadle"
        home.mkdir(exist_ok=True)
        no_scm = str(not (self._folder / ".git").exists())
        config.write_text(CONFIG.format(no_scm=no_scm), encoding="utf-8")
        (home / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")
        return ""


def _left_out(entries: Sequence[TreeEntry]) -> Iterator[LeftOut]:
    """Name what DVC cannot hold."""
    for entry in entries:
        if entry.kind == "executable":
            yield LeftOut(what=entry.path, why="comes without its bit to execute")
        elif entry.kind != "file":
            yield LeftOut(what=entry.path, why=f"DVC keeps no {_WORDS[entry.kind]}")


_WORDS: dict[str, str] = {"link": "links", "folder": "empty folders"}
