"""The artifacts of an MLflow store on a disk or in a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow.fs as pa_fs

from treadle.exchange.mlflow.web import PROXIED, proxied_path
from treadle.kernel.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


class PlacedFiles:
    """Artifacts by their URI; `root` is where the server kept those it handed out itself.

    A folder, or a URI such as `s3://bucket/path`: what `mlflow server` was given as
    --artifacts-destination. Raises InvalidInput for a folder that is not there.
    """

    def __init__(self, root: str = "") -> None:
        # What is not there holds no files, and nobody would be told that none came.
        if root and "://" not in root and not Path(root).is_dir():
            raise InvalidInput(
                f"There is no folder {root}.",
                hint="Give what `mlflow server` was given as --artifacts-destination.",
            )
        self._root = root

    def listed(self, uri: str) -> Iterator[str]:
        """Yield the paths of all files below an artifact URI. Raises Unavailable."""
        system, base = self._opened(uri)
        wanted = pa_fs.FileSelector(base, recursive=True, allow_not_found=True)
        try:
            found = system.get_file_info(wanted)
        except OSError as error:
            raise Unavailable(f"Cannot list {uri}: {error}.") from error
        for file in found:
            if file.type == pa_fs.FileType.File:
                yield file.path[len(base) :].lstrip("/")

    def open(self, uri: str, path: str) -> BinaryIO:
        """Open one of them to read."""
        system, base = self._opened(uri)
        try:
            return cast("BinaryIO", system.open_input_stream(f"{base}/{path}"))
        except OSError as error:
            raise Unavailable(f"Cannot read {path} of {uri}: {error}.") from error

    def _opened(self, uri: str) -> tuple[pa_fs.FileSystem, str]:
        place = uri
        if uri.startswith(PROXIED):
            if not self._root:
                raise Unavailable(
                    f"{uri} is in the server's own folder.",
                    hint="Say where that is: --artifacts FOLDER",
                )
            inside = proxied_path(uri)
            root = self._root if "://" in self._root else str(Path(self._root).resolve())
            place = f"{root.rstrip('/')}/{inside}"
        try:
            if "://" in place:
                system, base = pa_fs.FileSystem.from_uri(place)
                return system, base.rstrip("/")
        except (OSError, ValueError) as error:  # pyarrow's own errors are both
            raise Unavailable(f"Cannot reach {place}: {error}.") from error
        return pa_fs.LocalFileSystem(), str(Path(place).resolve())
