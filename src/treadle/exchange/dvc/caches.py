"""Where the bytes of outputs lie: the cache of a repository, and its remotes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import quote, urlencode

import pyarrow.fs as pa_fs

from treadle.exchange.dvc.parsing import read_config
from treadle.kernel.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Place = tuple[pa_fs.FileSystem, str]

# The layout since DVC 3, then the one before.
LAYOUTS = ("files/md5/", "")
SETTINGS = ("config", "config.local")


class Caches:
    """Objects by their MD5, looked for in the cache first and then in each remote."""

    def __init__(self, repository: Path) -> None:
        self._places = list(_places(repository))

    def has(self, md5: str) -> bool:
        """Say whether an object is anywhere."""
        return self._found(md5) is not None

    def open(self, md5: str) -> BinaryIO:
        """Open an object to read. Raises Unavailable when it is nowhere."""
        found = self._found(md5)
        if found is None:
            raise Unavailable(f"The object {md5} is in no cache and no remote.")
        system, path = found
        return cast("BinaryIO", system.open_input_stream(path))

    def _found(self, md5: str) -> Place | None:
        for system, base in self._places:
            for layout in LAYOUTS:
                path = f"{base}/{layout}{md5[:2]}/{md5[2:]}"
                try:
                    is_there = system.get_file_info(path).type == pa_fs.FileType.File
                except OSError as error:
                    raise Unavailable(f"Cannot look for {path}: {error}.") from error
                if is_there:
                    return system, path
        return None


def _places(repository: Path) -> Iterator[Place]:
    home = repository / ".dvc"
    settings: dict[str, dict[str, str]] = {}
    for name in SETTINGS:
        if (home / name).is_file():
            for section, found in read_config((home / name).read_text(encoding="utf-8")).items():
                settings.setdefault(section, {}).update(found)
    cache = home / settings.get("cache", {}).get("dir", "cache")
    yield pa_fs.LocalFileSystem(), str(cache.resolve())
    first = f"remote:{settings.get('core', {}).get('remote', '')}"
    remotes = sorted((s for s in settings if s.startswith("remote:")), key=lambda s: s != first)
    for section in remotes:
        place = _remote(settings[section], home)
        if place is not None:
            yield place


def _remote(settings: dict[str, str], home: Path) -> Place | None:
    """Return where a remote is, None for a kind that is not known."""
    url = settings.get("url", "")
    if "://" not in url:
        return (pa_fs.LocalFileSystem(), str((home / url).resolve())) if url else None
    scheme, _, rest = url.partition("://")
    if scheme not in {"s3", "gs"}:
        return None
    asked = {}
    if scheme == "s3" and (endpoint := settings.get("endpointurl", _endpoint())):
        way, _, address = endpoint.rpartition("://")
        asked = {"scheme": way or "https", "endpoint_override": address}
    if scheme == "s3" and "region" in settings:
        asked["region"] = settings["region"]
    query = f"?{urlencode(asked)}" if asked else ""
    try:
        system, base = pa_fs.FileSystem.from_uri(f"{scheme}://{quote(rest)}{query}")
    except (OSError, ValueError) as error:  # pyarrow's own errors are both
        raise Unavailable(f"Cannot reach the remote {url}: {error}.") from error
    return system, base.rstrip("/")


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
