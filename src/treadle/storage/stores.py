"""The way to any store of objects or blobs by its URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from treadle.kernel.errors import InvalidInput
from treadle.storage.blobs.folder import FolderBlobs
from treadle.storage.drafts import FolderDrafts
from treadle.storage.objects import ENCRYPTED, KEYS, FolderObjectStore, lacks_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.storage.encryption.objects import EncryptedObjectStore
    from treadle.storage.encryption.rotation import Rotation
    from treadle.storage.ports import Blobs, Drafts, ObjectStore

CLOUDS = ("s3", "gs", "az")
REMEDY = (
    "Was the remote's exchanged: get the file of the new one, bring what is stored here under it "
    "(treadle objects keys rotate --to FILE) and set TREADLE_OBJECTS_KEY=FILE. Was yours: exchange "
    "the remote's as well: treadle data remote rotate-key NAME --from OLD-FILE"
)


def open_objects(
    url: str, *, key: str = "", before_put: Callable[[], None] | None = None
) -> ObjectStore:
    """Open the object store of a URL: `file:///FOLDER`, or with `[cloud]` a bucket's.

    Those are `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`. With a `key` (64
    hex digits, or a file that holds them) what is put is encrypted. `before_put` is called before
    each object is. Raises Unavailable where what is there is encrypted and there is no key.
    """
    if key:
        return open_encrypted(url, key=key, before_put=before_put)
    store = _open(url, has_key=False, before_put=before_put)
    if isinstance(store, FolderObjectStore) and any((store.folder / KEYS).glob("??/*")):
        raise lacks_key(url)
    return store


def open_encrypted(
    url: str, *, key: str, before_put: Callable[[], None] | None = None
) -> EncryptedObjectStore:
    """Open a store whose objects are encrypted. Raises InvalidInput when the key is none."""
    # An option: only who encrypts pays for these imports.
    from treadle.storage.encryption.keyring import Keyring, master_key  # noqa: PLC0415 - see above
    from treadle.storage.encryption.objects import EncryptedObjectStore  # noqa: PLC0415 - as above, optional

    master = master_key(key)
    below = url.rstrip("/")
    return EncryptedObjectStore(
        _open(f"{below}/{ENCRYPTED}", has_key=True, before_put=before_put),
        plain=_open(url, has_key=True),
        keys=Keyring(_open(f"{below}/{KEYS}", has_key=True), master),
    )


def open_blobs(url: str) -> Blobs:
    """Open the blobs of a URL: as for objects, or `https://HOST/PATH` to read alone."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderBlobs(Path(unquote(parts.path)))
    if parts.scheme in {"http", "https"}:
        # Who reads no web server does not pay for the import of one's client.
        from treadle.storage.blobs.web import WebBlobs  # noqa: PLC0415 - see above

        return WebBlobs(url)
    if parts.scheme in CLOUDS:
        # An optional extra, as above.
        from treadle.storage.blobs.cloud import CloudBlobs  # noqa: PLC0415 - see above

        return CloudBlobs(url)
    raise InvalidInput(
        f"Nothing can be kept at {url!r}.",
        hint="Use a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, "
        "or https://HOST/PATH to read alone.",
    )


def encrypts(objects: ObjectStore) -> bool:
    """Say whether a store keeps what is put encrypted."""
    return _as_encrypted(objects) is not None


def sealed_blobs(url: str, blobs: Blobs, *, objects: ObjectStore | None) -> Blobs:
    """Return blobs that are encrypted with data keys of their own, beside them.

    The master key is that of `objects`. Raises InvalidInput where these are not encrypted.
    """
    own = _as_encrypted(objects) if objects else None
    if own is None:
        raise InvalidInput(
            f"{url} is encrypted, and there is no key here.",
            hint="Set TREADLE_OBJECTS_KEY to the key it was made with, or its file.",
        )
    if not url.startswith("file:") and urlsplit(url).scheme not in CLOUDS:
        raise InvalidInput(
            f"{url} is encrypted: its keys cannot be listed by a web server.",
            hint="Pull from the folder or the bucket behind it.",
        )
    from treadle.storage.encryption.blobs import SealedBlobs  # noqa: PLC0415 - an option, see above
    from treadle.storage.encryption.keyring import Words  # noqa: PLC0415 - as above, optional

    place = _open(f"{url.rstrip('/')}/{KEYS}", has_key=True)
    words = Words(f"The remote {url} is", REMEDY)
    return SealedBlobs(blobs, keys=own.keys.elsewhere(place, words=words))


def rotate_keys_of(
    url: str, *, objects: ObjectStore, old: str = "", new: str = "", dry_run: bool = False
) -> Rotation:
    """Wrap the data keys of encrypted blobs with another master key; no blob is written anew.

    `old` and `new` are keys or their files; what is not told is the master key of `objects`. Raises
    InvalidInput where these are not encrypted, Unavailable when the old one opens nothing.
    """
    from treadle.storage.encryption.keyring import Keyring, Words, master_key  # noqa: PLC0415 - an option, see above
    from treadle.storage.encryption.rotation import rotate  # noqa: PLC0415 - as above, optional

    own = _as_encrypted(objects)
    mine = own.keys.master if own else None
    now = master_key(old) if old else mine
    then = master_key(new) if new else mine
    if now is None or then is None:
        raise InvalidInput(
            "This home has no master key.",
            hint="Name both: --from FILE, the remote's now, and --to FILE, its next one.",
        )
    place = _open(f"{url.rstrip('/')}/{KEYS}", has_key=True)
    ring = Keyring(place, now, words=Words(f"The remote {url} is", REMEDY))
    return rotate(ring, then, dry_run=dry_run)


def drafts_of(objects: ObjectStore) -> Drafts:
    """Return where the objects of a store are put together of their pieces."""
    if isinstance(objects, FolderObjectStore):
        return FolderDrafts(objects)
    # Only who encrypts or uses a cloud store pays for these imports, as above.
    from treadle.storage.encryption import objects as encryption  # noqa: PLC0415 - an option, see above

    if isinstance(objects, encryption.EncryptedObjectStore):
        return encryption.EncryptedDrafts(
            drafts_of(objects.inner), plain=drafts_of(objects.plain), objects=objects
        )
    from treadle.storage import objects_cloud as cloud  # noqa: PLC0415 - an optional extra

    if isinstance(objects, cloud.CloudObjectStore):
        return cloud.CloudDrafts(objects)
    raise InvalidInput(f"{type(objects).__name__} takes no files in parts.")


def _as_encrypted(objects: ObjectStore) -> EncryptedObjectStore | None:
    if isinstance(objects, FolderObjectStore):
        return None
    from treadle.storage.encryption import objects as encryption  # noqa: PLC0415 - an option, see above

    return objects if isinstance(objects, encryption.EncryptedObjectStore) else None


def _open(url: str, *, has_key: bool, before_put: Callable[[], None] | None = None) -> ObjectStore:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return FolderObjectStore(Path(unquote(parts.path)), before_put=before_put)
    if parts.scheme in CLOUDS:
        # An optional extra: only who uses a cloud store pays for its import.
        from treadle.storage.objects_cloud import CloudObjectStore  # noqa: PLC0415 - see above

        return CloudObjectStore(url, has_key=has_key, before_put=before_put)
    raise InvalidInput(
        f"No object store for {url!r}.",
        hint="Use file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX.",
    )
