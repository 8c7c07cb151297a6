"""What DVC and Git say of an output: which bytes it was, at which commit."""

from __future__ import annotations

import re

import msgspec

FOLDER = ".dir"
NAME_LENGTH = 128
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Out(msgspec.Struct, frozen=True):
    """One output at one commit: its path in the repository and the MD5 of its bytes.

    Of a folder the MD5 (which ends in `.dir`) is that of the list of its files. `is_text_md5` says
    that DVC 2 and older may have counted a line's end as one byte.
    """

    path: str
    md5: str
    is_text_md5: bool = False
    is_executable: bool = False

    @property
    def is_folder(self) -> bool:
        """Say whether it is a folder."""
        return self.md5.endswith(FOLDER)


class Listed(msgspec.Struct, frozen=True):
    """A file of a folder, as the list of its files has it."""

    md5: str
    relpath: str


class Commit(msgspec.Struct, frozen=True):
    """A commit of Git that changed an output; its parents are such commits as well."""

    id: str
    parents: tuple[str, ...]
    author: str
    at: int
    message: str


def dataset_name(path: str, *, prefix: str = "") -> str:
    """Return the dataset an output becomes: its path with dots for slashes (`data.raw.csv`)."""
    dotted = _NOT_IN_A_NAME.sub("-", path.replace("/", "."))
    return f"{prefix}{dotted.lstrip('._-') or 'data'}"[:NAME_LENGTH]
