"""The way to any object store by its URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from treadle.kernel.errors import InvalidInput
from treadle.storage.drafts import FolderDrafts
from treadle.storage.objects import FolderObjectStore

if TYPE_CHECKING:
    from treadle.storage.ports import Drafts, ObjectStore


def open_objects(url: str) -> ObjectStore:
    """Open the object store of a URL: `file:///folder`, or `s3://bucket/prefix` with `[cloud]`."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderObjectStore(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        # An optional extra: only who uses a cloud store pays for its import.
        from treadle.storage.objects_cloud import CloudObjectStore  # noqa: PLC0415 - see above

        return CloudObjectStore(url)
    raise InvalidInput(
        f"No object store for {url!r}.", hint="Use file:///FOLDER or s3://BUCKET/PREFIX."
    )


def drafts_of(objects: ObjectStore) -> Drafts:
    """Return where the objects of a store are put together of their pieces."""
    if isinstance(objects, FolderObjectStore):
        return FolderDrafts(objects)
    # Only who uses a cloud store pays for its import, as above.
    from treadle.storage import objects_cloud as cloud  # noqa: PLC0415 - an optional extra

    if isinstance(objects, cloud.CloudObjectStore):
        return cloud.CloudDrafts(objects)
    raise InvalidInput(f"{type(objects).__name__} takes no files in parts.")
