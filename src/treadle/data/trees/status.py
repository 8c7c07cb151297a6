"""How a folder differs from the version that was committed or checked out there.

Needs no database: what is remembered of the folder suffices.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from treadle.data.trees.entities import TreeDiff, TreeStatus
from treadle.data.trees.opening import content_of
from treadle.data.trees.places import Place, Places, Seen, now_ns, seen
from treadle.data.trees.walking import Found, walk
from treadle.kernel.errors import NotFound

PLACES = "places"


def folder_status(path: Path | str, *, home: Path) -> TreeStatus:
    """Compare a folder with its version; reads only files that do not look as they did."""
    root = Path(path).resolve()
    places = Places(home / PLACES)
    place = places.load(root)
    if place is None:
        raise NotFound(
            "version known for",
            root,
            hint="Commit the folder (treadle data commit) or check a version out there.",
        )
    found = walk(root, only=place.only, without=home)
    known = {entry.path: entry for entry in place.seen}
    changed, again = _changed(str(root), found, known)
    if again:
        renewed = tuple(again.get(entry.path, entry) for entry in place.seen)
        places.save(msgspec.structs.replace(place, seen=renewed))
    return _status(place, found, known, changed=changed)


def _changed(
    root: str, found: list[Found], known: dict[str, Seen]
) -> tuple[list[str], dict[str, Seen]]:
    """Return what is not as it was, and what only looked so and is known again."""
    changed: list[str] = []
    again: dict[str, Seen] = {}
    for here in found:
        was = known.get(here.path)
        if was is None or was.is_still(here):
            continue
        read_at = now_ns()
        if (
            was.kind != here.kind
            or was.size_bytes != here.size_bytes
            or content_of(root, here) != was.content
        ):
            changed.append(here.path)
        elif here.kind in {"file", "executable"}:
            again[here.path] = seen(here, was.content, read_at_ns=read_at)
    return changed, {p: s for p, s in again.items() if s.mtime_ns}


def _status(
    place: Place, found: list[Found], known: dict[str, Seen], *, changed: list[str]
) -> TreeStatus:
    paths = {here.path for here in found}
    return TreeStatus(
        root=place.root,
        ref=place.ref,
        files=sum(here.kind != "folder" for here in found),
        diff=TreeDiff(
            added=tuple(here.path for here in found if here.path not in known),
            removed=tuple(path for path in known if path not in paths),
            changed=tuple(changed),
        ),
    )
