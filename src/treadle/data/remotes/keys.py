"""Under which key each thing lies in a remote.

What is stored is named by its digest and the era it was written in (`4a3d….2`; in the first, era 0,
by its digest alone). Each sweep begins an era, so that a name it takes away is never written again.

`refs` comes last by name and makes visible what the others hold: so a copy made in the order of
names, as rsync makes it, never shows what is not there yet.
"""

from __future__ import annotations

MARKER = "format"
ERAS = "eras"
INDEXES = "indexes"
OBJECTS = "objects"
PACKS = "packs"
PUSHES = "pushes"
RECORDS = "records"
REFS = "refs"


def named(digest: str, era: int) -> str:
    """Return the name of what is written in an era."""
    return f"{digest}.{era}" if era else digest


def digest_of(name: str) -> str:
    """Return the digest that a name holds."""
    return name.partition(".")[0]


def era_of(name: str) -> int:
    """Return the era in which a name was written."""
    era = name.partition(".")[2]
    return int(era) if era.isdigit() else 0


def name_of(key: str) -> str:
    """Return the name that a key of something stored ends with."""
    return key.rpartition("/")[2]


def pack_key(name: str) -> str:
    """Return the key of a pack."""
    return f"{PACKS}/{name[:2]}/{name}"


def object_key(name: str) -> str:
    """Return the key of a whole object."""
    return f"{OBJECTS}/{name[:2]}/{name}"


def index_key(name: str) -> str:
    """Return the key of what a pack holds."""
    return f"{INDEXES}/{name}"


def record_key(name: str) -> str:
    """Return the key of a state, a version or a contract."""
    return f"{RECORDS}/{name}"


def era_key(number: int) -> str:
    """Return the key of the beginning of an era."""
    return f"{ERAS}/{number:08}"


def push_key(dataset: str, push: str) -> str:
    """Return the key of the mark of a push that is under way."""
    return f"{PUSHES}/{dataset}/{push}"


def ref_key(dataset: str, number: int) -> str:
    """Return the key of a step in a dataset's history."""
    return f"{REFS}/{dataset}/{number:08}"
