"""The files of a run as a tree of folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.ui.contexts import TreeNode
from treadle.server.ui.places import asking, run_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.tracking.entities import Artifact

FILES_MOST = 1000
# A run with fewer files shows all of them at once.
OPEN_UP_TO = 12


def artifact_tree(
    run_id: str, files: Sequence[Artifact], *, chosen: str = ""
) -> tuple[TreeNode, ...]:
    """Return folders, then files, by name; the way to the chosen one is open."""
    shown = sorted(files[:FILES_MOST], key=lambda file: file.path)
    return _nodes(run_id, shown, start="", chosen=chosen, is_small=len(files) <= OPEN_UP_TO)


def _nodes(
    run_id: str, files: Sequence[Artifact], *, start: str, chosen: str, is_small: bool
) -> tuple[TreeNode, ...]:
    folders: dict[str, list[Artifact]] = {}
    plain: list[TreeNode] = []
    for file in files:
        name, slash, _ = file.path[len(start) :].partition("/")
        if slash:
            folders.setdefault(name, []).append(file)
        else:
            plain.append(_leaf(run_id, file, name=name, chosen=chosen))
    made = [
        TreeNode(
            name=name,
            href="",
            size_bytes=sum(file.size_bytes for file in inside),
            children=_nodes(
                run_id, inside, start=f"{start}{name}/", chosen=chosen, is_small=is_small
            ),
            is_open=is_small or chosen.startswith(f"{start}{name}/"),
        )
        for name, inside in folders.items()
    ]
    return (*made, *plain)


def _leaf(run_id: str, file: Artifact, *, name: str, chosen: str) -> TreeNode:
    return TreeNode(
        name=name,
        href=asking(run_place(run_id), {"artifact": file.path}) + "#artifacts",
        size_bytes=file.size_bytes,
        is_current=file.path == chosen,
    )
