"""Under which key each thing lies in a remote.

`refs` comes last by name and makes visible what the others hold: so a copy made in the order of
names, as rsync makes it, never shows what is not there yet.
"""

from __future__ import annotations

MARKER = "format"
INDEXES = "indexes"
REFS = "refs"


def pack_key(digest: str) -> str:
    """Return the key of a pack."""
    return f"packs/{digest[:2]}/{digest}"


def object_key(digest: str) -> str:
    """Return the key of a whole object."""
    return f"objects/{digest[:2]}/{digest}"


def index_key(digest: str) -> str:
    """Return the key of what a pack holds."""
    return f"{INDEXES}/{digest}"


def record_key(digest: str) -> str:
    """Return the key of a state, a version or a contract."""
    return f"records/{digest}"


def ref_key(dataset: str, number: int) -> str:
    """Return the key of a step in a dataset's history."""
    return f"{REFS}/{dataset}/{number:08}"
