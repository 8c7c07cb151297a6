"""Objects of S3, Google Cloud Storage and Azure: one, or all below a prefix."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from treadle.data.sources.web import require_within
from treadle.kernel.digests import digest_json
from treadle.kernel.errors import MissingExtra, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES = 4 << 20


def fetch_objects(
    url: str, folder: Path, *, mark: str, limit: int | None
) -> tuple[tuple[Path, ...], str] | None:
    """Fetch objects; return where they are and the mark of them all, None while it is `mark`.

    Credentials and region are the usual variables of the environment (`AWS_…`, `GOOGLE_…`,
    `AZURE_…`).
    """
    obstore, errors = _library()
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    try:
        store = obstore.store.from_url(f"{scheme}://{bucket}")
        found = sorted(_listed(obstore, store, key), key=lambda each: each["path"])
        if not found:
            raise NotFound("object", url, hint="A prefix ends with a slash.")
        now = digest_json(
            [[o["path"], o["size"], o["e_tag"] or str(o["last_modified"])] for o in found]
        )
        if mark == now[:32]:
            return None
        require_within(sum(each["size"] for each in found), limit=limit, what=url)
        base = _folder_of(key)
        paths = tuple(_fetched(obstore, store, o["path"], base, folder) for o in found)
    except FileNotFoundError as error:
        raise NotFound("object", url) from error
    except errors.BaseError as error:
        raise Unavailable(
            f"{url} cannot be fetched: {str(error).strip().partition(chr(10))[0]}",
            hint="Are the credentials and the region in the environment?",
        ) from error
    return paths, now[:32]


def target_of(folder: Path, name: str) -> Path:
    """Return where a name goes below a folder, made ready. Raises Unavailable for one outside."""
    path = folder.joinpath(*PurePosixPath(name).parts)
    if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
        raise Unavailable(f"The source holds {name!r}, which leads out of its folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _listed(obstore: Any, store: Any, key: str) -> Iterator[Any]:
    if key and not key.endswith("/") and not _has_star(key):
        yield obstore.head(store, key)
        return
    for page in obstore.list(store, prefix=_folder_of(key) or None):
        yield from (o for o in page if not _has_star(key) or fnmatchcase(o["path"], key))


def _fetched(obstore: Any, store: Any, key: str, base: str, folder: Path) -> Path:
    path = target_of(folder, key.removeprefix(base).lstrip("/"))
    with path.open("wb") as file:
        for block in obstore.get(store, key).stream(BLOCK_BYTES):
            file.write(block)
    return path


def _folder_of(key: str) -> str:
    """Return the folder that holds all that a key, prefix or pattern means."""
    fixed = key[: min((key.index(c) for c in "*?[" if c in key), default=len(key))]
    return fixed[: fixed.rfind("/") + 1]


def _has_star(key: str) -> bool:
    return any(sign in key for sign in "*?[")


def _library() -> tuple[Any, Any]:
    try:
        import obstore  # noqa: PLC0415 - an optional extra
        import obstore.store  # noqa: PLC0415 - as above
        from obstore import exceptions  # noqa: PLC0415 - as above
    except ModuleNotFoundError as missing:
        raise MissingExtra("obstore", extra="cloud") from missing
    return obstore, exceptions
