"""What can be the key of a blob."""

from __future__ import annotations

import re

from treadle.kernel.errors import InvalidInput, Unavailable

# Names that a folder, a bucket and a URL hold as they are; none begins with a dot.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


def check_key(key: str) -> None:
    """Raise InvalidInput unless a text can be a key; keeps paths inside their root."""
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"{key!r} cannot be the key of a blob.",
            hint="Use names of letters, digits, '.', '_' and '-', joined by '/'.",
        )


def read_only(where: str) -> Unavailable:
    """Return the error for writing to what can only be read."""
    return Unavailable(
        f"{where} can only be read.",
        hint="Write to the folder or bucket behind it.",
    )
