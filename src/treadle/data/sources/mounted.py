"""Files that fsspec reaches: sftp://, hdfs://, webdav://, smb://, memory://, …."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from treadle.data.sources.buckets import target_of
from treadle.data.sources.secrets import bare, scrubbed
from treadle.data.sources.web import require_within
from treadle.kernel.digests import digest_json
from treadle.kernel.errors import InvalidInput, MissingExtra, NotFound, TreadleError, Unavailable


def fetch_mounted(
    url: str, folder: Path, *, mark: str, limit: int | None
) -> tuple[tuple[Path, ...], str] | None:
    """Fetch files; return where they are and the mark of them all, None while it is `mark`.

    fsspec's drivers read their credentials from the address, the environment or their own files.
    """
    files: Any = None
    try:
        files, where = _reached(url)
        found = _listed(files, where)
        _require_any(found, url)
        now = digest_json([[path, *_looks(info)] for path, info in found.items()])
        if mark == now[:32] and all(any(_looks(i)[1:]) for i in found.values()):
            return None
        require_within(sum(i.get("size") or 0 for i in found.values()), limit=limit, what=bare(url))
        base = _base(found, where)
        paths = [_fetched(files, path, base, folder) for path in found]
    except (TreadleError, MissingExtra):
        raise
    except FileNotFoundError as error:
        raise NotFound("file", bare(url)) from error
    except Exception as error:  # each driver raises errors of its own making
        told = scrubbed(str(error) or type(error).__name__, url=url).partition("\n")[0]
        raise Unavailable(f"{bare(url)} cannot be fetched: {told}.") from error
    finally:
        # Drivers leave their connection open until the process ends; that of SFTP is its `client`.
        close = getattr(getattr(files, "client", None), "close", None)
        if callable(close):
            close()
    return tuple(paths), now[:32]


def _reached(url: str) -> tuple[Any, str]:
    try:
        import fsspec  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as missing:
        raise MissingExtra("fsspec", extra="fsspec") from missing
    scheme = url.partition("://")[0]
    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ValueError as unknown:
        raise InvalidInput(
            f"Nothing here reaches {scheme}://.",
            hint=f"Known: {', '.join(sorted(fsspec.available_protocols()))}.",
        ) from unknown
    except ImportError as missing:
        raise Unavailable(
            f"{scheme}:// needs a driver of fsspec that is not installed: {missing}.",
            hint="Install what it names; for sftp: pip install paramiko.",
        ) from missing
    options = kind._get_kwargs_from_urls(url)  # noqa: SLF001 - fsspec's own way, its `url_to_fs` caches passwords
    return kind(**options, skip_instance_cache=True), kind._strip_protocol(url)  # noqa: SLF001 - as above


def _listed(files: Any, where: str) -> dict[str, dict[str, Any]]:
    if any(sign in where for sign in "*?["):
        found = files.glob(where, detail=True)
    elif files.isdir(where):
        found = files.find(where, detail=True)
    else:
        found = {where: files.info(where)}
    return {path: info for path, info in sorted(found.items()) if info.get("type") == "file"}


def _require_any(found: dict[str, Any], url: str) -> None:
    if not found:
        raise NotFound("file", bare(url), hint="Is there any file in it?")


def _looks(info: dict[str, Any]) -> list[str]:
    """Return what changes when a file does; drivers name it differently."""
    names = ("size", "mtime", "modified", "created", "ETag", "etag", "checksum", "last_modified")
    return [str(info.get(name) or "") for name in names]


def _base(found: dict[str, Any], where: str) -> str:
    if list(found) == [where]:
        return str(PurePosixPath(where).parent)
    fixed = where[: min((where.index(c) for c in "*?[" if c in where), default=len(where) + 1)]
    return fixed if fixed == where else fixed[: fixed.rfind("/") + 1]


def _fetched(files: Any, path: str, base: str, folder: Path) -> Path:
    target = target_of(folder, path.removeprefix(base).lstrip("/"))
    files.get_file(path, str(target))
    return target
