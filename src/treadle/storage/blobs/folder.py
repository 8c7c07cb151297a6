"""Blobs as files of a folder, perhaps one that several machines see."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from treadle.kernel.digests import CHUNK_BYTES
from treadle.kernel.errors import NotFound, Unavailable
from treadle.storage.blobs.keys import check_key
from treadle.storage.objects import explained, part_of, sync_folder
from treadle.storage.ports import BlobInfo, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

# Not the start of any key, and what web servers do not hand out.
DRAFTS = ".drafts"
DAY_S = 86_400


class FolderBlobs:
    """Files written aside, synced, then given their name: by `rename`, or to one winner by `link`.

    A hard link is made by one of all who try, also over NFS, and what it names is whole: so nobody
    waits for a lock, and none is left behind by one who is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_swept = False

    def put(self, key: str, stream: BinaryIO) -> None:
        """Store all bytes of a stream under a key, in place of what may be there."""
        target = self._path(key)
        with explained(self._folder), self._draft(stream) as draft:
            self._make(target.parent)
            draft.replace(target)
            sync_folder(target.parent)

    def create(self, key: str, data: bytes) -> bool:
        """Store bytes unless the key is taken; say whether it was free."""
        target = self._path(key)
        with explained(self._folder), self._draft(io.BytesIO(data)) as draft:
            self._make(target.parent)
            try:
                target.hardlink_to(draft)
            except FileExistsError:
                return False
            sync_folder(target.parent)
        return True

    def open(self, key: str, *, span: Span | None = None) -> BinaryIO:
        """Open a blob to read, or only these bytes of it. Raises NotFound when it is not there."""
        path = self._path(key)
        try:
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound("blob", f"{self._folder}/{key}") from error
        except OSError as error:
            raise Unavailable(f"Cannot read {path}: {error.strerror or error}.") from error
        return file if span is None else part_of(file, span)

    def stat(self, key: str) -> BlobInfo | None:
        """Return what is known of a blob, or None when it is not there."""
        path = self._path(key)
        try:
            return _info(key, path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unavailable(f"Cannot read {path}: {error.strerror or error}.") from error

    def delete(self, key: str) -> None:
        """Remove a blob; does nothing when it is not there."""
        with explained(self._folder):
            self._path(key).unlink(missing_ok=True)

    def list(self, folder: str) -> Iterator[BlobInfo]:
        """Yield every blob below a folder, in no promised order."""
        root = self._path(folder)
        for place, _, names in os.walk(root):
            for name in names:
                path = Path(place, name)
                with contextlib.suppress(FileNotFoundError):  # removed since
                    yield _info(path.relative_to(self._folder).as_posix(), path)

    @contextlib.contextmanager
    def _draft(self, stream: BinaryIO) -> Iterator[Path]:
        handle, name = tempfile.mkstemp(dir=self._make_drafts(), prefix="draft-")
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                while block := stream.read(CHUNK_BYTES):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            draft.chmod(0o644)  # others are to read it
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _make_drafts(self) -> Path:
        """Return where drafts lie, without those of writers killed long ago."""
        drafts = self._folder / DRAFTS
        if not self._is_swept:
            drafts.mkdir(parents=True, exist_ok=True)
            until = time.time() - DAY_S
            for draft in drafts.iterdir():
                with contextlib.suppress(FileNotFoundError):  # its writer lives
                    if draft.stat().st_mtime < until:
                        draft.unlink()
            self._is_swept = True
        return drafts

    def _make(self, folder: Path) -> None:
        if not folder.exists():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)

    def _path(self, key: str) -> Path:
        check_key(key)
        return self._folder / key


def _info(key: str, path: Path) -> BlobInfo:
    known = path.stat()
    return BlobInfo(key, known.st_size, known.st_mtime_ns // 1000)
